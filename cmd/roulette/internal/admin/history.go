package admin

import (
	"time"

	"roulette/metrics"
)

// A History remembers how a worker has been, every ten seconds for ten minutes.
// Owned by the worker.
type History struct {
	samples [historyLength + 1]Sample // a ring: that of period p is at p % len
	newest  uint32                    // period; 0: none yet
}

const (
	historyEvery  = 10_000 // milliseconds
	historyLength = 60     // periods
)

// Sample is what a worker has counted so far, and what there is now.
type Sample struct {
	Busy     time.Duration
	Messages uint64 // relayed
	Accepted uint64
	Refused  uint64
	Waits    metrics.Histogram // of those that have found a partner

	Connections int
	Pairs       int // of the whole server: of one worker's samples only
	Waiting     int // likewise

	period uint32
}

// Due tells, at each tick, whether it is time for Note. now is in milliseconds
// since a moment that is the same for all workers.
func (h *History) Due(now uint32) bool { return periodOf(now) != h.newest }

// Note remembers s.
func (h *History) Note(now uint32, s Sample) {
	h.newest = periodOf(now)
	s.period = h.newest
	h.samples[s.period%uint32(len(h.samples))] = s
}

// periodOf numbers the periods from 1.
func periodOf(now uint32) uint32 { return now/historyEvery + 1 }

// Copy is what other goroutines may have.
func (h *History) Copy() *History {
	c := *h
	return &c
}

// at is the sample of a period; nil if there is none.
func (h *History) at(period uint32) *Sample {
	if s := &h.samples[period%uint32(len(h.samples))]; period > 0 && s.period == period {
		return s
	}
	return nil
}

// BusyShare is the part of the last minute that was busy, given how long the
// worker has been busy up to now.
func (h *History) BusyShare(now uint32, busy time.Duration) float64 {
	for period := max(periodOf(now), 7) - 6; period <= h.newest; period++ {
		s := h.at(period)
		if s == nil {
			continue
		}
		passed := time.Duration(now-(period-1)*historyEvery) * time.Millisecond
		if passed < time.Second { // too little to tell
			return 0
		}
		return min(max(float64(busy-s.Busy)/float64(passed), 0), 1)
	}
	return 0
}

// Point is how a server was in one period.
type Point struct {
	Ago         float64 `json:"ago_seconds"`
	Connections int     `json:"connections"`
	Pairs       int     `json:"pairs"`
	Waiting     int     `json:"waiting"`
	Messages    float64 `json:"messages_per_second"`
	Accepted    float64 `json:"accepted_per_second"`
	Refused     float64 `json:"refused_per_second"`
	Busy        float64 `json:"busy"` // the share of the busiest worker
}

// Merge makes one history of the workers', the oldest point first. A period that
// a worker has missed is left out. before is what all of them had counted of
// waits when their histories begin.
func Merge(now uint32, workers []*History) (points []Point, before metrics.Histogram) {
	if len(workers) == 0 {
		return nil, before
	}
	oldest := max(periodOf(now), historyLength) - historyLength
	for period := oldest + 1; period <= periodOf(now); period++ {
		p := Point{Ago: float64(now-(period-1)*historyEvery) / 1000}
		if p.add(period, workers) {
			points = append(points, p)
		}
	}
	for _, h := range workers {
		if oldest == 0 { // they have not run for so long
			break
		}
		for period := oldest; period <= h.newest; period++ {
			if s := h.at(period); s != nil {
				before.Add(&s.Waits)
				break
			}
		}
	}
	return points, before
}

// add fills in what the workers did in the period that ended when this one began;
// false if one of them does not know.
func (p *Point) add(period uint32, workers []*History) bool {
	const seconds = historyEvery / 1000.0
	for _, h := range workers {
		s, before := h.at(period), h.at(period-1)
		if s == nil || before == nil {
			return false
		}
		p.Connections += s.Connections
		p.Pairs += s.Pairs
		p.Waiting += s.Waiting
		p.Messages += float64(s.Messages-before.Messages) / seconds
		p.Accepted += float64(s.Accepted-before.Accepted) / seconds
		p.Refused += float64(s.Refused-before.Refused) / seconds
		p.Busy = max(p.Busy, min(float64(s.Busy-before.Busy)/float64(historyEvery*time.Millisecond), 1))
	}
	return true
}
