package server

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/host"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
	"roulette/netpoll"
)

// logged is a log that a test reads.
type logged struct{ servertest.Buffer }

// lines are those that have all of the words.
func (l *logged) lines(words ...string) (lines []string) {
next:
	for line := range strings.Lines(l.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func (l *logged) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}

// refusalCase is a reason for which a chat is refused, and how it comes to that.
type refusalCase struct {
	why      metrics.RejectReason
	status   int
	level    string
	settings Settings
	origin   string
	page     bool // it is a page that is asked for
	plain    Plain
	memory   host.Memory
	before   func(t *testing.T, s *Server, addr string)
}

// start starts a server that refuses for the reason.
func (r *refusalCase) start(t *testing.T, log *slog.Logger) (*fromAfar, *Server, string) {
	k := &fromAfar{stoppedClock: newStoppedClock()}
	k.set(refusedClient)
	s, addr := start(t, Config{Kernel: k, Settings: r.settings, Plain: r.plain, Logger: log, memory: r.memory})
	if r.before != nil {
		r.before(t, s, addr)
	}
	if r.why == metrics.RejectMemory {
		servertest.Await(t, "memory to be short", func() bool {
			k.advance(t, s, time.Second)
			return s.pressure.Short()
		})
	}
	return k, s, addr
}

const refusedClient = "192.0.2.1"

// request is what is refused.
func (r *refusalCase) request(addr string) string {
	if r.page {
		return pageRequest("GET", "/")
	}
	if r.origin != "" {
		return servertest.Request(addr, "/ws", "Origin: "+r.origin)
	}
	return servertest.Request(addr, "/ws")
}

func refusalCases(t *testing.T) []refusalCase {
	return []refusalCase{
		{why: metrics.RejectMaxConnections, status: 503, level: "WARN", settings: Settings{MaxConnections: 1},
			before: func(t *testing.T, _ *Server, addr string) { servertest.Dial(t, addr, "/echo") }},
		{why: metrics.RejectPerAddress, status: 429, level: "INFO", settings: Settings{MaxConnectionsPerAddress: 1},
			before: func(t *testing.T, _ *Server, addr string) { servertest.Dial(t, addr, "/echo") }},
		{why: metrics.RejectHandshakeRate, status: 429, level: "INFO", settings: Settings{HandshakesPerAddress: 1},
			before: func(t *testing.T, _ *Server, addr string) {
				for range 4 {
					servertest.Dial(t, addr, "/echo").Leave()
				}
			}},
		{why: metrics.RejectBanned, status: 403, level: "INFO",
			before: func(t *testing.T, s *Server, _ string) { ban(t, s, "192.0.2.0/24") }},
		{why: metrics.RejectPlain, status: 403, level: "INFO", plain: PlainOff},
		{why: metrics.RejectOrigin, status: 403, level: "INFO", origin: "https://evil.example"},
		{why: metrics.RejectDraining, status: 503, level: "INFO",
			before: func(_ *testing.T, s *Server, _ string) { s.phase.Store(int32(phaseDraining)) }},
		{why: metrics.RejectMemory, status: 503, level: "WARN", settings: Settings{MemoryShare: 90},
			memory: func() (limit, inUse uint64) { return 100, 95 }},
		{why: metrics.RejectProxyHeader, status: 400, level: "INFO",
			settings: Settings{ProxyProtocol: true, TrustedProxies: trusted(t, refusedClient)}},
		{why: metrics.RejectPages, status: 503, level: "WARN", page: true,
			before: func(t *testing.T, s *Server, _ string) {
				s.http.open.Add(maxHTTP)
				t.Cleanup(func() { s.http.open.Add(-maxHTTP) })
			}},
	}
}

// TestRefusals: each reason is answered, counted, and logged: the first refusal
// at once, the others as a number after a while, and without an address.
func TestRefusals(t *testing.T) {
	for _, tc := range refusalCases(t) {
		t.Run(tc.why.String(), func(t *testing.T) {
			var log logged
			k, s, addr := tc.start(t, log.logger(slog.LevelInfo))
			request := tc.request(addr)
			lines := func() []string { return log.lines("connections refused", "level="+tc.level, "reason="+tc.why.String()) }
			check := func(want ...int) {
				t.Helper()
				got := lines()
				if len(got) != len(want) {
					t.Fatalf("logged %q, want %d lines", got, len(want))
				}
				for i, n := range want {
					if !strings.HasSuffix(got[i], fmt.Sprintf(" number=%d\n", n)) {
						t.Errorf("line %d: %q, want number %d", i, got[i], n)
					}
				}
			}
			for i := range 3 {
				if _, status := ask(t, addr, request); status != tc.status {
					t.Fatalf("request %d: %d", i, status)
				}
			}
			if n := rejected(t, s, tc.why); n != 3 {
				t.Errorf("counted %d times", n)
			}
			check(1)
			k.advance(t, s, 9*time.Second)
			check(1)
			k.advance(t, s, time.Second)
			check(1, 2)
			k.advance(t, s, 10*time.Second) // a quiet period
			check(1, 2)
			if len(log.lines(refusedClient)) > 0 {
				t.Errorf("an address was logged: %q", log.lines(refusedClient))
			}
			if others := len(log.lines("connections refused")) - len(lines()); others > 0 {
				t.Errorf("%d lines for other reasons", others)
			}
		})
	}
}

func TestSampledLog(t *testing.T) {
	var log logged
	l := newRefusalLog(log.logger(slog.LevelInfo))
	const begin = 1<<32 - 5_000 // the clock wraps in between
	now := uint32(begin & (1<<32 - 1))
	l.note(int(metrics.RejectOrigin), 1, now)
	l.note(int(metrics.RejectOrigin), 4, now+1)
	l.note(int(metrics.RejectPerAddress), 1, now+1)
	l.flush(now - 250) // a worker whose clock is behind
	l.flush(now + 9_999)
	if n := len(log.lines()); n != 2 {
		t.Fatalf("%d lines, want the first of each reason", n)
	}
	l.flush(now + 10_000)
	l.note(int(metrics.RejectOrigin), 2, now+10_001)
	l.flush(now + 19_999)
	if got := log.lines("origin"); len(got) != 2 || !strings.Contains(got[1], "number=4") {
		t.Fatalf("logged %q", got)
	}
	l.flush(now + 20_000)
	l.flush(now + 30_000) // nothing more: quiet no longer
	l.note(int(metrics.RejectOrigin), 1, now+30_001)
	if got := log.lines("origin"); len(got) != 4 || !strings.Contains(got[2], "number=2") || !strings.Contains(got[3], "number=1") {
		t.Errorf("logged %q", got)
	}
}

// TestKickLog: each reason for which the server closes a connection leaves a line,
// without an address; what the client or an operator ends leaves none.
func TestKickLog(t *testing.T) {
	var log logged
	k := &fromAfar{stoppedClock: newStoppedClock()}
	k.set(refusedClient)
	s, addr := start(t, Config{Kernel: k, Logger: log.logger(slog.LevelInfo), Settings: Settings{MessageRate: 1, MessageBurst: 1}})
	for range 3 {
		c := servertest.Dial(t, addr, "/echo")
		for range 5 {
			c.Write(text("x"))
		}
		for range 2 {
			c.Expect(textOp, "x")
		}
		c.ExpectClose(4429)
	}
	servertest.Dial(t, addr, "/echo").Leave()
	silent := servertest.Dial(t, addr, "/echo")
	k.advance(t, s, 25*time.Second)
	k.advance(t, s, 10*time.Second)
	for f, err := silent.Read(); err == nil; f, err = silent.Read() {
		if f.Code() == 4408 {
			break
		}
	}
	for want, n := range map[string]int{
		`reason="rate limit exceeded" code=4429 number=1`: 1,
		`reason="rate limit exceeded" code=4429 number=2`: 1,
		`reason="no pong in time" code=4408 number=1`:     1,
		"connections closed":                              3,
		refusedClient:                                     0,
	} {
		if got := log.lines(want); len(got) != n {
			t.Errorf("%q with %s, want %d", got, want, n)
		}
	}
}

// TestAddressesAreForDebugging: at that level, and there alone, one can see who
// is who.
func TestAddressesAreForDebugging(t *testing.T) {
	var log logged
	k := &fromAfar{stoppedClock: newStoppedClock()}
	s, addr := start(t, Config{Kernel: k, Logger: log.logger(slog.LevelDebug),
		Settings: Settings{MaxConnectionsPerAddress: 1, TrustedProxies: trusted(t, "10.0.0.0/8")}})
	k.set("192.0.2.1")
	c := servertest.Dial(t, addr, "/echo")
	turnedAway(t, addr, 429)
	c.Leave()
	k.set("10.0.0.1")
	c, _ = ask(t, addr, servertest.Request(addr, "/echo", "X-Forwarded-For: 192.0.2.2"))
	c.Leave()
	awaitNobody(t, s)
	for _, want := range [][]string{
		{"msg=client", "address=192.0.2.1", "source=socket"},
		{"msg=client", "address=192.0.2.2", "source=X-Forwarded-For"},
		{"msg=refused", "reason=per_address", "conn="},
	} {
		if len(log.lines(want...)) == 0 {
			t.Errorf("no line with %q", want)
		}
	}
}

// TestRefusalsBelow: what netpoll refuses by itself is counted once, and logged
// though nobody asks for metrics.
func TestRefusalsBelow(t *testing.T) {
	var log logged
	k := newStoppedClock()
	s, _ := start(t, Config{Kernel: k, Workers: 1, Logger: log.logger(slog.LevelInfo)})
	onWorkers(t, s, func(h *handler) {
		for range 3 {
			h.Refused(netpoll.TooMany)
		}
		for range 2 {
			h.Refused(netpoll.NoDescriptors)
		}
	})
	k.advance(t, s, 11*time.Second)
	for _, want := range []struct {
		why metrics.RejectReason
		n   int
	}{{metrics.RejectMaxConnections, 3}, {metrics.RejectDescriptorLimit, 2}} {
		// The first at once, the others when the period is over.
		for _, n := range []int{1, want.n - 1} {
			lines := log.lines("level=WARN", "reason="+want.why.String(), fmt.Sprintf("number=%d", n))
			if len(lines) == 0 {
				t.Errorf("no line for %d of %v", n, want.why)
			}
		}
		for range 2 {
			if n := rejected(t, s, want.why); n != want.n {
				t.Errorf("%v: %d counted, want %d", want.why, n, want.n)
			}
		}
	}
}
