package server

import (
	"github.com/gobwas/ws"

	"roulette/cmd/roulette/internal/limit"
	"roulette/frame/record"
	"roulette/metrics"
)

// withinRate counts n messages or control frames against c's rate limit. A client
// that exceeds the burst is warned; one that goes on is to end, and withinRate
// returns false.
func (t *turn) withinRate(op ws.OpCode, n int) bool {
	h, c := t.h, t.c
	if t.free {
		return true
	}
	verdict := h.rules.messages.Take(&c.Rate, h.worker.Now(), n)
	if verdict != limit.Within && h.worker.Late() {
		// It may have taken its time, and we have not looked.
		c.Rate, t.free = 0, true
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
			if t.rich != nil {
				t.refuseRecord(record.ErrRateLimited)
			}
		}
	case limit.TooMuch:
		h.exceeded(op)
		return t.ends(rateExceeded.goodbye())
	}
	return true
}

// fragmentsAMessage is how many fragments count as much as a message. A client
// that writes a long one piece by piece stays well below the limit; endless
// empty ones do not.
const fragmentsAMessage = 16

func (h *handler) exceeded(op ws.OpCode) {
	which := metrics.LimitMessageRate
	if op.IsControl() {
		which = metrics.LimitControlRate
	}
	h.counters.LimitsExceeded[which]++
}
