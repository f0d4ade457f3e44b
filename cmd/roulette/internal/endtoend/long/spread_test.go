//go:build long

package long

import (
	"context"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// TestDrainOfMany: nobody of 10,000 is reset, however much is under way.
func TestDrainOfMany(t *testing.T) { program.Drained(t, 10_000, 20_000, "10s") }

// TestDrainSpread: of a crowd that is sent away, each tenth of the time gets its
// share: those who come back do not come at once.
func TestDrainSpread(t *testing.T) {
	pause := longestPause(t)
	d := program.Drained(t, 15_000, 100, "15s")
	if longest := pause(); longest.Seconds() > d.SpreadSeconds/100 {
		t.Logf("not judged: for %v this machine had no time for anybody", longest)
		return
	}
	for i, n := range d.Tenths {
		if share := float64(n) / float64(d.Goodbyes); share < 0.05 || share > 0.15 {
			t.Errorf("tenth %d: %.1f %%", i, 100*share)
		}
	}
}

// longestPause begins to watch for how long this process, which has nothing to do
// but that, is not run; the function it returns ends it and tells.
func longestPause(t *testing.T) (end func() time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	longest := make(chan time.Duration)
	go func() {
		var most time.Duration
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for last := time.Now(); ctx.Err() == nil; {
			<-ticker.C
			most = max(most, time.Since(last))
			last = time.Now()
		}
		longest <- most
	}()
	return func() time.Duration { cancel(); return <-longest }
}
