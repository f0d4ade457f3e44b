package netpoll

import (
	"runtime"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"
)

// ready is the epoll callback of c, on the owner's goroutine. c may have been
// closed, or be another connection by now, since the event was made: nothing
// here believes it.
func (c *Conn) ready(events easygo.EpollEvent) {
	w := c.Worker()
	w.stats.Events++
	if w.stats.Events < w.load.next {
		c.serve(w, events)
		return
	}
	w.load.begin(&w.stats, w.kernel.Now())
	c.serve(w, events)
	w.load.end(&w.stats, w.kernel.Now(), true)
}

func (c *Conn) serve(w *Worker, events easygo.EpollEvent) {
	if c.fd < 0 {
		return
	}
	if events&easygo.EPOLLOUT != 0 && c.spilled() != nil && !c.flush() {
		return
	}
	if events&inputEvents != 0 {
		c.read(events)
	}
	w.breathe()
}

// breathe lets the Go scheduler see, every few milliseconds of work, that the
// worker's goroutine is not stuck. Otherwise its monitor, after 10 ms without a
// schedule, keeps interrupting the thread and taking its processor away, which
// costs some 5 % under full load: system calls do not count for it.
func (w *Worker) breathe() {
	if w.stats.Events-w.breathed >= eventsPerBreath || w.stats.BytesRead-w.breathedBytes >= bytesPerBreath {
		w.breathed, w.breathedBytes = w.stats.Events, w.stats.BytesRead
		runtime.Gosched()
	}
}

const (
	eventsPerBreath = 512
	bytesPerBreath  = 2 << 20
)

// read reads one buffer full at most and gives it to the handler. A short read
// means that the socket was empty (epoll(7)), so the next bytes make an event
// of their own; a full one asks epoll for another turn, so that one busy socket
// does not starve the others. Only what may stand behind a hang-up is read on
// for, for there will be no further event.
func (c *Conn) read(events easygo.EpollEvent) {
	w := c.Worker()
	for !c.has(paused) {
		kept := 0
		if c.has(isCoded) {
			kept = w.unopened(c)
		}
		n, errno := w.kernel.Read(int(c.fd), w.buf[kept:])
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return
		case errno != 0:
			c.close(Failed)
			return
		case n == 0:
			if !c.has(closing) || c.Pending() == 0 {
				c.close(EndOfFile)
			} // else it may have closed its sending side only, and still take the rest
			return
		}
		w.stats.BytesRead += uint64(n)
		if !c.has(closing) { // else discarded
			c.heard = w.now
			again := c.has(resumed)
			c.hand(w.buf[:kept+n])
			if c.fd < 0 {
				return
			}
			if again {
				c.bits.And(^uint32(resumed))
			}
		}
		switch {
		case kept+n == len(w.buf):
			c.lookAgain()
			return
		case events&hangUpEvents == 0:
			return
		}
	}
}

// hand gives the handler what the socket had, b in the worker's buffer. c may be closed
// afterwards.
func (c *Conn) hand(b []byte) {
	w := c.Worker()
	if c.has(isCoded) {
		c.open(b)
	} else {
		w.handler.Read(c, b)
	}
	if w.poller.config.Wipe {
		clear(b)
	}
}

// lookAgain makes epoll report what is pending on c as if it had just come.
// Owner only; others hold the write lock and know that c.fd is open (I2).
func (c *Conn) lookAgain() {
	// The first turn of a connection comes before it is registered, and
	// registering reports what is pending anyway.
	_ = c.Worker().epoll.Mod(int(c.fd), connEvents)
}

// Outcome is what became of a Send.
type Outcome uint8

const (
	Sent   Outcome = iota // the kernel has all of it
	Queued                // the kernel or the backlog has it, in order
	Gone                  // nobody has it: c is closed, closing, or broken
)

// Send writes b to c, whose write lock the caller holds (I2), after whatever
// waits in its backlog. What the socket refuses is copied to the backlog, and
// the reading of from, if not nil, pauses: from is c itself, or the partner
// whose message this is and who is known, under this lock, to be c's partner.
// by is the worker that calls. If b is a part of what Handler.Read was given, it
// is of no use afterwards: a codec seals it where it lies.
func (c *Conn) Send(by *Worker, b []byte, from *Conn) Outcome {
	return c.SendTwo(by, b, nil, from)
}

// SendTwo is Send for two pieces that follow each other.
func (c *Conn) SendTwo(by *Worker, a, b []byte, from *Conn) Outcome {
	if c.fd < 0 {
		return Gone
	}
	if len(a) == 0 {
		a, b = b, nil
	}
	if bits := c.bits.Load(); bits&(closing|isCoded) != 0 {
		if bits&closing != 0 {
			return Gone
		}
		return c.sendCoded(by, a, b, from)
	}
	return c.put(by, a, b, from)
}

// put is SendTwo for what goes to the socket as it is.
func (c *Conn) put(by *Worker, a, b []byte, from *Conn) Outcome {
	if s := c.spilled(); s != nil && s.backlog != nil {
		if s.backlog.len()+len(a)+len(b) > by.poller.limits.Load().BacklogLimit {
			return c.overLimit(by, s)
		}
		c.enqueue(by, s, a, b, from)
		return Queued
	}
	n, errno := c.write(by, a, b)
	switch {
	case n == len(a)+len(b):
		return Sent
	case errno != 0 && !isRefusal(errno):
		return Gone // the owner learns of it by an event and reads the error
	}
	s := c.spillLocked()
	if n < len(a) {
		a = a[n:]
	} else {
		a, b = b[n-len(a):], nil
	}
	by.stats.BacklogConns++
	c.enqueue(by, s, a, b, from)
	// The socket may have become writable before the backlog stood, and its
	// owner have seen that event with nothing to do.
	c.lookAgain()
	return Queued
}

// overLimit: I4, a receiver that does not take what waits is stalled, whatever
// the clock says.
func (c *Conn) overLimit(by *Worker, s *spill) Outcome {
	s.backlog.progress = by.now - milliseconds(by.poller.limits.Load().StallTimeout)
	return Gone
}

func (c *Conn) enqueue(by *Worker, s *spill, a, b []byte, from *Conn) {
	if s.backlog == nil {
		s.backlog = newBuffer(len(a) + len(b))
		s.backlog.progress = by.now
	}
	s.backlog = s.backlog.append(a).append(b)
	c.waits(by, len(a)+len(b), from)
}

// waits notes that n more bytes wait for c, and pauses the reading of from.
func (c *Conn) waits(by *Worker, n int, from *Conn) {
	by.stats.BacklogBytes += int64(n)
	switch from {
	case nil:
		return
	case c:
		from.bits.Or(pausedBySelf)
	default:
		from.bits.Or(pausedByPeer)
	}
	by.stats.Pauses++
}

// write hands the socket as much as it takes now.
func (c *Conn) write(by *Worker, a, b []byte) (n int, errno unix.Errno) {
	for {
		if len(b) == 0 {
			n, errno = by.kernel.Write(int(c.fd), a)
		} else {
			n, errno = by.kernel.Writev(int(c.fd), a, b)
		}
		if errno != unix.EINTR {
			by.stats.BytesSent += uint64(n)
			return n, errno
		}
	}
}

// isRefusal tells a socket that takes nothing now from one that is broken. Of
// the short of memory no event tells when it is over; the sweep tries again.
func isRefusal(errno unix.Errno) bool {
	return errno == unix.EAGAIN || errno == unix.ENOBUFS || errno == unix.ENOMEM
}

// flush writes what waits for c. False: c is closed.
func (c *Conn) flush() bool {
	w := c.Worker()
	c.Lock()
	s := c.spilled()
	if s == nil || s.backlog == nil {
		c.Unlock()
		return true
	}
	before := s.backlog.len()
	n, errno := c.write(w, s.backlog.waiting(), nil)
	s.backlog.from += n
	w.stats.BacklogBytes -= int64(n)
	if n > 0 {
		s.backlog.progress = w.now
		if c.has(closing) { // who still takes what waits is not abandoned
			c.heard = w.now
		}
	}
	switch {
	case n == before:
		s.backlog.free()
		s.backlog = nil
		w.stats.BacklogConns--
		c.dropSpillLocked(s)
		if c.has(closing) {
			c.shutLocked(w)
		}
		c.Unlock()
		c.resumeSelf()
		w.handler.Drained(c)
		return c.fd >= 0
	case errno != 0 && !isRefusal(errno):
		c.Unlock()
		c.close(Failed)
		return false
	}
	c.Unlock()
	return true
}

func (c *Conn) backlogStalled(w *Worker) bool {
	c.Lock()
	defer c.Unlock()
	s := c.spilled()
	if s == nil || s.backlog == nil {
		return false
	}
	// Signed: the clock of the worker that made the backlog may be ahead.
	return int32(w.now-s.backlog.progress) >= int32(milliseconds(w.poller.limits.Load().StallTimeout))
}

// sweepBacklog tries again what waits for c, and reports who takes nothing.
// False: c is closed.
func (w *Worker) sweepBacklog(c *Conn) bool {
	if !c.flush() {
		return false
	}
	if c.backlogStalled(w) && !c.has(closing) {
		w.stats.StallsReported++
		w.handler.Stalled(c)
	}
	return c.fd >= 0
}

// Pause stops the reading of c until [Conn.Resume], for what it sends goes where
// nothing more is taken just now. Owner only.
func (c *Conn) Pause() {
	c.bits.Or(pausedByPeer)
	c.Worker().stats.Pauses++
}

// Resume lets c read again after its partner has drained or gone. Any
// goroutine, holding no write lock.
func (c *Conn) Resume() { c.resume(pausedByPeer) }

func (c *Conn) resumeSelf() { c.resume(pausedBySelf) }

func (c *Conn) resume(flag uint32) {
	if !c.has(flag) {
		return
	}
	c.Lock()
	defer c.Unlock()
	c.bits.And(^flag)
	if c.fd >= 0 {
		c.bits.Or(resumed)
		c.lookAgain()
	}
}

// Paused tells whether c does not read now. Any goroutine.
func (c *Conn) Paused() bool { return c.has(paused) }

// Pending is how many bytes wait for c. Any goroutine, holding no write lock.
func (c *Conn) Pending() int {
	c.Lock()
	defer c.Unlock()
	if s := c.spilled(); s != nil && s.backlog != nil {
		return s.backlog.len()
	}
	return 0
}
