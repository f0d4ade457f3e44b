package simulator

import (
	"bytes"
	"time"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"

	"roulette/netpoll"
)

// socket is the server's end of a connection, and what is on the wire.
type socket struct {
	kernel     *kernel
	client     *client
	fd         int     // -1 before it is accepted
	owner      *worker // I1
	acceptedAt time.Duration

	// From the client to the server.
	in    []byte // arrived
	taken int    // in[:taken] the server has read
	fin   bool   // and then the end

	// From the server to the client.
	accepted int64  // bytes that the kernel has taken
	refused  []byte // what the server has, and must try again before anything else
	full     bool   // a write was refused: an event follows when there is room
	listed   bool   // in kernel.backlogged
	scarce   bool   // a write was refused, as memory had run out: no event follows
	shut     bool   // the server has ended its side

	// A reset: the error is reported once.
	broken bool
	errno  unix.Errno
}

func (s *socket) arrived() []byte { return s.in[s.taken:] }

// room is what the kernel takes of a write now.
func (s *socket) room() int {
	return max(s.size()-int(s.accepted-s.client.seen), 0)
}

// size is that of the kernel's send buffer with the client's window.
func (s *socket) size() int { return s.kernel.buffer(s.kernel.plan.sendBuffer) }

// buffer is the size of a buffer that has n bytes: when all comes to rest it has
// more, or that would take long.
func (w *world) buffer(n int) int {
	if w.calm {
		return max(n, 20_000)
	}
	return n
}

func (s *socket) poll() (events easygo.EpollEvent) {
	if len(s.arrived()) > 0 {
		events |= easygo.EPOLLIN
	}
	if s.fin {
		events |= easygo.EPOLLIN | easygo.EPOLLRDHUP
		if s.shut {
			events |= easygo.EPOLLHUP
		}
	}
	if s.errno != 0 {
		events |= easygo.EPOLLERR
	}
	if s.broken {
		return events | easygo.EPOLLIN | easygo.EPOLLOUT | easygo.EPOLLRDHUP | easygo.EPOLLHUP
	}
	if 3*s.room() >= s.size() { // tcp(7): a third is free
		events |= easygo.EPOLLOUT
	}
	return events
}

func (s *socket) wake() {
	if s.fd >= 0 {
		s.kernel.files[s.fd-firstNumber].wake()
	}
}

// own says that a worker acts on s as its owner (I1).
func (s *socket) own(w *worker, call string) {
	switch {
	case w == nil:
		s.kernel.failf("%s of client %d's socket outside of all workers (I1)", call, s.client.serial)
	case s.owner == nil:
		s.owner = w
		s.client.found(w)
	case s.owner != w:
		s.kernel.failf("%s of client %d's socket by worker %d, which is worker %d's (I1)", call, s.client.serial, w.index, s.owner.index)
	}
}

// breakDown is a reset by the client or on the way.
func (s *socket) breakDown() {
	if !s.broken {
		s.broken, s.errno = true, unix.ECONNRESET
		s.wake()
	}
}

func (k *kernel) socket(fd int, call string) *socket { return k.file(fd, socketFile, call).socket }

// Read is recv(2).
func (k *kernel) Read(fd int, b []byte) (int, unix.Errno) {
	s := k.socket(fd, "recv")
	s.own(k.running, "recv")
	if k.faulty(k.plan.interrupt) {
		return 0, unix.EINTR
	}
	if k.faulty(k.plan.reset) {
		k.tracef("client %d's connection breaks", s.client.serial)
		s.client.vanished = true
		s.breakDown()
	}
	n := copy(b, s.arrived())
	switch {
	case n > 0 && k.faulty(k.plan.again): // it arrives a moment later
		s.wake()
		return 0, unix.EAGAIN
	case n > 1 && k.faulty(k.plan.short): // the rest does
		n = k.rnd.size(n - 1)
		s.wake()
	}
	if n == 0 {
		switch {
		case s.errno != 0:
			errno := s.errno
			s.errno = 0
			return 0, errno
		case s.broken || s.fin:
			return 0, 0
		}
		return 0, unix.EAGAIN
	}
	s.taken += n
	if s.taken == len(s.in) {
		s.in, s.taken = s.in[:0], 0
	}
	k.tracef("worker %d reads %d bytes of client %d", k.running.index, n, s.client.serial)
	k.maybeYield()
	s.client.wasRead(k.running, n)
	return n, 0
}

// Write is send(2).
func (k *kernel) Write(fd int, b []byte) (int, unix.Errno) { return k.write(fd, b) }

// Writev is sendmsg(2) of two pieces.
func (k *kernel) Writev(fd int, a, b []byte) (int, unix.Errno) {
	k.joined = append(append(k.joined[:0], a...), b...)
	return k.write(fd, k.joined)
}

func (k *kernel) write(fd int, b []byte) (n int, errno unix.Errno) {
	s := k.socket(fd, "send")
	c := s.client
	switch {
	case k.running == nil:
		k.failf("a write to client %d outside of all workers", c.serial)
	case s.shut:
		k.failf("a write to client %d after its end", c.serial)
	case c.handed:
		k.failf("a write to client %d, which is net/http's", c.serial)
	case c.conn == nil && c.home: // it is not registered yet
		s.own(k.running, "send")
	}
	switch {
	case c.conn == nil || c.conn.FD() != fd || !c.conn.Locked():
		k.failf("a write to client %d without its write lock (I2)", c.serial)
	case !bytes.HasPrefix(b, s.refused[:min(len(b), len(s.refused))]) || len(b) < len(s.refused):
		k.failf("a write to client %d of %q while %q waits to be written", c.serial, clip(b), clip(s.refused))
	}
	switch {
	case k.faulty(k.plan.interrupt):
		return 0, unix.EINTR
	case k.faulty(k.plan.reset):
		k.tracef("client %d's connection breaks", c.serial)
		c.vanished = true
		s.breakDown()
	}
	if s.broken {
		if c.status == 0 { // the server does not wait for news of its answer
			c.see(b, true)
		}
		errno, s.errno = s.errno, 0
		if errno == 0 {
			errno = unix.EPIPE
		}
		return 0, errno
	}
	// Whatever is not taken now, the server has to keep.
	c.see(b[len(s.refused):], len(s.refused) == 0)
	n = min(len(b), s.room())
	errno = unix.EAGAIN
	switch {
	case n > 0 && k.faulty(k.plan.again):
		n = 0
	case n > 0 && k.faulty(k.plan.noBuffers):
		n, errno = 0, pick(&k.rnd, unix.ENOBUFS, unix.ENOMEM)
	case n > 1 && k.faulty(k.plan.short):
		n = k.rnd.size(n - 1)
	}
	s.scarce = errno != unix.EAGAIN
	s.accepted += int64(n)
	s.refused = append(s.refused[:0], b[n:]...)
	if len(s.refused) > 0 && !s.listed {
		s.listed = true
		k.backlogged = append(k.backlogged, s)
	}
	if len(s.refused) > 0 && errno == unix.EAGAIN {
		s.full = true
		if 3*s.room() >= s.size() { // room that only seemed not to be there
			k.owed = append(k.owed, s)
		}
	}
	k.tracef("worker %d writes %d of %d bytes to client %d", k.running.index, n, len(b), c.serial)
	k.maybeYield()
	if n > 0 {
		return n, 0
	}
	return 0, errno
}

// roomAgain is what a write that was refused waits for.
func (s *socket) roomAgain() {
	if s.full && 3*s.room() >= s.size() {
		s.full = false
		s.wake()
	}
}

// settle pays an event that is owed.
func (k *kernel) settle() {
	if n := len(k.owed); n > 0 {
		i := k.rnd.below(n)
		s := k.owed[i]
		k.owed[i] = k.owed[n-1]
		k.owed = k.owed[:n-1]
		s.roomAgain()
	}
}

func (k *kernel) CloseWrite(fd int) unix.Errno {
	s := k.socket(fd, "shutdown")
	s.own(k.running, "shutdown")
	if len(s.refused) > 0 {
		k.failf("shutdown of client %d's socket while %q waits to be written", s.client.serial, clip(s.refused))
	}
	if c := s.client; c.coded != nil && !c.coded.ended && !s.broken {
		k.failf("shutdown of client %d's socket before its codec has ended", c.serial)
	}
	s.shut = true
	s.wake() // inet_shutdown tells whoever polls
	return 0
}

func (k *kernel) closeSocket(s *socket) {
	c := s.client
	if c.handed {
		return // by the simulator itself
	}
	if s.owner != nil {
		s.own(k.running, "close")
	}
	c.closed()
	k.tracef("descriptor %d of client %d is closed", s.fd-firstNumber, c.serial)
	s.fd = -1
}

func clip(b []byte) []byte { return b[:min(len(b), 80)] }

var (
	_ netpoll.Kernel    = (*kernel)(nil)
	_ netpoll.Scheduler = (*kernel)(nil)
)
