package main

import (
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/handover"
	"roulette/cmd/roulette/internal/server"
)

// ports are the listening sockets by the names that a successor knows them by: what
// kind they are and what they are by the settings. Of the same settings it finds all
// of them; what it has no use for it closes.
type ports struct {
	held   map[string]int          // of a predecessor; each is taken once
	named  []string                // those of the server, in the order in which it has got them
	others map[string]net.Listener // admin and control
}

// Kinds of sockets, as names begin.
const (
	publicPort  = "public "
	tlsPort     = "tls "
	adminPort   = "admin "
	controlPort = "control"
	byManager   = "inherited" // instead of an address: a service manager has opened it
)

// take gives away a predecessor's socket.
func (p *ports) take(name string) (fd int, ok bool) {
	fd, ok = p.held[name]
	delete(p.held, name)
	return fd, ok
}

// takeAll gives away those that a service manager had opened.
func (p *ports) takeAll(kind string) (fds []int) {
	for name, fd := range p.held {
		if strings.HasPrefix(name, kind+byManager) {
			fds = append(fds, fd)
			delete(p.held, name)
		}
	}
	return fds
}

// listener gives away one that is no business of the server's, nil if there is none.
func (p *ports) listener(name string) (net.Listener, error) {
	fd, ok := p.take(name)
	if !ok {
		return nil, nil
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return net.FileListener(f) // a duplicate
}

// add names the socket that the server has got last.
func (p *ports) add(name string) { p.named = append(p.named, name) }

// keep remembers a socket that is no business of the server's.
func (p *ports) keep(name string, l net.Listener) {
	if p.others == nil {
		p.others = make(map[string]net.Listener)
	}
	p.others[name] = l
}

// closeRest closes what the predecessor had and this process has no use for.
func (p *ports) closeRest() (names []string) {
	for name, fd := range p.held {
		unix.Close(fd)
		names = append(names, name)
	}
	p.held = nil
	return names
}

// closeOthers stops accepting from admin and control, which a successor does now.
func (p *ports) closeOthers() {
	for _, l := range p.others {
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		l.Close()
	}
}

// listeners are all of them.
func (p *ports) listeners(s *server.Server) (all []handover.Listener) {
	for i, fd := range s.Sockets() {
		all = append(all, handover.Listener{Name: p.named[i], FD: fd})
	}
	for name, l := range p.others {
		raw, err := l.(syscall.Conn).SyscallConn() // of TCP and of Unix sockets
		if err != nil {
			continue // closed
		}
		_ = raw.Control(func(fd uintptr) { all = append(all, handover.Listener{Name: name, FD: int(fd)}) })
	}
	return all
}
