package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roulette/bench"
	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/netpoll/nettest"
)

// The tests of these files, chaos_*_test.go, treat the real program badly, in a
// process of its own, and demand each time: healthy pairs beside the chaos get
// every message, in order, byte for byte, and none of them is closed; the program's
// memory stays under a stated bound; and when the chaos is over, its connections,
// descriptors and goroutines are what they were before. Times are logged as ratios
// to a calm measured in turn, and fail nothing.

// chaos is the program under bad treatment.
type chaos struct {
	*program.Process
	t           *testing.T
	descriptors int // before
	goroutines  int
	resident    int // bytes
}

// startChaos starts the program, and makes it make whatever is made at first use.
func startChaos(t *testing.T, l program.Launch) *chaos {
	t.Helper()
	program.RaiseDescriptors(t)
	c := &chaos{Process: l.Serve(t), t: t}
	program.Converse(t, c.Addr)
	program.Get(t, "http://"+c.Addr+"/")
	c.awaitRest()
	c.descriptors, c.goroutines = c.Descriptors(t), c.Goroutines(t)
	c.resident = c.status("VmRSS")
	return c
}

func (c *chaos) awaitRest() {
	c.t.Helper()
	servertest.Await(c.t, "everybody to be gone", func() bool { return c.AtRest(c.t) })
}

// status is a figure of /proc/PID/status in bytes (proc_pid_status(5)).
func (c *chaos) status(key string) int {
	c.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Cmd.Process.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			kB, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				c.t.Fatal(err)
			}
			return kB << 10
		}
	}
	c.t.Fatalf("no %s in the status", key)
	return 0
}

// end demands that the program is as it was before and that its memory was never
// more than bound bytes above what it was at first. The race detector multiplies
// memory, so there is no bound with it.
func (c *chaos) end(bound int) {
	t := c.t
	t.Helper()
	c.awaitRest()
	// Fewer is as good: a connection of the page or of a scrape may have been on its
	// way out when it was counted.
	servertest.Await(t, fmt.Sprintf("%d descriptors and %d goroutines, as before", c.descriptors, c.goroutines), func() bool {
		return c.Descriptors(t) <= c.descriptors && c.Goroutines(t) <= c.goroutines
	})
	peak := c.status("VmHWM") - c.resident
	t.Logf("memory: %.1f MiB at first, %.1f MiB more at most, of %.1f allowed", mebi(c.resident), mebi(peak), mebi(bound))
	if peak > bound && !nettest.RaceEnabled {
		t.Errorf("memory grew by %.1f MiB, more than %.1f", mebi(peak), mebi(bound))
	}
	program.Converse(t, c.Addr)
	c.Stop(t)
}

func mebi(bytes int) float64 { return float64(bytes) / (1 << 20) }

// calmGrowth is what a few dozen clients, scrapes and the garbage of all that add
// to the memory of the program at rest: some MiB of heap beside the base, which is
// allowed to be a quarter garbage, and the stacks and pages first touched.
const calmGrowth = 24 << 20

// healthyPairs is how many pairs talk beside the chaos, at this rate in all.
const (
	healthyPairs = 20
	healthyRate  = 400 // messages a second: 10 for each client
)

// healthyLoad is those pairs; fields that are set replace the usual ones.
func (c *chaos) healthyLoad(d time.Duration) bench.Config {
	return bench.Config{
		URL: "ws://" + c.Addr + "/ws", Mode: bench.Rate, Connections: 2 * healthyPairs, Rate: healthyRate,
		Duration: d, Warmup: 50 * time.Millisecond, Drain: servertest.Patience, Timeout: servertest.Patience,
	}
}

// healthyFor lets the healthy talk for so long, and judges them.
func (c *chaos) healthyFor(d time.Duration) *bench.Result {
	c.t.Helper()
	r, err := bench.Run(context.Background(), c.healthyLoad(d))
	c.judge(r, err)
	return r
}

// judge demands of a run that nothing was lost and nobody closed.
func (c *chaos) judge(r *bench.Result, err error) {
	c.t.Helper()
	switch {
	case err != nil && !errors.Is(err, context.Canceled) || r == nil:
		c.t.Fatalf("the healthy: %v", err)
	case r.Err() != nil:
		c.t.Errorf("the healthy: %v", r.Err())
	case r.Messages == 0 && r.Mode == bench.Rate:
		c.t.Error("no healthy message arrived")
	}
}

// crew is a load that runs until it is stopped.
type crew struct {
	stop     context.CancelFunc
	messages atomic.Uint64 // that have arrived so far
	done     chan struct{}
	res      *bench.Result
	err      error
}

// begin starts a load and returns when all its clients are at it. They meet each
// other if nobody else waits.
func (c *chaos) begin(load bench.Config) *crew {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &crew{stop: cancel, done: make(chan struct{})}
	begun := make(chan struct{})
	load.ProgressEvery = 20 * time.Millisecond
	load.Progress = func(p bench.Progress) {
		if w.messages.Store(p.Messages); p.Phase == "measuring" && begun != nil {
			close(begun)
			begun = nil
		}
	}
	at := begun
	go func() {
		defer close(w.done)
		w.res, w.err = bench.Run(ctx, load)
	}()
	c.t.Cleanup(func() { cancel(); <-w.done })
	select {
	case <-at:
	case <-w.done:
	}
	return w
}

// finish ends a load and judges it. Those who talk have gone on doing so.
func (c *chaos) finish(w *crew) *bench.Result {
	c.t.Helper()
	if before := w.messages.Load(); before > 0 {
		servertest.Await(c.t, "the healthy to go on", func() bool { return w.messages.Load() > before+healthyRate/10 })
	}
	w.stop()
	<-w.done
	c.judge(w.res, w.err)
	return w.res
}

// beside measures the healthy in turn without and with the chaos, which attack
// starts and stop stops, and logs the medians of their 99th percentiles and the
// ratio. What happens in the time settle, when the chaos has just begun, is not
// measured.
func (c *chaos) beside(what string, rounds int, settle time.Duration, attack func() (stop func())) {
	c.t.Helper()
	p99 := func() float64 {
		load := c.healthyLoad(200 * time.Millisecond)
		load.Warmup = settle
		r, err := bench.Run(context.Background(), load)
		c.judge(r, err)
		if r.Latency == nil {
			c.t.Fatal("no latency was measured")
		}
		return r.Latency.P99
	}
	var calm, rough []float64
	for range rounds {
		calm = append(calm, p99())
		stop := attack()
		rough = append(rough, p99())
		stop()
	}
	a, b := median(calm), median(rough)
	c.t.Logf("%s: p99 of the healthy %.0f µs, %.0f µs in calm, %.2f times", what, b, a, b/a)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
