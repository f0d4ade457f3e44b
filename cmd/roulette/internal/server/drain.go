package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"roulette/netpoll"
)

// phase is how far the server is in its life; it only goes forward.
type phase int32

const (
	phaseStarting phase = iota // not all listeners are open
	phaseServing
	phaseGrace    // not ready, but who comes is served: load balancers take a while to notice
	phaseDraining // who comes is refused, who is there is sent away
)

func (s *Server) phaseNow() phase { return phase(s.phase.Load()) }

// Started makes the server ready: all its listeners are open.
func (s *Server) Started() { s.phase.CompareAndSwap(int32(phaseStarting), int32(phaseServing)) }

// drainTick is the coarse clock's period in a drain, and so how finely the
// goodbyes are spread.
const drainTick = 20 * time.Millisecond

// drain says who has to be gone when. Time is the Kernel's.
type drain struct {
	// Immutable.
	begin, spread time.Duration
	total         int // chats there were when it began

	// Atomic.
	departed atomic.Int64 // of them, sent away
}

// due is how many have to have departed at a moment.
func (d *drain) due(now time.Duration) int64 {
	if d.over(now) {
		return math.MaxInt64
	}
	return int64(float64(d.total) * float64(now-d.begin) / float64(d.spread))
}

func (d *drain) over(now time.Duration) bool { return now >= d.begin+d.spread }

// Shutdown lets everybody go. At once it is not ready; for the grace it goes on
// serving whoever comes; then nobody new, and 1001 to all, spread evenly
// over most of the time that ctx leaves. Partners go together. It returns nil as
// soon as all have gone, ctx's error if some had to be cut.
func (s *Server) Shutdown(ctx context.Context, grace time.Duration) error {
	s.phase.Store(int32(phaseGrace))
	end := s.now() + grace
	err := s.await(ctx, func() bool { return s.now() >= end })
	s.phase.Store(int32(phaseDraining))
	s.poller.StopListening()
	pages := make(chan error, 1)
	go func() { pages <- s.http.shutdown(ctx) }() // who is being served a page gets all of it

	if err == nil {
		err = s.sendAway(ctx)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("server: %d connections cut: %w", s.poller.Count(), ctx.Err())
	}
	return errors.Join(err, <-pages, s.Close())
}

// sendAway has the workers send everybody away, a few at each tick.
func (s *Server) sendAway(ctx context.Context) error {
	var total atomic.Int64
	err := s.poller.OnWorkers(ctx, func(w *netpoll.Worker) {
		total.Add(int64(w.Handler().(*handler).listToSendAway()))
	})
	if err != nil {
		return err
	}
	d := &drain{begin: s.now(), total: int(total.Load())}
	d.spread = drainSpread(ctx, d.total)
	s.drain.Store(d)
	s.applying.Lock() // an Apply that does not know of the drain sets another tick
	err = s.poller.SetTick(drainTick)
	s.applying.Unlock()
	if err != nil {
		return err
	}
	gone := func() bool { return s.poller.Count() == 0 && s.shaking() == 0 }
	if err := s.await(ctx, func() bool { return gone() || d.over(s.now()) }); err != nil {
		return err
	}
	// Who never became a chat, above all.
	if err := s.poller.Each(ctx, func(h netpoll.Handler, c *netpoll.Conn) { h.(*handler).sayGoodbye(c) }); err != nil {
		return err
	}
	return s.await(ctx, gone)
}

// drainSpread is how long the 1001s take: a millisecond each, for a handful of
// clients should not hold up a restart, but no more than the time there is, less
// what the closing handshakes want.
func drainSpread(ctx context.Context, total int) time.Duration {
	spread := time.Duration(total) * time.Millisecond
	if deadline, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(deadline)*7/10)
	}
	return spread
}

// condition is what somebody waits for.
type condition struct {
	met  func() bool
	done chan struct{}
}

// await returns when met, which is looked at on each tick of the coarse clock, or
// when ctx is done. One caller at a time.
func (s *Server) await(ctx context.Context, met func() bool) error {
	if met() {
		return nil
	}
	c := &condition{met, make(chan struct{})}
	s.awaited.Store(c)
	defer s.awaited.Store(nil)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lookAtAwaited is called by one worker at each tick.
func (s *Server) lookAtAwaited() {
	if c := s.awaited.Load(); c != nil && c.met() && s.awaited.CompareAndSwap(c, nil) {
		close(c.done)
	}
}

// now is the Kernel's clock. Any goroutine.
func (s *Server) now() time.Duration { return s.poller.Workers()[0].Time() }

// listToSendAway writes down the worker's chats, and returns how many there are.
func (h *handler) listToSendAway() int {
	h.worker.Each(func(c *netpoll.Conn) {
		if isOpen(c) {
			h.toSendAway = append(h.toSendAway, c.ID())
		}
	})
	return len(h.toSendAway)
}

// sendAwayDue sends away the chats that are due by now, each with its partner:
// otherwise a person would be left, meet another, and be sent away from that one.
func (h *handler) sendAwayDue() {
	s := h.server
	d := s.drain.Load()
	if d == nil {
		return
	}
	due := d.due(h.worker.Time())
	for len(h.toSendAway) > 0 && d.departed.Load() < due {
		last := len(h.toSendAway) - 1
		id := h.toSendAway[last]
		h.toSendAway = h.toSendAway[:last]
		c := s.poller.Conn(id)
		if c == nil || !isOpen(c) { // it has gone by itself, or with its partner
			continue
		}
		other, paired := s.pairs.Partner(seatOf(c))
		h.end(c, draining)
		d.departed.Add(1)
		if paired {
			d.departed.Add(1)
			h.sendAwayToo(d, other)
		}
	}
}

// sendAwayToo sends away the partner of a chat that was sent away, on the partner's
// own worker. The partner has been counted as departed already.
func (h *handler) sendAwayToo(d *drain, place seat) {
	p := h.server.at(place).here
	if p == nil {
		return
	}
	w := p.Worker()
	goodbye := func() {
		if c := h.server.at(place).here; c != nil && isOpen(c) {
			w.Handler().(*handler).end(c, draining)
			return
		}
		d.departed.Add(-1) // it was quicker
	}
	if w == h.worker {
		goodbye()
		return
	}
	_ = w.Ask(goodbye) // a worker that has ended has closed all it had
}

// sayGoodbye ends c because the server drains.
func (h *handler) sayGoodbye(c *netpoll.Conn) {
	switch {
	case isOpen(c):
		h.end(c, draining)
	case stageOf(c) != handshaking:
	case c.Held() != nil: // it has begun to ask for something
		h.lobby.refuse(c, goingAway)
	default:
		c.Close()
	}
}
