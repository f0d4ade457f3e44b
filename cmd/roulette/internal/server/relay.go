package server

import (
	"github.com/gobwas/ws"

	"roulette/frame"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
)

// batch is what one read brought for the receiver, to be written at once, and
// what it counts for: a message that an earlier read began, if any, and frames
// that lie one behind the other in the read buffer.
type batch struct {
	first    []byte // in the decoder
	frames   []byte
	messages [2]uint64 // by metrics.Opcode
	payload  uint64
}

// add adds one message. A gathered one is the first of its batch.
func (b *batch) add(m frame.Message) {
	if m.Gathered {
		b.first = m.Frame
	} else {
		joined, ok := frame.Join(b.frames, m.Frame)
		if !ok {
			panic("server: frames of one read in two places")
		}
		b.frames = joined
	}
	b.messages[opcodeOf(m.Op)]++
	b.payload += uint64(len(m.Payload))
}

func opcodeOf(op ws.OpCode) metrics.Opcode {
	if op == ws.OpBinary {
		return metrics.OpcodeBinary
	}
	return metrics.OpcodeText
}

// deliver writes the batch to the partner, or back if c is on /echo, and empties
// it.
func (t *turn) deliver() {
	h, c, out := t.h, t.c, &t.out
	if len(out.first)+len(out.frames) == 0 {
		return
	}
	outcome := netpoll.Gone
	if t.rich != nil && t.discards() {
		*out = batch{}
		return
	}
	if kindOf(c) == echo {
		c.Lock()
		outcome = c.SendTwo(h.worker, out.first, out.frames, c)
		c.Unlock()
	} else {
		outcome = t.relay()
	}
	n := out.messages[metrics.OpcodeText] + out.messages[metrics.OpcodeBinary]
	if outcome == netpoll.Gone {
		t.undelivered(n)
	} else {
		for op, n := range out.messages {
			h.counters.RelayedMessages[op] += n
		}
		h.counters.RelayedBytes += out.payload
	}
	*out = batch{}
}

// relay writes the batch to the partner.
func (t *turn) relay() netpoll.Outcome {
	h, c, out := t.h, t.c, &t.out
	if t.rich != nil {
		t.rich.spoke = h.worker.Now()
		h.stopsTyping(c, t.rich)
		if h.server.known != nil && !t.rich.said.has(saidChat) {
			t.spoke()
		}
	}
	p := h.lockPartner(c)
	switch {
	case p.here != nil:
		defer p.here.Unlock()
		if t.rich != nil && t.discards() { // since just now
			return netpoll.Gone
		}
		if kindOf(p.here) == richKind {
			h.announceLocked(p.here)
		}
		h.noteLocked(p.here, p.pair, out.first, out.frames)
		outcome := p.here.SendTwo(h.worker, out.first, out.frames, c)
		h.tellMarksLocked(p.here)
		return outcome
	case p.out != nil:
		defer p.out.Unlock()
		if p.out.deliver(out, c) {
			return netpoll.Sent
		}
	}
	return netpoll.Gone
}

// undelivered tells c that n messages of it have reached nobody.
func (t *turn) undelivered(n uint64) {
	if t.rich != nil && t.counts() {
		return
	}
	t.h.counters.UndeliveredMessages += n
	switch kindOf(t.c) {
	case plain:
		for range n {
			t.answer(append(t.back, t.h.server.sorry...))
		}
	case richKind:
		t.answerRecord(record.AppendUndelivered(t.h.notice[:0], t.h.server.pairs.Number(seatOf(t.c)), n))
	}
}
