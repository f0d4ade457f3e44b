//go:build linux

package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A phase is how far the run is. Run moves it forward only, the loops follow.
type phase int32

const (
	opening   phase = iota // connect and find the partner
	warming                // traffic, not counted
	measuring              // traffic, counted
	draining               // no new messages; those under way may arrive
	closing
)

// run is what the loops of one run share.
type run struct {
	// Immutable after newRun.
	config  Config
	target  target // the first of targets
	targets []target
	seed    uint64
	nonce   uint64 // 18 bits of every head: which run a message belongs to
	began   time.Time
	loops   []*loop
	tls     *tls.Config // nil for ws://

	// Atomic.
	current     atomic.Int32 // phase
	wanted      atomic.Int64 // connections that may be open by now, Ramp apart
	warmFrom    atomic.Int64
	measureFrom atomic.Int64
	measureTo   atomic.Int64
	ids         atomic.Uint32
	stalled     atomic.Int64

	// Owned by the goroutine of Run.
	connecting   time.Duration
	reported     time.Time
	reportedSum  uint64
	reportedName string
}

func newRun(ctx context.Context, c Config) (*run, error) {
	c, to, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	all, err := c.targets()
	if err != nil {
		return nil, err
	}
	r := &run{config: c, target: to, targets: all, seed: rand.Uint64(), began: time.Now()}
	if to.tls {
		if r.tls, err = c.tlsConfig(ctx, to); err != nil {
			return nil, err
		}
	}
	r.nonce = r.seed >> 46
	r.ids.Store(uint32(c.Connections + c.Idle))
	for i := range c.Threads {
		l, err := newLoop(r, i)
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		r.loops = append(r.loops, l)
	}
	return r, nil
}

func (c *Config) perHandshake() bool { return c.Mode == Handshakes || c.Mode == Churn }

func (r *run) phase() phase { return phase(r.current.Load()) }

func (r *run) newID() uint32 { return r.ids.Add(1) & (1<<24 - 1) }

// client finds a client by its number; nil in Churn for all but the first.
func (r *run) client(id uint32) *client {
	l := r.loops[int(id)%len(r.loops)]
	if i := int(id) / len(r.loops); i < len(l.clients) {
		return &l.clients[i]
	}
	return nil
}

// stalls tells for a sender whether its receiver is one of those that stop reading.
func (r *run) stalls(id uint32) bool {
	if id/2%2 != 0 {
		return false
	}
	r.stalled.Add(1)
	return true
}

// openBy is how many of its slots a loop may have used by now.
func (r *run) openBy(l *loop, now int64) int {
	n := r.wanted.Load()
	if ramp := int64(r.config.Ramp); now < ramp {
		total := float64(r.config.Connections + r.config.Idle)
		n = min(n, int64(total*float64(now)/float64(ramp)))
	}
	t := len(r.loops)
	return min(max((int(n)-l.index+t-1)/t, 0), len(l.clients))
}

// total is the sum of the loops' counts.
type total struct {
	phase                                        phase // that all have reached
	underway, open, parting, ready, next         int
	failed, handshakes, sessions, sent, received uint64
}

func (r *run) total() total {
	t := total{phase: closing}
	for _, l := range r.loops {
		p := &l.counts
		t.phase = min(t.phase, phase(p.phase.Load()))
		t.underway += int(p.underway.Load())
		t.open += int(p.open.Load())
		t.parting += int(p.parting.Load())
		t.ready += int(p.ready.Load())
		t.next += int(p.next.Load())
		t.failed += p.failed.Load()
		t.handshakes += p.handshakes.Load()
		t.sessions += p.sessions.Load()
		t.sent += p.sent.Load()
		t.received += p.received.Load()
	}
	return t
}

// Run loads the server as c says and reports what happened. An error means that
// there is nothing to report, except that a run whose ctx ends during the
// measurement returns both. What the server did wrong is in the result: see
// [Result.Err].
func Run(ctx context.Context, c Config) (*Result, error) {
	r, err := newRun(ctx, c)
	if err != nil {
		return nil, err
	}
	var loops sync.WaitGroup
	for _, l := range r.loops {
		loops.Go(l.serve)
	}
	stop := func() error {
		r.current.Store(int32(closing))
		loops.Wait()
		for _, l := range r.loops {
			if l.err != nil {
				return fmt.Errorf("bench: loop: %w", l.err)
			}
		}
		return nil
	}
	res := r.newResult()
	if err := r.open(ctx, res); err != nil {
		_ = stop() // the first error says more
		return nil, err
	}
	stopped := r.measure(ctx, res)
	if err := stop(); err != nil {
		return nil, err
	}
	r.collect(res)
	if r.config.Mode == Idle && r.config.PID != 0 {
		r.forget(ctx, res)
	}
	return res, stopped
}

// open connects everybody, bystanders first, and waits until all have partners.
func (r *run) open(ctx context.Context, res *Result) error {
	c := &r.config
	if c.PID != 0 {
		s, err := readSample(c.PID)
		if err != nil {
			return err
		}
		res.server().Start = s
	}
	timeout := c.Ramp + c.Timeout
	if c.Idle > 0 {
		if err := r.reach(ctx, c.Idle, timeout); err != nil {
			return err
		}
		c.settle(ctx)
	}
	all := c.Idle + c.Connections
	if c.Mode == Idle {
		for _, n := range c.Steps {
			if n <= 0 || n >= c.Connections {
				continue
			}
			if err := r.step(ctx, res, c.Idle+n, timeout); err != nil {
				return err
			}
		}
		return r.step(ctx, res, all, timeout)
	}
	if err := r.reach(ctx, all, timeout); err != nil {
		return err
	}
	if !c.paired() {
		return nil
	}
	paired := r.watch(ctx, "pairing", timeout, func(t total) bool {
		lonely := t.open - c.Idle - t.ready
		return lonely <= 0 || t.failed > 0 && lonely == 1
	})
	if t := r.total(); !paired && ctx.Err() == nil && t.ready == 0 {
		return fmt.Errorf("bench: nobody of %d found a partner within %v", t.open, timeout)
	}
	return ctx.Err()
}

// reach opens connections up to n and waits until each is open or has failed.
func (r *run) reach(ctx context.Context, n int, timeout time.Duration) error {
	began := time.Now()
	r.wanted.Store(int64(n))
	r.watch(ctx, "connecting", timeout, func(t total) bool {
		if t.next < n {
			return false
		}
		return t.underway == 0 || r.config.perHandshake()
	})
	r.connecting += time.Since(began)
	if t := r.total(); t.handshakes == 0 && ctx.Err() == nil {
		for _, l := range r.loops {
			if l.err != nil {
				return fmt.Errorf("bench: loop: %w", l.err)
			}
		}
		if !r.config.perHandshake() {
			return fmt.Errorf("bench: %s: no connection of %d opened", r.target.addr, n)
		}
	}
	return ctx.Err()
}

// step is reach with the server's memory noted afterwards.
func (r *run) step(ctx context.Context, res *Result, n int, timeout time.Duration) error {
	if err := r.reach(ctx, n, timeout); err != nil {
		return err
	}
	if r.config.PID == 0 {
		return nil
	}
	r.config.settle(ctx)
	s, err := readSample(r.config.PID)
	if err != nil {
		return err
	}
	at := Step{Connections: r.total().open, RSS: s.RSS, Own: s.Own}
	if r.config.Calm > 0 {
		if at.CalmOwn, err = r.config.calmOwn(ctx); err != nil {
			return err
		}
	}
	res.Server.Steps = append(res.Server.Steps, at)
	return nil
}

// measure has traffic for the warm-up, the measurement and the drain.
func (r *run) measure(ctx context.Context, res *Result) error {
	c := &r.config
	never := func(total) bool { return false }
	r.warmFrom.Store(int64(time.Since(r.began)))
	r.current.Store(int32(warming))
	warm, warmFrom := r.total(), time.Now()
	if c.Mode != Idle {
		r.watch(ctx, "warming up", c.Warmup, never)
	}
	load := float64(r.total().received-warm.received) / time.Since(warmFrom).Seconds()

	sample := r.sample()
	if sample.CPU > 0 { // again: reading the memory takes its time
		sample.CPU, _ = readCPUs(c.PID)
	}
	before, from := r.total(), time.Since(r.began)
	r.measureTo.Store(int64(from + c.Duration))
	r.measureFrom.Store(int64(from))
	r.current.Store(int32(measuring))
	if c.Begin != nil {
		c.Begin()
	}
	r.watch(ctx, "measuring", c.Duration, func(t total) bool { return c.Mode == Drain && t.open+t.parting == 0 })
	after, took := r.total(), time.Since(r.began)-from
	if c.End != nil {
		c.End()
	}
	sample2 := r.sample()
	r.current.Store(int32(draining))
	res.measured(before, after, sample, sample2, took)
	if c.Mode == Drain {
		res.Connected = before.open
		res.Drained = &Drained{Left: after.open + after.parting, LoadPerSecond: load}
	}

	moved, last := time.Now(), after.received
	// Also when it was interrupted: what is under way then is not lost.
	r.watch(context.WithoutCancel(ctx), "draining", time.Minute, func(t total) bool {
		if t.received != last {
			last, moved = t.received, time.Now()
		}
		drained := !c.lastsOnePartner() || t.sent <= t.received
		return t.phase == draining && drained || time.Since(moved) > c.Drain
	})
	return ctx.Err()
}

// forget waits until the server has noticed that everybody is gone, 3 s at least if
// it does not let go of every descriptor.
func (r *run) forget(ctx context.Context, res *Result) {
	for range 10 {
		r.config.settle(ctx)
		s, err := readSample(r.config.PID)
		if err != nil {
			return
		}
		res.Server.End = s
		if s.Descriptors <= res.Server.Start.Descriptors || ctx.Err() != nil {
			return
		}
	}
}

func (r *run) sample() Sample {
	if r.config.PID == 0 {
		return Sample{}
	}
	s, err := readSample(r.config.PID)
	if err != nil {
		return Sample{} // it died; the connections say so
	}
	return s
}

// watch waits until done says so, ctx ends or the time is over, and tells Progress
// meanwhile. It reports whether done did.
func (r *run) watch(ctx context.Context, name string, d time.Duration, done func(total) bool) bool {
	end := time.Now().Add(d)
	for {
		t := r.total()
		if done(t) {
			return true
		}
		left := time.Until(end)
		if left <= 0 || ctx.Err() != nil {
			return false
		}
		if name != "measuring" || r.config.Mode == Drain { // which ends before its time
			left = min(left, 2*time.Millisecond)
		}
		if wait := r.report(name, t, time.Until(end)); wait > 0 {
			left = min(left, wait)
		}
		pause(ctx, left)
	}
}

// report calls Progress when it is due and returns when it will be.
func (r *run) report(name string, t total, left time.Duration) time.Duration {
	c := &r.config
	if c.Progress == nil {
		return 0
	}
	now := time.Now()
	if r.reported.IsZero() {
		r.reported = now
	}
	since := now.Sub(r.reported)
	if since < c.ProgressEvery && name == r.reportedName {
		return c.ProgressEvery - since
	}
	sum := t.received
	if c.Mode == Handshakes {
		sum = t.handshakes
	}
	p := Progress{
		Phase: name, Elapsed: now.Sub(r.began), Connected: t.open,
		Failed: int(t.failed), Messages: t.received,
	}
	if name == "measuring" {
		p.Left = left
	}
	if since > 0 {
		p.PerSecond = float64(sum-r.reportedSum) / since.Seconds()
	}
	r.reported, r.reportedSum, r.reportedName = now, sum, name
	c.Progress(p)
	return c.ProgressEvery
}
