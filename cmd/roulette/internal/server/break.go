package server

import (
	"time"

	"roulette/cmd/roulette/internal/mesh"
	"roulette/frame/record"
	"roulette/netpoll"
)

// The way of a pair through a break, as the server sees it:
//
//	both here ──── a connection is lost ────────► one away ──► both away
//	    ▲                                            │ ▲          │
//	    │ both have said resend                      ▼ │ lost     │ their time is over, next,
//	    └──────────────── returning ◄── resume ──────┘ ┘          ▼ stop: the pair's end
//
// From the break until a side's own resend its chat is thrown away: toldMuted, of the
// pairing it was told of last. It is set before the table names another seat,
// and looked at under the partner's write lock after the table was asked, so nothing
// of before the break is written to who comes back (I7).

// StartGrace is for who is lost before they have said that they have the token of their
// pairing: it may have been lost with the connection, so that nobody can come back. Who
// has it is there at once.
const StartGrace = 5 * time.Second

// keepSeat keeps the seat of c, whose connection is lost, if the two of them can resume
// their chat. c is ended, and nobody can write to it any more. False: nothing is
// kept, and c is to leave the table as usual.
func (h *handler) keepSeat(c *netpoll.Conn, why parting) bool {
	s, r, own := h.server, richOf(c), seatOf(c)
	if r == nil || !r.told.marked(s.pairs.Number(own), toldResumable) || h.rules.MaxAway == 0 {
		return false
	}
	now := s.breaks.now()
	s.breaks.lock()
	defer s.breaks.mu.Unlock()
	k, side := s.breaks.keptOf(r, own)
	if k == nil {
		return false
	}
	if e := s.elsewhereOf(own); e != nil && !h.estrange(k, 1-side, e, mesh.Broken) {
		return false
	}
	other, paired := s.pairs.Partner(own)
	if !paired {
		return false
	}
	a := &absence{pair: k, side: uint8(side), why: why.counted}
	place, ok := s.standIns.take(a)
	if !ok {
		return false
	}
	h.mute(other, own, k)
	s.pairs.Move(own, place, now)
	if p, ok := s.pairs.Partner(place); !ok || p != other { // it was over by then
		s.pairs.Leave(place, now)
		s.standIns.leave(place)
		return false
	}
	s.breaks.pairs.add(k)
	k.exchange.Break(side)
	k.put(side, keptSide{place: place, holder: r.holder, wishes: r.wishes()})
	if a.attributed = has(c, attributed); a.attributed {
		a.key = c.Key
		clearFlag(c, attributed) // it goes on counting
	}
	grace := h.rules.ResumeGrace
	switch {
	case !r.said.has(saidToken):
		a.manner, grace = fromStart, min(grace, StartGrace)
	case has(c, hiding):
		a.manner, grace = fromHiding, h.rules.ResumeHiddenGrace
	}
	s.breaks.leave(a, place, now, milliseconds(grace))
	h.counters.Breaks++
	s.at(other).resume() // it is not paused for c any more
	h.tellAway(k, 1-side)
	s.cluster.seek(k)
	return true
}

// tellAway tells the one of a side that their partner's connection is lost. The lock
// of breaks is held.
func (h *handler) tellAway(k *kept, side int) {
	h.tellHere(k, side, func(dst []byte, n uint32) []byte { return record.AppendAway(dst, n, record.AwayLost) })
}

// tellSide tells the one of a side something of the return. The lock of breaks is held.
// False: they are away.
func (h *handler) tellSide(k *kept, side int, note mesh.Note) (there bool) {
	if e, ok := h.server.at(k.places[side]).out.(*elsewhere); ok {
		e.cluster.mesh.Tell(e.chat, note)
		return true
	}
	return h.tellHere(k, side, func(dst []byte, n uint32) []byte { return appendNote(dst, n, note) })
}

// appendNote appends what a client is told of its n-th pairing.
func appendNote(dst []byte, n uint32, note mesh.Note) []byte {
	switch note.Kind {
	case mesh.Sync:
		return record.AppendSync(dst, n, note.Generation)
	case mesh.Back:
		return record.AppendReturned(dst, n, note.Generation, note.N)
	case mesh.Resend:
		return record.AppendResend(dst, n, note.N, note.Lost)
	case mesh.Have:
		return record.AppendHave(dst, n, note.N)
	}
	return dst
}

// tellHere tells the one of a side, if they are here and the pair is not over by now,
// something of the pairing, which is their n-th. The lock of breaks is held. False:
// they are not here.
func (h *handler) tellHere(k *kept, side int, notice func(dst []byte, n uint32) []byte) (here bool) {
	s, place := h.server, k.places[side]
	c := s.at(place).here
	if c == nil {
		return false
	}
	c.Lock()
	defer c.Unlock()
	// Who ends the pair tells so under this lock, after the table.
	if other, ok := s.pairs.Partner(place); ok && other == k.places[1-side] && isRich(c) {
		h.noticeLocked(c, notice(h.notice[:0], s.pairs.Number(place)))
	}
	return true
}

// keptOf is what is kept of the pair of r, who sits at own, from now on at least,
// and which side they are. Nil: they are no pair any more. The lock is held.
func (r *breaks) keptOf(person *rich, own seat) (*kept, int) {
	if k := person.kept(); k != nil && !k.over() && k.sideAt(own) >= 0 {
		return k, k.sideAt(own)
	}
	id, side, ok := r.idOf(own)
	if !ok {
		return nil, 0
	}
	if r.pairs.of(id) != nil {
		return nil, 0
	}
	other, ok := r.server.pairs.Partner(own)
	if !ok {
		return nil, 0
	}
	k := &kept{id: id}
	k.put(side, keptSide{place: own, holder: person.holder, wishes: person.wishes()})
	k.places[1-side] = other
	return k, side
}

// mute has the chat of the one at place thrown away until their resend, if own is
// their partner, and notes k for them. It tells them of the pairing first: what it
// can be resumed with names the seats that the two have still.
func (h *handler) mute(place, own seat, k *kept) {
	s := h.server
	c := s.at(place).here
	if c == nil {
		return
	}
	c.Lock()
	defer c.Unlock()
	r := richOf(c)
	if back, ok := s.pairs.Partner(place); r == nil || !ok || back != own {
		return
	}
	h.announceLocked(c)
	if i := k.sideAt(place); i >= 0 {
		k.holders[i] = r.holder
	}
	r.told.mark(s.pairs.Number(place), toldMuted, true)
	r.keepLocked(k)
}

// discards tells whether what c says is thrown away: its partner is away, or is
// coming back. It stands in its client's ring.
func (t *turn) discards() bool {
	return t.rich.told.marked(t.h.server.pairs.Number(seatOf(t.c)), toldMuted)
}

// counts tells whether c's client counts what is delivered, so that it needs to be
// told of nothing that is not.
func (t *turn) counts() bool {
	return t.rich.told.marked(t.h.server.pairs.Number(seatOf(t.c)), toldResumable)
}
