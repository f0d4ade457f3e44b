package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/handover"
	"roulette/cmd/roulette/internal/server"
)

// upgradeCommand is roulette upgrade.
type upgradeCommand struct {
	StateDir string `placeholder:"DIR" help:"The server's --state-dir. The default is systemd's StateDirectory."`
	Binary   string `env:"-" placeholder:"PATH" help:"The program that takes over. The default is what is now where the server's program was when it started."`
	DryRun   bool   `env:"-" help:"Start the successor and send it everything ahead of the freeze, and then call it off."`
}

// What is said at the control socket, a line of JSON each.
type (
	upgradeRequest struct {
		Binary string `json:"binary,omitempty"`
		DryRun bool   `json:"dry_run,omitempty"`
	}
	upgradeAnswer struct {
		Progress string `json:"progress,omitempty"`
		Error    string `json:"error,omitempty"`
		Done     string `json:"done,omitempty"` // the last line, if there is no error
	}
)

// controlSocket is the name of the control socket in --state-dir.
const controlSocket = "control.sock"

// Run asks the server, and prints what it says.
func (c *upgradeCommand) Run(stdout io.Writer) error {
	dir := (&serveFlags{StateDir: c.StateDir}).stateDir()
	if dir == "" {
		return usageError{errors.New("--state-dir: where the server has its control socket")}
	}
	if c.Binary != "" {
		var err error
		if c.Binary, err = filepath.Abs(c.Binary); err != nil {
			return err
		}
	}
	conn, err := net.Dial("unix", filepath.Join(dir, controlSocket))
	if err != nil {
		return fmt.Errorf("no server answers: %w", err)
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(upgradeRequest{c.Binary, c.DryRun}); err != nil {
		return err
	}
	for answers := json.NewDecoder(conn); ; {
		var a upgradeAnswer
		switch err := answers.Decode(&a); {
		case err != nil:
			return fmt.Errorf("the server has gone without an answer: %w", err)
		case a.Error != "":
			return errors.New(a.Error)
		case a.Done != "":
			_, err := fmt.Fprintln(stdout, a.Done)
			return err
		}
		fmt.Fprintln(stdout, a.Progress)
	}
}

// order is somebody's wish for an upgrade.
type order struct {
	upgradeRequest
	by   string
	tell func(upgradeAnswer)
}

// control takes orders at the control socket until the process ends.
func control(l net.Listener, orders chan<- order, logger *slog.Logger) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			if err := takeOrder(conn.(*net.UnixConn), orders); err != nil {
				logger.Warn("upgrade not asked for in good order", "error", err)
				conn.Close()
			}
		}()
	}
}

// takeOrder reads an order. The connection is closed behind the last answer.
func takeOrder(conn *net.UnixConn, orders chan<- order) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	if peer.Uid != uint32(os.Geteuid()) && peer.Uid != 0 {
		_ = json.NewEncoder(conn).Encode(upgradeAnswer{Error: "only the server's own user may upgrade it"})
		return fmt.Errorf("user %d is another one", peer.Uid)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	line, err := bufio.NewReader(io.LimitReader(conn, 8<<10)).ReadBytes('\n')
	if err != nil {
		return err
	}
	o := order{by: "roulette upgrade", tell: func(a upgradeAnswer) {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_ = json.NewEncoder(conn).Encode(a) // who has gone need not know
		if a.Progress == "" {
			conn.Close()
		}
	}}
	if err := json.Unmarshal(line, &o.upgradeRequest); err != nil {
		return err
	}
	orders <- o
	return nil
}

// upgrader starts successors. Owned by the goroutine that waits for signals, but for
// hand, which runs on its own.
type upgrader struct {
	server *server.Server
	logger *admin.Log
	ports  *ports
	self   string // the program's path when it was started
	freeze time.Duration

	cancel context.CancelFunc // of the one under way; nil: there is none
	done   chan error         // nil: this process is to go

	successor *handover.Conn // when this process is to go: whoever comes home goes there
}

// start begins an upgrade.
func (u *upgrader) start(o order) {
	if u.cancel != nil {
		o.tell(upgradeAnswer{Error: server.ErrLeaving.Error()})
		return
	}
	u.logger.Act(o.by, "upgrade begins", "dry_run", o.DryRun)
	var ctx context.Context
	ctx, u.cancel = context.WithCancel(context.Background())
	go func() { u.done <- u.hand(ctx, o) }()
}

// ended takes the result of the one under way.
func (u *upgrader) ended(err error) (gone bool) {
	u.cancel()
	u.cancel = nil
	return err == nil
}

// errRehearsed is the end of an upgrade that was not to be one.
var errRehearsed = errors.New("a rehearsal")

// hand starts a successor and hands over to it. An error: this process serves on.
func (u *upgrader) hand(ctx context.Context, o order) error {
	r, err := u.try(ctx, o)
	switch {
	case err != nil:
		u.logger.Error("upgrade failed, and nothing has changed", "error", err)
		o.tell(upgradeAnswer{Error: err.Error()})
		return err
	case o.DryRun:
		u.logger.Info("upgrade rehearsed", "connections", r.Ahead)
		o.tell(upgradeAnswer{Done: fmt.Sprintf("a rehearsal: %d connections travelled, %s would take over", r.Ahead, r.Successor.Release)})
		return errRehearsed
	}
	u.logger.Info("handed over", "to", r.Successor.Release, "pid", r.Successor.PID, "connections", r.Sums.Connections,
		"frozen", r.Frozen, "state_bytes", r.StateBytes)
	o.tell(upgradeAnswer{Done: fmt.Sprintf("%d has taken over: %s, %d connections, frozen for %v",
		r.Successor.PID, r.Successor.Release, r.Sums.Connections, r.Frozen.Round(100*time.Microsecond))})
	return nil
}

func (u *upgrader) try(ctx context.Context, o order) (r handover.Report, err error) {
	if os.Getpid() == 1 {
		return r, errors.New("this is the first process of its container, which would end with it: start another container instead, and drain")
	}
	mine, theirs, err := handover.Pair()
	if err != nil {
		return r, err
	}
	defer theirs.Close() // again
	defer func() {
		if err != nil || o.DryRun {
			mine.Close() // again
		}
	}()
	defer context.AfterFunc(ctx, func() { mine.Abort() })()
	leaving, err := u.server.Leave(u.ports.listeners(u.server), mine.Pass)
	if err != nil {
		return r, err
	}
	defer leaving.End()
	defer func() {
		if err != nil {
			leaving.Failed()
		}
	}()
	binary := o.Binary
	if binary == "" {
		binary = u.self
	}
	successor := exec.Command(binary, os.Args[1:]...)
	successor.Args[0] = os.Args[0]
	successor.Stdout, successor.Stderr = os.Stdout, os.Stderr
	successor.ExtraFiles = []*os.File{theirs}
	// The watchdog's is whoever has no number of another one.
	successor.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WATCHDOG_PID=") }), handoverFD+"=3")
	err = successor.Start()
	theirs.Close()
	if err != nil {
		return r, fmt.Errorf("the successor does not start: %w", err)
	}
	over := make(chan error, 1)
	go func() { over <- successor.Wait() }()
	o.tell(upgradeAnswer{Progress: fmt.Sprintf("%s starts as %d", binary, successor.Process.Pid)})
	r, err = handover.Hand(ctx, mine, leaving, handover.Options{Freeze: u.freeze, DryRun: o.DryRun, Progress: func(n, of int) {
		o.tell(upgradeAnswer{Progress: fmt.Sprintf("%d of %d connections have travelled", n, of)})
	}})
	if err == nil && !o.DryRun {
		u.successor = mine
		return r, nil
	}
	mine.Close()
	select {
	case <-over:
	case <-time.After(endTime):
		_ = successor.Process.Kill() // it is nobody
		<-over
	}
	return r, err
}

// endTime is how long a successor that takes over nothing has to go.
const endTime = 5 * time.Second

// handoverFD is the variable of the environment that tells a successor where to take
// over.
const handoverFD = "HANDOVER_FD"

// predecessor is who this process takes over from; nil: nobody.
func predecessor() (*handover.Conn, error) {
	v, ok := os.LookupEnv(handoverFD)
	if !ok {
		return nil, nil
	}
	os.Unsetenv(handoverFD) // its own successors have others
	fd, err := strconv.Atoi(v)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%s is no descriptor", handoverFD, v)
	}
	unix.CloseOnExec(fd)
	return handover.NewConn(fd), nil
}
