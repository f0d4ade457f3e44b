package metrics

import (
	"math"
	"time"
)

// buckets is the fixed number of buckets of every Histogram: at most fifteen
// with an upper bound, and the last one for everything above. A power of two, so
// that the search has four steps and needs no bounds checks.
const buckets = 16

// layout is what all histograms of one kind share. Immutable.
type layout struct {
	// upper holds the inclusive upper bounds in raw units (nanoseconds or
	// events), ascending; unused places hold the largest int64.
	upper [buckets]int64
	// bounded is how many of upper are real bounds.
	bounded int
	// perUnit is how many raw units make one of the unit in the metric's name.
	perUnit float64
}

func newLayout(perUnit float64, upper ...int64) *layout {
	if len(upper) >= buckets {
		panic("metrics: too many bucket bounds")
	}
	l := &layout{bounded: len(upper), perUnit: perUnit}
	for i := range l.upper {
		l.upper[i] = math.MaxInt64
	}
	copy(l.upper[:], upper)
	return l
}

func durations(upper ...time.Duration) *layout {
	raw := make([]int64, len(upper))
	for i, d := range upper {
		raw[i] = int64(d)
	}
	return newLayout(float64(time.Second), raw...)
}

// Every threshold that an alert or a rule of the protocol uses is a bound
// itself, with a neighbour on each side not much further than a factor of 2.5
// away, so that quantiles near it are not made up by interpolation.
var (
	// From a probe that hangs up at once to a page left open for a day. 30 min to
	// 8 h is where proxies' and NATs' idle limits show.
	connectionDurationLayout = durations(
		100*time.Millisecond, time.Second, 5*time.Second, 15*time.Second,
		time.Minute, 5*time.Minute, 15*time.Minute, 30*time.Minute,
		time.Hour, 2*time.Hour, 4*time.Hour, 8*time.Hour, 24*time.Hour)

	// From accept to the 101 on its way: next to nothing on our side, a round
	// trip of the client in practice, and 5 s is the deadline.
	handshakeDurationLayout = durations(
		100*time.Microsecond, 500*time.Microsecond, time.Millisecond,
		2500*time.Microsecond, 5*time.Millisecond, 10*time.Millisecond,
		25*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond,
		250*time.Millisecond, 500*time.Millisecond, time.Second,
		2500*time.Millisecond, 5*time.Second)

	// A client that finds a partner at once is in the first bucket. After 5 s the
	// preferences for interests and against the last partner are relaxed; 10 s is
	// the alert.
	pairingWaitLayout = durations(
		time.Millisecond, 10*time.Millisecond, 100*time.Millisecond,
		500*time.Millisecond, time.Second, 2500*time.Millisecond, 5*time.Second,
		10*time.Second, 20*time.Second, 30*time.Second, time.Minute,
		2*time.Minute, 5*time.Minute, 10*time.Minute)

	// Under 5 s is "next, next, next"; minutes are conversations.
	pairDurationLayout = durations(
		time.Second, 2500*time.Millisecond, 5*time.Second, 10*time.Second,
		30*time.Second, time.Minute, 2*time.Minute, 5*time.Minute,
		10*time.Minute, 20*time.Minute, 30*time.Minute, time.Hour, 2*time.Hour)

	// A blip lasts a second or a few, a reload less; the usual grace is 45 s, and
	// five minutes in the background.
	awayDurationLayout = durations(
		250*time.Millisecond, 500*time.Millisecond, time.Second, 2500*time.Millisecond, 5*time.Second,
		10*time.Second, 20*time.Second, 45*time.Second, time.Minute, 2*time.Minute, 5*time.Minute)

	// One message costs a few microseconds, the last of a full batch of readiness
	// events some hundred times that; 100 ms is the alert.
	relayLatencyLayout = durations(
		10*time.Microsecond, 25*time.Microsecond, 50*time.Microsecond,
		100*time.Microsecond, 250*time.Microsecond, 500*time.Microsecond,
		time.Millisecond, 2500*time.Microsecond, 5*time.Millisecond,
		10*time.Millisecond, 25*time.Millisecond, 50*time.Millisecond,
		100*time.Millisecond, 250*time.Millisecond, time.Second)

	// One event per wake-up is an idle server, hundreds are a busy one. A wake-up
	// without events (a timeout) is in the first bucket.
	eventsPerWakeupLayout = newLayout(1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
)

// Histogram is a histogram with fixed bounds, written by one goroutine. It is
// plain data: a copy is a snapshot. It comes ready inside a [Counters];
// observing a zero Histogram panics.
type Histogram struct {
	layout *layout
	counts [buckets]uint64 // not cumulative
	// sum is in raw units. A float, because nanoseconds summed over many
	// connections overflow 64 bits within days.
	sum float64
}

// Observe counts one value: nanoseconds for a duration, a number of events
// otherwise. A negative value (a clock that was set back) counts as zero.
func (h *Histogram) Observe(v int64) {
	v = max(v, 0)
	upper := &h.layout.upper
	// The smallest i with v <= upper[i]; upper[15] is never below v.
	i := 0
	if v > upper[7] {
		i = 8
	}
	if v > upper[(i+3)&(buckets-1)] {
		i += 4
	}
	if v > upper[(i+1)&(buckets-1)] {
		i += 2
	}
	if v > upper[i&(buckets-1)] {
		i++
	}
	h.counts[i&(buckets-1)]++
	h.sum += float64(v)
}

// set makes h what somebody else has counted, bucket by bucket, and their sum.
func (h *Histogram) set(counts []float64, sum float64) {
	if len(counts) != h.layout.bounded+1 {
		panic("metrics: counts for other buckets")
	}
	clear(h.counts[:])
	for i, n := range counts {
		h.counts[i] = uint64(n)
	}
	h.sum = sum
}

// Add adds what other has seen. Both have the same bounds, or one of them is
// the zero Histogram.
func (h *Histogram) Add(other *Histogram) {
	switch {
	case other.layout == nil:
		return
	case h.layout == nil:
		h.layout = other.layout
	case h.layout != other.layout:
		panic("metrics: adding histograms with different bounds")
	}
	for i, n := range &other.counts {
		h.counts[i] += n
	}
	h.sum += other.sum
}

// Since returns what h has seen after earlier, a copy of it, was made.
func (h *Histogram) Since(earlier *Histogram) Histogram {
	diff := *h
	for i, n := range &earlier.counts {
		diff.counts[i] -= n
	}
	diff.sum -= earlier.sum
	return diff
}

// Count returns how many values were observed.
func (h *Histogram) Count() uint64 {
	var n uint64
	for _, c := range &h.counts {
		n += c
	}
	return n
}

// Sum returns the sum of the values in the unit of the metric: seconds, or
// events.
func (h *Histogram) Sum() float64 {
	if h.layout == nil {
		return 0
	}
	return h.sum / h.layout.perUnit
}

// Quantile estimates the q-quantile in the unit of the metric, by interpolation in
// its bucket, as Prometheus does; 0 if there are no values.
func (h *Histogram) Quantile(q float64) float64 {
	rank, below := q*float64(h.Count()), 0.0
	if rank == 0 {
		return 0
	}
	lower := 0.0
	for i, upper := range h.layout.upper[:h.layout.bounded] {
		n := float64(h.counts[i])
		if n > 0 && below+n >= rank {
			return (lower + (float64(upper)-lower)*(rank-below)/n) / h.layout.perUnit
		}
		lower, below = float64(upper), below+n
	}
	return lower / h.layout.perUnit // above all bounds: no more is known
}

// cumulative returns the buckets as Prometheus wants them: upper bound, in the
// unit of the metric, to the number of values at or below it.
func (h *Histogram) cumulative() map[float64]uint64 {
	m := make(map[float64]uint64, h.layout.bounded)
	var n uint64
	for i, upper := range h.layout.upper[:h.layout.bounded] {
		n += h.counts[i]
		m[float64(upper)/h.layout.perUnit] = n
	}
	return m
}
