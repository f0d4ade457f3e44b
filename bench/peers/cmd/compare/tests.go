package main

import (
	"fmt"
	"strings"
	"time"

	"roulette/bench"
)

// A test is one way to load a server, and what is read off it.
type test struct {
	name     string
	unpinned bool
	config   bench.Config
	metrics  []metric
}

// A metric is one column of the table.
type metric struct {
	title  string
	value  func(*bench.Result) float64
	digits int
}

var (
	perSecond = metric{"messages/s", func(r *bench.Result) float64 { return r.PerSecond }, 0}
	perMsg    = metric{"CPU µs/message", func(r *bench.Result) float64 { return r.Server.CPUPerMessage }, 2}
	p99       = metric{"p99 µs", func(r *bench.Result) float64 { return quantile(r).P99 }, 0}
	p999      = metric{"p99.9 µs", func(r *bench.Result) float64 { return quantile(r).P999 }, 0}
	mib       = metric{"MiB/s", func(r *bench.Result) float64 { return r.MiBPerSecond }, 0}
	mibPerCPU = metric{"MiB/CPU s", func(r *bench.Result) float64 { return r.MiBPerSecond / max(r.Server.Busy, 1e-9) }, 0}
	perShake  = metric{"CPU µs/handshake", func(r *bench.Result) float64 { return r.Server.CPUPerHandshake }, 1}
	shakes    = metric{"handshakes/s", func(r *bench.Result) float64 { return r.HandshakesPerSecond }, 0}
	perConn   = metric{"B/idle connection", func(r *bench.Result) float64 { return r.Server.BytesPerConn }, 0}
	calmConn  = metric{"B/idle connection, 5 s later", func(r *bench.Result) float64 { return r.Server.CalmPerConn }, 0}
	busy      = metric{"% of a CPU", func(r *bench.Result) float64 { return 100 * r.Server.Busy }, 2}
	perStall  = metric{"KiB/stalled pair", func(r *bench.Result) float64 { return r.Server.GrowthPerStall / 1024 }, 0}
	sessions  = metric{"sessions/s", func(r *bench.Result) float64 { return float64(r.Sessions) / r.Seconds }, 0}
	arrival   = metric{"seconds to connect", func(r *bench.Result) float64 { return r.ConnectSeconds }, 2}
)

func quantile(r *bench.Result) bench.Latency {
	if r.Latency == nil {
		return bench.Latency{}
	}
	return *r.Latency
}

func allTests(o options) []test {
	n, rate := o.conns, float64(o.rate)
	// The relay in C knows no frame of 64 KiB and more: one byte less will do.
	return []test{
		{name: "pingpong", config: bench.Config{Mode: bench.PingPong, Connections: n}, metrics: []metric{perSecond, perMsg}},
		{name: "pingpong10k", config: bench.Config{Mode: bench.PingPong, Connections: 10000}, metrics: []metric{perSecond, perMsg}},
		{name: "latency", unpinned: true, config: bench.Config{Mode: bench.Rate, Connections: n, Rate: rate}, metrics: []metric{p99, p999}},
		{name: "latencyidle", unpinned: true, config: bench.Config{Mode: bench.Rate, Connections: n, Rate: rate, Idle: max(0, 19000-n)}, metrics: []metric{p99, p999}},
		{name: "stream64", config: bench.Config{Mode: bench.Stream, Connections: n}, metrics: []metric{mib, mibPerCPU}},
		{name: "stream16k", config: bench.Config{Mode: bench.Stream, Connections: n, Size: 16 << 10}, metrics: []metric{mib, mibPerCPU}},
		{name: "stream64k", config: bench.Config{Mode: bench.Stream, Connections: n, Size: 64<<10 - 1}, metrics: []metric{mib, mibPerCPU}},
		{name: "pingpongja", config: bench.Config{Mode: bench.PingPong, Connections: n, Text: bench.Japanese}, metrics: []metric{perSecond, perMsg}},
		{name: "stream16kja", config: bench.Config{Mode: bench.Stream, Connections: n, Size: 16 << 10, Text: bench.Japanese}, metrics: []metric{mib, mibPerCPU}},
		{name: "handshakes", config: bench.Config{Mode: bench.Handshakes}, metrics: []metric{shakes, perShake}},
		{name: "resumed", config: bench.Config{Mode: bench.Handshakes, Resume: true}, metrics: []metric{shakes, perShake}},
		{name: "arrive", config: bench.Config{Mode: bench.Idle, Connections: 10000, Concurrency: 10000, Steps: []int{10000}}, metrics: []metric{arrival}},
		{name: "idle", config: bench.Config{Mode: bench.Idle, Connections: 19000, Steps: []int{5000, 8500, 12000, 15500, 19000}, Resume: true, Calm: 5 * time.Second, Timeout: 5 * time.Minute}, metrics: []metric{perConn, calmConn}},
		{name: "idlecpu", config: bench.Config{Mode: bench.Idle, Connections: 19000}, metrics: []metric{busy}},
		{name: "churn", config: bench.Config{Mode: bench.Churn, Connections: n}, metrics: []metric{sessions, perMsg}},
		{name: "slow", config: bench.Config{Mode: bench.Slow, Connections: min(n, 40), Size: 1024}, metrics: []metric{mib, perStall}},
	}
}

func testNames() []string {
	var names []string
	for _, t := range allTests(options{}) {
		names = append(names, t.name)
	}
	return names
}

func pickTests(o options) ([]test, error) {
	var picked []test
	for _, name := range strings.Split(o.tests, ",") {
		found := false
		for _, t := range allTests(o) {
			if t.name == name {
				picked, found = append(picked, t), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no test %q, only %s", name, strings.Join(testNames(), " "))
		}
	}
	return picked, nil
}

// line sums up one run for the eye.
func (t test) line(r *bench.Result) string {
	var b strings.Builder
	for _, m := range t.metrics {
		fmt.Fprintf(&b, "%12s %-18s", number(m.value(r), m.digits), m.title)
	}
	fmt.Fprintf(&b, "server %3.0f %%, generator %3.0f %%", 100*r.Server.Busy, 100*r.Generator)
	return b.String()
}
