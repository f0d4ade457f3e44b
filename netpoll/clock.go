package netpoll

import "time"

// Now is the coarse clock: milliseconds since the Poller was opened, as of the
// last tick. It wraps after 49 days: subtract, never compare. Worker only.
func (w *Worker) Now() uint32 { return w.now }

// Time is the exact clock. Any goroutine.
func (w *Worker) Time() time.Duration { return w.kernel.Now() }

func milliseconds(d time.Duration) uint32 { return uint32(d / time.Millisecond) }

// SetTick changes the period of the coarse clock, for a time in which more
// depends on it.
func (p *Poller) SetTick(d time.Duration) error {
	for _, w := range p.workers {
		if err := w.Ask(func() { w.period = d; w.armTimer(d) }); err != nil {
			return err
		}
	}
	return nil
}

// armTimer makes the coarse clock tick once in d, and by its period after that.
func (w *Worker) armTimer(d time.Duration) {
	if err := w.kernel.SetTimer(w.timer, min(d, w.period), w.period); err != nil {
		w.poller.config.Logger.Error("timer not set", "error", err)
	}
}

// onTick is the coarse clock: everything that has a deadline is looked at here.
func (w *Worker) onTick() {
	ticks, last := w.kernel.Drain(w.timer), w.now
	w.now = milliseconds(w.kernel.Now())
	w.notice(ticks, last)
	w.retryListeners()
	w.tick++
	w.load.tick(w.tick, w.Count())
	for i := int(w.tick % sweepTicks); i < w.lastChunk; i += sweepTicks {
		if k := w.chunks[i].Load(); k != nil {
			for j := range k.conns {
				if c := &k.conns[j]; c.fd >= 0 {
					w.sweep(c)
				}
			}
		}
	}
	if w.ticker != nil {
		w.ticker.Tick()
	}
}

func (w *Worker) sweep(c *Conn) {
	if c.has(closing) {
		if w.now-c.heard >= milliseconds(w.poller.config.LingerTimeout) {
			c.close(Abandoned)
			return
		}
	}
	if c.spilled() != nil && !w.sweepBacklog(c) {
		return
	}
	if c.has(closing) {
		return
	}
	if c.has(paused) || c.spilled() != nil && c.Pending() > 0 {
		// Who is not read cannot be heard; and who has much to take before he
		// sees our ping is judged by the stall time.
		c.heard = w.now
	}
	w.handler.Sweep(c)
}

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
