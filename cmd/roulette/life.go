package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"roulette/cmd/roulette/internal/handover"
	"roulette/cmd/roulette/internal/server"
)

// life is how a serving process begins and ends: by itself, or with a predecessor
// and a successor.
type life struct {
	command *serveCommand
	server  *server.Server
	secure  *secure
	logger  *slog.Logger
	sockets inherited
	places  []place
	public  publicSide
	admin   net.Listener // nil: none
	orders  chan order

	followed chan struct{} // closed when the predecessor has ended; nil: there is none
}

// begin opens all sides; or takes them over from old, if that is not nil, with all
// that it serves.
func (l *life) begin(old *handover.Conn) error {
	if old == nil {
		if err := l.open(); err != nil {
			return err
		}
		l.server.Started()
		return nil
	}
	heir := l.server.Inherit(func(held map[string]int) error {
		tellMain(l.logger) // before the predecessor hears that it may go
		l.public.ports.held = held
		// The chats are this process's now, and go on whatever is missing.
		if err := l.open(); err != nil {
			l.logger.Error("not all listeners are open", "error", err)
		}
		for _, name := range l.public.ports.closeRest() {
			l.logger.Warn("listener of the predecessor closed: the settings have it no more", "listener", name)
		}
		return nil
	})
	err := handover.Take(context.Background(), old, heir)
	heir.Close()
	if err != nil {
		old.Close()
		return err
	}
	l.followed = make(chan struct{})
	go l.follow(old)
	from := l.server.Lineage()
	connections, pairs := l.server.Population()
	l.logger.Info("took over", "from", from.From, "pid", os.Getpid(), "frozen", from.Frozen, "connections", connections, "pairs", pairs)
	return nil
}

// follow takes who comes late, until the predecessor has ended.
func (l *life) follow(old *handover.Conn) {
	defer close(l.followed)
	defer old.Close()
	if err := old.Follow(l.server.Latecomer); err != nil {
		l.logger.Warn("predecessor not followed to its end", "error", err)
	}
}

// open opens the admin side, the public one, that with TLS, and the control socket.
func (l *life) open() (err error) {
	c, ports := l.command, l.public.ports
	name := adminPort + c.Admin
	if l.sockets.admin != nil {
		name = adminPort + byManager
	}
	for _, inherited := range []string{adminPort + byManager, name} {
		if held, err := ports.listener(inherited); err != nil {
			return err
		} else if held != nil {
			l.sockets.admin, name = held, inherited
		}
	}
	if l.admin, err = c.serveAdmin(l.server, l.sockets.admin, l.logger); err != nil {
		return err
	}
	if l.admin != nil {
		ports.keep(name, l.admin)
	}
	if err := l.public.open(l.sockets.public, l.places); err != nil {
		return err
	}
	if err := l.secure.listen(l.server, ports, l.sockets.tls); err != nil {
		return err
	}
	return l.openControl()
}

// openControl opens the control socket, if there is a place for it.
func (l *life) openControl() error {
	dir := l.command.stateDir()
	if dir == "" {
		return nil
	}
	at, err := l.public.ports.listener(controlPort)
	if err != nil {
		return err
	}
	if at == nil {
		path, err := filepath.Abs(filepath.Join(dir, controlSocket))
		if err != nil {
			return err
		}
		s, err := listenUnix(path, 0o600)
		if err != nil {
			// Another server with the same folder has it; this one is upgraded by
			// SIGUSR2.
			l.logger.Warn("no control socket for roulette upgrade", "error", err)
			return nil
		}
		f := os.NewFile(uintptr(s.fd), controlPort)
		at, err = net.FileListener(f) // a duplicate
		f.Close()
		if err != nil {
			return err
		}
	}
	l.public.ports.keep(controlPort, at)
	go control(at, l.orders, l.logger)
	return nil
}

// tell says where all sides are, for people to read.
func (l *life) tell(w io.Writer) {
	for _, url := range l.public.urls {
		fmt.Fprintf(w, "roulette: listening on %s\n", url)
	}
	l.secure.tell(w)
	if l.admin != nil {
		fmt.Fprintf(w, "roulette: admin on http://%s/\n", l.admin.Addr())
	}
}

// endTimeout is more than a page, a handshake, or a predecessor that passes them on, may
// take by deadlines of its own.
const endTimeout = time.Minute

// end finishes what has not travelled: pages and TLS handshakes under way.
func (l *life) end() error {
	l.public.sockets = nil // the files are the successor's
	l.public.ports.closeOthers()
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	if l.followed != nil { // who comes late goes on to this process's own successor
		select {
		case <-l.followed:
		case <-ctx.Done():
		}
	}
	if err := l.server.Shutdown(ctx, 0); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
