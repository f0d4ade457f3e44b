package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// onBytePath is everything a worker may do per message.
func onBytePath(c *Counters, i int) {
	c.RelayedMessages[Opcode(i&1)]++
	c.RelayedBytes += 64
	c.NetworkReceiveBytes += 70
	c.NetworkTransmitBytes += 66
	c.UndeliveredMessages++
	c.ReadPauses++
	c.BacklogBytes -= 64
	c.LimitsExceeded[LimitMessageRate]++
	c.RelayLatency.Observe(int64(i))
	c.Connections[ConnectionWaiting]--
	c.Connections[ConnectionPaired]++
	c.Closed[CloseCodeOf(uint16(1000+i&15))][ByClient]++
}

func TestBytePathDoesNotAllocate(t *testing.T) {
	c := NewCounters()
	i := 0
	if n := testing.AllocsPerRun(1000, func() { onBytePath(c, i); i += 997 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A worker's part of a scrape does not allocate either.
func TestTakingACopyDoesNotAllocate(t *testing.T) {
	c, answers := NewCounters(), make(chan int, 1)
	request := copyRequest(new(Counters), 0, answers)
	if n := testing.AllocsPerRun(1000, func() { request(c); <-answers }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// copyTo is what a worker does at a scrape, out of the optimiser's sight.
//
//go:noinline
func copyTo(dst, c *Counters) { *dst = *c }

func BenchmarkIncrement(b *testing.B) {
	c := NewCounters()
	for b.Loop() {
		c.Accepted++
	}
}

func BenchmarkIncrementArray(b *testing.B) {
	c := NewCounters()
	i := 0
	for b.Loop() {
		c.RelayedMessages[Opcode(i&1)]++
		i++
	}
}

func BenchmarkClosed(b *testing.B) {
	c := NewCounters()
	codes := [4]uint16{1000, 1006, 4408, 3000}
	i := 0
	for b.Loop() {
		c.Closed[CloseCodeOf(codes[i&3])][ByClient]++
		i++
	}
}

// latencies are spread over the bounds, so that the processor cannot learn the
// way through the search.
func latencies() *[1024]int64 {
	var v [1024]int64
	x := uint32(1)
	for i := range v {
		x = x*1664525 + 1013904223
		v[i] = int64(1000) << (x >> 28) // 1 µs to 32 ms
	}
	return &v
}

func BenchmarkObserve(b *testing.B) {
	c, v := NewCounters(), latencies()
	i := 0
	for b.Loop() {
		c.RelayLatency.Observe(v[i&1023])
		i++
	}
}

func BenchmarkBytePathAll(b *testing.B) {
	c := NewCounters()
	i := 0
	for b.Loop() {
		onBytePath(c, i)
		i += 997
	}
}

func BenchmarkCopy(b *testing.B) {
	c, dst := NewCounters(), new(Counters)
	for b.Loop() {
		copyTo(dst, c)
	}
}

// Workers side by side in one slice: as fast as one alone if they share nothing.
func BenchmarkIncrementNeighbours(b *testing.B) {
	workers := make([]Counters, 64)
	var next atomic.Int32
	b.RunParallel(func(pb *testing.PB) {
		c := &workers[int(next.Add(1)-1)%len(workers)]
		for pb.Next() {
			c.Accepted++
		}
	})
}

func BenchmarkCompareAtomicAdd(b *testing.B) {
	var n atomic.Uint64
	for b.Loop() {
		n.Add(1)
	}
}

func BenchmarkComparePrometheusInc(b *testing.B) {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "x"})
	for b.Loop() {
		c.Inc()
	}
}

func BenchmarkComparePrometheusWith(b *testing.B) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "x_total", Help: "x"}, []string{"opcode"})
	for b.Loop() {
		c.WithLabelValues("text").Inc()
	}
}

func BenchmarkComparePrometheusObserve(b *testing.B) {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x_seconds", Help: "x"})
	v := latencies()
	i := 0
	for b.Loop() {
		h.Observe(float64(v[i&1023]) / 1e9)
		i++
	}
}

// A whole scrape of eight workers, with its text: the collector's own metrics,
// and the registry with go_* and process_* as it is served.
func BenchmarkScrape(b *testing.B) {
	var workers []*Counters
	for i := range 8 {
		c := NewCounters()
		fill(c, int64(i))
		workers = append(workers, c)
	}
	own := prometheus.NewRegistry()
	own.MustRegister(newCollector(direct(workers...)))
	for _, bb := range []struct {
		name string
		reg  *prometheus.Registry
	}{{"own", own}, {"all", NewRegistry(direct(workers...))}} {
		b.Run(bb.name, func(b *testing.B) {
			handler := Handler(bb.reg)
			request := httptest.NewRequest("GET", "/metrics", nil)
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(&discard{header: http.Header{}}, request)
			}
		})
	}
}

type discard struct {
	header http.Header
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return io.Discard.Write(p) }
func (d *discard) WriteHeader(int)             {}
