package main

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/server"
)

// place is where to listen: an address, or the path of a Unix socket.
type place struct {
	addr netip.AddrPort
	path string
}

// parseListen reads what --listen says, and looks names up.
func parseListen(list []string) (places []place, err error) {
	for _, l := range list {
		var p place
		var isPath bool
		if p.path, isPath = unixPath(l); isPath {
			err = checkUnixPath(p.path)
		} else {
			p.addr, err = parseAddress(l)
			p.path = ""
		}
		if err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	return places, nil
}

// publicSide is what the public side listens on.
type publicSide struct {
	server  *server.Server
	ports   *ports
	mode    fs.FileMode  // of Unix sockets
	urls    []string     // for people to read
	sockets []unixSocket // to be removed
}

// open listens on the sockets that were inherited, or else on the places.
func (p *publicSide) open(inherited []int, places []place) error {
	inherited = append(inherited, p.ports.takeAll(publicPort)...)
	for i, fd := range inherited {
		if err := p.on(fd); err != nil {
			return err
		}
		p.ports.add(fmt.Sprint(publicPort, byManager, i))
	}
	if len(inherited) > 0 {
		return nil
	}
	for _, at := range places {
		if err := p.openOne(at); err != nil {
			return err
		}
		p.ports.add(publicPort + at.String())
	}
	return nil
}

// String is what the place is called.
func (p place) String() string {
	if p.path != "" {
		return unixPrefix + p.path
	}
	return p.addr.String()
}

// openOne listens at a place, on a predecessor's socket if that had one there.
func (p *publicSide) openOne(at place) error {
	fd, ok := p.ports.take(publicPort + at.String())
	switch {
	case ok && at.path != "":
		if file, err := os.Lstat(at.path); err == nil {
			p.sockets = append(p.sockets, unixSocket{at.path, fd, file})
		}
		return p.on(fd)
	case ok:
		return p.on(fd)
	case at.path == "":
		bound, err := p.server.Listen(at.addr)
		if err == nil {
			p.urls = append(p.urls, "http://"+forHumans(bound))
		}
		return err
	}
	s, err := listenUnix(at.path, p.mode)
	if err != nil {
		return err
	}
	p.sockets = append(p.sockets, s)
	return p.on(s.fd)
}

// on listens on a socket of any kind.
func (p *publicSide) on(fd int) error {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("getsockname: %w", err)
	}
	bound, err := p.server.ListenOn(fd)
	if err != nil {
		return err
	}
	url := "http://" + forHumans(bound)
	if at, ok := sa.(*unix.SockaddrUnix); ok {
		url = unixPrefix + at.Name
	}
	p.urls = append(p.urls, url)
	return nil
}

// remove takes the Unix sockets out of the file system.
func (p *publicSide) remove() {
	for _, s := range p.sockets {
		s.remove()
	}
}

// permissions are the bits of chmod(1), in octal.
type permissions fs.FileMode

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *permissions) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 {
		return fmt.Errorf("%q is not a mode such as 0660", text)
	}
	*p = permissions(n)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (p permissions) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%#04o", uint32(p)), nil }
