package program

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roulette/bench"
	"roulette/netpoll/nettest"
)

// Drained has so many clients, in pairs, exchange so many messages a second, sends
// SIGTERM, and demands that each of them is sent away by 1001 and a clean end, and
// that the program then ends in peace.
func Drained(t testing.TB, clients int, rate float64, drainTime string) *bench.Drained {
	t.Helper()
	clients = affordable(t, clients)
	p := Serve(t, "--drain-time="+drainTime)
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
func affordable(t testing.TB, clients int) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if nettest.RaceEnabled {
		clients = min(clients, 2000)
	}
	return int(min(uint64(clients), limit.Cur-min(limit.Cur, 500))) &^ 1
}
