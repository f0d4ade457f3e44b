//go:build linux

package bench

import (
	"syscall"

	"golang.org/x/sys/unix"
)

type clientState uint8

const (
	closed clientState = iota
	connecting
	securing // the TLS handshake is made elsewhere
	upgrading
	open
	parting // Drain: the close frame has come and is answered; the end must follow
)

const nobody = ^uint32(0)

// A client is one connection and what must come over it. Owned by its loop; read
// by Run once the loops have ended.
type client struct {
	fd         int32
	slot       int32
	generation int32 // so that an event of the slot's last descriptor is not taken for this one's
	events     uint32
	state      clientState
	bystander  bool // one of Config.Idle
	ready      bool // has a partner that knows it (or, on /echo, itself)
	stalled    bool // Slow: not reading
	sender     bool // Stream, Slow: the side that sends

	id      uint32
	partner uint32 // nobody, or whose hello came last
	word    uint64 // the first word of its messages
	peer    uint64 // the first word of its partner's
	since   int64  // ns: connect begun, then hello last said, then, in Churn, joined

	sent    uint64 // messages, which is also the next sequence number
	got     uint64 // good messages
	want    uint64 // sequence number that must come next
	seen    uint64 // bit i: want-1-i has come
	missing uint64 // numbers skipped that have not come since
	owed    int    // answers to the messages of this read
	dropped int    // Dribble: bytes sent of the frame under way

	tls *secure // nil without TLS
	out []byte  // what the socket refused
	in  inbox
}

func (c *client) reset(slot int32, id uint32) {
	*c = client{
		fd: -1, slot: slot, generation: c.generation + 1, id: id, partner: nobody,
		out: c.out[:0], in: inbox{control: c.in.control[:0]},
	}
}

// join takes id for the partner.
func (l *loop) join(c *client, id uint32) {
	c.partner = id
	c.peer = firstWord(chat, l.run.nonce, id)
}

// interest asks for exactly these events, level-triggered.
func (l *loop) interest(c *client, events uint32) {
	if c.events == events || c.state == closed {
		return
	}
	c.events = events
	if err := epollControl(l.ep, unix.EPOLL_CTL_MOD, c.fd, events, c.slot, c.generation); err != nil {
		l.end(c, "epoll: "+err.Error())
	}
}

// push writes p; what the socket does not take waits for it to be writable. It
// reports whether all went out.
func (l *loop) push(c *client, p []byte) bool {
	if c.tls != nil {
		l.sealed = c.tls.session.AppendData(l.keys, l.sealed[:0], p)
		p = l.sealed
	}
	return l.pushSealed(c, p)
}

// pushSealed is push for what goes to the socket as it is.
func (l *loop) pushSealed(c *client, p []byte) bool {
	if len(c.out) == 0 {
		n, e := write(c.fd, p)
		if n == len(p) {
			return true
		}
		if e != 0 && e != again && e != interrupt {
			l.writeFailed(c, e)
			return false
		}
		p = p[n:]
	}
	c.out = append(c.out, p...)
	l.interest(c, c.events|unix.EPOLLOUT)
	return false
}

// flush continues what push began.
func (l *loop) flush(c *client) bool {
	n, e := write(c.fd, c.out)
	if e != 0 && e != again && e != interrupt {
		l.writeFailed(c, e)
		return false
	}
	if n < len(c.out) {
		c.out = c.out[:copy(c.out, c.out[n:])]
		return false
	}
	c.out = c.out[:0]
	if cap(c.out) > 4<<10 {
		c.out = nil
	}
	return true
}

// writeFailed ends the connection; but in Drain what the server has said before it
// closed can still be read, and how it ends tells.
func (l *loop) writeFailed(c *client, e syscall.Errno) {
	if l.run.config.Mode != Drain {
		l.end(c, "write: "+e.Error())
		return
	}
	c.out = c.out[:0]
	l.interest(c, unix.EPOLLIN)
}

// say sends n messages meant for the moment at.
func (l *loop) say(c *client, n int, at int64) {
	for n > 0 && c.state == open {
		k := min(n, l.stencil.most)
		p := l.stencil.frames(c.word, c.id, c.sent, at, k)
		c.sent += uint64(k)
		l.sent += uint64(k)
		l.push(c, p)
		n -= k
	}
}

// stream sends as many messages as the socket takes in one write. A message that
// it takes in part waits with its rest; those after it were never sent.
func (l *loop) stream(c *client, at int64) {
	if len(c.out) > 0 || c.state != open {
		return
	}
	p := l.stencil.frames(c.word, c.id, c.sent, at, l.stencil.most)
	if c.tls != nil { // what has been sealed is sent, sooner or later
		c.sent += uint64(l.stencil.most)
		l.sent += uint64(l.stencil.most)
		l.push(c, p)
		return
	}
	n, e := write(c.fd, p)
	if e != 0 && e != again && e != interrupt {
		l.end(c, "write: "+e.Error())
		return
	}
	whole, part := n/l.stencil.frame, n%l.stencil.frame
	if part > 0 {
		end := (whole + 1) * l.stencil.frame
		whole++
		c.out = append(c.out, p[n:end]...)
	}
	c.sent += uint64(whole)
	l.sent += uint64(whole)
}

// sayHello names the client to its partner, if it has one by now.
func (l *loop) sayHello(c *client, now int64) {
	heard := uint64(0)
	if c.partner != nobody {
		heard = uint64(c.partner) + 1
	}
	c.since = now
	l.scratch = l.stencil.appendHello(l.scratch[:0], l.run.nonce, c.id, heard, now)
	l.push(c, l.scratch)
}

// end closes the connection because of cause, an error unless it is empty.
func (l *loop) end(c *client, cause string) {
	if c.state == closed {
		return
	}
	if cause != "" {
		l.errors[cause]++
		l.failed++
	}
	l.leave(c, false)
}

// leave closes the connection in good order, or with a reset.
func (l *loop) leave(c *client, abrupt bool) {
	switch c.state {
	case closed:
		return
	case open:
		l.open--
		if c.ready {
			l.ready--
		}
	case parting:
		l.parting--
	default:
		l.underway--
	}
	closeSocket(c.fd, abrupt)
	c.fd, c.state = -1, closed
	c.generation++
	l.live--
	l.mode.gone(c)
}
