package server

import (
	"roulette/frame"
	"roulette/frame/record"
	"roulette/pairing"
)

// commands are what a rich client may ask for, each a row: how its record is
// obeyed, in the turn that read it. What is answered goes through
// [turn.answerRecord]; what changes the table goes through [handler.apply], after
// the answers so far.
var commands = [record.Kinds]func(*turn, record.Command){
	record.Next:   (*turn).next,
	record.Stop:   (*turn).stop,
	record.Typing: (*turn).typing,
}

// control obeys the records of one control message of a rich client. False: c
// is to end.
func (t *turn) control(payload []byte) bool {
	first := true
	record.Parse(payload, func(cmd record.Command, refused *record.Error) bool {
		if !first && !t.withinRate(opText, 1) { // the first was counted as the message
			return false
		}
		first = false
		switch {
		case refused != nil:
			t.refuseRecord(refused)
		case commands[cmd.Kind] == nil:
			t.refuseRecord(record.ErrUnknownType)
		default:
			commands[cmd.Kind](t, cmd)
		}
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
	h, c, r := t.h, t.c, t.rich
	if cmd.HasPair && cmd.Pair != h.server.pairs.Number(seatOf(c)) {
		return
	}
	if cmd.HasInterests {
		r.interests = cmd.Interests
	}
	r.typing = false
	t.writeBack() // before what follows
	change := h.server.pairs.Seek(seatOf(c), h.worker.Now(), &pairing.Wishes{Interests: r.interests})
	h.apply(partner{here: c}, &change, byNext)
}

// stop has c leave its partner or the pool.
func (t *turn) stop(record.Command) {
	h, c := t.h, t.c
	t.rich.typing = false
	t.writeBack() // before what follows
	change := h.server.pairs.Stop(seatOf(c), h.worker.Now())
	h.apply(partner{here: c}, &change, byStop)
}

// typing passes on whether c is typing, if that is news.
func (t *turn) typing(cmd record.Command) {
	r, now := t.rich, t.h.worker.Now()
	if cmd.On {
		r.typingSince = now
	}
	if cmd.On == r.typing {
		return
	}
	r.typing = cmd.On
	t.h.tellTyping(t.c, cmd.On)
}
