package server

import (
	"context"
	"log/slog"
	"sync"

	"roulette/metrics"
)

// samplePeriod is how often, in milliseconds, there is a line for one reason.
const samplePeriod = 10_000

// sampledLog logs what can happen very often: the first for each reason at once,
// and while there are more, a line a period with their number. It knows no
// address: whom it happened to is nobody's business, except at the level debug.
type sampledLog struct {
	// Immutable.
	log  *slog.Logger
	what string                                      // the message
	name func(i int) (slog.Level, string, slog.Attr) // of a reason; the attribute may be empty, and is left out then

	mu      sync.Mutex
	reasons []sampled // guarded by mu
}

// sampled is what a sampledLog knows of a reason.
type sampled struct {
	quiet bool   // a line was written at since, and the next has to wait
	since uint32 // Worker.Now
	n     uint64 // not logged yet
}

// newRefusalLog is for refusals; its reasons are those of the metrics.
func newRefusalLog(log *slog.Logger) *sampledLog {
	reasons := make([]sampled, len(metrics.Counters{}.Rejected))
	return &sampledLog{log: log, what: "connections refused", reasons: reasons, name: func(i int) (slog.Level, string, slog.Attr) {
		why, level := metrics.RejectReason(i), slog.LevelInfo
		switch why {
		case metrics.RejectMaxConnections, metrics.RejectDescriptorLimit, metrics.RejectMemory, metrics.RejectPages:
			level = slog.LevelWarn // there is not enough of something
		}
		return level, why.String(), slog.Attr{}
	}}
}

// newKickLog is for connections that the server has closed for what their clients
// did, or did not do.
func newKickLog(log *slog.Logger) *sampledLog {
	return &sampledLog{log: log, what: "connections closed", reasons: make([]sampled, reasons), name: func(i int) (slog.Level, string, slog.Attr) {
		e := &endings[i]
		return slog.LevelInfo, e.text, slog.Int("code", int(e.code))
	}}
}

// note logs another one of a reason, now or later. Any goroutine.
func (l *sampledLog) note(why int, n uint64, now uint32) {
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
func (l *sampledLog) flush(now uint32) {
	for why := range l.reasons {
		l.mu.Lock()
		r := &l.reasons[why]
		// The workers' clocks differ by a tick.
		if !r.quiet || int32(now-r.since) < samplePeriod {
			l.mu.Unlock()
			continue
		}
		n := r.n
		r.n, r.since, r.quiet = 0, now, n > 0
		l.mu.Unlock()
		if n > 0 {
			l.write(why, n)
		}
	}
}

func (l *sampledLog) write(why int, n uint64) {
	level, reason, more := l.name(why)
	l.log.LogAttrs(context.Background(), level, l.what, slog.String("reason", reason), more, slog.Uint64("number", n))
}
