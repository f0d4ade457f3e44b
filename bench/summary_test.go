//go:build linux

package bench

import (
	"os"
	"testing"
	"time"
)

func ExampleResult_WriteSummary() {
	r := Result{
		Mode: Rate, URL: "ws://127.0.0.1:8080/ws", Connections: 1000, Size: 64, Seconds: 10,
		Connected: 998, ConnectSeconds: 0.05, Messages: 200000, PerSecond: 20000, MiBPerSecond: 1.22,
		Latency:   &Latency{P50: 55.3, P90: 80, P99: 612.5, P999: 2345.6, Max: 4000},
		Errors:    map[string]uint64{"closed by the server: 4408": 2},
		Server:    &Server{Busy: 0.31, CPUPerMessage: 15.2, Before: Sample{RSS: 8 << 20}, After: Sample{RSS: 9 << 20}},
		Generator: 0.6,
	}
	r.WriteSummary(os.Stdout)
	// Output:
	// rate ws://127.0.0.1:8080/ws, 1000 connections, 64 B, 10.0 s
	//
	//   connected              998, in 0.05 s
	//   messages               200000  20000/s  1.22 MiB/s
	//   latency                p50 55.3µs  p90 80µs  p99 612.5µs  p99.9 2.35ms  max 4ms
	//   server CPU             31.0 %
	//                          15.20 µs/message
	//   server memory          8.0 MiB before, 9.0 MiB after
	//   generator CPU          60 %
	//   faults                 none
	//   errors                 2  closed by the server: 4408
}

func ExampleProgress_String() {
	p := Progress{Phase: "measuring", Elapsed: 3 * time.Second, Left: 7 * time.Second, Connected: 998, Failed: 2, Messages: 60000, PerSecond: 20000}
	os.Stdout.WriteString(p.String())
	// Output: 3.0s  measuring   998 open, 2 failed  20000/s  7 s left
}

// TestSlope: the line that fits best, whatever they cost that are there anyway.
func TestSlope(t *testing.T) {
	rss := func(s Step) int64 { return s.RSS }
	for _, test := range []struct {
		what  string
		steps []Step
		want  float64
	}{
		{"none", nil, 0},
		{"one", []Step{{Connections: 10, RSS: 5}}, 0},
		{"the same twice", []Step{{Connections: 10, RSS: 5}, {Connections: 10, RSS: 9}}, 0},
		{"two", []Step{{Connections: 10, RSS: 1000}, {Connections: 20, RSS: 2000}}, 100},
		{"beside a line", []Step{{Connections: 0, RSS: 5000}, {Connections: 10, RSS: 5010}, {Connections: 20, RSS: 5080}, {Connections: 30, RSS: 5090}}, 3.4},
	} {
		if got := Slope(test.steps, rss); got < test.want-1e-9 || got > test.want+1e-9 {
			t.Errorf("%s: %v, not %v", test.what, got, test.want)
		}
	}
}
