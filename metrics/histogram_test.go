package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var layouts = map[string]*layout{
	"connection duration": connectionDurationLayout,
	"handshake duration":  handshakeDurationLayout,
	"pairing wait":        pairingWaitLayout,
	"pair duration":       pairDurationLayout,
	"away duration":       awayDurationLayout,
	"relay latency":       relayLatencyLayout,
	"events per wake-up":  eventsPerWakeupLayout,
}

func TestLayouts(t *testing.T) {
	for name, l := range layouts {
		if !slices.IsSorted(l.upper[:]) || l.upper[0] <= 0 {
			t.Errorf("%s: bounds %v", name, l.upper)
		}
		if len(slices.Compact(slices.Clone(l.upper[:l.bounded]))) != l.bounded {
			t.Errorf("%s: a bound stands twice", name)
		}
		if l.upper[buckets-1] != math.MaxInt64 {
			t.Errorf("%s: no last bucket for the rest", name)
		}
	}
}

// The thresholds of alerts and of the protocol are bounds.
func TestThresholdsAreBounds(t *testing.T) {
	for _, tt := range []struct {
		layout    string
		threshold time.Duration
	}{
		{"relay latency", 100 * time.Millisecond},
		{"pairing wait", 5 * time.Second},
		{"pairing wait", 10 * time.Second},
		{"handshake duration", 5 * time.Second},
	} {
		if l := layouts[tt.layout]; !slices.Contains(l.upper[:l.bounded], int64(tt.threshold)) {
			t.Errorf("%s has no bound at %v", tt.layout, tt.threshold)
		}
	}
}

// Every value around every bound, and random ones, land where a plain search
// puts them.
func TestObserveFindsTheBucket(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for name, l := range layouts {
		values := []int64{math.MinInt64, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
		for _, bound := range l.upper[:l.bounded] {
			values = append(values, bound-1, bound, bound+1)
		}
		for range 1000 {
			values = append(values, random.Int64()>>random.IntN(63))
		}
		for _, v := range values {
			want := l.bounded
			for i, bound := range l.upper[:l.bounded] {
				if v <= bound {
					want = i
					break
				}
			}
			h := Histogram{layout: l}
			h.Observe(v)
			if got := slices.Index(h.counts[:], 1); min(got, l.bounded) != want || h.Count() != 1 {
				t.Fatalf("%s: %d in bucket %d, want %d", name, v, got, want)
			}
			if want := float64(max(v, 0)) / l.perUnit; h.Sum() != want {
				t.Fatalf("%s: sum %v, want %v", name, h.Sum(), want)
			}
		}
	}
}

func TestCumulative(t *testing.T) {
	h := Histogram{layout: newLayout(10, 10, 20, 30)}
	for _, v := range []int64{0, 10, 11, 30, 31, 1000} {
		h.Observe(v)
	}
	got := h.cumulative()
	want := map[float64]uint64{1: 2, 2: 3, 3: 4}
	if len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
	for bound, n := range want {
		if got[bound] != n {
			t.Errorf("le=%v: %d, want %d", bound, got[bound], n)
		}
	}
	if h.Count() != 6 || h.Sum() != 108.2 {
		t.Errorf("count %d, sum %v", h.Count(), h.Sum())
	}
}

func TestHistogramPanics(t *testing.T) {
	for _, tt := range []struct {
		description string
		f           func()
	}{
		{"observing a zero Histogram", func() { new(Histogram).Observe(1) }},
		{"adding what has other bounds", func() {
			c := NewCounters()
			c.PairDuration.Add(&c.PairingWait)
		}},
		{"sixteen bounds", func() { newLayout(1, make([]int64, buckets)...) }},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", tt.description)
				}
			}()
			tt.f()
		}()
	}
}

// A busy day of long connections must not wrap around the sum.
func TestSumOfLongDurations(t *testing.T) {
	h := Histogram{layout: connectionDurationLayout}
	for range 200000 {
		h.Observe(int64(24 * time.Hour))
	}
	if want := 200000.0 * 86400; math.Abs(h.Sum()-want) > 1e-6*want {
		t.Errorf("sum %v, want %v", h.Sum(), want)
	}
}

func TestQuantile(t *testing.T) {
	c := NewCounters()
	h := &c.PairingWait
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for range 90 {
		h.Observe(int64(300 * time.Millisecond)) // in (0.1, 0.5]
	}
	for range 10 {
		h.Observe(int64(3 * time.Second)) // in (2.5, 5]
	}
	for q, want := range map[float64]float64{0.45: 0.3, 0.9: 0.5, 0.95: 3.75, 1: 5} {
		if got := h.Quantile(q); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	h.Observe(int64(24 * time.Hour))
	if got := h.Quantile(1); got != 600 {
		t.Errorf("above all bounds: %v", got)
	}
}
