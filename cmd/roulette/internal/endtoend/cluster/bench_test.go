package cluster

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// BenchmarkCluster starts a bus and two nodes. A message goes from one to their partner and
// another one back: on one node that has no cluster, on one that has, and between two. It tells
// the median and the 99th percentile of a way, and the processor time of all servers and
// the bus for a message.
func BenchmarkCluster(b *testing.B) {
	bus := program.StartBus(b)
	alone := program.Serve(b, "--message-rate=0")
	nodes := startNodes(b, bus, 2)
	for _, way := range []struct {
		name  string
		ends  [2]*program.Process
		spent []*program.Process
		bus   bool
	}{
		{"alone", [2]*program.Process{alone, alone}, []*program.Process{alone}, false},
		{"local", [2]*program.Process{nodes[0], nodes[0]}, nodes[:1], false},
		{"remote", [2]*program.Process{nodes[0], nodes[1]}, nodes, true},
	} {
		b.Run(way.name, func(b *testing.B) {
			const pairs = 8
			var all [pairs][2]*websocket.Conn
			for i := range all {
				for side := range 2 {
					all[i][side] = seat(b, way.ends[side], fmt.Sprint(way.name, b.N, i))
				}
			}
			for i := range all {
				for side := range 2 {
					awaitPaired(b, all[i][side])
				}
			}
			cpu := func() (sum float64) {
				for _, p := range way.spent {
					sum += p.Metric(b, "process_cpu_seconds_total")
				}
				if way.bus {
					sum += cpuOf(b, bus.PID())
				}
				return sum
			}
			before := cpu()
			times := make([][]time.Duration, pairs)
			done := make(chan error)
			b.ResetTimer()
			for i := range all {
				go func() {
					var err error
					times[i], err = pingPong(all[i], b.N)
					done <- err
				}()
			}
			for range all {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			trips := slices.Concat(times...)
			slices.Sort(trips)
			b.ReportMetric(float64(trips[len(trips)/2].Microseconds())/2, "µs-p50/way")
			b.ReportMetric(float64(trips[len(trips)*99/100].Microseconds())/2, "µs-p99/way")
			b.ReportMetric((cpu()-before)*1e6/float64(2*len(trips)), "cpu-µs/message")
			for i := range all {
				for side := range 2 {
					all[i][side].CloseNow()
				}
			}
		})
	}
}

// seat has somebody wait at a table.
func seat(b *testing.B, node *program.Process, table string) *websocket.Conn {
	b.Helper()
	ctx := b.Context()
	c, _, err := websocket.Dial(ctx, "ws://"+node.Addr+"/ws", &websocket.DialOptions{Subprotocols: []string{"roulette.v1"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.CloseNow() })
	for _, text := range []string{`{"type":"hello","can":["tables"]}`, fmt.Sprintf(`{"type":"next","table":%q}`, table)} {
		if err := c.Write(ctx, websocket.MessageText, []byte("\x1e"+text)); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

func awaitPaired(b *testing.B, c *websocket.Conn) {
	b.Helper()
	for {
		_, text, err := c.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if strings.Contains(string(text), `"paired"`) {
			return
		}
	}
}

// hear reads a message, past records.
func hear(c *websocket.Conn) ([]byte, error) {
	for {
		_, text, err := c.Read(context.Background())
		if err != nil || len(text) > 0 && text[0] != 0x1e {
			return text, err
		}
	}
}

// pingPong has a message go there and back n times, and checks each.
func pingPong(ends [2]*websocket.Conn, n int) (times []time.Duration, err error) {
	for i := range n {
		began := time.Now()
		said := fmt.Sprintf("message %d, as long as what people say, or nearly so", i)
		for side := range ends {
			if err := ends[side].Write(context.Background(), websocket.MessageText, []byte(said)); err != nil {
				return nil, err
			}
			heard, err := hear(ends[1-side])
			if err != nil {
				return nil, err
			}
			if string(heard) != said {
				return nil, fmt.Errorf("heard %q, where %q was said", heard, said)
			}
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}

// cpuOf is the processor time of a process so far, in seconds (proc(5)).
func cpuOf(b *testing.B, pid int) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks float64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return ticks / 100
}
