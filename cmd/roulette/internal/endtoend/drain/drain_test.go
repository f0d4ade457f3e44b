package drain

import (
	"context"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roulette/bench"
	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/netpoll/nettest"
)

// drained has so many clients, in pairs, exchange so many messages a second, sends
// SIGTERM, and demands that each of them is sent away by 1001 and a clean end, and
// that the program then ends in peace.
func drained(t *testing.T, clients int, rate float64, drainTime string) *bench.Drained {
	t.Helper()
	clients = affordable(t, clients)
	p := program.Serve(t, "--drain-time="+drainTime)
	r, err := bench.Run(t.Context(), bench.Config{
		URL: "ws://" + p.Addr + "/ws", Mode: bench.Drain,
		Connections: clients, Rate: rate,
		Warmup: 2 * time.Second, Duration: time.Minute, Timeout: 2 * time.Minute,
		Begin: func() { p.Signal(t, syscall.SIGTERM) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	d := r.Drained
	t.Logf("%d clients, %.0f messages/s: 1001 after %.2f s, for %.2f s, in tenths %d", clients, d.LoadPerSecond, d.FirstSeconds, d.SpreadSeconds, d.Tenths)
	if d.Goodbyes != clients || d.Left != 0 {
		t.Errorf("%d of %d sent away as they should be, %d left", d.Goodbyes, clients, d.Left)
	}
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(p.Stderr.String(), "msg=drained\n") {
		t.Error("it does not say that all have gone")
	}
	return d
}

// affordable is how many of the clients there are descriptors for.
func affordable(t *testing.T, clients int) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if nettest.RaceEnabled {
		clients = min(clients, 2000)
	}
	return int(min(uint64(clients), limit.Cur-min(limit.Cur, 500))) &^ 1
}

// TestDrainUnderLoad: nobody is reset, however much is under way.
func TestDrainUnderLoad(t *testing.T) { drained(t, 10_000, 20_000, "10s") }

// TestDrainSpread: of a crowd that is sent away, each tenth of the time gets its
// share: those who come back do not come at once.
func TestDrainSpread(t *testing.T) {
	pause := longestPause(t)
	d := drained(t, 15_000, 100, "15s")
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

// TestDrainGraceServes: the program is not ready any more, and yet whoever comes is
// served; a second signal ends that, too.
func TestDrainGraceServes(t *testing.T) {
	p := program.Serve(t, "--drain-grace=1h")
	if status, body := program.Get(t, "http://"+p.Admin+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz before: %d %q", status, body)
	}
	p.Signal(t, syscall.SIGTERM)
	servertest.Await(t, "not to be ready", func() bool {
		status, _ := program.Get(t, "http://"+p.Admin+"/readyz")
		return status == http.StatusServiceUnavailable
	})
	program.Converse(t, p.Addr)
	if got := p.Metric(t, "roulette_draining"); got != 1 {
		t.Errorf("roulette_draining: %v", got)
	}
	p.Signal(t, syscall.SIGTERM)
	if code := p.Exit(t); code != program.Failed {
		t.Errorf("exit code %d", code)
	}
}
