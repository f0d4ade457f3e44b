package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"roulette/bench"
	"roulette/cmd/roulette/internal/endtoend/program"
)

// place is where the pairs of a measurement are.
type place struct {
	name  string
	spent []int // the processes whose time it costs
	load  bench.Config
	ways  []float64 // µs, of each round
	tails []float64 // µs, the 99th percentile
	cpu   []float64 // µs for a message
	rates []float64 // messages a second
}

// BenchmarkCluster starts a bus and two nodes, and has pairs talk, each message answered
// at once: on one node that has no cluster (alone), on one that has (local), and between two
// (remote), all in turn, so that they are measured in the same weather. The figures are
// medians of the rounds: of a way, and of the processor time of all servers and the bus for
// a message.
//
//	go test ./cmd/roulette/internal/endtoend/cluster -run - -bench Cluster -benchtime 10x
func BenchmarkCluster(b *testing.B) {
	bus := program.StartBus(b)
	flags := []string{"--max-connections-per-address=0", "--handshakes-per-address=0"}
	alone := program.Serve(b, append([]string{"--message-rate=0"}, flags...)...)
	nodes := startNodes(b, bus, 2, flags...)
	url := func(p *program.Process) string { return "ws://" + p.Addr + "/ws" }
	for _, pairs := range []int{8, 128} {
		b.Run(fmt.Sprintf("pairs=%d", pairs), func(b *testing.B) {
			places := []*place{
				{name: "alone", spent: []int{alone.Cmd.Process.Pid}, load: bench.Config{URL: url(alone)}},
				{name: "local", spent: []int{nodes[0].Cmd.Process.Pid}, load: bench.Config{URL: url(nodes[0])}},
				{name: "remote", spent: []int{nodes[0].Cmd.Process.Pid, nodes[1].Cmd.Process.Pid, bus.PID()},
					load: bench.Config{URL: url(nodes[0]), Nodes: []string{url(nodes[1])}, Across: true}},
			}
			for range b.N {
				for _, p := range places {
					p.round(b, pairs)
				}
			}
			b.ReportMetric(0, "ns/op") // a round's length says nothing
			for _, p := range places {
				b.ReportMetric(median(p.ways), p.name+"-µs/way")
				b.ReportMetric(median(p.tails), p.name+"-p99-µs/way")
				b.ReportMetric(median(p.cpu), p.name+"-cpu-µs/message")
				b.ReportMetric(median(p.rates), p.name+"-messages/s")
			}
			b.ReportMetric(ratio(places[1].cpu, places[0].cpu), "local/alone-cpu")
			b.ReportMetric(ratio(places[1].rates, places[0].rates), "local/alone-rate")
			b.ReportMetric(ratio(places[2].cpu, places[1].cpu), "remote/local-cpu")
		})
	}
}

// round has so many pairs talk for a second.
func (p *place) round(b *testing.B, pairs int) {
	b.Helper()
	var before time.Duration
	p.load.Mode, p.load.Connections = bench.PingPong, 2*pairs
	p.load.Duration, p.load.Warmup = time.Second, 200*time.Millisecond
	p.load.Begin = func() { before = cpuOf(b, p.spent) }
	var spent time.Duration
	p.load.End = func() { spent = cpuOf(b, p.spent) - before }
	r, err := bench.Run(b.Context(), p.load)
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		b.Fatal(err)
	}
	p.ways = append(p.ways, r.Latency.P50)
	p.tails = append(p.tails, r.Latency.P99)
	p.rates = append(p.rates, r.PerSecond)
	p.cpu = append(p.cpu, float64(spent.Microseconds())/float64(r.Messages))
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

// ratio is the median of what a is to b, round by round.
func ratio(a, b []float64) float64 {
	var list []float64
	for i := range a {
		list = append(list, a[i]/b[i])
	}
	return median(list)
}

// cpuOf is the processor time of processes so far, as the scheduler counts it.
func cpuOf(b *testing.B, pids []int) (sum time.Duration) {
	b.Helper()
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil || len(threads) == 0 {
			b.Skip("the kernel does not tell what a thread has used")
		}
		for _, file := range threads {
			stat, _ := os.ReadFile(file) // of a thread that has just ended there is none
			used, _, _ := strings.Cut(string(stat), " ")
			ns, _ := strconv.ParseInt(used, 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}
