package netpoll

import "sync/atomic"

// Finish ends c in good order: last, which may be empty, is the last that is
// written to it; nothing it sends is read any more but discarded; when all is
// written the sending side is shut, and when the peer has closed too, or after
// Config.LingerTimeout in which it took nothing, so is the descriptor. (Closing at once, with unread
// bytes in the socket, would reset the connection and could destroy what the
// peer has not read yet.) Owner only.
func (c *Conn) Finish(last []byte) {
	if c.fd < 0 || c.has(closing) {
		return
	}
	w := c.Worker()
	c.Lock()
	last = c.lastLocked(w, last)
	if s := c.spilled(); s != nil && s.backlog != nil {
		c.enqueue(w, s, last, nil, nil) // also beyond the limit: it is the last
	} else if len(last) > 0 {
		c.put(w, last, nil, nil)
	}
	c.bits.Or(closing) // under the lock: nobody writes behind last
	c.bits.And(^uint32(paused))
	c.heard = w.now
	if s := c.spilled(); s == nil || s.backlog == nil {
		c.shutLocked(w)
	}
	c.Unlock()
	// What it still has to say is to be read and thrown away.
	c.lookAgain()
}

func (c *Conn) shutLocked(w *Worker) {
	w.kernel.CloseWrite(int(c.fd))
}

// Close closes c's descriptor now. What waits for it is lost. Owner only.
func (c *Conn) Close() {
	if c.fd >= 0 {
		c.close(Requested)
	}
}

// close is the only place where a connection's descriptor is closed (I1), and
// where Handler.Closed is called (I6).
func (c *Conn) close(cause Cause) {
	w := c.Worker()
	if cause == EndOfFile && c.has(isCoded) {
		c.farewell(w)
	}
	fd := c.forget()
	w.kernel.Close(fd)
	w.handler.Closed(c, cause)
	c.empty()
	w.freeSlot(c)
}

// discard closes c before the handler has it.
func (c *Conn) discard() {
	w := c.Worker()
	w.kernel.Close(c.forget())
	w.freeSlot(c)
}

// forget makes c's descriptor nobody's: out of the epoll, out of reach of
// writers (I2), and its backlog given back (I6).
func (c *Conn) forget() (fd int) {
	fd, backlog := c.withdraw()
	if backlog != nil {
		backlog.free()
	}
	return fd
}

// withdraw is forget, but gives the backlog, if any, to the caller.
func (c *Conn) withdraw() (fd int, backlog *buffer) {
	w := c.Worker()
	fd = int(c.fd)
	w.epoll.Del(fd) // fails for one that was never added; before close (I1)
	c.Lock()
	c.fd = -1
	if s := c.spilled(); s != nil && s.backlog != nil {
		w.stats.BacklogBytes -= int64(s.backlog.len())
		w.stats.BacklogConns--
		backlog, s.backlog = s.backlog, nil
		c.dropSpillLocked(s)
	}
	c.Unlock()
	w.count.Add(-1)
	w.poller.open.Add(-1)
	return fd, backlog
}

// empty gives back what the handler has kept with c, and its codec.
func (c *Conn) empty() {
	if atomic.LoadPointer(&c.rest) == nil {
		return
	}
	c.Lock()
	defer c.Unlock()
	c.bits.And(^uint32(holding))
	if s := c.spilled(); s != nil {
		if s.held = nil; s.partial != nil {
			s.partial.free()
			s.partial = nil
		}
		c.dropSpillLocked(s)
	}
	if c.has(isCoded) {
		c.bits.And(^uint32(isCoded))
		atomic.StorePointer(&c.rest, nil)
	}
}
