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
	seedFlag      = flag.Uint64("sim.seed", 0, "run this seed alone")
	firstFlag     = flag.Uint64("sim.first", 2, "run the seeds behind this one; 0: new ones")
	stepsFlag     = flag.Int("sim.steps", 1_000_000, "steps in all")
	nodeStepsFlag = flag.Int("sim.nodesteps", 100_000, "steps of several nodes in all")
	allFlag       = flag.Bool("sim.all", false, "go on after a failure")
	runFlag       = flag.Int("sim.run", 10_000, "steps of one run")
	shrinkFlag    = flag.Duration("sim.shrink", 20*time.Second, "look for so long for the fewest steps that fail")
)

// TestSimulation makes a million steps, the same ones each time, so that a change is
// judged by what it changes. CONTRIBUTING names the run over new seeds.
func TestSimulation(t *testing.T) {
	if *seedFlag != 0 {
		replay(t, Run, *seedFlag)
		return
	}
	simulate(t, Run, *stepsFlag)
}

// TestNodes is TestSimulation with several servers, on a bus that loses words.
func TestNodes(t *testing.T) {
	if *seedFlag != 0 {
		replay(t, RunNodes, *seedFlag)
		return
	}
	simulate(t, RunNodes, *nodeStepsFlag)
}

// simulate makes so many steps, in runs of *runFlag.
func simulate(t *testing.T, play func(uint64, int, time.Duration) *Failure, steps int) {
	servertest.CheckLeaks(t)
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
				if f := play(mix(first+uint64(at)), *runFlag, *shrinkFlag); f != nil {
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
	for _, s := range seeds {
		t.Log(s.found)
		replay(t, Run, s.seed)
	}
}

func replay(t *testing.T, play func(uint64, int, time.Duration) *Failure, seed uint64) {
	t.Helper()
	servertest.CheckLeaks(t)
	if f := play(seed, *runFlag, *shrinkFlag); f != nil {
		t.Fatal(f)
	}
}
