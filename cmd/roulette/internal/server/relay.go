package server

import (
	"math"

	"github.com/gobwas/ws"

	"roulette/cmd/roulette/internal/limit"
	"roulette/frame"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
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

// messages takes what arrived on a chat: parses, relays, answers.
func (h *handler) messages(c *netpoll.Conn, b []byte) {
	d, own := c.Held().(*partial)
	if !own {
		d = h.decoder
	} else if d.Empty() {
		d.since = h.worker.Now()
	}
	if woke, known := h.worker.Woke(); known {
		defer func() { h.counters.RelayLatency.Observe(int64(h.worker.Time() - woke)) }()
	}
	if h.uncounted = c.Resumed(); h.uncounted {
		c.Rate = 0 // and there may be more of it
	}
	var out batch
	h.reply = h.reply[:0]
	for {
		var m frame.Message
		rest, err := h.run(c, d, b, &out)
		if err == nil {
			if len(rest) == 0 && len(out.first) == 0 && d.Empty() {
				break
			}
			if len(out.first) > 0 { // lives only until Next
				h.deliver(c, &out)
			}
			m, rest, err = d.Next(rest)
			if n := d.Fragments(fragmentsAMessage); n > 0 && err == nil && !h.withinRate(c, ws.OpContinuation, n) {
				h.exceed(c, &out)
				h.settle(c, d, own)
				return
			}
		}
		b = rest
		if err != nil {
			h.deliver(c, &out)
			h.answer(c)
			h.offend(c, err.(*frame.Error))
			h.settle(c, d, own)
			return
		}
		if m.Op == ws.OpContinuation {
			break
		}
		if !m.Op.IsControl() {
			d.since = h.worker.Now() // what remains belongs to another message
		}
		if !h.take(c, m, &out) {
			h.settle(c, d, own)
			return
		}
	}
	h.deliver(c, &out)
	h.answer(c)
	h.settle(c, d, own)
}

// run takes the messages off b that are only to be relayed.
func (h *handler) run(c *netpoll.Conn, d *partial, b []byte, out *batch) (rest []byte, err error) {
	if len(out.frames) > 0 {
		return b, nil // in another place of the buffer: Join knows how
	}
	now := h.worker.Now()
	most := math.MaxInt
	if !h.uncounted {
		most = h.rules.messages.Allowance(c.Rate, now)
	}
	r, rest, err := d.Run(b, most)
	n := r.Texts + r.Binaries
	if n == 0 {
		return rest, err
	}
	h.precede(c, out)
	h.withinRate(c, opText, n)
	out.frames = r.Frames
	out.messages[metrics.OpcodeText] += uint64(r.Texts)
	out.messages[metrics.OpcodeBinary] += uint64(r.Binaries)
	out.payload += uint64(r.Payload)
	return rest, err
}

// precede writes what is on its way back to c, such as the pong of a ping that
// came before a message, between its fragments perhaps, before what the message
// brings back.
func (h *handler) precede(c *netpoll.Conn, out *batch) {
	if len(h.reply) > 0 {
		h.deliver(c, out)
		h.answer(c)
	}
}

// take deals with one message. False: c has ended.
func (h *handler) take(c *netpoll.Conn, m frame.Message, out *batch) bool {
	if !h.withinRate(c, m.Op, 1) {
		h.exceed(c, out)
		return false
	}
	switch m.Op {
	case ws.OpText, ws.OpBinary:
		h.precede(c, out)
		if m.Op == ws.OpText && record.IsControl(m.Payload) && phaseOf(c) != echo {
			h.deliver(c, out)
			return h.controlMessage(c, m.Payload)
		}
		if m.Gathered {
			h.deliver(c, out)
			out.first = m.Frame
		} else {
			joined, ok := frame.Join(out.frames, m.Frame)
			if !ok {
				panic("server: frames of one read in two places")
			}
			out.frames = joined
		}
		out.messages[opcodeOf(m.Op)]++
		out.payload += uint64(len(m.Payload))
	case ws.OpPing:
		h.reply = frame.AppendMessage(h.reply, ws.OpPong, m.Payload)
		h.answerSome(c)
	case ws.OpPong: // that something was heard is all there is to it
	case ws.OpClose:
		h.deliver(c, out)
		h.answer(c)
		h.clientCloses(c, m.Payload)
		return false
	}
	return true
}

// controlMessage deals with a message that begins with U+001E, which is never
// relayed, whoever sends it. False: c has ended.
func (h *handler) controlMessage(c *netpoll.Conn, payload []byte) bool {
	if phaseOf(c) == richPhase {
		return h.control(c, payload)
	}
	h.undelivered(c, 1)
	return true
}

func opcodeOf(op ws.OpCode) metrics.Opcode {
	if op == ws.OpBinary {
		return metrics.OpcodeBinary
	}
	return metrics.OpcodeText
}

// withinRate counts n messages or control frames against c's rate limit. Who
// exceeds the burst is warned; who goes on is out.
func (h *handler) withinRate(c *netpoll.Conn, op ws.OpCode, n int) bool {
	if h.uncounted {
		return true
	}
	verdict := h.rules.messages.Take(&c.Rate, h.worker.Now(), n)
	if verdict != limit.Within && h.worker.Awoken() {
		// It may have taken its time, and we have not looked.
		c.Rate, h.uncounted = 0, true
		return true
	}
	switch verdict {
	case limit.Within:
		if has(c, rateWarned) {
			clearFlag(c, rateWarned)
		}
	case limit.Over:
		if !has(c, rateWarned) {
			setFlag(c, rateWarned)
			h.exceeded(op)
			if phaseOf(c) == richPhase {
				h.refuseRecord(c, record.ErrRateLimited)
			}
		}
	case limit.TooMuch:
		h.exceeded(op)
		return false
	}
	return true
}

// exceed ends c, which was warned.
func (h *handler) exceed(c *netpoll.Conn, out *batch) {
	h.deliver(c, out)
	h.answer(c)
	h.end(c, rateExceeded)
}

// fragmentsAMessage: so many fragments count as much as a message. Who writes a
// long one piece by piece is well below the limit; endless empty ones are not.
const fragmentsAMessage = 16

func (h *handler) exceeded(op ws.OpCode) {
	which := metrics.LimitMessageRate
	if op.IsControl() {
		which = metrics.LimitControlRate
	}
	h.counters.LimitsExceeded[which]++
}

// settle puts the decoder back where it belongs: to the worker when nothing is
// held, to the connection when something is.
func (h *handler) settle(c *netpoll.Conn, d *partial, own bool) {
	if phaseOf(c) == ended {
		if !own {
			d.Release()
		} // else it was released with c
		return
	}
	switch empty := d.Empty(); {
	case empty && own && !d.told:
		c.Hold(nil)
		h.releasePartial(d)
	case !empty && !own:
		d.since = h.worker.Now()
		c.Hold(d)
		h.decoder = h.newPartial()
	}
}

// offend ends c, which has broken the protocol.
func (h *handler) offend(c *netpoll.Conn, offence *frame.Error) {
	if offence.Code == ws.StatusMessageTooBig {
		h.counters.LimitsExceeded[metrics.LimitMessageSize]++
	}
	h.finish(c, reasonOf(offence), frame.AppendClose(h.reply[:0], offence.Code, offence.Reason))
}

// clientCloses answers the client's close frame.
func (h *handler) clientCloses(c *netpoll.Conn, payload []byte) {
	code, _, err := frame.ParseClose(payload)
	if err != nil {
		h.offend(c, err.(*frame.Error))
		return
	}
	h.finishAs(c, clientClosed, metrics.CloseCodeOf(uint16(code)), frame.AppendClose(h.reply[:0], code, ""))
}

// deliver writes a batch to the partner, or back if c is on /echo, and empties
// it.
func (h *handler) deliver(c *netpoll.Conn, out *batch) {
	if len(out.first)+len(out.frames) == 0 {
		return
	}
	outcome := netpoll.Gone
	if phaseOf(c) == echo {
		c.Lock()
		outcome = c.SendTwo(h.worker, out.first, out.frames, c)
		c.Unlock()
	} else {
		outcome = h.relay(c, out)
	}
	n := out.messages[metrics.OpcodeText] + out.messages[metrics.OpcodeBinary]
	if outcome == netpoll.Gone {
		h.undelivered(c, n)
	} else {
		for op, n := range out.messages {
			h.counters.RelayedMessages[op] += n
		}
		h.counters.RelayedBytes += out.payload
	}
	*out = batch{}
}

// relay writes a batch to the partner.
func (h *handler) relay(c *netpoll.Conn, out *batch) netpoll.Outcome {
	if phaseOf(c) == richPhase {
		h.stopsTyping(c)
	}
	p := h.lockPartner(c)
	if p == nil {
		return netpoll.Gone
	}
	defer p.Unlock()
	if phaseOf(p) == richPhase {
		h.announceLocked(p)
	}
	return p.SendTwo(h.worker, out.first, out.frames, c)
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
	if back, ok := s.pairs.Partner(id); !ok || back != c.ID() || phaseOf(p) == ended {
		p.Unlock()
		return nil
	}
	return p
}

// undelivered tells c that n messages of it have reached nobody.
func (h *handler) undelivered(c *netpoll.Conn, n uint64) {
	h.counters.UndeliveredMessages += n
	switch phaseOf(c) {
	case plain:
		for range n {
			h.reply = append(h.reply, h.server.sorry...)
			h.answerSome(c)
		}
	case richPhase:
		h.notice = record.AppendUndelivered(h.notice[:0], h.server.pairs.Number(c.ID()), n)
		h.reply = frame.AppendMessage(h.reply, opText, h.notice)
		h.answerSome(c)
	}
}

// answerLimit bounds the scratch buffer of answers (I4).
const answerLimit = 16 << 10

func (h *handler) answerSome(c *netpoll.Conn) {
	if len(h.reply) >= answerLimit {
		h.answer(c)
	}
}

// answer writes to c what has been put together for it. c does not read while
// it does not take it.
func (h *handler) answer(c *netpoll.Conn) {
	if len(h.reply) > 0 {
		h.send(c, h.reply)
		h.reply = h.reply[:0]
	}
}

func (h *handler) send(c *netpoll.Conn, b []byte) {
	c.Lock()
	c.Send(h.worker, b, c)
	c.Unlock()
}

// matched counts a new pair.
func (h *handler) matched(m pairing.Match) {
	h.counters.PairsCreated++
	h.counters.PairingWait.Observe(int64(m.WaitA) * 1e6)
	h.counters.PairingWait.Observe(int64(m.WaitB) * 1e6)
	for _, id := range []uint32{m.A, m.B} {
		if c := h.server.poller.Conn(id); c != nil && phaseOf(c) == richPhase {
			c.Lock()
			h.announceLocked(c)
			c.Unlock()
		}
	}
}

// changed does what a change of the table calls for: why is the end of c's pair,
// if it had one. The survivor's reading goes on, for nobody can write for the
// old pair any more, and it may have a new partner already.
func (h *handler) changed(c *netpoll.Conn, change *pairing.Change, why metrics.EndReason) {
	if change.Parted {
		h.counters.PairsEnded[why]++
		h.counters.PairDuration.Observe(int64(change.Lasted) * 1e6)
		if survivor := h.server.poller.Conn(change.Survivor); survivor != nil {
			c.Barrier() // who was writing to c for the survivor is through (I7)
			survivor.Resume()
			if phaseOf(survivor) == richPhase {
				h.left(survivor, change.Life, change.Number, why)
			}
		}
	}
	for _, m := range change.Matches() {
		h.matched(m)
	}
}

// partner is the connection that c is paired with, nil if none.
func (h *handler) partner(c *netpoll.Conn) *netpoll.Conn {
	if id, ok := h.server.pairs.Partner(c.ID()); ok {
		return h.server.poller.Conn(id)
	}
	return nil
}
