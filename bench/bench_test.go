//go:build linux

package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"roulette/bench"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if built.Load() {
			if path, err := binary(); err == nil {
				os.RemoveAll(filepath.Dir(path))
			}
		}
		os.Exit(code)
	}))
}

// The benchmarks of the whole server: the real binary in a process of its own, on
// CPU 0 while the generator has CPU 1, except where latency is measured.
//
//	go test -run '^$' -bench . ./bench
//	go test -run '^$' -bench Rate -count 10 ./bench | tee new.txt && benchstat old.txt new.txt
//
// ROULETTE_BENCH_SERVER names another command to measure, which prints "listening
// on http://HOST:PORT" and serves /ws there.

var built atomic.Bool // whether binary has been called by a benchmark

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "roulette-bench")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "roulette")
	if out, err := exec.Command("go", "build", "-o", path, "roulette/cmd/roulette").CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func command(b *testing.B) []string {
	b.Helper()
	if s := os.Getenv("ROULETTE_BENCH_SERVER"); s != "" {
		return strings.Fields(s)
	}
	built.Store(true)
	path, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	return []string{path, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--message-rate", "0"}
}

// measure runs c against a server of its own for each iteration and hands the last
// result to report.
func measure(b *testing.B, c bench.Config, report func(*bench.Result)) {
	b.Helper()
	server := command(b)
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
		c.URL, c.PID = "ws://"+p.Addr+"/ws", p.PID
		res, err = bench.Run(b.Context(), c)
		p.Stop()
		if err != nil {
			b.Fatal(err)
		}
		if err := res.Err(); err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(0, "ns/op") // the time of a run says nothing
	report(res)
}

// fit is as many connections as the descriptor limit leaves room for.
func fit(n int) int {
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) == nil && lim.Max < 1<<31 {
		n = min(n, int(lim.Max)-500)
	}
	return n &^ 1
}

func BenchmarkPingPong(b *testing.B) {
	for _, conns := range []int{1000, 10000} {
		for _, size := range []int{64, 1024} {
			b.Run(fmt.Sprintf("conns=%d/size=%d", conns, size), func(b *testing.B) {
				measure(b, bench.Config{Mode: bench.PingPong, Connections: fit(conns), Size: size}, func(r *bench.Result) {
					b.ReportMetric(r.PerSecond, "msgs/s")
					b.ReportMetric(r.Server.CPUPerMessage, "cpu-µs/msg")
				})
			})
		}
	}
}

func BenchmarkRate(b *testing.B) {
	for _, idle := range []int{0, 18000} {
		b.Run(fmt.Sprintf("conns=1000/idle=%d/rate=20000", idle), func(b *testing.B) {
			c := bench.Config{Mode: bench.Rate, Connections: 1000, Idle: fit(idle), Rate: 20000}
			measure(b, c, func(r *bench.Result) {
				if r.Latency == nil {
					b.Fatal("nothing arrived")
				}
				b.ReportMetric(r.Latency.P50, "p50-µs")
				b.ReportMetric(r.Latency.P99, "p99-µs")
				b.ReportMetric(r.Latency.P999, "p99.9-µs")
				b.ReportMetric(r.Server.CPUPerMessage, "cpu-µs/msg")
			})
		})
	}
}

// BenchmarkBeside measures the latency of a few in turn alone and beside thousands
// whose messages come a byte a second, and how it changes.
func BenchmarkBeside(b *testing.B) {
	n := fit(5000)
	b.Run(fmt.Sprintf("dribble=%d", n), func(b *testing.B) {
		const rounds = 5
		server := command(b)
		p, err := bench.Start(b.Context(), nil, server[0], server[1:]...)
		if err != nil {
			b.Fatal(err)
		}
		defer p.Stop()
		c := bench.Config{URL: "ws://" + p.Addr + "/ws", Mode: bench.Rate, Connections: 40, Rate: 400}
		p99 := func() float64 {
			res, err := bench.Run(b.Context(), c)
			if err := errors.Join(err, res.Err()); err != nil {
				b.Fatal(err)
			}
			return res.Latency.P99
		}
		var alone, beside []float64
		for b.Loop() {
			for range rounds {
				alone = append(alone, p99())
				stop := dribble(b, c.URL, n)
				beside = append(beside, p99())
				stop()
			}
		}
		slices.Sort(alone)
		slices.Sort(beside)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(alone[len(alone)/2], "alone-p99-µs")
		b.ReportMetric(beside[len(beside)/2], "beside-p99-µs")
		b.ReportMetric(beside[len(beside)/2]/alone[len(alone)/2], "times")
	})
}

// dribble starts so many slow senders and returns when they are at it.
func dribble(b *testing.B, url string, n int) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	begun, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		res, err := bench.Run(ctx, bench.Config{
			URL: url, Mode: bench.Dribble, Connections: n, Duration: time.Hour, ProgressEvery: 20 * time.Millisecond,
			Progress: func(p bench.Progress) {
				if p.Phase == "measuring" {
					once.Do(func() { close(begun) })
				}
			},
		})
		if res != nil {
			err = res.Err()
		}
		ended <- err
	}()
	finish := func() {
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-begun:
	case err := <-ended:
		b.Fatal(err)
	}
	return finish
}

func BenchmarkStream(b *testing.B) {
	for _, size := range []int{64, 1024, 16 << 10} {
		b.Run(fmt.Sprintf("conns=1000/size=%d", size), func(b *testing.B) {
			measure(b, bench.Config{Mode: bench.Stream, Connections: 1000, Size: size}, func(r *bench.Result) {
				b.ReportMetric(r.MiBPerSecond, "MiB/s")
				b.ReportMetric(r.Server.CPUPerMessage, "cpu-µs/msg")
			})
		})
	}
}

func BenchmarkHandshakes(b *testing.B) {
	for _, concurrency := range []int{16, 128} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) {
			measure(b, bench.Config{Mode: bench.Handshakes, Concurrency: concurrency}, func(r *bench.Result) {
				b.ReportMetric(r.HandshakesPerSecond, "handshakes/s")
				b.ReportMetric(r.Server.CPUPerHandshake, "cpu-µs/handshake")
			})
		})
	}
}

// BenchmarkArrive lets everybody come at the same moment.
func BenchmarkArrive(b *testing.B) {
	n := fit(10000)
	b.Run(fmt.Sprintf("conns=%d", n), func(b *testing.B) {
		c := bench.Config{Mode: bench.Idle, Connections: n, Concurrency: n, Steps: []int{n}, Duration: time.Millisecond}
		measure(b, c, func(r *bench.Result) {
			b.ReportMetric(float64(r.Connected)/r.ConnectSeconds, "conns/s")
			b.ReportMetric(float64(n-r.Connected), "refused")
		})
	})
}

func BenchmarkIdle(b *testing.B) {
	n := fit(19000)
	b.Run(fmt.Sprintf("conns=%d", n), func(b *testing.B) {
		c := bench.Config{Mode: bench.Idle, Connections: n, Steps: []int{n / 4, n}}
		measure(b, c, func(r *bench.Result) {
			b.ReportMetric(r.Server.BytesPerConn, "B/conn")
			b.ReportMetric(100*r.Server.Busy, "cpu-%")
			b.ReportMetric(float64(r.Server.End.Descriptors-r.Server.Start.Descriptors), "descriptors-left")
		})
	})
}

func BenchmarkChurn(b *testing.B) {
	for _, conns := range []int{500, 2000} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			measure(b, bench.Config{Mode: bench.Churn, Connections: conns}, func(r *bench.Result) {
				b.ReportMetric(float64(r.Sessions)/r.Seconds, "sessions/s")
				b.ReportMetric(r.PerSecond, "msgs/s")
			})
		})
	}
}

func BenchmarkSlow(b *testing.B) {
	b.Run("conns=40/size=1024", func(b *testing.B) {
		measure(b, bench.Config{Mode: bench.Slow, Connections: 40, Size: 1024}, func(r *bench.Result) {
			b.ReportMetric(r.Server.GrowthPerStall/1024, "KiB/stalled-pair")
			b.ReportMetric(r.MiBPerSecond, "MiB/s")
		})
	})
}
