//go:build linux

package bench_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roulette/bench"
)

// scraping asks for /metrics over and over, as a monitor does, though sixty times
// as often.
type scraping struct {
	url      string
	every    time.Duration
	counts   atomic.Bool // what is seen now
	took     []time.Duration
	failures int
}

// run ends with ctx.
func (s *scraping) run(ctx context.Context) {
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		begin := time.Now()
		if err := fetch(client, s.url); err != nil {
			s.failures++
		} else if s.counts.Load() {
			s.took = append(s.took, time.Since(begin))
		}
	}
}

func fetch(client *http.Client, url string) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, r.Status)
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// BenchmarkScrape holds 19,000 connections, or what the descriptors allow, and
// relays on some of them; in one half of the runs, which take turns with the
// others, it is scraped. It tells how long a scrape takes, and what the relay's
// p99 is with and without. The medians of the runs are reported:
//
//	go test -run '^$' -bench Scrape -benchtime 5x ./bench
func BenchmarkScrape(b *testing.B) {
	n := fit(19000)
	b.Run(fmt.Sprintf("conns=%d/rate=20000", n), func(b *testing.B) {
		var took []time.Duration
		var p99 [2][]float64 // without, with
		for b.Loop() {
			for with := range p99 {
				result, s := scrapeRun(b, n, with == 1)
				p99[with] = append(p99[with], result.Latency.P99)
				took = append(took, s.took...)
				if s.failures > 0 {
					b.Errorf("%d scrapes failed", s.failures)
				}
			}
		}
		if len(took) == 0 {
			b.Fatal("no scrape was measured")
		}
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(ms(took[len(took)/2]), "scrape-ms")
		b.ReportMetric(ms(took[len(took)-1]), "longest-scrape-ms")
		b.ReportMetric(middle(p99[0]), "p99-µs")
		b.ReportMetric(middle(p99[1]), "scraped-p99-µs")
	})
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// scrapeRun is one run against a server of its own.
func scrapeRun(b *testing.B, n int, scraped bool) (*bench.Result, *scraping) {
	b.Helper()
	server := command(b)
	s := &scraping{every: 250 * time.Millisecond}
	if i := slices.Index(server, "--admin"); i >= 0 {
		server[i+1] = freeAddress(b)
		s.url = "http://" + server[i+1] + "/metrics"
	} else {
		b.Skip("another server than ours")
	}
	p, err := bench.Start(b.Context(), nil, server[0], server[1:]...)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Stop()
	ctx, cancel := context.WithCancel(b.Context())
	var scraper sync.WaitGroup
	if scraped {
		scraper.Go(func() { s.run(ctx) })
	}
	result, err := bench.Run(ctx, bench.Config{
		URL: "ws://" + p.Addr + "/ws", PID: p.PID, Mode: bench.Rate,
		Connections: 1000, Idle: n - 1000, Rate: 20000, Duration: 5 * time.Second,
		ProgressEvery: 50 * time.Millisecond,
		Progress:      func(p bench.Progress) { s.counts.Store(p.Phase == "measuring") },
	})
	cancel()
	scraper.Wait()
	if err != nil {
		b.Fatal(err)
	}
	if err := result.Err(); err != nil {
		b.Error(err)
	}
	if result.Latency == nil {
		b.Fatal("nothing arrived")
	}
	return result, s
}
