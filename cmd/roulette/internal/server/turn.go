package server

import (
	"math"

	"github.com/gobwas/ws"

	"roulette/frame"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
)

// turn is one read of one chat, from its bytes to the last write that they
// cause. A worker has one and uses it again for every read.
//
// Two streams leave it: out goes to the partner and back to the client itself.
// What is in out was asked for before what is in back, always: precede keeps
// that order whenever a message follows an answer, and flush writes both in it.
type turn struct {
	h    *handler
	c    *netpoll.Conn
	rich *rich    // c's, if it is a rich client
	d    *partial // takes c's bytes apart: the worker's, or c's own
	own  bool     // d is c's own
	// free: the read may hold messages that piled up while c was not read, so
	// they are not held against its rate.
	free bool

	out  batch  // for the partner, not written yet
	back []byte // for c itself, not written yet
	end  goodbye
}

// messages takes what arrived on a chat: parses, relays, answers.
func (h *handler) messages(c *netpoll.Conn, b []byte) {
	t := &h.turn
	t.begin(c)
	t.run(b)
	t.flush()
	if t.end.why != goesOn {
		h.finish(c, t.end)
	}
	t.close()
	if woke, known := h.worker.Returned(); known {
		h.counters.RelayLatency.Observe(int64(h.worker.Time() - woke))
	}
}

func (t *turn) begin(c *netpoll.Conn) {
	t.c, t.rich, t.end, t.back = c, nil, goodbye{}, t.back[:0]
	if kindOf(c) == richKind {
		t.rich = richOf(c)
	}
	if t.d, t.own = c.Held().(*partial); !t.own {
		t.d = t.h.decoder
	} else if t.d.Empty() {
		t.d.since = t.h.worker.Now()
	}
	if t.free = c.Resumed(); t.free {
		c.Rate = 0 // and there may be more of it
	}
}

// run deals with one message after the other until the bytes are used up, or c
// is to end.
func (t *turn) run(b []byte) {
	for {
		rest, offence := t.runOf(b)
		if offence != nil {
			t.offend(offence)
			return
		}
		if len(rest) == 0 && len(t.out.first) == 0 && t.d.Empty() {
			return
		}
		if len(t.out.first) > 0 { // lives only until Next
			t.deliver()
		}
		m, rest, offence := t.d.Next(rest)
		if offence != nil {
			t.offend(offence)
			return
		}
		if n := t.d.Fragments(fragmentsAMessage); n > 0 && !t.withinRate(ws.OpContinuation, n) {
			return
		}
		if m.Op == ws.OpContinuation { // nothing more is whole
			return
		}
		if !m.Op.IsControl() {
			t.d.since = t.h.worker.Now() // what remains belongs to another message
		}
		if !t.take(m) {
			return
		}
		b = rest
	}
}

// runOf takes the messages off b that are only to be relayed.
func (t *turn) runOf(b []byte) (rest []byte, offence *frame.Error) {
	if len(t.out.frames) > 0 {
		return b, nil // in another place of the buffer: Join knows how
	}
	most := math.MaxInt
	if !t.free {
		most = t.h.rules.messages.Allowance(t.c.Rate, t.h.worker.Now())
	}
	r, rest, offence := t.d.Run(b, most)
	n := r.Texts + r.Binaries
	if n == 0 {
		return rest, offence
	}
	t.precede()
	t.withinRate(opText, n)
	t.out.frames = r.Frames
	t.out.messages[metrics.OpcodeText] += uint64(r.Texts)
	t.out.messages[metrics.OpcodeBinary] += uint64(r.Binaries)
	t.out.payload += uint64(r.Payload)
	return rest, offence
}

// take deals with one message. False: c is to end.
func (t *turn) take(m frame.Message) bool {
	if !t.withinRate(m.Op, 1) {
		return false
	}
	switch m.Op {
	case ws.OpText, ws.OpBinary:
		t.precede()
		if m.Op == ws.OpText && record.IsControl(m.Payload) && kindOf(t.c) != echo {
			t.deliver()
			return t.controlMessage(m.Payload)
		}
		if m.Gathered {
			t.deliver() // the batch goes before it
		}
		t.out.add(m)
	case ws.OpPing:
		t.answer(frame.AppendMessage(t.back, ws.OpPong, m.Payload))
	case ws.OpPong: // that something was heard is all there is to it
	case ws.OpClose:
		return t.clientCloses(m.Payload)
	}
	return true
}

// controlMessage deals with a message that begins with U+001E, which is never
// relayed, whoever sends it. False: c is to end.
func (t *turn) controlMessage(payload []byte) bool {
	if t.rich != nil {
		return t.control(payload)
	}
	t.undelivered(1)
	return true
}

// ends notes that c is to end when the turn has written what it has. It returns
// false, for those that tell so whether c goes on.
func (t *turn) ends(g goodbye) bool {
	t.end = g
	return false
}

// offend ends c, which has broken the protocol.
func (t *turn) offend(offence *frame.Error) bool {
	if offence.Code == ws.StatusMessageTooBig {
		t.h.counters.LimitsExceeded[metrics.LimitMessageSize]++
	}
	return t.ends(goodbyeFor(offence))
}

// clientCloses answers the client's close frame.
func (t *turn) clientCloses(payload []byte) bool {
	code, _, offence := frame.ParseClose(payload)
	if offence != nil {
		return t.offend(offence)
	}
	return t.ends(goodbye{clientClosed, code, "", metrics.CloseCodeOf(uint16(code))})
}

// precede flushes the answers so far. A pong must leave before anything that a
// later message causes, even if the ping came between that message's fragments.
func (t *turn) precede() {
	if len(t.back) > 0 {
		t.flush()
	}
}

// flush writes what there is for the partner, then what there is for c.
func (t *turn) flush() {
	t.deliver()
	t.writeBack()
}

// backLimit bounds what is kept of the answers (I4).
const backLimit = 16 << 10

// answer makes back what goes back to c: the answers so far, and another.
func (t *turn) answer(back []byte) {
	if t.back = back; len(back) >= backLimit {
		t.writeBack()
	}
}

// writeBack writes the answers so far. c does not read while it does not take
// them.
func (t *turn) writeBack() {
	if len(t.back) > 0 {
		t.h.send(t.c, t.back)
		t.back = t.back[:0]
	}
}

// close puts the decoder back where it belongs: to the worker when nothing is
// held, to c when something is.
func (t *turn) close() {
	h, c, d := t.h, t.c, t.d
	t.c, t.rich, t.d = nil, nil, nil
	if stageOf(c) == ended {
		if !t.own {
			d.Release()
		} // else it was released with c
		return
	}
	switch empty := d.Empty(); {
	case empty && t.own && !d.promised:
		c.Hold(nil)
		h.releasePartial(d)
	case !empty && !t.own:
		d.since = h.worker.Now()
		c.Hold(d)
		h.decoder = h.newPartial()
	}
}
