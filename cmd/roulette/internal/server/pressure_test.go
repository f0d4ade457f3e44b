package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
)

// TestPressure: short above the share, after the garbage was collected, until
// there is room again.
func TestPressure(t *testing.T) {
	var inUse atomic.Int64
	var log logged
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Logger: log.logger(slog.LevelInfo), Settings: Settings{MemoryShare: 90},
		memory: func() (uint64, uint64) { return 1_000_000, uint64(inUse.Load()) }})
	look := func(use int) {
		t.Helper()
		inUse.Store(int64(use))
		k.advance(t, s, time.Second)
		servertest.Await(t, "the garbage to be collected", func() bool { return !s.pressure.collecting.Load() })
	}
	status := func() int {
		t.Helper()
		c, status := ask(t, addr, servertest.Request(addr, "/echo"))
		if status == 101 {
			c.Leave()
		}
		return status
	}
	ready := func() string {
		w := httptest.NewRecorder()
		s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return strings.TrimSpace(w.Body.String())
	}
	guest := servertest.Dial(t, addr, "/echo")
	for _, step := range []struct {
		desc  string
		use   int
		short bool
	}{
		{"below", 900_000, false},
		{"above: collect first", 900_001, false},
		{"that has helped", 850_000, false},
		{"above again", 950_000, false},
		{"and still", 950_000, true},
		{"at the share", 900_000, true},
		{"not much less", 843_750, true},
		{"room", 843_749, false},
		{"the share does not matter while there is room", 899_999, false},
		{"above: collect first, again", 990_000, false},
		{"short", 990_000, true},
	} {
		look(step.use)
		want, text := http.StatusSwitchingProtocols, "ready"
		if step.short {
			want, text = http.StatusServiceUnavailable, "memory"
		}
		if got := status(); got != want || s.Ready() == step.short || ready() != text {
			t.Errorf("%s: a handshake is answered %d, ready %v, /readyz %q", step.desc, got, s.Ready(), ready())
		}
	}
	turnedAway(t, addr, http.StatusServiceUnavailable)
	if n := rejected(t, s, metrics.RejectMemory); n != 5 {
		t.Errorf("%d rejected", n)
	}
	guest.Write(enc(fin|textOp, "who is inside stays"))
	guest.Expect(textOp, "who is inside stays")
	if short, over := log.lines("memory is short"), log.lines("no longer short"); len(short) != 2 || len(over) != 1 {
		t.Errorf("logged %q and %q", short, over)
	}
	// Looked at as long as it lasts.
	before := s.pressure.collected
	for range 11 {
		look(990_000)
	}
	if s.pressure.collected == before {
		t.Error("the garbage is not collected any more")
	}
	settings := s.Settings()
	settings.MemoryShare = 0
	if err := s.Apply(settings); err != nil {
		t.Fatal(err)
	}
	look(990_000)
	if status() != http.StatusSwitchingProtocols {
		t.Error("refused though that is switched off")
	}
	guest.Leave()
}

// TestGoMemory: what is measured is what the limit is about.
func TestGoMemory(t *testing.T) {
	limit, before := goMemory()
	if limit != uint64(debug.SetMemoryLimit(-1)) {
		t.Errorf("limit %d", limit)
	}
	big := make([]byte, 64<<20)
	for i := range big {
		big[i] = 1
	}
	_, with := goMemory()
	if with < before+32<<20 {
		t.Errorf("%d, and %d with 64 MiB more", before, with)
	}
	if big[len(big)-1] != 1 {
		t.Error("gone")
	}
	big = nil
	debug.FreeOSMemory()
	if _, after := goMemory(); after > with-32<<20 {
		t.Errorf("%d, and %d when 64 MiB were given back", with, after)
	}
}
