//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"roulette/netpoll/nettest"
)

// Every mode against a server that does everything right.
func TestModes(t *testing.T) {
	const brief = 150 * time.Millisecond
	tests := []struct {
		name  string
		path  string
		c     Config
		check func(*Result) bool
	}{
		{"ping-pong", "/ws", Config{Connections: 50}, func(r *Result) bool { return r.Messages > 0 && r.Latency.Count > 0 }},
		{"ping-pong, several in flight", "/ws", Config{Connections: 10, InFlight: 5}, func(r *Result) bool { return r.Messages > 0 }},
		{"ping-pong, two loops", "/ws", Config{Connections: 50, Threads: 2}, func(r *Result) bool { return r.Messages > 0 }},
		{"ping-pong of an echo, binary", "/echo", Config{Connections: 15, Text: Binary, Size: 300}, func(r *Result) bool { return r.Messages > 0 }},
		{"ping-pong beside idle ones", "/ws", Config{Connections: 10, Idle: 20}, func(r *Result) bool { return r.Messages > 0 && r.Connected == 30 }},
		{"fixed rate", "/ws", Config{Connections: 40, Rate: 1000}, func(r *Result) bool {
			return r.Mode == Rate && r.Latency.Count > 100 && r.Latency.Count < 200
		}},
		{"fixed rate, two loops", "/ws", Config{Connections: 40, Rate: 1000, Threads: 2}, func(r *Result) bool {
			return r.Latency.Count > 100 && r.Latency.Count < 200
		}},
		{"stream", "/ws", Config{Mode: Stream, Connections: 4, SocketBuffer: 8 << 10}, func(r *Result) bool { return r.MiBPerSecond > 0 }},
		{"stream of large ones", "/ws", Config{Mode: Stream, Connections: 4, Size: 70000, SocketBuffer: 8 << 10}, func(r *Result) bool { return r.MiBPerSecond > 0 }},
		{"stream in Japanese", "/ws", Config{Mode: Stream, Connections: 4, Size: 1000, Text: Japanese}, func(r *Result) bool { return r.MiBPerSecond > 0 }},
		{"ping-pong in every script", "/ws", Config{Connections: 10, Size: 301, Text: Mixed}, func(r *Result) bool { return r.Messages > 0 }},
		{"stream of an echo", "/echo", Config{Mode: Stream, Connections: 2, SocketBuffer: 8 << 10}, func(r *Result) bool { return r.MiBPerSecond > 0 }},
		{"handshakes", "/ws", Config{Mode: Handshakes, Concurrency: 8}, func(r *Result) bool { return r.Handshakes > 0 && r.HandshakesPerSecond > 0 }},
		{"idle", "/ws", Config{Mode: Idle, Connections: 60, Steps: []int{60}, PID: os.Getpid()}, func(r *Result) bool {
			return r.Connected == 60 && len(r.Server.Steps) == 1 && r.Server.End.Descriptors > 0
		}},
		{"idle, again when it is calm", "/ws", Config{Mode: Idle, Connections: 40, PID: os.Getpid(), Calm: brief}, func(r *Result) bool {
			steps := r.Server.Steps
			return len(steps) == 4 && steps[3].Connections == 40 && steps[0].CalmOwn > 0
		}},
		{"ramp", "/ws", Config{Mode: Idle, Connections: 60, Ramp: 100 * time.Millisecond, Steps: []int{60}}, func(r *Result) bool {
			return r.Connected == 60 && r.ConnectSeconds >= 0.09
		}},
		{"churn", "/ws", Config{Mode: Churn, Connections: 20}, func(r *Result) bool { return r.Sessions > 0 }},
		{"churn of an echo, two loops", "/echo", Config{Mode: Churn, Connections: 20, Threads: 2}, func(r *Result) bool { return r.Sessions > 0 }},
		{"a byte at a time", "/ws", Config{Mode: Dribble, Connections: 20, Threads: 2}, func(r *Result) bool { return r.Connected == 20 }},
		{"slow receivers", "/ws", Config{Mode: Slow, Connections: 12, SocketBuffer: 4 << 10, PID: os.Getpid()}, func(r *Result) bool { return r.Messages > 0 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r relay
			c := test.c
			c.URL = r.start(t) + test.path
			c.Duration, c.Warmup, c.Drain, c.Settle = brief, brief/3, nettest.Patience, brief/3
			if c.Mode == Churn { // hellos are repeated every 200 ms
				c.Duration = 4 * brief
			}
			res, err := Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Err(); err != nil {
				t.Error(err)
			}
			if !test.check(res) {
				b, _ := json.Marshal(res)
				t.Errorf("%s", b)
			}
		})
	}
}

// A stall of the server shows in the latency of all that should have been sent
// meanwhile, not only of the one message that met it.
func TestStallShowsInLatency(t *testing.T) {
	const stall = 200 * time.Millisecond
	var r relay
	first := true
	r.spoil = func(n int, p packet) []packet {
		r.mu.Lock()
		defer r.mu.Unlock()
		if first && n > 20 {
			first = false
			pause(t.Context(), stall) // with the lock held: nobody is relayed
		}
		return []packet{p}
	}
	res, err := Run(t.Context(), Config{
		URL: r.start(t) + "/ws", Mode: Rate, Connections: 2, Rate: 1000,
		Duration: 400 * time.Millisecond, Warmup: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	// Half of the time nothing moved; what was due then waited 100 ms on average.
	if res.Latency.P90 < 50e3 {
		t.Errorf("90 %% within %.0f µs, although half of all met a stall of %v", res.Latency.P90, stall)
	}
}

func TestErrors(t *testing.T) {
	nettest.CheckLeaks(t)
	refuse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "full", http.StatusServiceUnavailable)
	}))
	defer refuse.Close()
	gone := silent(t)
	tests := []struct {
		name, want string
		c          Config
	}{
		{"not a URL", "ws://", Config{URL: "http://127.0.0.1/ws"}},
		{"nobody there", "no connection", Config{URL: "ws://127.0.0.1:1/ws"}},
		{"full", "no connection", Config{URL: "ws" + strings.TrimPrefix(refuse.URL, "http") + "/ws"}},
		{"no answer", "no connection", Config{URL: gone + "/ws", Timeout: 50 * time.Millisecond}},
		{"odd", "partner", Config{URL: "ws://127.0.0.1:1/ws", Connections: 3}},
		{"too small", "size", Config{URL: "ws://127.0.0.1:1/ws", Size: 8}},
		{"text", "unknown text", Config{URL: "ws://127.0.0.1:1/ws", Text: "klingon"}},
		{"mode", "unknown mode", Config{URL: "ws://127.0.0.1:1/ws", Mode: "x"}},
		{"two servers of different kinds", "not the same", Config{URL: "ws://127.0.0.1:1/ws", Nodes: []string{"ws://127.0.0.1:1/echo"}}},
		{"two echoes", "/echo", Config{URL: "ws://127.0.0.1:1/echo", Nodes: []string{"ws://127.0.0.1:2/echo"}}},
		{"across one", "two of them", Config{URL: "ws://127.0.0.1:1/ws", Across: true}},
		{"across, but changing", "tables", Config{URL: "ws://127.0.0.1:1/ws", Nodes: []string{"ws://127.0.0.1:2/ws"}, Across: true, Mode: Churn}},
		{"TLS with two names", "same name", Config{URL: "wss://localhost:1/ws", Nodes: []string{"wss://127.0.0.1:1/ws"}}},
		{"no such process", "server", Config{URL: "ws://127.0.0.1:1/ws", PID: 1 << 30}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.c.Connections == 0 {
				test.c.Connections = 4
			}
			_, err := Run(t.Context(), test.c)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// Connections that the server ends are counted by cause.
func TestClosedByServer(t *testing.T) {
	var r relay
	r.spoil = func(n int, p packet) []packet {
		if n == 3 {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, m := range r.members {
				_ = m.conn.CloseNow()
			}
			return nil
		}
		return []packet{p}
	}
	res, err := Run(t.Context(), Config{
		URL: r.start(t) + "/ws", Connections: 10, Duration: 100 * time.Millisecond,
		Warmup: time.Millisecond, Drain: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	var n uint64
	for _, v := range res.Errors {
		n += v
	}
	if n == 0 || res.Err() == nil {
		t.Errorf("errors %v", res.Errors)
	}
}

// A run that is cancelled says so, and reports what it has when it measured.
func TestCancel(t *testing.T) {
	var r relay
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var phases []string
	res, err := Run(ctx, Config{
		URL: r.start(t) + "/ws", Connections: 4, Duration: time.Hour, Warmup: time.Millisecond,
		ProgressEvery: 20 * time.Millisecond,
		Progress: func(p Progress) {
			phases = append(phases, p.Phase)
			if p.Phase == "measuring" && p.Messages > 100 {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) || res == nil || res.Messages == 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if len(phases) < 2 {
		t.Errorf("phases %v", phases)
	}
	res, err = Run(ctx, Config{URL: r.start(t) + "/ws", Connections: 4})
	if !errors.Is(err, context.Canceled) || res != nil {
		t.Errorf("cancelled before: %+v, %v", res, err)
	}
}

func TestStart(t *testing.T) {
	nettest.CheckLeaks(t)
	p, err := Start(t.Context(), nil, "sh", "-c", "echo hello; echo level=INFO msg='listening on http://127.0.0.1:4711' >&2; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	s, err := readSample(p.PID)
	if p.Addr != "127.0.0.1:4711" || err != nil || s.RSS < s.Own || s.Own == 0 || s.Descriptors < 3 {
		t.Errorf("%+v, %+v, %v", p, s, err)
	}
	p.Stop()
	if _, err := readSample(p.PID); err == nil {
		t.Error("still there")
	}
	if _, err := Start(t.Context(), nil, "sh", "-c", "echo out of paper; exit 1"); err == nil || !strings.Contains(err.Error(), "paper") {
		t.Errorf("error %v", err)
	}
}
