package server

import (
	"slices"

	"roulette/cmd/roulette/internal/resume"
)

// What resume keeps moves with the rest. A pair that could be resumed but has had
// no break is kept from here on, for its tokens name a seat that is no more.

// maxNodes bounds the predecessors whose tokens are told from those of strangers:
// they are good for a day.
const maxNodes = 256

// carried is what is to be kept of the pair of r, who sits at own, in another server,
// and which side they are; nil: nothing.
func (r *breaks) carried(person *rich, own seat) (*kept, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := person.kept(); (k == nil || k.over()) && !person.told.marked(r.server.pairs.Number(own), toldResumable) {
		return nil, 0
	}
	return r.keptOf(person, own)
}

// ours tells whether a token is of this server or one that it has taken over from.
// The lock is held.
func (r *breaks) ours(node resume.Node) bool {
	return node == r.node || slices.Contains(r.earlier, node)
}

// restoreBreaks brings what another server kept into this one; moved says where
// those sit who came, and learns where those do who are away.
func (h *handler) restoreBreaks(i *inheritance, moved map[seat]seat) {
	s, now := h.server, h.server.breaks.now()
	r := &s.breaks
	r.mu.Lock()
	defer r.mu.Unlock()
	r.earlier = i.nodes
	for _, c := range i.away {
		a := &absence{pair: i.pairs[c.pair], side: c.side, why: c.why, attributed: c.attributed, key: c.key}
		switch {
		case c.hidden:
			a.manner = fromHiding
		case c.left <= milliseconds(StartGrace): // or they went away long ago: it is over as soon
			a.manner = fromStart
		}
		place, ok := s.standIns.take(a)
		if !ok {
			panic("server: no seat for somebody who is away, and who had one")
		}
		moved[c.place] = place
		if a.attributed {
			s.addresses.Readmit(a.key, c.network)
		}
		r.leave(a, place, now, c.left)
		a.since = now - c.age
	}
	for _, k := range i.pairs {
		for side := range k.places {
			k.places[side] = moved[k.places[side]]
		}
		r.pairs.add(k)
		h.restoreAbroad(k, i.led)
	}
	for n, c := range i.carries {
		if c.traits != nil && c.traits.pair != nil {
			conn := i.conns[n]
			conn.Lock()
			richOf(conn).keepLocked(r.pairs.of(resume.ID(c.traits.pair)))
			conn.Unlock()
		}
	}
}

// restoreAbroad brings what a kept pair has with somebody on another node; led are those
// on whose nodes the exchange of the return is. The lock is held.
func (h *handler) restoreAbroad(k *kept, led []*elsewhere) {
	for side := range k.places {
		e, ok := h.server.at(k.places[side]).out.(*elsewhere)
		if !ok {
			continue
		}
		e.joint.Store(&joint{k.id, 1 - side})
		e.resumes = true
		m := k.moreOf()
		if m.peer = e.who.home; slices.Contains(led, e) {
			m.led = e
		}
	}
}

// leads tells whether the exchange of e's return is on their node. All workers stand.
func (r *breaks) leads(e *elsewhere) bool {
	j := e.joint.Load()
	if j == nil {
		return false
	}
	k := r.pairs.of(j.id)
	return k != nil && k.abroad().led == e
}

// forgetBreaks ends what is kept of pairs, all of which have been taken over.
func (h *handler) forgetBreaks() {
	s, now := h.server, h.worker.Now()
	r := &s.breaks
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.queues {
		for place := r.queues[i].first; place != 0; place = r.queues[i].first {
			a := s.standIns.of(place)
			r.comeHome(a, now)
			s.pairs.Leave(place, now)
			s.standIns.leave(place)
		}
	}
	for k := range r.pairs.all {
		r.forget(k)
	}
}
