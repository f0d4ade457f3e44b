package server

import (
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/pairing"
)

// parting is why a pair ended: how that is counted, and what the client that is
// left is told.
type parting struct {
	counted metrics.EndReason
	told    record.Reason
	seeks   bool // the client that leaves waits for another partner
	again   bool // both are there still, and may want each other back
}

var (
	byNext  = parting{counted: metrics.EndNext, told: record.LeftNext, seeks: true, again: true}
	byStop  = parting{counted: metrics.EndStop, told: record.LeftStop, again: true}
	closed  = parting{counted: metrics.EndClosed, told: record.LeftClosed}
	lost    = parting{counted: metrics.EndDisconnected, told: record.LeftDisconnected}
	byStall = parting{counted: metrics.EndStalled, told: record.LeftStalled}
	kicked  = parting{counted: metrics.EndKicked, told: record.LeftKicked}
)

// skipTime is how soon a next is a look at somebody and not the end of a chat, in
// milliseconds.
const skipTime = 5_000

// apply does what a change to the table calls for that was made by, or for, the
// one in a seat; why says how their pair ended, if they had one. This is the one
// place that does it:
//
//  1. Nobody writes for the old pair any more. The survivor's worker may be
//     writing to own, under own's write lock, so that is taken once; what own's
//     worker writes to the survivor, it writes where this runs (I7).
//  2. Under it, a rich client is told what it is now.
//  3. Both read on: neither is paused for the other any more (I5).
//  4. The one who was left is told.
//  5. Both ends of each new pair are told, but for own, who knows.
func (h *handler) apply(own partner, change *pairing.Change, why parting) {
	c := own.here
	switch {
	case c != nil && isRich(c):
		h.tellOwn(c, change, why)
	case change.Parted:
		if own.lock() {
			own.unlock()
		}
	}
	if change.GaveUp {
		h.counters.WaitsGivenUp++
	}
	if change.Parted {
		if c != nil {
			h.server.breaks.endOf(richOf(c))
		}
		h.counters.PairsEnded[why.counted]++
		if why.counted == metrics.EndNext && change.Lasted < skipTime {
			h.counters.PairsSkipped++
		}
		h.counters.PairDuration.Observe(int64(change.Lasted) * 1e6)
		own.resume()
		survivor := h.server.at(change.Survivor)
		survivor.resume()
		h.tellLeft(survivor, change, why)
		h.chatted(own, survivor, change, why)
	}
	for _, m := range change.Matches() {
		h.matched(m, own)
	}
}

// matched counts a new pair, and tells both ends but the one that knows.
func (h *handler) matched(m pairing.Match, knows partner) {
	h.counters.PairsCreated++
	if !m.Arranged { // else they waited for each other
		h.counters.PairingWait.Observe(int64(m.WaitA) * 1e6)
		if !m.Guest {
			h.counters.PairingWait.Observe(int64(m.WaitB) * 1e6)
		}
	}
	for _, place := range [...]seat{m.A, m.B} {
		switch p := h.server.at(place); {
		case p.here != nil && p.here != knows.here && isRich(p.here):
			p.here.Lock()
			h.announceLocked(p.here)
			p.here.Unlock()
		case p.out != nil && p.out != knows.out:
			p.out.paired()
		}
	}
	for _, place := range [...]seat{m.A, m.B} {
		if c := h.server.at(place).here; c != nil && has(c, hiding) {
			h.tellHiding(c)
		}
	}
}
