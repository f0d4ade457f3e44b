package server

import (
	"encoding/binary"

	"roulette/cmd/roulette/internal/mesh"
	"roulette/cmd/roulette/internal/resume"
)

// A pair of two nodes outlives connections, nodes and the bus as a pair of one does:
//
//	A at node 1, B at node 2
//	   │  A's connection is lost: node 1 says Broken, and keeps both seats for a while
//	   │  the bus or a node is lost: each that is left does as if it had heard that
//	   ▼
//	B at node 2, A away
//	   │  A comes to node 3 with a token: a meeting place, and node 3 calls (calls.go)
//	   ▼
//	both alone, at nodes 2 and 3 ── the higher node joins the lower ──► a pair of two nodes
//
// The lower node leads: the exchange of the return is its, the other one passes the
// words of its person on, and throws away nothing by itself but what was said before.
// Whatever breaks ends the chat of the two nodes, so in a chat there is one generation
// at most.

// joint is what both nodes call a pair of theirs that can be resumed.
type joint struct {
	id   resume.ID
	side int // of the one here
}

// abroad is what is kept of a pair of which one may be on another node. Guarded by the
// lock of breaks.
type abroad struct {
	peer     mesh.Node  // where the other one was last
	led      *elsewhere // nil: the exchange of the return is here
	returned bool       // the one here has come by token
	shown    string     // the token, if no pair was known of it: another node may know the one it names
	asked    uint32     // Worker.Now when a node was asked to let them join
	called              // calls.go
}

// moved is where a pair has gone on when the one of it who was here had gone.
type moved struct {
	to    mesh.Node
	until uint32
}

// join is a person here who is to join their partner's node.
type join struct {
	pair *kept
	side int
	home mesh.Node
	at   uint32
}

// joinLasts is for how long, in milliseconds, a node is not asked again.
const joinLasts = 1000

// canResume tells whether who sits there, here, can.
func (c *cluster) canResume(place seat) bool {
	conn := c.server.at(place).here
	return conn != nil && has(conn, resumes) && c.server.breaks.keys != nil
}

// elsewhereOf is the partner of own, if they are on another node.
func (s *Server) elsewhereOf(own seat) *elsewhere {
	if s.cluster == nil {
		return nil
	}
	place, ok := s.pairs.Partner(own)
	if !ok {
		return nil
	}
	e, _ := s.at(place).out.(*elsewhere)
	return e
}

// tie names a new pair of two nodes that can be resumed.
func (c *cluster) tie(e *elsewhere, name mesh.Name) {
	j := &joint{side: 1}
	if name.Lower {
		j.side = 0
	}
	binary.BigEndian.PutUint64(j.id[:], uint64(name.Node))
	binary.BigEndian.PutUint64(j.id[8:], uint64(name.Chat))
	e.joint.Store(j)
	c.mu.Lock()
	c.joints[j.id] = e
	c.mu.Unlock()
}

// wentOn notes that a pair is on another node now. The lock is held.
func (r *breaks) wentOn(id resume.ID, to mesh.Node, now uint32) {
	if r.moved == nil {
		r.moved = make(map[resume.ID]moved)
	}
	if len(r.moved) < maxStandIns {
		r.moved[id] = moved{to, now + milliseconds(tokenLasts)}
	}
}

// isOver tells whether a pair that is not known here is no more, as far as this server
// knows (R4). The lock is held.
func (r *breaks) isOver(token resume.Token) bool {
	_, goesOn := r.moved[token.Pair]
	return r.ours(token.Node) && !goesOn
}

// endAt ends what is kept of a pair.
func (r *breaks) endAt(id resume.ID) {
	r.lock()
	defer r.mu.Unlock()
	delete(r.moved, id)
	if k := r.pairs.of(id); k != nil {
		r.finish(k)
	}
}

// lonely is the side of the one who is here and whose partner is away; -1: it is not so.
// The lock is held.
func (r *breaks) lonely(k *kept) int {
	for side := range k.places {
		here := r.awayOf(k, side) == nil && r.server.at(k.places[side]).here != nil
		if here && r.awayOf(k, 1-side) != nil && !k.over() {
			return side
		}
	}
	return -1
}

// findUnbroken is the pair of a token that names the one who is, as far as is known
// here, on another node. The lock of breaks is held.
func (c *cluster) findUnbroken(token resume.Token) *kept {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	e := c.joints[token.Pair]
	c.mu.Unlock()
	if e == nil || int(token.Side) == e.joint.Load().side {
		return nil
	}
	s := c.server
	place, ok := s.pairs.Partner(e.place)
	conn := s.at(place).here
	if !ok || conn == nil {
		return nil
	}
	conn.Lock()
	defer conn.Unlock()
	person := richOf(conn)
	if person == nil || !person.told.marked(s.pairs.Number(place), toldResumable) {
		return nil
	}
	k, side := s.breaks.keptOf(person, place)
	if k == nil || s.elsewhereOf(place) != e {
		return nil
	}
	k.holders[1-side] = token.Holder
	s.breaks.pairs.add(k)
	person.keepLocked(k)
	return k
}

// goesOn keeps the seat of somebody on another node, as the chat with that is over and
// the pair is not. It runs on the chat's worker. False: the pair is over, too.
func (e *elsewhere) goesOn(h *handler, why mesh.Reason) bool {
	s := h.server
	if e.joint.Load() == nil || h.rules.MaxAway == 0 {
		return false
	}
	s.breaks.lock()
	defer s.breaks.mu.Unlock()
	own, ok := s.pairs.Partner(e.place)
	c := s.at(own).here
	if !ok || c == nil {
		return false
	}
	c.Lock()
	r := richOf(c)
	ok = r != nil && r.told.marked(s.pairs.Number(own), toldResumable)
	c.Unlock()
	if !ok {
		return false
	}
	k, side := s.breaks.keptOf(r, own)
	return k != nil && h.estrange(k, 1-side, e, why)
}

// estrange ends the chat with somebody on another node, the one of a side, whose seat is
// kept: they are away from now on. The lock of breaks is held. False: the pair is over,
// or is about to be.
func (h *handler) estrange(k *kept, side int, e *elsewhere, why mesh.Reason) bool {
	s, now, own := h.server, h.worker.Now(), k.places[1-side]
	a := &absence{pair: k, side: uint8(side), why: lost.counted}
	place, ok := s.standIns.take(a)
	if !ok {
		return false
	}
	h.mute(own, e.place, k)
	if !e.finish() {
		s.standIns.leave(place)
		return false
	}
	s.pairs.Move(e.place, place, now)
	e.cluster.vacate(e)
	e.cluster.mesh.Leave(e.chat, why)
	if p, ok := s.pairs.Partner(place); !ok || p != own { // it was over by then
		s.pairs.Leave(place, now)
		s.standIns.leave(place)
		return false
	}
	s.breaks.pairs.add(k)
	k.exchange.Break(side)
	k.places[side] = place
	k.moreOf().peer, k.more.led = e.who.home, nil
	s.breaks.leave(a, place, now, milliseconds(h.rules.ResumeGrace))
	h.counters.Breaks++
	s.at(own).resume() // it is not paused for want of credit any more
	h.tellAway(k, 1-side)
	s.cluster.seek(k) // they are there still, perhaps, or the word of their return is under way
	return true
}

// vacate gives back the seat of a stranger which they have left for another one.
func (c *cluster) vacate(e *elsewhere) {
	c.mu.Lock()
	c.removeLocked(e)
	c.mu.Unlock()
	c.guests.leave(e.place)
}

// recall has whoever of k is on another node be away, as the one of a side comes back
// here. The lock of breaks is held.
func (h *handler) recall(k *kept, returns int) {
	for side := range k.places {
		if e, ok := h.server.at(k.places[side]).out.(*elsewhere); ok {
			why := mesh.Broken
			if side == returns {
				why = mesh.TakenOver
			}
			h.estrange(k, side, e, why)
		}
	}
}

// yield ends the connection of the one here, who has come back on another node. It runs
// on the chat's worker.
func (e *elsewhere) yield(h *handler) {
	c := e.partner().here
	if !e.finish() {
		return
	}
	if j := e.joint.Load(); j != nil {
		r := &h.server.breaks
		r.lock()
		r.wentOn(j.id, e.who.home, h.worker.Now())
		r.mu.Unlock()
	}
	if c != nil && c.Worker() == h.worker {
		h.end(c, takenOver)
	} else { // they have moved, and see to it
		h.server.pairs.Stop(e.place, h.worker.Now())
	}
	e.cluster.unseat(e)
}

// returns takes a word of the return of both, from the other node. True: that is all.
func (e *elsewhere) returns(h *handler, n mesh.Note) bool {
	r, j := &h.server.breaks, e.joint.Load()
	if j == nil {
		return true
	}
	r.lock()
	defer r.mu.Unlock()
	k := r.pairs.of(j.id)
	if k == nil || k.over() || e.over.Load() || k.sideAt(e.place) < 0 {
		return true
	}
	side := k.sideAt(e.place)
	switch {
	case k.abroad().led == e:
		if n.Kind == mesh.Sync {
			k.exchange.Raise(n.Generation)
		}
		return n.Kind == mesh.Counted // which is not theirs to say
	case n.Kind == mesh.Counted:
		h.counted(k, side, n.Generation, n.N)
	case n.Kind == mesh.Resend && k.exchange.Resend(side, n.Generation, n.N, n.Lost):
		e.muted.Store(false)
		h.tellSide(k, 1-side, n)
	}
	return true
}
