package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"roulette/bench"
)

// Every peer relays what it is compared by, without a fault.
func TestPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("builds five servers")
	}
	servers, err := build(t.Context(), options{only: "epoll,gorilla,gws,coder,article"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		p, err := s.start(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Stop()
		tests := []struct {
			name string
			path string
			c    bench.Config
		}{
			{"ping-pong", "/ws", bench.Config{Connections: 100, InFlight: 3}},
			{"echo", "/echo", bench.Config{Connections: 100, InFlight: 3, Text: bench.Binary}},
			{"beside idle ones", "/ws", bench.Config{Connections: 20, Idle: 50, Size: 126}},
			{"stream", "/ws", bench.Config{Mode: bench.Stream, Connections: 6, SocketBuffer: 8 << 10}},
			{"stream of large ones", "/ws", bench.Config{Mode: bench.Stream, Connections: 6, Size: 16 << 10}},
			{"stream of odd ones", "/ws", bench.Config{Mode: bench.Stream, Connections: 6, Size: 4099, SocketBuffer: 8 << 10}},
			{"slow receivers", "/ws", bench.Config{Mode: bench.Slow, Connections: 12, Size: 1024, SocketBuffer: 4 << 10}},
			{"churn", "/ws", bench.Config{Mode: bench.Churn, Connections: 100}},
			{"handshakes", "/ws", bench.Config{Mode: bench.Handshakes}},
		}
		for _, test := range tests {
			t.Run(s.name+"/"+test.name, func(t *testing.T) {
				if s.name == "article" && test.c.Mode == bench.Slow {
					t.Skip("a full socket blocks the goroutines of its pool, and with them everybody")
				}
				c := test.c
				c.URL, c.Duration, c.Warmup = "ws://"+p.Addr+test.path, 200*time.Millisecond, 50*time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				// A loaded machine may do nothing for a while: then for longer.
				for happened := false; !happened; c.Duration *= 4 {
					res, err := bench.Run(ctx, c)
					if err != nil {
						t.Fatal(err)
					}
					if err := res.Err(); err != nil {
						t.Fatal(err)
					}
					happened = res.Messages+res.Handshakes > 0
				}
			})
		}
	}
}

func TestTable(t *testing.T) {
	tests, err := pickTests(options{tests: "pingpong", conns: 10})
	if err != nil {
		t.Fatal(err)
	}
	servers := []server{{name: bound, title: "the limit"}, {name: "x", title: "x"}, {name: "y", title: "y"}}
	table := newTable(servers, tests)
	result := func(rate float64) *bench.Result {
		return &bench.Result{PerSecond: rate, Server: &bench.Server{CPUPerMessage: 1e6 / rate}}
	}
	for round, rates := range [][2]float64{{200000, 100000}, {100000, 90000}, {400000, 200000}} {
		table.add(round, servers[0], tests[0], result(rates[0]))
		table.add(round, servers[1], tests[0], result(rates[1]))
	}
	got := table.markdown(options{})
	for _, want := range []string{
		"| the limit | 200,000 | 5.00 |\n",
		"| x | 100,000 (0.50) | 10.00 (2.00) |\n",
		"| y | – | – |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if _, err := pickTests(options{tests: "nonsense"}); err == nil {
		t.Error("no error for an unknown test")
	}
}

// What benchmarks print becomes a table: variants beside the first of them.
func TestCapabilities(t *testing.T) {
	const printed = `goos: linux
BenchmarkRemote/size=64/link=local-2     1000   0 ns/op   5.000 µs/msg   2.0 cpu-µs/msg
BenchmarkRemote/size=64/link=remote-2    1000   0 ns/op   20.00 µs/msg   %s cpu-µs/msg
BenchmarkResume-2                         900   1100000 ns/op
BenchmarkUpgrade/conns=100                  1   0 ns/op   12.5 freeze-ms
--- SKIP: BenchmarkReports
PASS
`
	var m measurements
	for _, cpu := range []string{"4.0", "8.0", "5.0"} {
		m.read(strings.NewReader(strings.ReplaceAll(printed, "%s", cpu)))
	}
	got := m.markdown(options{rounds: 3})
	for _, want := range []string{
		"| Remote/size=64/link=local | 5 | µs/msg |\n",
		"| Remote/size=64/link=remote | 20 (4.00) | µs/msg |\n",
		"| Remote/size=64/link=remote | 5 (2.50) | cpu-µs/msg |\n",
		"| Resume | 1.1e+06 | ns/op |\n",
		"| Upgrade/conns=100 | 12.5 | freeze-ms |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n| "); n != 7 {
		t.Errorf("%d lines in\n%s", n, got)
	}
}
