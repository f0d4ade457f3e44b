package server

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
)

// TestPressure: new chats are refused while memory is short, and who is inside
// stays. (When it is short, package host knows.)
func TestPressure(t *testing.T) {
	var inUse atomic.Int64
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Logger: slog.New(slog.DiscardHandler), Settings: Settings{MemoryShare: 90},
		memory: func() (uint64, uint64) { return 1_000_000, uint64(inUse.Load()) }})
	guest := servertest.Dial(t, addr, "/echo")
	for _, step := range []struct {
		desc   string
		use    int64
		share  int
		status int
		ready  string
	}{
		{"room", 900_000, 90, http.StatusSwitchingProtocols, "ready"},
		{"short", 950_000, 90, http.StatusServiceUnavailable, "memory"},
		{"room again", 800_000, 90, http.StatusSwitchingProtocols, "ready"},
		{"short again", 990_000, 90, http.StatusServiceUnavailable, "memory"},
		{"switched off", 990_000, 0, http.StatusSwitchingProtocols, "ready"},
	} {
		settings := s.Settings()
		settings.MemoryShare = step.share
		if err := s.Apply(settings); err != nil {
			t.Fatal(err)
		}
		inUse.Store(step.use)
		servertest.Await(t, step.desc, func() bool {
			k.advance(t, s, time.Second)
			return s.pressure.Short() == (step.status == http.StatusServiceUnavailable)
		})
		c, status := ask(t, addr, servertest.Request(addr, "/echo"))
		if status == http.StatusSwitchingProtocols {
			c.Leave()
		}
		if ready := strings.TrimSpace(page(s, "/readyz").Body.String()); status != step.status || ready != step.ready {
			t.Errorf("%s: a handshake is answered %d, /readyz %q", step.desc, status, ready)
		}
		if status == http.StatusServiceUnavailable {
			turnedAway(t, addr, status)
		}
	}
	if n := rejected(t, s, metrics.RejectMemory); n != 4 {
		t.Errorf("%d rejected", n)
	}
	guest.Write(enc(fin|textOp, "who is inside stays"))
	guest.Expect(textOp, "who is inside stays")
	guest.Leave()
}
