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
		h.stopsTyping(c, t.rich)
	}
	p := h.lockPartner(c)
	if p == nil {
		return netpoll.Gone
	}
	defer p.Unlock()
	if kindOf(p) == richKind {
		h.announceLocked(p)
	}
	return p.SendTwo(h.worker, out.first, out.frames, c)
}

// undelivered tells c that n messages of it have reached nobody.
func (t *turn) undelivered(n uint64) {
	t.h.counters.UndeliveredMessages += n
	switch kindOf(t.c) {
	case plain:
		for range n {
			t.answer(append(t.back, t.h.server.sorry...))
		}
	case richKind:
		t.answerRecord(record.AppendUndelivered(t.h.notice[:0], t.h.server.pairs.Number(t.c.ID()), n))
	}
}

// lockPartner returns the connection that c is paired with, locked, nil if there
// is none. Until it is unlocked it stays c's partner for whatever is written to
// it: the table is asked again under the lock, and who ends the pair waits for
// the lock before anything else reaches either ([netpoll.Conn.Barrier]; I2, I7).
// Who is just about to end is nobody's partner any more: it is told of nothing, so
// it must not be sent anything either.
func (h *handler) lockPartner(c *netpoll.Conn) *netpoll.Conn {
	s := h.server
	id, ok := s.pairs.Partner(c.ID())
	if !ok {
		return nil
	}
	p := s.poller.Conn(id)
	if p == nil {
		return nil
	}
	p.Lock()
	if back, ok := s.pairs.Partner(id); !ok || back != c.ID() || stageOf(p) == ended {
		p.Unlock()
		return nil
	}
	return p
}

func (h *handler) send(c *netpoll.Conn, b []byte) {
	c.Lock()
	c.Send(h.worker, b, c)
	c.Unlock()
}

// partner is the connection that c is paired with, nil if none.
func (h *handler) partner(c *netpoll.Conn) *netpoll.Conn {
	if id, ok := h.server.pairs.Partner(c.ID()); ok {
		return h.server.poller.Conn(id)
	}
	return nil
}
