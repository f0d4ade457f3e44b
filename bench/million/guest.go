//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"roulette/bench"
)

// guest is what process 1 does. It does not return: the machine ends with it.
func guest() {
	err := prepare()
	if err == nil {
		err = experiment()
	}
	if err != nil {
		say("failed: %v", err)
	} else {
		say(passed)
	}
	unix.Sync()
	// If even that fails, the kernel ends because its process 1 does.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func say(format string, args ...any) { fmt.Printf(first+format+"\n", args...) }

// limits are what a machine needs for many connections; with the last ones, every
// pair of addresses may use all ports.
var limits = map[string]string{
	"fs/nr_open":                   "4000000",
	"fs/file-max":                  "8000000",
	"net/core/somaxconn":           "65535",
	"net/ipv4/tcp_max_syn_backlog": "65535",
	"net/ipv4/tcp_max_orphans":     "2000000",
	"net/ipv4/tcp_mem":             "2000000 3000000 4000000",
	"net/ipv4/ip_local_port_range": "1024 65535",
}

// prepare makes a machine of a kernel that has just started.
func prepare() error {
	for _, m := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}} {
		if err := unix.Mount(m[0], m[1], m[0], 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m[0], err)
		}
	}
	for name, value := range limits {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3_000_000, Max: 3_000_000}); err != nil {
		return fmt.Errorf("descriptor limit: %w", err)
	}
	return raise("lo")
}

// raise switches a network interface on.
func raise(name string) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return os.NewSyscallError("SIOCSIFFLAGS", unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request))
}

const (
	admin  = "127.0.0.1:8081"
	never  = 24 * time.Hour
	looks  = 10 // figures while they come
	talked = 5  // messages a second of a hundred of the sample
)

// talk is how long the sample of n connections talks, and the figures come to rest.
func talk(n int) time.Duration {
	if n <= 100_000 {
		return 20 * time.Second
	}
	return 2 * time.Minute
}

// experiment opens the connections, has some of them talk, and sends all away.
func experiment() error {
	n, err := strconv.Atoi(os.Getenv("CONNECTIONS"))
	if err != nil {
		return err
	}
	sample, err := strconv.Atoi(os.Getenv("SAMPLE"))
	if err != nil {
		return err
	}
	ctx := context.Background()
	server, err := bench.Start(ctx, nil, "/roulette", "serve", "--listen", "127.0.0.1:8080", "--admin", admin,
		"--workers", "1", "--max-connections", strconv.Itoa(n+64), "--message-rate", "0",
		"--ping-interval", never.String(), "--handshake-timeout", "1m", "--drain-time", "1h",
		"--state-dir", stateDir, "--upgrade-freeze", "10m")
	if err != nil {
		return err
	}
	f := &figures{pid: server.PID}
	if err := f.look("none has come", 0); err != nil {
		return err
	}
	next, sent := n/looks, false
	var errs []error
	up := upgrade{of: f, wanted: os.Getenv("UPGRADE") == "true"}
	progress := func(p bench.Progress) {
		if p.Phase == "warming up" && f.since() > talk(n)/4 {
			up.begin()
		}
		switch {
		case p.Phase == "connecting" && p.Connected >= next && next < n:
			next += n / looks
			errs = append(errs, f.look("so many have come", p.Connected))
		case p.Phase == "warming up" && !sent && f.since() > talk(n)*3/4:
			sent = true
			errs = append(errs, f.look(fmt.Sprintf("all, %.0f s after the last; %d messages in the sample", f.since().Seconds(), p.Messages), p.Connected))
		case p.Phase == "warming up" && f.came.IsZero():
			f.came = time.Now()
			errs = append(errs, f.look("all have come and are paired", p.Connected))
		}
	}
	result, err := bench.Run(ctx, bench.Config{
		URL: "ws://127.0.0.1:8080/ws", Mode: bench.Drain,
		Connections: sample, Idle: n - sample, Rate: float64(sample) * talked / 100, Concurrency: 256,
		Timeout: never, Warmup: talk(n), Duration: 2 * time.Hour,
		Progress: progress, ProgressEvery: time.Second,
		Begin: func() { errs = append(errs, up.end(), unix.Kill(f.pid, syscall.SIGTERM)) },
	})
	if err != nil {
		return err
	}
	d := result.Drained
	say("came in %.0f s, %.0f a second; left: %d with 1001 and an orderly end, in %.0f s; %d left behind; faults %+v",
		result.ConnectSeconds, float64(n)/result.ConnectSeconds, d.Goodbyes, d.FirstSeconds+d.SpreadSeconds, d.Left, result.Faults)
	if d.Goodbyes != n {
		errs = append(errs, fmt.Errorf("%d of %d were sent away as they should", d.Goodbyes, n))
	}
	if !sent || f.messages() == 0 {
		errs = append(errs, errors.New("the sample did not talk"))
	}
	errs = append(errs, result.Err(), gone())
	return errors.Join(errs...)
}

const stateDir = "/tmp/state"

// upgrade is one that the sample talks through. Every message of it is checked, as all are.
type upgrade struct {
	of     *figures
	wanted bool
	done   chan error // nil: it has not begun
}

func (u *upgrade) begin() {
	if !u.wanted || u.done != nil {
		return
	}
	u.done = make(chan error, 1)
	go func() { u.done <- u.run() }()
}

// run has the server's own program take over, and looks at the memory before and
// behind, and when both processes are there.
func (u *upgrade) run() error {
	f := u.of
	before, err := f.memory()
	if err != nil {
		return err
	}
	out, err := exec.Command("/roulette", "upgrade", "--state-dir", stateDir).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := lines[len(lines)-1]
	if err != nil {
		return fmt.Errorf("upgrade: %w: %s", err, strings.Join(lines[max(0, len(lines)-3):], "; "))
	}
	say("upgrade: %s", last)
	if _, err := fmt.Sscan(last, &f.pid); err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	after, err := f.memory()
	if err != nil {
		return err
	}
	say("  server's memory    %7.1f MB before, %.1f MB behind (at most %.1f MB)", mb(before["VmRSS:"]), mb(after["VmRSS:"]), mb(after["VmHWM:"]))
	return nil
}

// end waits for it.
func (u *upgrade) end() error {
	switch {
	case !u.wanted:
		return nil
	case u.done == nil:
		return errors.New("there was no time for an upgrade")
	}
	return <-u.done
}

// gone waits until nobody listens any more.
func gone() error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		c, err := net.Dial("tcp", admin)
		if err != nil {
			return nil
		}
		c.Close()
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the server is still there")
}
