package netpoll

import "time"

// A worker that did not run for a while, because the process was stopped or the
// machine had no processor for it, finds a clock that has jumped, and in the
// sockets all that its clients did in time. It must not judge them by the jump:
// the time that it did not run counts for no deadline, and what waits is read
// before the next look at any.

// gapTicks: when more ticks of the coarse clock than these have been missed,
// there was a gap. Fewer cost nobody a deadline: there are sixteen in the
// shortest.
const gapTicks = sweepTicks

// notice takes what the timer has counted since the last tick, at which the clock
// was last.
func (w *Worker) notice(ticks uint64, last uint32) {
	again := w.late
	w.late = ticks > gapTicks
	if !w.late {
		return
	}
	if again {
		ticks-- // one counts, so that deadlines come even if gaps never end
	}
	// No further than to the present: nothing may have happened in the future.
	missed := min(time.Duration(ticks)*w.period, time.Duration(w.now-last)*time.Millisecond)
	if missed >= time.Second {
		w.poller.config.Logger.Warn("worker did not run", "worker", w.index, "missed", missed)
	}
	w.forgive(milliseconds(missed))
}

// forgive puts all deadlines off by d milliseconds.
func (w *Worker) forgive(d uint32) {
	w.each(func(c *Conn) {
		c.heard += d
		c.opened += d
		c.Lock()
		if s := c.spilled(); s != nil && s.backlog != nil {
			b := s.backlog
			if b.progress += d; int32(b.progress-w.now) > 0 { // made by a worker that ran
				b.progress = w.now
			}
		}
		c.Unlock()
	})
	if w.ticker != nil {
		w.ticker.Missed(d)
	}
}

// Late tells whether the worker did not run for a while and may still find what
// came meanwhile, all at once: no tick has come in time since. Worker only.
func (w *Worker) Late() bool {
	return w.late || milliseconds(w.kernel.Now())-w.now >= gapTicks*milliseconds(w.period)
}
