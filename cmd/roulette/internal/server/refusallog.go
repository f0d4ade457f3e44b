package server

import (
	"context"
	"log/slog"
	"sync"

	"roulette/metrics"
)

// refusalPeriod is how often, in milliseconds, refusals for one reason are
// logged.
const refusalPeriod = 10_000

// refusalLog logs refusals, sampled: the first for each reason at once, and
// while there are more, a line a period with their number. It knows no address:
// who was refused is nobody's business, except at the level debug.
type refusalLog struct {
	log *slog.Logger

	mu      sync.Mutex
	reasons [len(metrics.Counters{}.Rejected)]struct { // guarded by mu
		quiet bool   // a line was written at since, and the next has to wait
		since uint32 // Worker.Now
		n     uint64 // not logged yet
	}
}

// note logs n refusals now or later.
func (l *refusalLog) note(why metrics.RejectReason, n uint64, now uint32) {
	l.mu.Lock()
	r := &l.reasons[why]
	r.n += n
	if r.quiet {
		l.mu.Unlock()
		return
	}
	n, r.n = r.n, 0
	r.quiet, r.since = true, now
	l.mu.Unlock()
	l.write(why, n)
}

// flush logs what has waited for a period. Called by one worker at each tick.
func (l *refusalLog) flush(now uint32) {
	for why := range l.reasons {
		l.mu.Lock()
		r := &l.reasons[why]
		// The workers' clocks differ by a tick.
		if !r.quiet || int32(now-r.since) < refusalPeriod {
			l.mu.Unlock()
			continue
		}
		n := r.n
		r.n, r.since, r.quiet = 0, now, n > 0
		l.mu.Unlock()
		if n > 0 {
			l.write(metrics.RejectReason(why), n)
		}
	}
}

func (l *refusalLog) write(why metrics.RejectReason, n uint64) {
	level := slog.LevelInfo
	switch why {
	case metrics.RejectMaxConnections, metrics.RejectDescriptorLimit, metrics.RejectMemory:
		level = slog.LevelWarn // there is not enough of something
	}
	l.log.Log(context.Background(), level, "connections refused", "reason", why.String(), "number", n)
}
