//go:build linux

package bench

import (
	"math/bits"
	"time"
)

const (
	subBits = 6 // 64 buckets for each power of two: within 1.6 %
	subs    = 1 << subBits
	buckets = subs * (48 - subBits + 1)
)

// A histogram counts durations from 1 ns to 78 hours in log-linear buckets. It
// belongs to one loop; merge when the loop has ended.
type histogram struct {
	counts   [buckets]uint64
	n        uint64
	sum      uint64
	greatest uint64
}

func bucket(v uint64) int {
	if v < subs {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return min(subs*(shift+1)+int(v>>shift)-subs, buckets-1)
}

// ceiling is the greatest value that falls into bucket i.
func ceiling(i int) uint64 {
	if i < subs {
		return uint64(i)
	}
	shift := i/subs - 1
	return uint64(i%subs+subs+1)<<shift - 1
}

func (h *histogram) add(ns int64) {
	v := uint64(max(ns, 0))
	h.counts[bucket(v)]++
	h.n++
	h.sum += v
	h.greatest = max(h.greatest, v)
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.n += o.n
	h.sum += o.sum
	h.greatest = max(h.greatest, o.greatest)
}

// quantile returns the duration that q of all are at most, rounded up to the end
// of its bucket but never beyond the greatest.
func (h *histogram) quantile(q float64) time.Duration {
	want := uint64(q*float64(h.n) + 0.5)
	want = min(max(want, 1), h.n)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= want {
			return time.Duration(min(ceiling(i), h.greatest))
		}
	}
	return 0
}

// Latency sums up many durations, in microseconds.
type Latency struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean_us"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p999_us"`
	Max   float64 `json:"max_us"`
}

func (h *histogram) latency() *Latency {
	if h.n == 0 {
		return nil
	}
	us := func(q float64) float64 { return float64(h.quantile(q)) / 1e3 }
	return &Latency{
		Count: h.n,
		Mean:  float64(h.sum) / float64(h.n) / 1e3,
		P50:   us(0.5), P90: us(0.9), P99: us(0.99), P999: us(0.999),
		Max: float64(h.greatest) / 1e3,
	}
}
