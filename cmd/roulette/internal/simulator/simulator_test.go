package simulator

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/netpoll/nettest"
)

var (
	seedFlag   = flag.Uint64("sim.seed", 0, "run this seed alone")
	firstFlag  = flag.Uint64("sim.first", 2, "run the seeds behind this one; 0: new ones")
	stepsFlag  = flag.Int("sim.steps", 1_000_000, "steps in all")
	allFlag    = flag.Bool("sim.all", false, "go on after a failure")
	runFlag    = flag.Int("sim.run", 10_000, "steps of one run")
	shrinkFlag = flag.Duration("sim.shrink", 20*time.Second, "look for so long for the fewest steps that fail")
)

// TestSimulation makes a million steps, the same ones each time, so that a change is
// judged by what it changes. CONTRIBUTING names the run over new seeds.
func TestSimulation(t *testing.T) {
	servertest.CheckLeaks(t)
	if *seedFlag != 0 {
		run(t, *seedFlag)
		return
	}
	steps := *stepsFlag
	if testing.Short() || nettest.RaceEnabled {
		steps = min(steps, 100_000)
	}
	first := *firstFlag
	if first == 0 {
		first = rand.Uint64()
	}
	begin := time.Now()
	var made, failed atomic.Int64
	var runs sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		runs.Go(func() {
			for failed.Load() == 0 || *allFlag {
				at := made.Add(int64(*runFlag)) - int64(*runFlag)
				if at >= int64(steps) {
					return
				}
				if f := Run(mix(first+uint64(at)), *runFlag, *shrinkFlag); f != nil {
					failed.Add(1)
					t.Error(f)
				}
			}
		})
	}
	runs.Wait()
	t.Logf("%d steps from seeds behind %d, %.0f a second", steps, first, float64(min(made.Load(), int64(steps)))/time.Since(begin).Seconds())
}

// TestSeeds runs what has failed once.
func TestSeeds(t *testing.T) {
	servertest.CheckLeaks(t)
	for _, s := range seeds {
		t.Log(s.found)
		run(t, s.seed)
	}
}

func run(t *testing.T, seed uint64) {
	t.Helper()
	if f := Run(seed, *runFlag, *shrinkFlag); f != nil {
		t.Fatal(f)
	}
}
