package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/server"
	"roulette/netpoll"
)

// inherited are the listening sockets that a service manager has passed
// (sd_listen_fds(3)).
type inherited struct {
	public []int // descriptors, as netpoll wants them
	tls    []int
	admin  net.Listener
}

// inheritSockets takes what was passed, which may be nothing. A socket is the admin
// side's if its name says so.
func inheritSockets() (in inherited, err error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return in, nil
	}
	if n, err := strconv.Atoi(os.Getenv("LISTEN_FDS")); err != nil || n < 1 || n > maxInherited {
		return in, fmt.Errorf("LISTEN_FDS=%s is not a number from 1 to %d", os.Getenv("LISTEN_FDS"), maxInherited)
	}
	for _, f := range activation.Files(true) {
		fd := int(f.Fd()) // once: it puts the socket into blocking mode
		if err := netpoll.PrepareListener(fd); err != nil {
			return in, fmt.Errorf("inherited socket %s: %w", f.Name(), err)
		}
		switch name := f.Name(); {
		case name == "admin" && in.admin != nil:
			return in, errors.New("two inherited sockets are called admin")
		case name == "admin":
			if in.admin, err = net.FileListener(f); err != nil {
				return in, fmt.Errorf("inherited socket %s: %w", name, err)
			}
		case name == "public", name == "tls", !named(name):
			public, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				return in, fmt.Errorf("inherited socket %s: %w", name, os.NewSyscallError("fcntl", err))
			}
			if name == "tls" {
				in.tls = append(in.tls, public)
			} else {
				in.public = append(in.public, public)
			}
		default:
			return in, fmt.Errorf("inherited socket %s: its name must be public, tls or admin", name)
		}
		f.Close()
	}
	return in, nil
}

// named tells whether somebody has given a socket this name: without, it is the
// socket unit's, or one that the library makes.
func named(name string) bool {
	return name != "unknown" && !strings.HasPrefix(name, "LISTEN_FD_") && !strings.HasSuffix(name, ".socket")
}

// maxInherited is more sockets than anybody passes.
const maxInherited = 64

// supervisor tells a service manager how the server is (sd_notify(3)); without one
// it does nothing.
type supervisor struct {
	server *server.Server
	logger *slog.Logger
	ended  chan struct{}
	end    context.CancelFunc
}

// statusEvery is how often the manager is told how many people there are.
const statusEvery = 5 * time.Second

// supervise says that the server is ready, and goes on telling until stop.
func supervise(s *server.Server, logger *slog.Logger) (*supervisor, error) {
	interval, err := daemon.SdWatchdogEnabled(false) // a successor wants to know as well
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	v := &supervisor{server: s, logger: logger, ended: make(chan struct{}), end: cancel}
	v.tell(daemon.SdNotifyReady, v.status())
	go v.run(ctx, interval)
	return v, nil
}

// run is a goroutine of its own.
func (v *supervisor) run(ctx context.Context, interval time.Duration) {
	defer close(v.ended)
	status := time.NewTicker(statusEvery)
	defer status.Stop()
	var watchdog <-chan time.Time
	if interval > 0 {
		half := time.NewTicker(interval / 2)
		defer half.Stop()
		watchdog = half.C
		// At once: the last sign of a predecessor may be half the time old, and the next one
		// here comes after as much again.
		v.tell(daemon.SdNotifyWatchdog)
	}
	for {
		select {
		case <-status.C:
			v.tell(v.status())
		case <-watchdog:
			if silent := v.server.Unresponsive(); len(silent) > 0 {
				v.logger.Error("workers do not answer: no sign of life for the watchdog", "workers", silent)
				continue
			}
			v.tell(daemon.SdNotifyWatchdog)
		case <-ctx.Done():
			return
		}
	}
}

// tellMain says that this process is the service's main one now. The manager must have
// heard it when the predecessor ends, or it takes the service for ended.
func tellMain(logger *slog.Logger) {
	told := make(chan struct{})
	go func() {
		defer close(told)
		(&supervisor{logger: logger}).tell("MAINPID=" + strconv.Itoa(os.Getpid()))
	}()
	select {
	case <-told:
	case <-time.After(time.Second): // it is busy, and the listeners wait
	}
}

// reloading says so until done.
func (v *supervisor) reloading() (done func()) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // never fails for this clock
	v.tell(daemon.SdNotifyReloading, "MONOTONIC_USEC="+strconv.FormatInt(now.Nano()/1000, 10))
	return func() { v.tell(daemon.SdNotifyReady, v.status()) }
}

// stopping says that a drain begins.
func (v *supervisor) stopping() { v.tell(daemon.SdNotifyStopping) }

// stop ends the signs of life.
func (v *supervisor) stop() {
	v.end()
	<-v.ended
}

func (v *supervisor) status() string {
	state := cmp.Or(v.server.NotReady(), "serving")
	connections, pairs := v.server.Population()
	return fmt.Sprintf("STATUS=%s: %d connections, %d pairs", state, connections, pairs)
}

func (v *supervisor) tell(lines ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(lines, "\n")); err != nil {
		v.logger.Warn("service manager not told", "error", err)
	}
}
