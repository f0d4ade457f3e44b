package server

import (
	"roulette/frame/record"
	"roulette/netpoll"
)

// hello agrees on what both can.
func (t *turn) hello(cmd record.Command) {
	h, r := t.h, t.rich
	if r.said.has(saidRecord) {
		t.refuseRecord(record.ErrLateHello)
		return
	}
	t.c.Lock()
	r.can = cmd.Can&record.CanAll | greeted
	if h.rules.MaxAway == 0 {
		r.can &^= record.CanResume
	}
	switch {
	case h.server.known == nil:
		r.can &^= record.CanReport | record.CanBlock | record.CanProof
	case h.server.config.Reports == nil:
		r.can &^= record.CanReport
	}
	if r.can&record.CanResume != 0 {
		setFlag(t.c, resumes)
	}
	t.c.Unlock()
	if r.can&record.CanBlock != 0 {
		t.blocks(cmd.Blocked)
	}
	t.answerRecord(record.AppendTerms(h.notice[:0], h.terms(r)))
	if a := h.server.announced.Load(); a != nil && r.can&record.CanNotice != 0 && h.server.clock().Before(a.until) {
		t.answerRecord(a.append(h.notice[:0]))
	}
}

// terms are what a client is told that has said hello.
func (h *handler) terms(r *rich) record.Terms {
	terms := record.Terms{Can: r.can &^ greeted, Heartbeat: h.rules.PingInterval, Hidden: h.rules.HiddenTimeout}
	if r.can&record.CanPeople != 0 {
		terms.People = h.server.people()
		r.online.Store(uint32(terms.People))
	}
	return terms
}

// renewTerms tells c, whose client has promised heartbeats, how often they are
// wanted from now on.
func (h *handler) renewTerms(c *netpoll.Conn) {
	r := richOf(c)
	if r.can&record.CanHeartbeat == 0 {
		return
	}
	r.spoke = h.worker.Now()
	c.Lock()
	h.noticeLocked(c, record.AppendTerms(h.notice[:0], h.terms(r)))
	c.Unlock()
}

// ping answers a heartbeat.
func (t *turn) ping(cmd record.Command) {
	t.answerRecord(record.AppendPong(t.h.notice[:0], cmd.N))
}

// listens tells whether c is judged by what its page sends. Otherwise it is by
// what arrives, and pinged: a page that is hiding may be frozen, and the pings
// keep its way open.
func (h *handler) listens(c *netpoll.Conn) bool {
	return isRich(c) && richOf(c).can&record.CanHeartbeat != 0 && !has(c, hiding)
}

// keepsPromise tells whether the page at the other end of c, which is to send
// heartbeats, has said something lately.
func (h *handler) keepsPromise(c *netpoll.Conn) bool {
	r, now, rules := richOf(c), h.worker.Now(), h.rules
	if c.Paused() { // whoever is not read cannot be heard
		r.spoke = now
	}
	silence, beat := now-r.spoke, milliseconds(rules.PingInterval)
	if p, ok := c.Held().(*partial); ok && !p.Empty() { // it is saying something
		silence = min(silence, now-c.Heard())
	}
	switch {
	case silence < beat:
		if has(c, pinged) {
			clearFlag(c, pinged)
		}
	case !has(c, pinged):
		// The rest of its time begins now, however late this look may be.
		setFlag(c, pinged)
		r.spoke = now - beat
	case silence >= beat+milliseconds(rules.PongTimeout):
		return false
	}
	return true
}

// isForgotten tells whether a page has been in the background, and silent, for
// too long.
func (h *handler) isForgotten(c *netpoll.Conn) bool {
	if !has(c, hiding) {
		return false
	}
	r, rules := richOf(c), h.rules
	return r.can&record.CanHeartbeat != 0 && h.worker.Now()-r.spoke >= milliseconds(rules.HiddenTimeout+rules.PongTimeout)
}

// hiding and shown: the page goes to the background, or is back.
func (t *turn) hiding(record.Command) { t.hide(true) }
func (t *turn) shown(record.Command)  { t.hide(false) }

func (t *turn) hide(on bool) {
	c := t.c
	if has(c, hiding) == on {
		return
	}
	t.writeBack()
	c.SetState(0, pinged) // it is judged by something else from now on
	if on {
		setFlag(c, hiding)
	} else {
		clearFlag(c, hiding)
	}
	t.h.tellHiding(c)
}

// tellHiding tells c's partner whether c's page is in the background. Whichever
// worker does it last says what holds, as it looks under the partner's lock.
func (h *handler) tellHiding(c *netpoll.Conn) {
	switch p := h.lockPartner(c); {
	case p.here != nil:
		defer p.here.Unlock()
		r := richOf(p.here)
		if r == nil || r.can&record.CanAway == 0 {
			return
		}
		h.announceLocked(p.here)
		if has(c, hiding) {
			h.noticeLocked(p.here, record.AppendAway(h.notice[:0], p.pair, record.AwayHidden))
		} else {
			h.noticeLocked(p.here, record.AppendBack(h.notice[:0], p.pair))
		}
	case p.out != nil:
		defer p.out.Unlock()
		p.out.away(has(c, hiding))
	}
}

// again has c want its last partner back. That is too late for whoever has, or
// whose partner has, another one by now.
func (t *turn) again(cmd record.Command) {
	h, c, r := t.h, t.c, t.rich
	now, pairs := h.worker.Now(), h.server.pairs
	if ago, parted := r.told.parted(now); !parted || ago >= againWithin || cmd.Pair != pairs.Number(seatOf(c)) {
		t.refuseRecord(record.ErrTooLate)
		return
	}
	t.writeBack()
	r.said &^= saidProof
	r.said.set(saidChat, true) // whom it wants back it has something to say to
	r.said.set(saidToken, false)
	reunion := pairs.Again(seatOf(c), now, r.wishes())
	switch {
	case reunion.Met:
		h.matched(reunion.Match, partner{})
	case !reunion.Possible || !h.tellWanted(h.server.at(reunion.Partner), reunion.Life, reunion.Number, reunion.News):
		t.refuseRecord(record.ErrTooLate)
	}
}
