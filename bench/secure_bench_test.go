//go:build linux

package bench_test

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"roulette/bench"
)

// over runs b for ws:// and wss://, as tls=off and tls=on, so that benchstat can set one
// beside the other (-col /tls).
func over(b *testing.B, f func(b *testing.B, secure bool)) {
	for _, secure := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%s", map[bool]string{false: "off", true: "on"}[secure]), func(b *testing.B) { f(b, secure) })
	}
}

// measureOver is measure for either.
func measureOver(b *testing.B, secure bool, c bench.Config, report func(*bench.Result)) {
	b.Helper()
	if !secure {
		measure(b, c, report)
		return
	}
	server := slices.Clone(command(b))
	for i, arg := range server {
		if arg == "--listen" {
			server[i+1] = "unix:" + filepath.Join(b.TempDir(), "socket") // the TLS side is the one that is found
		}
	}
	server = append(server, "--listen-tls", "127.0.0.1:0", "--tls-self-signed")
	c.TLS = &tls.Config{InsecureSkipVerify: true}
	var cpus []int
	if c.Mode != bench.Rate && runtime.NumCPU() > 1 {
		cpus, c.CPU = []int{0}, []int{1}
	}
	if c.Duration == 0 {
		c.Duration = 2 * time.Second
	}
	var res *bench.Result
	for b.Loop() {
		p, err := bench.Start(b.Context(), cpus, server[0], server[1:]...)
		if err != nil {
			b.Fatal(err)
		}
		c.URL, c.PID = "wss://"+p.Addr+"/ws", p.PID
		res, err = bench.Run(b.Context(), c)
		p.Stop()
		if err != nil {
			b.Fatal(err)
		}
		if err := res.Err(); err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(0, "ns/op")
	report(res)
}

func BenchmarkSecurePingPong(b *testing.B) {
	over(b, func(b *testing.B, secure bool) {
		measureOver(b, secure, bench.Config{Mode: bench.PingPong, Connections: 1000}, func(r *bench.Result) {
			b.ReportMetric(r.PerSecond, "msgs/s")
			b.ReportMetric(r.Server.CPUPerMessage, "cpu-µs/msg")
		})
	})
}

func BenchmarkSecureRate(b *testing.B) {
	over(b, func(b *testing.B, secure bool) {
		measureOver(b, secure, bench.Config{Mode: bench.Rate, Connections: 1000, Rate: 10000}, func(r *bench.Result) {
			if r.Latency == nil {
				b.Fatal("nothing arrived")
			}
			b.ReportMetric(r.Latency.P50, "p50-µs")
			b.ReportMetric(r.Latency.P99, "p99-µs")
		})
	})
}

func BenchmarkSecureStream(b *testing.B) {
	for _, size := range []int{64, 16 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			over(b, func(b *testing.B, secure bool) {
				measureOver(b, secure, bench.Config{Mode: bench.Stream, Connections: 200, Size: size}, func(r *bench.Result) {
					b.ReportMetric(r.MiBPerSecond, "MiB/s")
					b.ReportMetric(r.MiBPerSecond/max(r.Server.Busy, 1e-9), "MiB/cpu-s")
				})
			})
		})
	}
}

func BenchmarkSecureHandshakes(b *testing.B) {
	for _, resume := range []bool{false, true} {
		b.Run(fmt.Sprintf("resume=%v", resume), func(b *testing.B) {
			measureOver(b, true, bench.Config{Mode: bench.Handshakes, Concurrency: 64, Resume: resume}, func(r *bench.Result) {
				b.ReportMetric(r.HandshakesPerSecond, "handshakes/s")
				b.ReportMetric(r.Server.CPUPerHandshake, "cpu-µs/handshake")
			})
		})
	}
}

func BenchmarkSecureIdle(b *testing.B) {
	n := fit(19000)
	over(b, func(b *testing.B, secure bool) {
		c := bench.Config{
			Mode: bench.Idle, Connections: n, Steps: []int{n / 2, n * 5 / 8, n * 3 / 4, n * 7 / 8, n}, Calm: 5 * time.Second,
			Resume: true, Timeout: 5 * time.Minute,
		}
		measureOver(b, secure, c, func(r *bench.Result) {
			b.ReportMetric(r.Server.BytesPerConn, "B/conn")
			b.ReportMetric(r.Server.CalmPerConn, "calm-B/conn")
			b.ReportMetric(r.Server.ResidentPerConn, "rss-B/conn")
			b.ReportMetric(100*r.Server.Busy, "cpu-%")
			b.ReportMetric(float64(r.Server.End.Own-r.Server.Start.Own)/1024, "KiB-left")
		})
	})
}

// BenchmarkRich is what a page costs that says nothing.
func BenchmarkRich(b *testing.B) {
	n := fit(19000)
	c := bench.Config{Mode: bench.Idle, Connections: n, Rich: true, Calm: 3 * time.Second}
	measure(b, c, func(r *bench.Result) {
		b.ReportMetric(r.Server.BytesPerConn, "B/conn")
		b.ReportMetric(r.Server.CalmPerConn, "calm-B/conn")
	})
}

// BenchmarkText: languages cost what English does.
func BenchmarkText(b *testing.B) {
	for _, text := range []bench.Text{bench.ASCII, bench.German, bench.Japanese, bench.Emoji, bench.Mixed} {
		b.Run(fmt.Sprintf("mode=pingpong/size=64/text=%s", text), func(b *testing.B) {
			measure(b, bench.Config{Mode: bench.PingPong, Connections: 1000, Text: text}, func(r *bench.Result) {
				b.ReportMetric(r.Server.CPUPerMessage, "cpu-µs/msg")
			})
		})
		b.Run(fmt.Sprintf("mode=stream/size=16384/text=%s", text), func(b *testing.B) {
			measure(b, bench.Config{Mode: bench.Stream, Connections: 200, Size: 16 << 10, Text: text}, func(r *bench.Result) {
				b.ReportMetric(r.MiBPerSecond, "MiB/s")
			})
		})
	}
}
