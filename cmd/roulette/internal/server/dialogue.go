package server

import (
	"roulette/frame"
	"roulette/frame/record"
	"roulette/netpoll"
	"roulette/pairing"
)

// command is what a rich client may ask for: what it must have agreed on with the
// server before, and how its record is obeyed, in the turn that read it.
type command struct {
	needs record.Can
	obey  func(*turn, record.Command)
}

// commands are all of them. What is answered goes through [turn.answerRecord];
// what changes the table goes through [handler.apply], after the answers so far.
var commands = [record.Kinds]command{
	record.Next:   {obey: (*turn).next},
	record.Stop:   {obey: (*turn).stop},
	record.Typing: {obey: (*turn).typing},
	record.Hello:  {obey: (*turn).hello},
	record.Ping:   {record.CanHeartbeat, (*turn).ping},
	record.Hiding: {record.CanAway, (*turn).hiding},
	record.Shown:  {record.CanAway, (*turn).shown},
	record.Again:  {record.CanAgain, (*turn).again},
	record.Resume: {record.CanResume, (*turn).resume},
	record.Have:   {record.CanResume, (*turn).have},
	record.Resend: {record.CanResume, (*turn).resend},
	record.Report: {record.CanReport, (*turn).report},
	record.Block:  {record.CanBlock, (*turn).block},
	record.Proof:  {record.CanProof, (*turn).prove},
}

// control obeys the records of one control message of a rich client. False: c
// is to end.
func (t *turn) control(payload []byte) bool {
	first := true
	t.rich.spoke = t.h.worker.Now()
	record.Parse(payload, func(cmd record.Command, refused *record.Error) bool {
		if !first && !t.withinRate(opText, 1) { // the first was counted as the message
			return false
		}
		first = false
		switch row := commands[cmd.Kind]; {
		case refused != nil:
			t.refuseRecord(refused)
		case row.obey == nil || t.rich.can&row.needs != row.needs:
			t.refuseRecord(record.ErrUnknownType)
		default:
			row.obey(t, cmd)
		}
		t.rich.said.set(saidRecord, true)
		return true
	})
	return t.end.why == goesOn
}

// answerRecord has c told payload, a control message, when the turn comes to it.
func (t *turn) answerRecord(payload []byte) {
	t.h.notice = payload[:0]
	t.answer(frame.AppendMessage(t.back, opText, payload))
}

func (t *turn) refuseRecord(e *record.Error) {
	t.answerRecord(record.AppendError(t.h.notice[:0], e))
}

// next has c leave its partner and look for a new one. A command that names
// another pairing than the last one is a double press, and too late.
func (t *turn) next(cmd record.Command) {
	h, c, r, pairs := t.h, t.c, t.rich, t.h.server.pairs
	own := seatOf(c)
	exact := cmd.HasPair && r.greeted()
	if cmd.HasPair && cmd.Pair != pairs.Number(own) && (!exact || t.hasMissedEnd()) {
		return
	}
	r.said.set(saidNext, true)
	before := r.wishes()
	c.Lock()
	r.wishOf(cmd)
	c.Unlock()
	t.writeBack() // before what follows
	var change pairing.Change
	now := h.worker.Now()
	asked, slow := t.asks()
	if asked {
		r.said &^= saysTyping | saidChat | saidProof | saidToken
		change = pairs.Stop(own, now) // it is idle, until the proof has come
		h.apply(partner{here: c}, &change, byNext)
		return
	}
	h.classify(c, slow)
	if exact {
		var ok bool
		if change, ok = pairs.SeekAfter(own, cmd.Pair, now, r.wishes()); !ok {
			c.Lock()
			r.wish(before)
			c.Unlock()
			t.hasMissedEnd() // it may have been left just now
			return
		}
	} else {
		change = pairs.Seek(own, now, r.wishes())
	}
	r.said &^= saysTyping | saidChat | saidProof | saidToken
	h.apply(partner{here: c}, &change, byNext)
}

// seek has c, which is idle, look for a partner.
func (h *handler) seek(c *netpoll.Conn) {
	h.classify(c, false)
	change := h.server.pairs.Seek(seatOf(c), h.worker.Now(), richOf(c).wishes())
	h.apply(partner{here: c}, &change, byNext)
}

// hasMissedEnd tells whether c's client believes to be in a pairing that its own stop
// has ended, as paired had crossed that. It is told so: what it says until it hears
// of it is for nobody, and not for the next partner (I7).
func (t *turn) hasMissedEnd() bool {
	h, c, pairs := t.h, t.c, t.h.server.pairs
	own := seatOf(c)
	n := pairs.Number(own)
	standing, ok := pairs.Standing(own, h.worker.Now())
	if !ok || standing.Waiting || standing.Paired || !t.rich.told.lately(n) {
		return false
	}
	t.writeBack()
	c.Lock()
	defer c.Unlock()
	h.noticeLocked(c, record.AppendLeft(h.notice[:0], n, record.LeftStop))
	return true
}

// wishOf takes over the wishes of a next; those that it does not name stay. Worker
// only, holding the lock.
func (r *rich) wishOf(cmd record.Command) {
	if !cmd.HasInterests && !cmd.HasLanguages && !cmd.HasTable {
		return
	}
	var w pairing.Wishes // another one: the table holds the last
	if last := r.wishes(); last != nil {
		w = *last
	}
	if cmd.HasInterests {
		w.Interests = cmd.Interests
	}
	if cmd.HasLanguages {
		w.Languages = cmd.Languages
	}
	if cmd.HasTable {
		w.Table = cmd.Table
	}
	r.wish(nil)
	if len(w.Interests) > 0 || len(w.Languages) > 0 || w.Table != "" {
		r.wish(&w)
	}
}

// stop has c leave its partner or the pool.
func (t *turn) stop(record.Command) {
	h, c := t.h, t.c
	t.rich.said &^= saysTyping | saidProof
	t.writeBack() // before what follows
	change := h.server.pairs.Stop(seatOf(c), h.worker.Now())
	h.apply(partner{here: c}, &change, byStop)
}

// typing passes on whether c is typing, if that is news.
func (t *turn) typing(cmd record.Command) {
	r, now := t.rich, t.h.worker.Now()
	if cmd.On {
		r.typingSince = uint16(now)
	}
	if cmd.On == r.said.has(saysTyping) {
		return
	}
	r.said.set(saysTyping, cmd.On)
	t.h.tellTyping(t.c, cmd.On)
}
