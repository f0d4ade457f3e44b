package server

import (
	"time"

	"roulette/cmd/roulette/internal/mesh"
	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/safety"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
)

// The time for which a token of another process is good, and how far its clock may
// be ahead.
const (
	tokenLasts   = 24 * time.Hour
	clocksDiffer = time.Minute
)

// resume brings c's client back to the pair that its token names.
func (t *turn) resume(cmd record.Command) {
	h, own := t.h, seatOf(t.c)
	if t.rich.said.has(saidNext) || h.server.pairs.Number(own) != 0 {
		t.refuseRecord(record.ErrTooLate)
		return
	}
	t.writeBack()
	token, err := h.server.breaks.keys.Open(cmd.Token)
	result := metrics.ReturnRefused
	if err == nil {
		result = h.takePlace(t, token, cmd)
	}
	h.counters.Returns[result]++
	switch result {
	case metrics.ReturnRefused:
		t.refuseRecord(record.ErrNoSuchChat)
	case metrics.ReturnOlder:
		t.ends(takenOver.goodbye())
	}
}

// takePlace seats c in the place that its token is for.
func (h *handler) takePlace(t *turn, token resume.Token, cmd record.Command) metrics.ReturnResult {
	s, c := h.server, t.c
	s.breaks.lock()
	defer s.breaks.mu.Unlock()
	side := int(token.Side)
	k, result := s.breaks.find(token), metrics.ReturnBack
	switch {
	case k != nil:
	case s.breaks.pairs.of(token.Pair) != nil || !h.fresh(token) || s.breaks.isOver(token):
		return metrics.ReturnRefused // R4
	default:
		if k = h.meetingPlace(token); k == nil {
			return metrics.ReturnRefused
		}
		if result = metrics.ReturnMet; s.cluster != nil {
			k.moreOf().shown = cmd.Token
		}
	}
	if !k.exchange.Newer(side, cmd.Try) {
		return metrics.ReturnOlder // R3
	}
	h.recall(k, side)
	k.exchange.Return(side, cmd.Try, cmd.N)
	if !h.sit(c, t.rich, k, side) {
		s.breaks.forget(k)
		return metrics.ReturnRefused
	}
	h.tellReturn(k, side)
	s.cluster.arrived(k, side, token)
	return result
}

// fresh tells whether a token of another process is good still.
func (h *handler) fresh(token resume.Token) bool {
	age := h.server.clock().Sub(token.Issued)
	return age < tokenLasts && age > -clocksDiffer
}

// find is the pair that a token is for, if this process knows it: one that has had
// a break, or one that has not yet as far as is known here. The lock is held.
func (r *breaks) find(token resume.Token) *kept {
	side := int(token.Side)
	if k := r.pairs.of(token.Pair); k != nil {
		switch k.holders[side] {
		case 0: // at a meeting place: the first to come has it
			k.holders[side] = token.Holder
		case token.Holder:
		default:
			return nil
		}
		return k
	}
	if k := r.server.cluster.findUnbroken(token); k != nil {
		return k
	}
	if token.Node != r.node {
		return nil
	}
	c := r.server.at(token.Seat).here
	if c == nil {
		return nil
	}
	c.Lock()
	defer c.Unlock()
	// c may have ended just now, on its own worker, which is about to keep its seat or
	// to give it up. Whoever asks for it before that has it still.
	person := richOf(c)
	if person == nil || person.holder != token.Holder {
		return nil
	}
	if id, at, ok := r.idOf(token.Seat); !ok || id != token.Pair || at != side {
		return nil
	}
	k, _ := r.keptOf(person, token.Seat)
	if k == nil || !person.told.marked(r.server.pairs.Number(token.Seat), toldResumable) {
		return nil
	}
	r.pairs.add(k)
	person.keepLocked(k)
	return k
}

// meetingPlace keeps both seats of a pair that another process knew, for whoever
// comes: nil if there is no room. The lock is held.
func (h *handler) meetingPlace(token resume.Token) *kept {
	s, now := h.server, h.server.breaks.now()
	if s.breaks.awayLocked() >= h.rules.MaxAway {
		return nil
	}
	k := &kept{id: token.Pair}
	wish := &pairing.Wishes{Table: "\x00" + string(token.Pair[:])} // nobody else can sit there
	for side := range k.places {
		a := &absence{pair: k, side: uint8(side), why: lost.counted}
		place, ok := s.standIns.take(a)
		if !ok {
			if side == 1 {
				h.vacate(k, 0, now)
			}
			return nil
		}
		k.places[side] = place
		k.exchange.Break(side)
		s.breaks.leave(a, place, now, milliseconds(h.rules.ResumeGrace))
		s.pairs.Enter(place, false)
		s.pairs.Seek(place, now, wish)
	}
	h.counters.PairsCreated++ // as its end will be counted (I8)
	k.holders[token.Side] = token.Holder
	s.breaks.pairs.add(k)
	return k
}

// vacate takes a seat of a meeting place away again. The lock is held.
func (h *handler) vacate(k *kept, side int, now uint32) {
	s, place := h.server, k.places[side]
	s.breaks.comeHome(s.breaks.awayOf(k, side), now)
	s.pairs.Leave(place, now)
	s.standIns.leave(place)
}

// sit moves the person of a side to c. False: the pair is over. The lock is held.
func (h *handler) sit(c *netpoll.Conn, r *rich, k *kept, side int) bool {
	s, now, own := h.server, h.server.breaks.now(), seatOf(c)
	last := s.breaks.sideOf(k, side)
	h.mute(k.places[1-side], last.place, k) // before the table names another seat
	who, _ := s.pairs.Who(own)
	c.Lock()
	n := s.pairs.Number(last.place)
	r.told.tell(n) // what follows is no news
	r.said.set(saidToken, true)
	r.told.mark(n, toldMuted|toldResumable, true)
	r.keepLocked(k)
	r.holder = last.holder
	if last.wishes != nil {
		r.wish(last.wishes)
	}
	s.pairs.Leave(own, now)
	r.life, _ = s.pairs.Move(last.place, own, now)
	if r.life == 0 {
		r.life = s.pairs.Enter(own, false)
	}
	if seated, _ := s.pairs.Who(own); seated == (pairing.Person{}) { // at a meeting place nobody knows who comes
		h.identify(own, safety.Person(who))
	}
	other, paired := s.pairs.Partner(own)
	paired = paired && other == k.places[1-side]
	if paired { // under the same lock, so that it comes before all that the partner causes
		h.noticeLocked(c, record.AppendResumed(h.notice[:0], s.pairs.Number(own), h.newToken(k.id, side, own, last.holder), h.openingLocked(c, r, s.pairs.Number(own))))
	} else {
		r.told.end(n)
		r.told.mark(n, toldMuted, false)
		r.forgetKept()
	}
	c.Unlock()
	k.put(side, keptSide{place: own, holder: r.holder, wishes: r.wishes()})
	switch {
	case last.away != nil:
		h.counters.AwayDuration.Observe(int64(now-last.away.since) * 1e6)
		s.breaks.comeHome(last.away, now)
		s.standIns.leave(last.place)
	default:
		h.takeOver(last)
	}
	s.at(k.places[1-side]).resume() // it is not paused for the old connection any more
	return paired
}

// takeOver closes the connection in whose place another one of its client has come.
func (h *handler) takeOver(last keptSide) {
	s := h.server
	c := s.at(last.place).here
	if c == nil {
		return
	}
	w := c.Worker()
	goodbye := func() {
		c := s.at(last.place).here
		if c == nil || !isRich(c) {
			return
		}
		if r := richOf(c); r.holder == last.holder && r.kept() != nil {
			r.forgetKept()
			w.Handler().(*handler).end(c, takenOver)
		}
	}
	if w == h.worker {
		goodbye()
		return
	}
	_ = w.Ask(goodbye) // a worker that has ended has closed all it had
}

// tellReturn asks the partner of who is back how far they are, or says that they
// are away. The lock is held.
func (h *handler) tellReturn(k *kept, side int) {
	if !h.tellSide(k, 1-side, mesh.Note{Kind: mesh.Sync, Generation: k.exchange.Generation()}) {
		h.tellAway(k, side)
	}
}

// have passes on how many messages c's client has shown, or takes it as the answer
// to a sync.
func (t *turn) have(cmd record.Command) {
	h, s, own := t.h, t.h.server, seatOf(t.c)
	if cmd.Pair != s.pairs.Number(own) {
		return // of an earlier pairing: it was under way
	}
	t.rich.said.set(saidToken, true)
	if cmd.Generation != 0 {
		t.synced(cmd)
		return
	}
	if cmd.N == 0 {
		return // no news to the partner
	}
	p := h.lockPartner(t.c)
	if p.here == nil {
		if p.out != nil {
			if e, ok := p.out.(*elsewhere); ok {
				e.cluster.mesh.Tell(e.chat, mesh.Note{Kind: mesh.Have, N: cmd.N})
			}
			p.out.Unlock()
		}
		return
	}
	defer p.here.Unlock()
	if r := richOf(p.here); r != nil && r.can&record.CanResume != 0 {
		h.announceLocked(p.here)
		h.noticeLocked(p.here, record.AppendHave(h.notice[:0], p.pair, cmd.N))
	}
}

// synced takes the answer to a sync. When both counts are known both are told the
// other's.
func (t *turn) synced(cmd record.Command) {
	h, s, own := t.h, t.h.server, seatOf(t.c)
	k := t.rich.kept()
	if k == nil {
		return
	}
	t.writeBack()
	s.breaks.lock()
	defer s.breaks.mu.Unlock()
	switch side := k.sideAt(own); {
	case k.over() || side < 0:
	case k.abroad().led != nil:
		led := k.abroad().led
		led.cluster.mesh.Tell(led.chat, mesh.Note{Kind: mesh.Counted, Generation: cmd.Generation, N: cmd.N})
	default:
		h.counted(k, side, cmd.Generation, cmd.N)
	}
}

// counted takes a side's answer to a sync. The lock of breaks is held.
func (h *handler) counted(k *kept, side int, generation, n uint64) {
	if !k.exchange.Have(side, generation, n) {
		return
	}
	for i := range k.places {
		h.tellSide(k, i, mesh.Note{Kind: mesh.Back, Generation: generation, N: k.exchange.Count(1 - i)})
	}
}

// resend notes that c's client begins again: what follows is relayed.
func (t *turn) resend(cmd record.Command) {
	h, s, own := t.h, t.h.server, seatOf(t.c)
	k := t.rich.kept()
	if k == nil {
		return
	}
	s.breaks.lock()
	defer s.breaks.mu.Unlock()
	side := k.sideAt(own)
	switch {
	case k.over() || side < 0 || cmd.Generation < k.exchange.Generation():
		return // of an earlier break: it was under way
	case k.abroad().led != nil: // which judges, and throws away what comes before
	case !k.exchange.Resend(side, cmd.Generation, cmd.From, cmd.Lost):
		t.refuseRecord(record.ErrOutOfTurn)
		return
	}
	t.c.Lock()
	t.rich.told.mark(s.pairs.Number(own), toldMuted, false)
	t.c.Unlock()
	h.tellSide(k, 1-side, mesh.Note{Kind: mesh.Resend, Generation: cmd.Generation, N: cmd.From, Lost: cmd.Lost})
}
