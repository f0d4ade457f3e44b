package server

import (
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
)

// parting is why a pair ended: how that is counted, and what the client that is
// left is told.
type parting struct {
	counted metrics.EndReason
	told    record.Reason
	seeks   bool // the client that leaves waits for another partner
}

var (
	byNext  = parting{counted: metrics.EndNext, told: record.LeftNext, seeks: true}
	byStop  = parting{counted: metrics.EndStop, told: record.LeftStop}
	lost    = parting{counted: metrics.EndDisconnected, told: record.LeftDisconnected}
	byStall = parting{counted: metrics.EndStalled, told: record.LeftStalled}
	kicked  = parting{counted: metrics.EndKicked, told: record.LeftKicked}
)

// apply does what a change that c has made to the table calls for; why says how
// c's pair ended, if it had one. This is the one place that does it:
//
//  1. Nobody writes for the old pair any more. Only c's worker, which runs this,
//     writes to the partner for c; the partner's worker may be writing to c for
//     the partner, under c's write lock, so that is taken once (I7).
//  2. Under it, c is told what it is now.
//  3. Both read on: neither is paused for the other any more (I5).
//  4. The client that was left is told.
//  5. Both ends of each new pair are told, but for c, which knows.
func (h *handler) apply(c *netpoll.Conn, change *pairing.Change, why parting) {
	rich := isRich(c)
	switch {
	case rich:
		h.tellOwn(c, change, why)
	case change.Parted:
		c.Barrier()
	}
	if change.Parted {
		h.counters.PairsEnded[why.counted]++
		h.counters.PairDuration.Observe(int64(change.Lasted) * 1e6)
		c.Resume()
		if survivor := h.server.poller.Conn(change.Survivor); survivor != nil {
			survivor.Resume()
			if isRich(survivor) {
				h.tellLeft(survivor, change.Life, change.Number, why)
			}
		}
	}
	for _, m := range change.Matches() {
		h.matched(m, c)
	}
}

// matched counts a new pair, and tells both ends but the one that knows, if that
// is not nil.
func (h *handler) matched(m pairing.Match, knows *netpoll.Conn) {
	h.counters.PairsCreated++
	h.counters.PairingWait.Observe(int64(m.WaitA) * 1e6)
	h.counters.PairingWait.Observe(int64(m.WaitB) * 1e6)
	for _, id := range [...]uint32{m.A, m.B} {
		if c := h.server.poller.Conn(id); c != nil && c != knows && isRich(c) {
			c.Lock()
			h.announceLocked(c)
			c.Unlock()
		}
	}
}
