//go:build linux

package bench

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// SoakConfig says what to soak. The zero value of each field but the first two
// means the default beside it.
type SoakConfig struct {
	URL   string // ws://host:port/ws
	Admin string // http://host:port: its admin side, with /metrics and /debug/pprof/

	Connections int           // 500: clients at once; even
	Duration    time.Duration // 2 h
	Round       time.Duration // 10 s: how long one kind of crowd stays
	Patience    time.Duration // 1 min: for the server to be at rest when all have left

	// Progress is called after each round.
	Progress func(SoakProgress)
}

// SoakProgress is how far a soak is.
type SoakProgress struct {
	Elapsed, Left time.Duration
	Sessions      uint64
}

// Footprint is what a server at rest holds, after two collections of its garbage:
// what lies in a sync.Pool survives the first.
type Footprint struct {
	Heap        int64 `json:"heap_bytes"`        // in objects that live
	HeapInUse   int64 `json:"heap_in_use_bytes"` // in spans with any such object
	Resident    int64 `json:"resident_bytes"`
	Descriptors int64 `json:"descriptors"`
	Goroutines  int64 `json:"goroutines"`
}

// SoakResult is what a soak saw.
type SoakResult struct {
	Before   Footprint     `json:"before"` // after a first crowd of the same size and kinds
	After    Footprint     `json:"after"`
	Took     time.Duration `json:"took_ns"`
	Rounds   int           `json:"rounds"`
	Sessions uint64        `json:"sessions"`
	Messages uint64        `json:"messages"` // between those that check them
	Faults   Faults        `json:"faults"`
}

// Bounds of the heap's growth: two hundredths, and not less than what the
// collector's own bookkeeping and a scrape's buffers vary by.
const (
	heapShare = 50
	heapFloor = 256 << 10
)

// heapAllowance is by how much the heap may have grown.
func (r *SoakResult) heapAllowance() int64 { return max(r.Before.Heap/heapShare, heapFloor) }

// Err says what is not as it was before, and which messages were not treated as
// they must be.
func (r *SoakResult) Err() error {
	var errs []error
	if n := r.Faults.Total(); n > 0 {
		errs = append(errs, fmt.Errorf("bench: %d faults: %+v", n, r.Faults))
	}
	for _, f := range []struct {
		what                   string
		before, after, allowed int64
	}{
		{"bytes of heap", r.Before.Heap, r.After.Heap, r.heapAllowance()},
		{"descriptors", r.Before.Descriptors, r.After.Descriptors, 0},
		{"goroutines", r.Before.Goroutines, r.After.Goroutines, 0},
	} {
		if f.after > f.before+f.allowed {
			errs = append(errs, fmt.Errorf("bench: %d %s, %d before", f.after, f.what, f.before))
		}
	}
	return errors.Join(errs...)
}

// WriteSummary writes the result for a person to read.
func (r *SoakResult) WriteSummary(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "soak, %v, %d rounds, %d sessions, %d messages checked, %d faults\n\n",
		r.Took.Round(time.Second), r.Rounds, r.Sessions, r.Messages, r.Faults.Total())
	fmt.Fprintf(&b, "  %-16s %12s %12s %12s\n", "", "before", "after", "growth")
	for _, f := range []struct {
		name          string
		before, after int64
	}{
		{"heap, bytes", r.Before.Heap, r.After.Heap},
		{"heap in use", r.Before.HeapInUse, r.After.HeapInUse},
		{"resident", r.Before.Resident, r.After.Resident},
		{"descriptors", r.Before.Descriptors, r.After.Descriptors},
		{"goroutines", r.Before.Goroutines, r.After.Goroutines},
	} {
		fmt.Fprintf(&b, "  %-16s %12d %12d %+12d\n", f.name, f.before, f.after, f.after-f.before)
	}
	verdict := "nothing is left behind"
	if err := r.Err(); err != nil {
		verdict = err.Error()
	}
	fmt.Fprintf(&b, "\n  The heap may grow by %d bytes. %s.\n", r.heapAllowance(), verdict)
	_, err := io.WriteString(w, b.String())
	return err
}

// soak is one under way.
type soak struct {
	config SoakConfig
	target target
	began  time.Time
	result SoakResult
}

// Soak lets crowds of all kinds come and go for Duration and compares what the
// server holds then, when all have left, with what it held after the first of them.
// An error means that there is nothing to compare. If ctx ends, the soak ends early.
func Soak(ctx context.Context, c SoakConfig) (*SoakResult, error) {
	c.Connections = cmp.Or(c.Connections, 500)
	c.Duration = cmp.Or(c.Duration, 2*time.Hour)
	c.Round = cmp.Or(c.Round, 10*time.Second)
	c.Patience = cmp.Or(c.Patience, time.Minute)
	s := &soak{config: c}
	var err error
	if s.target, err = resolve(c.URL); err != nil {
		return nil, err
	}
	// The first crowd makes whatever is made at first use, and the tables as large
	// as they get: easygo's map of callbacks, for one, never shrinks.
	if err := s.cycle(ctx); err != nil {
		return nil, err
	}
	if s.result.Before, err = s.rest(ctx, nil); err != nil {
		return nil, err
	}
	s.result = SoakResult{Before: s.result.Before}
	s.began = time.Now()
	for time.Since(s.began) < c.Duration && ctx.Err() == nil {
		if err := s.cycle(ctx); err != nil {
			return nil, err
		}
	}
	s.result.Took = time.Since(s.began)
	s.result.After, err = s.rest(context.WithoutCancel(ctx), &s.result)
	return &s.result, err
}

// cycle is a round of each kind.
func (s *soak) cycle(ctx context.Context) error {
	for _, round := range []func(context.Context) error{s.talk, s.wander} {
		if err := round(ctx); err != nil {
			return err
		}
		s.result.Rounds++
		if elapsed := time.Since(s.began); s.config.Progress != nil && !s.began.IsZero() {
			s.config.Progress(SoakProgress{elapsed, max(s.config.Duration-elapsed, 0), s.result.Sessions})
		}
	}
	return nil
}

// talk is a round of those who come, talk, check each message, and leave in good
// order, by the end of the stream, or by a reset.
func (s *soak) talk(ctx context.Context) error {
	r, err := Run(ctx, Config{
		URL: s.config.URL, Mode: Churn, Connections: s.config.Connections,
		Duration: s.config.Round, Timeout: s.config.Patience,
	})
	switch {
	case err != nil && ctx.Err() == nil:
		return err
	case r != nil:
		s.result.Sessions += r.Sessions
		s.result.Messages += r.Messages
		s.result.Faults.add(r.Faults)
	}
	return nil
}

// wander is a round of those who do everything else. A tenth as many are enough: it
// is what they do that counts.
func (s *soak) wander(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Round)
	defer cancel()
	var all sync.WaitGroup
	counts := make([]uint64, max(s.config.Connections/10, len(wanderings)))
	for i := range counts {
		all.Go(func() {
			for session := i; ctx.Err() == nil; session++ {
				wander(ctx, s.target, session)
				counts[i]++
			}
		})
	}
	all.Wait()
	for _, n := range counts {
		s.result.Sessions += n
	}
	return nil
}

// rest waits until the server is at rest, and with a result until it is as good as
// before, and returns what it holds; after Patience whatever that is.
func (s *soak) rest(ctx context.Context, r *SoakResult) (f Footprint, err error) {
	for end := time.Now().Add(s.config.Patience); ; pause(ctx, 100*time.Millisecond) {
		var clients float64
		if f, clients, err = s.footprint(ctx); err != nil {
			return f, err
		}
		if r != nil {
			r.After = f
		}
		switch {
		case clients == 0 && r != nil && r.Err() == nil:
			return f, nil
		case clients == 0 && r == nil:
			// Something may be about to end, the goroutine of a page for instance:
			// the next look does not find it.
			pause(ctx, time.Second)
			f, _, err = s.footprint(ctx)
			return f, err
		case ctx.Err() != nil:
			return f, ctx.Err()
		case time.Now().After(end) && clients != 0:
			return f, fmt.Errorf("bench: the server still has %.0f connections %v after all have left", clients, s.config.Patience)
		case time.Now().After(end):
			return f, nil
		}
	}
}

// footprint collects the server's garbage and reads its metrics.
func (s *soak) footprint(ctx context.Context) (f Footprint, clients float64, err error) {
	for range 2 {
		if err := s.get(ctx, "/debug/pprof/heap?gc=1", func(string) {}); err != nil {
			return f, 0, err
		}
	}
	found := 0
	err = s.get(ctx, "/metrics", func(line string) {
		name, value, _ := strings.Cut(line, " ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return // a comment
		}
		for _, m := range []struct {
			name string
			to   *int64
		}{
			{"go_memstats_heap_alloc_bytes", &f.Heap}, {"go_memstats_heap_inuse_bytes", &f.HeapInUse},
			{"process_resident_memory_bytes", &f.Resident}, {"process_open_fds", &f.Descriptors},
			{"go_goroutines", &f.Goroutines},
		} {
			if m.name == name {
				*m.to = int64(v)
				found++
			}
		}
		if strings.HasPrefix(name, "roulette_connections{") {
			clients += v
		}
	})
	if err == nil && found != 5 {
		err = fmt.Errorf("bench: %s/metrics has not all that a soak needs", s.config.Admin)
	}
	return f, clients, err
}

// admin is an HTTP client that keeps nothing open.
var admin = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// get reads a page of the admin side, line by line.
func (s *soak) get(ctx context.Context, path string, line func(string)) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.Admin+path, nil)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	r, err := admin.Do(request)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("bench: %s%s: %s", s.config.Admin, path, r.Status)
	}
	if strings.HasPrefix(path, "/debug") { // not text
		_, err = io.Copy(io.Discard, r.Body)
		return err
	}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		line(lines.Text())
	}
	return lines.Err()
}

func (p SoakProgress) String() string {
	return fmt.Sprintf("soaking for %v, %v left, %d sessions", p.Elapsed.Round(time.Second), p.Left.Round(time.Second), p.Sessions)
}
