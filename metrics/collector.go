package metrics

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector asks the workers once per scrape and emits every family.
type collector struct {
	// Immutable after newCollector.
	cfg      Config
	families []family

	// One scrape at a time: so the last copies only ever get younger and no
	// counter goes backwards. Held while waiting for the workers, never by them.
	mu sync.Mutex

	// Guarded by mu.
	last []Counters // each worker's youngest copy
}

// scrape is what one scrape has to show.
type scrape struct {
	workers  []Counters // each worker's youngest copy
	answered []bool     // false where the copy is an old one
	sum      Counters   // over the workers
	status   Status
}

func newCollector(cfg Config) *collector {
	cfg = cfg.withDefaults()
	c := &collector{cfg: cfg, families: newFamilies(cfg), last: make([]Counters, cfg.Workers)}
	for i := range c.last {
		c.last[i].Init()
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.families {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()

	s := scrape{workers: c.last, answered: c.askWorkers(), status: c.cfg.Status()}
	s.sum.Init()
	if c.cfg.Before != nil {
		if before := c.cfg.Before(); before != nil {
			s.sum.Add(before)
		}
	}
	for i := range s.workers {
		s.sum.Add(&s.workers[i])
	}
	for _, f := range c.families {
		f.emit(ch, f.desc, &s)
	}
	for worker, ok := range s.answered {
		if !ok {
			err := fmt.Errorf("metrics: worker %d gave no counters within %v", worker, c.cfg.AnswerTimeout)
			ch <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
		}
	}
}

// askWorkers brings c.last up to date and returns which workers answered in
// time. The caller holds c.mu.
func (c *collector) askWorkers() (answered []bool) {
	answered = make([]bool, c.cfg.Workers)
	// A worker writes to a copy of its own and says so; a copy that comes too late
	// is never read. The channel holds all answers, so no worker waits here.
	copies := make([]*Counters, c.cfg.Workers)
	done := make(chan int, c.cfg.Workers)
	for worker := range copies {
		dst := new(Counters)
		copies[worker] = dst
		c.cfg.Ask(worker, copyRequest(dst, worker, done))
	}
	timeout := time.NewTimer(c.cfg.AnswerTimeout)
	defer timeout.Stop()
	take := func(worker int) {
		c.last[worker] = *copies[worker]
		answered[worker] = true
	}
	for range copies {
		select {
		case worker := <-done:
			take(worker)
			continue
		case <-timeout.C:
		}
		// Copies that have come by now count, however late this goroutine looks.
		for len(done) > 0 {
			take(<-done)
		}
		break
	}
	return answered
}

// copyRequest returns what a worker is asked to run. It must not allocate or
// block: it runs between two of the worker's batches.
func copyRequest(dst *Counters, worker int, done chan<- int) func(own *Counters) {
	return func(own *Counters) {
		*dst = *own
		done <- worker
	}
}
