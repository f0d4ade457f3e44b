package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/stamp"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/pairing"
)

// reports is the way of a report from its verification to where it is taken.
type reports struct {
	under sync.WaitGroup // those that are being taken

	mu sync.Mutex
	// Guarded by mu.
	by     map[safety.Person][]reported // of the last hour, the oldest first
	taking int
	none   chan struct{} // closed when none is being taken; nil: nobody waits for that
}

// reported is a report of somebody.
type reported struct {
	at   time.Time
	pair [16]byte
}

const (
	reportsCounted = time.Hour
	reportsAtOnce  = 64 // that are being taken (I4)
)

// refusedReports is how a report is refused, and counted.
var refusedReports = map[metrics.ReportResult]*record.Error{
	metrics.ReportUntrue:  record.ErrUntrue,
	metrics.ReportLate:    record.ErrReportLate,
	metrics.ReportTwice:   record.ErrReportTwice,
	metrics.ReportTooMany: record.ErrManyReports,
	metrics.ReportLost:    record.ErrReportLost,
}

// count counts a report that is true, or says why it is not to be taken.
func (r *reports) count(o *stamp.Opening, now time.Time) metrics.ReportResult {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = make(map[safety.Person][]reported)
	}
	list := r.by[o.Reporter]
	for len(list) > 0 && now.Sub(list[0].at) >= reportsCounted {
		list = list[1:]
	}
	for _, before := range list {
		if before.pair == o.Pair {
			return metrics.ReportTwice
		}
	}
	switch {
	case len(list) >= safety.ReportsAnHour:
		return metrics.ReportTooMany
	case r.taking >= reportsAtOnce || len(r.by) >= safety.MaxReportsKept && list == nil:
		return metrics.ReportLost
	}
	r.by[o.Reporter] = append(list, reported{now, o.Pair})
	r.taking++
	r.under.Add(1)
	return metrics.ReportTaken
}

// done notes that a report that was counted has been taken, or not.
func (r *reports) done(o *stamp.Opening, taken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.under.Done()
	if r.taking--; r.taking == 0 && r.none != nil {
		close(r.none)
		r.none = nil
	}
	if taken {
		return
	}
	list := r.by[o.Reporter]
	for i := range list {
		if list[i].pair == o.Pair {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	r.by[o.Reporter] = list
}

// calm waits until none is being taken. All workers stand still, so none begins.
func (r *reports) calm(ctx context.Context) error {
	r.mu.Lock()
	none := make(chan struct{})
	if r.taking == 0 {
		close(none)
	} else {
		r.none = none
	}
	r.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a report is being taken: %w", context.Cause(ctx))
	}
}

// carriedReports are those of somebody in the last hour, the oldest first.
type carriedReports struct {
	By    []byte   `json:"by"`
	Ages  []int64  `json:"ages"` // in milliseconds
	Pairs [][]byte `json:"pairs"`
}

func (r *reports) describe(now time.Time) (all []carriedReports) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for who, list := range r.by {
		c := carriedReports{By: who[:]}
		for _, one := range list {
			c.Ages, c.Pairs = append(c.Ages, now.Sub(one.at).Milliseconds()), append(c.Pairs, one.pair[:])
		}
		all = append(all, c)
	}
	return all
}

func (r *reports) inherit(all []carriedReports, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.by = make(map[safety.Person][]reported, len(all))
	for _, c := range all {
		if len(c.By) != len(safety.Person{}) || len(c.Ages) != len(c.Pairs) {
			continue
		}
		who := safety.Person(c.By)
		for i, age := range c.Ages {
			one := reported{at: now.Add(-time.Duration(age) * time.Millisecond)}
			copy(one.pair[:], c.Pairs[i])
			r.by[who] = append(r.by[who], one)
		}
	}
}

// forget forgets those whose reports are all of an hour ago.
func (r *reports) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for who, list := range r.by {
		if len(list) == 0 || now.Sub(list[len(list)-1].at) >= reportsCounted {
			delete(r.by, who)
		}
	}
}

// report takes a report, if it is true. Nothing of it is left here.
func (t *turn) report(cmd record.Command) {
	h, s := t.h, t.h.server
	run := stamp.Run{Opening: cmd.Opening, From: cmd.First, To: cmd.Last}
	for _, m := range cmd.Messages {
		op := opText
		if m.Binary {
			op = opBinary
		}
		run.Messages = append(run.Messages, safety.Line{From: safety.FromReported, Op: byte(op), Payload: m.Payload})
	}
	o, err := s.known.stamper.Verify(&run, s.clock())
	result := metrics.ReportTaken
	who, _ := s.pairs.Who(seatOf(t.c))
	switch {
	case errors.Is(err, stamp.ErrLate):
		result = metrics.ReportLate
	case err != nil || o.Reporter != safety.Person(who):
		result = metrics.ReportUntrue
	default:
		result = s.reports.count(&o, s.clock())
	}
	if result != metrics.ReportTaken {
		forgetLines(run.Messages)
		h.counters.Reports[result]++
		t.refuseRecord(refusedReports[result])
		return
	}
	t.handOn(&o, safety.Report{
		At: s.clock(), Pair: o.Pair, Reporter: o.Reporter, Reported: o.Reported, Network: o.Network,
		Reason: cmd.Reason, Text: cmd.Text, Lines: run.Messages,
	})
}

// handOn hands a report on, and tells the reporter, if they are there still, what has come
// of it.
func (t *turn) handOn(o *stamp.Opening, r safety.Report) {
	s, w := t.h.server, t.h.worker
	own, life := seatOf(t.c), t.rich.life
	go func() {
		err := s.config.Reports.Take(r)
		if err == nil {
			s.weigh(&r)
		}
		forgetLines(r.Lines)
		result := metrics.ReportTaken
		if err != nil {
			s.log.Error("a report could not be taken", "error", err)
			result = metrics.ReportLost
		}
		_ = w.Ask(func() { // of a worker that has ended nobody is there any more
			h := w.Handler().(*handler)
			h.counters.Reports[result]++
			c := s.at(own).here
			if c == nil || !isRich(c) || richOf(c).life != life {
				return
			}
			c.Lock()
			if e := refusedReports[result]; e != nil {
				h.noticeLocked(c, record.AppendError(h.notice[:0], e))
			} else {
				h.noticeLocked(c, record.AppendReported(h.notice[:0]))
			}
			c.Unlock()
		})
		s.reports.done(o, err == nil)
	}()
}

// forgetLines leaves nothing of messages in the memory (S1).
func forgetLines(lines []safety.Line) {
	for i := range lines {
		clear(lines[i].Payload)
	}
}

// block keeps c's person apart from somebody from now on, and ends their pairing.
func (t *turn) block(cmd record.Command) {
	h, s, own := t.h, t.h.server, seatOf(t.c)
	who, _ := s.pairs.Who(own)
	o, ok := s.known.stamper.Open(cmd.Opening)
	if !ok || o.Reporter != safety.Person(who) || !s.pairs.Block(own, pairing.Person(o.Reported)) {
		t.refuseRecord(record.ErrCannotBlock)
		return
	}
	h.counters.Blocks++
	if _, paired := s.pairs.Partner(own); paired {
		if id, ok := s.pairOf(t.rich, own); ok && id == o.Pair {
			t.stop(cmd)
		}
	}
	h.mark = s.known.blocks.AppendName(h.mark[:0], o.Reporter, o.Reported)
	t.answerRecord(record.AppendBlocked(h.notice[:0], h.mark))
}

// blocks keeps c's person apart from those whom they have blocked before.
func (t *turn) blocks(names []string) {
	s, own := t.h.server, seatOf(t.c)
	who, _ := s.pairs.Who(own)
	for _, name := range names {
		if p, ok := s.known.blocks.Named(safety.Person(who), name); ok {
			s.pairs.Block(own, pairing.Person(p))
		}
	}
}
