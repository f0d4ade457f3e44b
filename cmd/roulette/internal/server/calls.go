package server

import (
	"container/list"

	"roulette/cmd/roulette/internal/mesh"
	"roulette/cmd/roulette/internal/resume"
)

// calls are the pairs of which one is here and the other may be on another node, in the
// order in which that is asked for next: at once, then after the times of callAfter, and
// so on after the last of them.
type calls [len(callAfter)]list.List // of *kept

var callAfter = [...]uint32{250, 750, 2000} // milliseconds

// called is a pair's place among the calls.
type called struct {
	element   *list.Element // nil: it has none
	level     int
	due       uint32
	newest    int    // the side of who came last by token
	announced uint32 // Worker.Now when all nodes were told of that
	losses    uint64 // of the mesh, then
}

// The bounds of a look at the calls (I4): how many words it sends, and how many pairs
// it looks at.
const (
	callsATick = 200
	looksATick = 4000
)

// noticed is for how long, in milliseconds, a bus can be lost before that is known.
const noticed = 8000

// arrived says that the one of a side has come by token, which ends older connections of
// theirs on other nodes, and seeks their partner. The lock of breaks is held. c may be nil.
func (c *cluster) arrived(k *kept, side int, token resume.Token) {
	if c == nil {
		return
	}
	r := &c.server.breaks
	if to, ok := r.moved[k.id]; ok && k.abroad().peer == 0 {
		k.moreOf().peer = to.to
	}
	if k.abroad().peer == 0 && k.abroad().shown == "" && r.ours(token.Node) {
		return // neither of them was ever anywhere else
	}
	k.moreOf().returned, k.more.newest = true, side
	c.announce(k)
	c.callAgain(k, 0)
}

// announce tells all nodes of the latest who came by token.
func (c *cluster) announce(k *kept) {
	k.moreOf().announced, k.more.losses = c.now(), c.mesh.Losses()
	c.mesh.Meet(0, c.meeting(k, k.more.newest), true)
}

// seek asks for the one of a pair who is away, if the other one is here and they may be
// on another node, and goes on asking. The lock of breaks is held. c may be nil.
func (c *cluster) seek(k *kept) {
	if c != nil && (k.abroad().peer != 0 || k.abroad().returned) && c.server.breaks.lonely(k) >= 0 {
		c.callAgain(k, 0)
	}
}

func (c *cluster) callAgain(k *kept, level int) {
	m := k.moreOf()
	if m.element != nil {
		c.calls[m.level].Remove(m.element)
	}
	m.level, m.due = level, c.now()+callAfter[level]
	m.element = c.calls[level].PushBack(k)
}

// call says that one of a pair is here, or, if the two are together as far as is known
// here, who came last, if nobody may have heard that. It returns how many words that took;
// done: there is nothing to say of them any more.
func (c *cluster) call(k *kept) (words int, done bool) {
	side, m := c.server.breaks.lonely(k), k.moreOf()
	switch {
	case k.over() || side < 0 && (!m.returned || c.server.breaks.awayOf(k, m.newest) != nil):
		return 0, true
	case side >= 0 && m.returned:
		m.newest = side
		c.announce(k)
	case side >= 0:
		c.mesh.Meet(m.peer, c.meeting(k, side), false)
	case c.connected() && c.mesh.Losses() == m.losses:
		return 0, c.now()-m.announced > noticed
	case c.connected():
		c.announce(k)
	default:
		return 0, false
	}
	return 1, false
}

// callOut makes the calls that are due, and forgets what is over.
func (c *cluster) callOut() {
	r, now := &c.server.breaks, c.now()
	r.lock()
	defer r.mu.Unlock()
	words := 0
	looks := looksATick
	for level := range c.calls {
		for e := c.calls[level].Front(); e != nil && words < callsATick && looks > 0; e = c.calls[level].Front() {
			k := e.Value.(*kept)
			if int32(now-k.more.due) < 0 {
				break
			}
			looks--
			n, done := c.call(k)
			words += n
			if done {
				c.calls[level].Remove(e)
				k.more.element = nil
			} else {
				c.callAgain(k, min(level+1, len(callAfter)-1))
			}
		}
	}
	c.forgetMoved(now)
}

// forgetMoved forgets pairs that have gone on elsewhere, and joins that came to nothing.
// The lock of breaks is held.
func (c *cluster) forgetMoved(now uint32) {
	looks := callsATick
	for id, m := range c.server.breaks.moved {
		if looks--; looks < 0 {
			break
		}
		if int32(now-m.until) >= 0 {
			delete(c.server.breaks.moved, id)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for chat, j := range c.joins {
		if now-j.at > joinLasts {
			delete(c.joins, chat)
		}
	}
}

// meeting is what other nodes are told of the one of a side, who is here.
func (c *cluster) meeting(k *kept, side int) mesh.Meeting {
	r := &c.server.breaks
	if shown := k.abroad().shown; shown != "" && k.holders[1-side] == 0 {
		return mesh.Meeting{Token: shown, Try: k.exchange.Try(side), Generation: k.exchange.Generation()}
	}
	token := r.keys.Append(nil, resume.Token{
		Pair: k.id, Side: uint8(side), Node: r.node, Seat: k.places[side], Holder: k.holders[side], Issued: c.server.clock(),
	})
	return mesh.Meeting{Token: string(token), Try: k.exchange.Try(side), Generation: k.exchange.Generation()}
}

// Met implements [mesh.Host].
func (c *cluster) Met(from mesh.Node, m mesh.Meeting) {
	w := c.server.poller.Workers()[0]
	_ = w.Ask(func() { w.Handler().(*handler).met(from, m) }) // a worker that has ended has nobody
}

// met looks for the partner of somebody who is alone on another node.
func (h *handler) met(from mesh.Node, m mesh.Meeting) {
	s := h.server
	r, c := &s.breaks, s.cluster
	token, err := r.keys.Open(m.Token)
	if err != nil {
		return
	}
	if m.Over {
		h.isOver(token)
		return
	}
	r.lock()
	defer r.mu.Unlock()
	known := r.pairs.of(token.Pair) != nil
	k := r.find(token)
	if k == nil {
		if !known && h.fresh(token) && r.isOver(token) {
			m.Over = true
			c.mesh.Meet(from, m, false)
		}
		return
	}
	side := int(token.Side)
	switch here := r.awayOf(k, side) == nil; {
	case k.exchange.Try(side) > m.Try || here && k.exchange.Try(side) == m.Try:
		return // that one is the older connection
	case here:
		// Where they come from they sit already, by a chat with that node: it is the word
		// that is old, or it is about to be heard that the chat is over.
		if e, ok := s.at(k.places[side]).out.(*elsewhere); ok && e.who.home == from {
			return
		}
		h.oust(k, side)
	}
	switch lonely := r.lonely(k); {
	case lonely == 1-side:
		k.exchange.Raise(m.Generation)
		k.exchange.Tried(side, m.Try) // what an older connection says from now on is old
		k.moreOf().peer = from
		c.approach(k, lonely, from)
	case lonely < 0 && r.awayOf(k, 0) != nil && r.awayOf(k, 1) != nil:
		r.wentOn(k.id, from, h.worker.Now())
	}
}

// approach has the two of a pair come together, of whom one is alone here and the other
// on another node. The lock of breaks is held.
func (c *cluster) approach(k *kept, side int, at mesh.Node) {
	mine, now := c.meeting(k, side), c.now()
	if c.mesh.Self() < at {
		c.mesh.Meet(at, mine, false) // so that it joins
		return
	}
	if m := k.moreOf(); m.asked != 0 && now-m.asked < joinLasts {
		return
	}
	if chat := c.mesh.Join(at, mine); chat != 0 {
		k.more.asked = max(now, 1)
		c.mu.Lock()
		c.joins[chat] = &join{k, side, at, now}
		c.mu.Unlock()
	}
}

// oust ends the connection of the one of a side, who has come back on another node. The
// lock of breaks is held.
func (h *handler) oust(k *kept, side int) {
	s, now, last := h.server, h.worker.Now(), h.server.breaks.sideOf(k, side)
	other := k.places[1-side]
	if e, ok := s.at(last.place).out.(*elsewhere); ok {
		h.estrange(k, side, e, mesh.TakenOver)
		return
	}
	if e, ok := s.at(other).out.(*elsewhere); ok { // the two nodes come together
		h.estrange(k, 1-side, e, mesh.Broken)
		other = k.places[1-side]
	}
	a := &absence{pair: k, side: uint8(side), why: lost.counted}
	place, ok := s.standIns.take(a)
	if !ok {
		return
	}
	h.mute(other, last.place, k)
	s.pairs.Move(last.place, place, now)
	k.put(side, keptSide{place: place, holder: last.holder, wishes: last.wishes})
	k.exchange.Break(side)
	s.breaks.leave(a, place, now, milliseconds(h.rules.ResumeGrace))
	h.counters.Breaks++
	h.takeOver(last)
	s.at(other).resume()
	h.tellAway(k, 1-side)
	s.cluster.seek(k)
}

// isOver ends the wait of the one whom a token names, for the pair is no more.
func (h *handler) isOver(token resume.Token) {
	r := &h.server.breaks
	r.lock()
	var a *absence
	if k := r.find(token); k != nil && r.lonely(k) == int(token.Side) {
		a = r.awayOf(k, int(1-token.Side))
	}
	r.mu.Unlock()
	if a != nil {
		h.expel(a)
	}
}

// Join implements [mesh.Host]. It runs without the Mesh's lock.
func (c *cluster) Join(chat mesh.Chat, from mesh.Node, m mesh.Meeting) {
	if !c.letIn(chat, from, m) {
		c.mesh.Leave(chat, mesh.Lost)
	}
}

// letIn seats somebody of another node, whose seat is kept here, and leads the return.
func (c *cluster) letIn(chat mesh.Chat, from mesh.Node, m mesh.Meeting) bool {
	r := &c.server.breaks
	token, err := r.keys.Open(m.Token)
	if err != nil {
		return false
	}
	r.lock()
	defer r.mu.Unlock()
	side := int(token.Side)
	k := r.find(token)
	if k == nil || r.lonely(k) != 1-side || k.exchange.Try(side) > m.Try {
		return false
	}
	k.exchange.Raise(m.Generation)
	e := c.bring(k, side, from, chat)
	if e == nil {
		return false
	}
	e.muted.Store(true)
	k.exchange.Rejoin(side, m.Try)
	sync := mesh.Note{Kind: mesh.Sync, Generation: k.exchange.Generation()}
	if !c.mesh.Accept(chat) {
		e.ask(func(h *handler) { e.end(h, mesh.Lost) })
		return true
	}
	e.ask(func(h *handler) {
		r.lock()
		defer r.mu.Unlock()
		for i := range k.places {
			if !k.over() && !e.over.Load() {
				h.tellSide(k, i, sync)
			}
		}
	})
	return true
}

// Joined implements [mesh.Host]. It runs without the Mesh's lock.
func (c *cluster) Joined(chat mesh.Chat) {
	r := &c.server.breaks
	r.lock()
	defer r.mu.Unlock()
	c.mu.Lock()
	j := c.joins[chat]
	delete(c.joins, chat)
	c.mu.Unlock()
	if j != nil && r.lonely(j.pair) == j.side {
		if e := c.bring(j.pair, 1-j.side, j.home, chat); e != nil {
			j.pair.moreOf().led, j.pair.more.asked = e, 0
			return
		}
	}
	c.mesh.Leave(chat, mesh.Broken)
}

// bring seats somebody of another node, the one of a side, who was away. The lock of
// breaks is held. Nil: there is no seat, or the pair is over.
func (c *cluster) bring(k *kept, side int, home mesh.Node, chat mesh.Chat) *elsewhere {
	s, now, own := c.server, c.now(), k.places[1-side]
	e := &elsewhere{cluster: c, chat: chat, who: stranger{home: home}, resumes: true}
	e.joint.Store(&joint{k.id, 1 - side})
	var ok bool
	if e.place, ok = c.guests.take(e); !ok {
		return nil
	}
	last := s.breaks.sideOf(k, side)
	if life, _ := s.pairs.Move(last.place, e.place, now); life == 0 {
		c.guests.leave(e.place)
		return nil
	}
	s.breaks.comeHome(last.away, now)
	s.standIns.leave(last.place)
	k.places[side] = e.place
	if p, ok := s.pairs.Partner(e.place); !ok || p != own { // it was over by then
		c.leave(e.place)
		s.breaks.forget(k)
		return nil
	}
	e.counted.Store(true)
	c.talking.Add(1)
	c.add(e, own)
	return e
}
