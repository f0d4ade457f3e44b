package server

import (
	"net/netip"
	"time"

	"github.com/gobwas/ws"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/stamp"
	"roulette/frame"
	"roulette/frame/handshake"
	"roulette/frame/tls13"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
)

const (
	opText   = ws.OpText
	opBinary = ws.OpBinary
)

// handler is what one worker does with its connections, once they have left its lobby.
// It runs on the worker alone.
type handler struct {
	desk
	lobby lobby

	// Owned by the worker.
	decoder     *partial // for connections that are between messages; the others hold their own
	free        []*partial
	turn        turn   // the read under way
	notice      []byte // scratch: a control message, and its frame
	noticeFrame []byte
	token       []byte // scratch
	opening     []byte // scratch
	mark        []byte // scratch
	marks       []byte // scratch: records for who is written to
	scratch     stamp.Scratch
	chats       int64    // upgraded here and not ended
	swept       uint32   // shards of the address table looked at so far
	toSendAway  []uint32 // in a drain: IDs of connections
	travelled   travelled
	history     admin.History
	busyBefore  time.Duration // Worker.Stats' when it was noted last
	keys        *tls13.Keys   // the hot ones; nil without TLS
	cooled      uint32        // Worker.Now when they were last looked through
}

// partial is a message that is not whole yet.
type partial struct {
	frame.Decoder
	since uint32 // Worker.Now when it began
	// promised: it stays with its connection, also while it is empty, because the
	// client was promised a larger limit than is in force.
	promised bool
}

func newHandler(s *Server, w *netpoll.Worker) *handler {
	h := &handler{desk: desk{server: s, worker: w, rules: s.rules.Load()}}
	h.counters.Init()
	h.lobby.desk, h.lobby.chats = &h.desk, h
	h.decoder = h.newPartial()
	h.turn.h = h
	if s.config.TLS != nil {
		h.keys = tls13.NewKeys(hotKeys)
		*w.Local() = h.keys
	}
	return h
}

// maxFree bounds the partials a worker keeps for later.
const maxFree = 64

func (h *handler) newPartial() (p *partial) {
	if n := len(h.free); n > 0 {
		p = h.free[n-1]
		h.free = h.free[:n-1]
	} else {
		p = new(partial)
	}
	p.Limit = h.rules.MaxMessageSize
	return p
}

func (h *handler) releasePartial(p *partial) {
	p.Release()
	p.promised = false
	if len(h.free) < maxFree {
		h.free = append(h.free, p)
	}
}

// Accepted implements [netpoll.Handler].
func (h *handler) Accepted(c *netpoll.Conn, peer netip.AddrPort, door netpoll.Door) bool {
	h.counters.Accepted++
	if door == doorTLS {
		setFlag(c, helloDue)
	}
	if h.rules.ProxyProtocol {
		setFlag(c, headerDue)
	}
	return h.lobby.welcome(c, peer.Addr())
}

// Read implements [netpoll.Handler].
func (h *handler) Read(c *netpoll.Conn, b []byte) {
	switch stageOf(c) {
	case open:
		h.messages(c, b)
	case handshaking:
		h.lobby.handshake(c, b)
	}
}

// Drained implements [netpoll.Handler].
func (h *handler) Drained(c *netpoll.Conn) {
	h.counters.WriteStalls[metrics.StallRecovered]++
	h.partnerOf(c).resume()
}

// Stalled implements [netpoll.Handler].
func (h *handler) Stalled(c *netpoll.Conn) {
	h.counters.WriteStalls[metrics.StallClosed]++
	if stageOf(c) == handshaking {
		c.Close()
		return
	}
	h.end(c, stalled)
}

// Sweep implements [netpoll.Handler]: it looks at c's deadlines.
func (h *handler) Sweep(c *netpoll.Conn) {
	now, rules := h.worker.Now(), h.rules
	switch stageOf(c) {
	case handshaking:
		if now-c.Opened() >= milliseconds(rules.HandshakeTimeout) {
			h.lobby.handshakeTimeout(c)
		}
		return
	case ended:
		return
	}
	if h.server.pressure.Dire() && holds(c) >= muchHeld {
		h.end(c, overloaded)
		return
	}
	switch promised := h.listens(c); {
	case promised && !h.keepsPromise(c) || h.isForgotten(c):
		h.end(c, noHeartbeat)
		return
	case !promised && !h.answersPings(c):
		h.end(c, noPong)
		return
	}
	if p, ok := c.Held().(*partial); ok && !p.Empty() {
		switch {
		case c.Paused(): // the rest may be there, and is not read
			p.since = now
		case now-p.since >= milliseconds(messageTimeout):
			h.end(c, messageLate)
			return
		}
	}
	if kindOf(c) == richKind {
		h.sweepRich(c)
	}
}

// answersPings pings c if nothing has been heard of it for a while. False: that
// was so, and still nothing has been heard.
func (h *handler) answersPings(c *netpoll.Conn) bool {
	silence, rules := h.worker.Now()-c.Heard(), h.rules
	// Up to a quarter earlier, each connection by its own amount, so that the
	// pings of those that came together spread out.
	early := place(c.ID()) / 4
	until := func(interval time.Duration) uint32 {
		ms := milliseconds(interval)
		return ms - uint32(early*float64(ms))
	}
	ping := until(rules.PingInterval)
	switch {
	case silence < ping:
		if has(c, pinged) {
			clearFlag(c, pinged)
		}
	case has(c, pinged):
		return silence < ping+milliseconds(rules.PongTimeout)
	case silence < until(rules.IdlePingInterval) && h.partnerOf(c) == partner{}:
		// Nobody waits for it: that it has gone may be found out later.
	default:
		// The time for the pong begins now, however late this look may be.
		c.HeardAgo(ping)
		setFlag(c, pinged)
		h.send(c, pingFrame)
	}
	return true
}

// muchHeld is from how many bytes on a connection is ended when memory is so
// short that what is in use has to become less. An idle one costs a hundredth.
const muchHeld = 8 << 10

// holds is how many bytes wait for c, or have come of a message that is not whole.
func holds(c *netpoll.Conn) int {
	n := c.Pending()
	if p, ok := c.Held().(*partial); ok {
		n += p.Decoder.Held()
	}
	return n
}

// Tick implements [netpoll.Ticker]: what has a deadline of its own, apart from
// connections. One worker does it for all.
func (h *handler) Tick() {
	h.sendAwayDue()
	h.noteHistory()
	h.coolKeys()
	h.noteWork()
	if h.worker.Index() != 0 {
		return
	}
	now := h.worker.Now()
	h.server.pairs.Relax(now, func(m pairing.Match) { h.matched(m, partner{}) })
	h.swept++
	h.server.addresses.Sweep(int(h.swept), now)
	h.server.bans.Forget(h.server.clock())
	if h.server.config.Reports != nil && h.swept%forgetReportsEvery == 0 {
		h.server.reports.forget(h.server.clock())
	}
	h.server.crowd.Look(h.server.poller.Count())
	h.sweepAway()
	h.server.lookAtAwaited()
	h.server.pressure.Look(now, h.rules.MemoryShare)
	h.server.refusals.flush(now)
	h.server.kicks.flush(now)
	h.server.ruled.flush(now)
	h.lookForPressure()
}

// forgetReportsEvery is how many ticks there are between two looks through all reports.
const forgetReportsEvery = 1 << 8

// Missed implements [netpoll.Ticker]: a message that is under way is not late for
// what the worker has missed.
func (h *handler) Missed(missed uint32) {
	h.worker.Each(func(c *netpoll.Conn) {
		if p, ok := c.Held().(*partial); ok {
			p.since += missed
		}
		if isRich(c) {
			richOf(c).spoke += missed
		}
	})
}

var pingFrame = frame.AppendMessage(nil, ws.OpPing, nil)

// Garbled implements [netpoll.Handler]: what c sent is not what its codec can open.
// Nothing is said to it but what the codec has to say.
func (h *handler) Garbled(c *netpoll.Conn, _ error) {
	if stageOf(c) == handshaking {
		h.lobby.countHandshake(c, handshake.BadRequest)
		h.lobby.dismiss(c, nil)
		return
	}
	h.end(c, garbled)
}

// Closed implements [netpoll.Handler]: c's descriptor is closed.
func (h *handler) Closed(c *netpoll.Conn, cause netpoll.Cause) {
	switch stageOf(c) {
	case handshaking:
		h.counters.Connections[metrics.ConnectionHandshaking]--
	case ended:
		h.counters.Connections[metrics.ConnectionClosing]--
	default: // without a closing handshake
		why := clientVanished
		if cause == netpoll.Requested {
			why = serverStopped
		}
		h.account(c, why, endings[why].label)
		h.counters.Connections[metrics.ConnectionClosing]--
		h.remove(c, why.goodbye())
	}
	h.releaseHeld(c)
	h.lobby.releaseAddress(c)
	forgetRich(c)
	forgetCodec(c)
}

// releaseHeld gives back what c holds of an unfinished read.
func (h *handler) releaseHeld(c *netpoll.Conn) {
	switch held := c.Held().(type) {
	case *partial:
		h.releasePartial(held)
	case *request:
		held.release()
	}
	c.Hold(nil)
}

// end ends a connection for the reason why: the closing handshake's frame is
// the last that is written, and the partner is free at once. Whatever the
// client still sends is thrown away.
func (h *handler) end(c *netpoll.Conn, why reason) {
	h.finish(c, why.goodbye())
}

// finish is end for a goodbye that is not its reason's own.
func (h *handler) finish(c *netpoll.Conn, g goodbye) {
	h.account(c, g.why, g.label)
	h.releaseHeld(c)
	if h.reply = h.reply[:0]; g.code != ws.StatusAbnormalClosure { // which is never sent
		h.reply = frame.AppendClose(h.reply, g.code, g.text)
	}
	// First nobody can write to it any more, then the table forgets it: a
	// partner that was about to write finds one or the other (I7).
	c.Finish(h.reply)
	h.remove(c, g)
}

// remove takes c, to which nobody can write any more, out of the table.
func (h *handler) remove(c *netpoll.Conn, g goodbye) {
	// A page that is loaded again, or left, closes with 1001, and a client that has
	// heard nothing for too long with 4408: they may come back.
	leaves := g.why == clientClosed && (g.code == ws.StatusGoingAway || g.code == endings[noPong].code)
	if (leaves || endings[g.why].keeps) && h.keepSeat(c, endings[g.why].pair) {
		return
	}
	change := h.server.pairs.Leave(seatOf(c), h.worker.Now())
	h.apply(partner{here: c}, &change, endings[g.why].pair)
}

// account counts the end of a WebSocket connection, once (I8).
func (h *handler) account(c *netpoll.Conn, why reason, label metrics.CloseCode) {
	h.chats--
	h.server.chats.Add(-1)
	h.counters.Connections[metrics.ConnectionClosing]++
	setEnded(c)
	e := &endings[why]
	h.counters.Closed[label][e.by]++
	if e.by == metrics.ByServer && why != draining && why != serverStopped {
		h.server.kicks.note(int(why), 1, h.worker.Now())
	}
	h.counters.ConnectionDuration.Observe(int64(h.worker.Now()-c.Opened()) * 1e6)
}

// collect completes the worker's counters with what netpoll has counted.
func (h *handler) collect() *metrics.Counters {
	stats, pairs := h.worker.Stats(), h.server.pairs
	states := &h.counters.Connections
	states[metrics.ConnectionIdle] = h.chats
	if h.worker.Index() == 0 { // the table is no worker's: this one reports it
		waiting, paired := int64(pairs.Waiting()), int64(2*pairs.Pairs()-h.server.breaks.away()-h.server.across())
		states[metrics.ConnectionWaiting], states[metrics.ConnectionPaired] = waiting, paired
		states[metrics.ConnectionIdle] -= waiting + paired
	}
	h.counters.NetworkReceiveBytes = stats.BytesRead
	h.counters.NetworkTransmitBytes = stats.BytesSent
	h.counters.SetLoad(stats.Events, stats.Busy, stats.Wakeups[:])
	h.counters.ReadPauses = stats.Pauses
	h.counters.BacklogBytes = stats.BacklogBytes
	h.counters.BacklogConnections = stats.BacklogConns
	if h.keys != nil {
		h.counters.TLSKeysFound, h.counters.TLSKeysMade = h.keys.Found, h.keys.Made
	}
	clear(h.counters.AcceptErrors[:])
	for errno, n := range stats.AcceptErrors {
		h.counters.AcceptErrors[metrics.AcceptErrorOf(errno)] += n
	}
	return &h.counters
}
