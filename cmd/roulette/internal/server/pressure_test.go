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
	"roulette/netpoll"
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

// TestShedding: when memory is dire, the connections that hold much of it are
// closed, and the others stay.
func TestShedding(t *testing.T) {
	var inUse atomic.Int64
	inUse.Store(950_000) // short
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Workers: 1, Logger: slog.New(slog.DiscardHandler),
		Settings: Settings{MemoryShare: 90, PingInterval: time.Hour},
		memory:   func() (uint64, uint64) { return 1_000_000, uint64(inUse.Load()) }})
	idle, little, much := servertest.Dial(t, addr, "/echo"), servertest.Dial(t, addr, "/echo"), servertest.Dial(t, addr, "/echo")
	servertest.Await(t, "memory is short", func() bool {
		k.advance(t, s, time.Second)
		return s.pressure.Short()
	})
	short, long := text(strings.Repeat("s", 1000)), text(strings.Repeat("l", 60_000))
	little.Write(short[:500])
	much.Write(long[:30_000])
	servertest.Await(t, "both have begun a message", func() bool {
		held := 0
		eachConn(t, s, func(_ *handler, c *netpoll.Conn) { held += holds(c) })
		return held >= 500+29_000
	})
	k.advance(t, s, 2*time.Second)
	if n := s.poller.Count(); n != 3 {
		t.Fatalf("%d of 3 are left while memory is only short", n)
	}
	inUse.Store(960_000)
	k.advance(t, s, 2*time.Second)
	k.advance(t, s, 2*time.Second)
	much.ExpectClose(4453)
	little.Write(short[500:])
	little.Expect(servertest.OpText, strings.Repeat("s", 1000))
	idle.Write(text("still here"))
	idle.Expect(servertest.OpText, "still here")
}
