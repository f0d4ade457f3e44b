package server

import (
	"sync"
	"sync/atomic"

	"roulette/cmd/roulette/internal/mesh"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
)

// elsewhere is an [outlet] to somebody on another node, for one chat.
type elsewhere struct {
	sync.Mutex

	// Immutable.
	cluster *cluster
	chat    mesh.Chat
	who     stranger
	place   seat
	resumes bool // their client can

	// Atomic.
	worker  atomic.Pointer[netpoll.Worker] // writes what comes from them
	counted atomic.Bool                    // in cluster.talking
	over    atomic.Bool                    // whoever sets it gives the seat back
	untaken atomic.Int64                   // bytes from them that wait for their partner
	joint   atomic.Pointer[joint]          // nil: their pair is over when it breaks
	muted   atomic.Bool                    // what they say is thrown away until their resend

	// Until when they are known: set before over is, read after.
	until uint32
}

// endsBy is how a pair of two nodes ends by what the other one says. None of them
// can want the other back.
func endsBy(why mesh.Reason) parting {
	p := lost
	switch why {
	case mesh.Next:
		p = byNext
	case mesh.Stop:
		p = byStop
	case mesh.Stalled:
		p = byStall
	case mesh.Kicked:
		p = kicked
	case mesh.Closed:
		p = closed
	}
	p.again = false
	return p
}

// reasonOf is what the other node is told.
func reasonOf(why record.Reason) mesh.Reason {
	switch why {
	case record.LeftNext:
		return mesh.Next
	case record.LeftStop:
		return mesh.Stop
	case record.LeftStalled:
		return mesh.Stalled
	case record.LeftKicked:
		return mesh.Kicked
	case record.LeftClosed:
		return mesh.Closed
	}
	return mesh.Disconnected
}

// deliver implements [outlet]. What one read brought is one word, and one more for a
// message that an earlier read began.
func (e *elsewhere) deliver(out *batch, from *netpoll.Conn) bool {
	texts, binaries := int(out.messages[metrics.OpcodeText]), int(out.messages[metrics.OpcodeBinary])
	if len(out.first) > 0 {
		text := 0
		if out.first[0]&0xf == byte(opText) {
			text = 1
		}
		if !e.send(out.first, text, 1-text, from) {
			return false
		}
		texts, binaries = texts-text, binaries-(1-text)
	}
	return len(out.frames) == 0 || e.send(out.frames, texts, binaries, from)
}

func (e *elsewhere) send(frames []byte, texts, binaries int, from *netpoll.Conn) bool {
	pause, gone := e.cluster.mesh.Send(e.chat, frames, texts, binaries)
	if pause {
		from.Pause()
	}
	return !gone
}

// typing implements [outlet].
func (e *elsewhere) typing(on bool) {
	if on {
		e.cluster.mesh.Tell(e.chat, mesh.Note{Kind: mesh.Typing})
	} else {
		e.cluster.mesh.Tell(e.chat, mesh.Note{Kind: mesh.NotTyping})
	}
}

// away implements [outlet].
func (e *elsewhere) away(on bool) {
	if on {
		e.cluster.mesh.Tell(e.chat, mesh.Note{Kind: mesh.Hidden})
	} else {
		e.cluster.mesh.Tell(e.chat, mesh.Note{Kind: mesh.Shown})
	}
}

// paired implements [outlet]: the other node knows.
func (e *elsewhere) paired() {}

// drained implements [outlet].
func (e *elsewhere) drained() {
	if n := e.untaken.Swap(0); n > 0 {
		e.cluster.mesh.Taken(e.chat, int(n))
	}
}

// left implements [outlet].
func (e *elsewhere) left(_ *Server, _ uint32, why record.Reason) {
	if !e.finish() {
		return
	}
	e.cluster.mesh.Leave(e.chat, reasonOf(why))
	e.cluster.unseat(e)
}

// finish notes that the chat is over. False: somebody else sees to that.
func (e *elsewhere) finish() bool {
	e.Lock()
	defer e.Unlock()
	if e.over.Load() {
		return false
	}
	if e.uncount() && e.who.person != 0 {
		e.until = max(e.cluster.now()+known, 1)
	}
	e.over.Store(true)
	return true
}

// uncount notes that they talk to nobody any more. False: they did not.
func (e *elsewhere) uncount() bool {
	counted := e.counted.CompareAndSwap(true, false)
	if counted {
		e.cluster.talking.Add(-1)
	}
	return counted
}

// end takes the stranger away, as the other node, or the Mesh, has ended the chat. It
// runs on the chat's worker.
func (e *elsewhere) end(h *handler, why mesh.Reason) {
	switch why {
	case mesh.TakenOver:
		e.yield(h)
		return
	case mesh.Broken, mesh.Lost:
		if e.goesOn(h, why) {
			return
		}
	}
	if !e.finish() {
		return
	}
	if j := e.joint.Load(); j != nil {
		h.server.breaks.endAt(j.id)
	}
	change := h.server.pairs.Stop(e.place, h.worker.Now())
	h.apply(partner{out: e}, &change, endsBy(why))
	e.cluster.unseat(e)
}

// partner is who they talk to, as far as can be told without a lock.
func (e *elsewhere) partner() partner {
	s := e.cluster.server
	if place, ok := s.pairs.Partner(e.place); ok && !e.over.Load() {
		return s.at(place)
	}
	return partner{}
}

// lockPartner is who they talk to, locked; nil: nobody who is here. Until it is
// unlocked it stays their partner for whatever is written to it (I2, I7).
func (e *elsewhere) lockPartner() *netpoll.Conn {
	s := e.cluster.server
	for {
		c := e.partner().here
		if c == nil {
			return nil
		}
		c.Lock()
		switch place, ok := s.pairs.Partner(e.place); {
		case !ok || e.over.Load():
			c.Unlock()
			return nil
		case s.at(place).here == c:
			if isRich(c) {
				e.handler().announceLocked(c)
			}
			return c
		}
		c.Unlock() // they have moved
	}
}

// handler is the chat's worker's, on which this runs.
func (e *elsewhere) handler() *handler { return e.worker.Load().Handler().(*handler) }

// tell writes what the stranger says, which is theirs no more. It runs on the chat's
// worker.
func (e *elsewhere) tell(h *handler, frames []byte) {
	outcome := netpoll.Gone
	if e.muted.Load() {
	} else if c := e.lockPartner(); c != nil {
		h.noteLocked(c, h.server.pairs.Number(seatOf(c)), frames, nil)
		if outcome = c.SendTwo(h.worker, frames, nil, nil); outcome == netpoll.Queued {
			e.untaken.Add(int64(len(frames))) // until it has drained
		}
		h.tellMarksLocked(c)
		c.Unlock()
	}
	if outcome != netpoll.Queued {
		e.cluster.mesh.Taken(e.chat, len(frames))
	}
}

// note passes on what is said of the stranger. It runs on the chat's worker.
func (e *elsewhere) note(h *handler, n mesh.Note) {
	switch n.Kind {
	case mesh.Counted, mesh.Resend, mesh.Sync:
		if e.returns(h, n) {
			return
		}
	}
	c := e.lockPartner()
	if c == nil {
		return
	}
	defer c.Unlock()
	r, pair := richOf(c), h.server.pairs.Number(seatOf(c))
	if r == nil {
		return
	}
	switch n.Kind {
	case mesh.Typing, mesh.NotTyping:
		if !c.Backlogged() {
			h.noticeLocked(c, record.AppendTyping(h.notice[:0], pair, n.Kind == mesh.Typing))
		}
	case mesh.Hidden:
		if r.can&record.CanAway != 0 {
			h.noticeLocked(c, record.AppendAway(h.notice[:0], pair, record.AwayHidden))
		}
	case mesh.Shown:
		if r.can&record.CanAway != 0 {
			h.noticeLocked(c, record.AppendBack(h.notice[:0], pair))
		}
	case mesh.Have, mesh.Sync, mesh.Back, mesh.Resend:
		if r.can&record.CanResume != 0 {
			h.noticeLocked(c, appendNote(h.notice[:0], pair, n))
		}
	}
}
