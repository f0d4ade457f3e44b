package netpoll

import "errors"

// Detached is all that makes a connection, without a Poller: what [Conn.Detach]
// gives, and [Poller.Adopt] and [Worker.Adopt] take. A descriptor alone is a
// connection that nothing is known of.
type Detached struct {
	FD int // of a non-blocking stream socket

	// Of the socket's bytes.
	Codec  Codec  // nil: none
	Unread []byte // read, and not given to Handler.Read
	Unsent []byte // the backlog, sealed if there is a codec: to be written before all else

	// Of the handler's.
	Held      any
	State     uint16
	Key, Rate uint32

	// Ages in milliseconds, as of the worker that gives and of the one that takes:
	// since bytes last arrived, since it was accepted, and since the socket last
	// took something of Unsent.
	Heard, Opened, Unmoved uint32

	// Paused: it does not read because something that it sent waits for its
	// partner. Closing: it was finished; Heard is since when.
	Paused, Closing bool
}

// Detach takes c out of the Poller, as it is: the descriptor is the caller's now,
// and nothing that it was owed is lost. Handler.Closed is not called. Owner only.
func (c *Conn) Detach() Detached {
	d, w := c.Describe(), c.Worker()
	_, backlog := c.withdraw()
	if backlog != nil {
		backlog.free()
	}
	c.empty()
	w.freeSlot(c)
	return d
}

// Describe says of c what Detach would, and leaves it as it is. Owner only, while
// nobody writes to c.
func (c *Conn) Describe() Detached {
	w := c.Worker()
	d := Detached{
		FD:      int(c.fd),
		Held:    c.Held(),
		State:   c.State(),
		Key:     c.Key,
		Rate:    c.Rate,
		Heard:   w.now - c.heard,
		Opened:  w.now - c.opened,
		Paused:  c.has(pausedByPeer),
		Closing: c.has(closing),
	}
	if c.has(isCoded) {
		d.Codec = c.codec()
		if s := c.spilled(); s != nil && s.partial != nil {
			d.Unread = append(d.Unread, s.partial.waiting()...)
		}
	}
	c.Lock()
	defer c.Unlock()
	if s := c.spilled(); s != nil {
		if s.backlog != nil {
			d.Unsent = append(d.Unsent, s.backlog.waiting()...)
			d.Unmoved = w.now - s.backlog.progress
		}
	}
	return d
}

// Abandon closes c's descriptor, which another process has too and goes on with:
// nothing is said to the client, and Handler.Closed is not called. Owner only.
func (c *Conn) Abandon() {
	w := c.Worker()
	w.kernel.Close(c.forget())
	c.empty()
	w.freeSlot(c)
}

// Adopt gives a connection to the worker that has fewest. It is one as if it had
// been accepted, except that Handler.Accepted is not called; ready runs in its
// place, on the worker. The descriptor is the Poller's from now on, whatever comes
// back.
func (p *Poller) Adopt(d Detached, ready func(h Handler, c *Conn)) error {
	w := p.leastLoaded()
	err := w.Ask(func() { w.Adopt(d, ready) })
	if err != nil {
		p.kernel.Close(d.FD)
	}
	return err
}

// ErrNoPlace: there are as many connections as there can be.
var ErrNoPlace = errors.New("netpoll: no place for a connection")

// Adopt makes a connection one of this worker's, at once; see [Poller.Adopt].
// Worker only.
func (w *Worker) Adopt(d Detached, ready func(h Handler, c *Conn)) error {
	c, err := w.Settle(d, ready)
	if err == nil {
		c.Begin(d.Unread)
	}
	return err
}

// Settle is Adopt for a connection that is neither read nor heard of until Begin is
// called, for another process has it still. Worker only.
func (w *Worker) Settle(d Detached, ready func(h Handler, c *Conn)) (*Conn, error) {
	c := w.add(d.FD)
	if c == nil {
		return nil, ErrNoPlace
	}
	c.restore(&d)
	ready(w.handler, c)
	return c, nil
}

// Begin has c, which was settled, read and heard of; unread was read from its socket
// before. Owner only.
func (c *Conn) Begin(unread []byte) {
	if c.fd >= 0 && len(unread) > 0 {
		c.take(unread)
	}
	c.Worker().register(c)
}

// restore makes c, which nobody knows yet, what was detached.
func (c *Conn) restore(d *Detached) {
	w := c.Worker()
	c.heard, c.opened = w.now-d.Heard, w.now-d.Opened
	c.Key, c.Rate = d.Key, d.Rate
	c.SetState(d.State, stateMask)
	if d.Codec != nil {
		c.setCodec(d.Codec)
	}
	if d.Held != nil {
		c.Hold(d.Held)
	}
	c.Lock()
	defer c.Unlock()
	if d.Closing {
		c.bits.Or(closing)
	}
	if d.Paused {
		c.bits.Or(pausedByPeer)
	}
	if len(d.Unsent) > 0 { // registering reports when there is room
		w.stats.BacklogConns++
		s := c.spillLocked()
		c.enqueue(w, s, d.Unsent, nil, nil)
		s.backlog.progress = w.now - d.Unmoved
		if !d.Closing {
			c.bits.Or(pausedBySelf) // it may have been
		}
	} // else, if it is closing, its sending side has been shut
}

// take is read for what somebody else has read of c's socket.
func (c *Conn) take(b []byte) {
	w := c.Worker()
	for len(b) > 0 && c.fd >= 0 {
		kept := 0
		if c.has(isCoded) {
			kept = w.unopened(c)
		}
		n := copy(w.buf[kept:], b)
		b = b[n:]
		if !c.has(closing) { // else discarded
			c.hand(w.buf[:kept+n])
		}
	}
}
