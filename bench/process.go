//go:build linux

package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Process is a server that was started for a measurement.
type Process struct {
	Addr string // host:port it listens on
	PID  int

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	mu   sync.Mutex
	last []string // Guarded by mu: its latest lines
}

// The line by which a server says that it is ready.
var listening = regexp.MustCompile(`listening on https?://([^\s"]+)`)

// Start runs a server, on the given CPUs if any, and waits until it prints
// "listening on http://HOST:PORT", or https, to either output. It is killed when the test or
// command that started it dies.
func Start(ctx context.Context, cpus []int, name string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	out, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("bench: start: %w", err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	err = startOn(p.cmd, cpus)
	w.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("bench: start: %w", err)
	}
	p.PID = p.cmd.Process.Pid
	addr := make(chan string, 1)
	go p.follow(out, addr)

	t := time.NewTimer(20 * time.Second)
	defer t.Stop()
	select {
	case p.Addr = <-addr:
		return p, nil
	case <-p.done:
		err = fmt.Errorf("bench: %s ended at once: %s", name, p.lines())
	case <-t.C:
		err = fmt.Errorf("bench: %s does not say where it listens: %s", name, p.lines())
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.Stop()
	return nil, err
}

// startOn starts cmd from a thread that may run on the given CPUs only, which the
// process inherits. The thread stays alive until the process ends: Pdeathsig
// goes by the thread.
func startOn(cmd *exec.Cmd, cpus []int) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: its CPUs are not the others'
		if len(cpus) > 0 {
			var set unix.CPUSet
			for _, c := range cpus {
				set.Set(c)
			}
			if err := unix.SchedSetaffinity(0, &set); err != nil {
				started <- err
				return
			}
		}
		err := cmd.Start()
		started <- err
		if err == nil {
			// Waited for here only to keep the thread; Wait collects it.
			var info unix.Siginfo
			_ = unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		}
	}()
	return <-started
}

// follow reads what the server prints until it ends.
func (p *Process) follow(out io.ReadCloser, addr chan<- string) {
	defer close(p.done)
	defer out.Close()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		p.mu.Lock()
		if p.last = append(p.last, lines.Text()); len(p.last) > 20 {
			p.last = p.last[1:]
		}
		p.mu.Unlock()
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			select {
			case addr <- m[1]:
			default:
			}
		}
	}
	_ = p.cmd.Wait() // how it ended does not matter here
}

func (p *Process) lines() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.last, "\n")
}

// Stop ends the server: by SIGTERM, and by SIGKILL after a second.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-time.After(time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}
