package admin

import (
	"math"
	"testing"
	"time"

	"roulette/metrics"
)

// live has a worker note what rates it has at each tick, from begin to end.
func (h *History) live(begin, end uint32, at func(now uint32) Sample) {
	for ms := uint64(begin); ms <= uint64(end); ms += 250 {
		if now := uint32(ms); h.Due(now) {
			h.Note(now, at(now))
		}
	}
}

func TestMerge(t *testing.T) {
	counted := metrics.NewCounters()
	histories := []*History{{}, {}}
	for i, h := range histories {
		rate := float64(i + 1)
		h.live(uint32(100*i), 900_400, func(now uint32) Sample { // their clocks differ a little
			seconds := float64(now) / 1000
			return Sample{Messages: uint64(100 * rate * seconds), Accepted: uint64(10 * rate * seconds), Connections: i + 1,
				Busy: time.Duration(rate * 0.2 * seconds * float64(time.Second)), Pairs: 7 * (1 - i)}
		})
	}
	points, _ := Merge(900_500, histories)
	if len(points) != historyLength {
		t.Fatalf("%d points", len(points))
	}
	for i, p := range points {
		ago := float64(historyLength-1-i)*10 + 0.5
		near := func(got, want float64) bool { return math.Abs(got-want) < 0.02*want }
		if p.Ago != ago || p.Connections != 3 || p.Pairs != 7 || !near(p.Messages, 300) || !near(p.Accepted, 30) || p.Refused != 0 || !near(p.Busy, 0.4) {
			t.Fatalf("point %d: %+v, %v s ago", i, p, ago)
		}
	}

	// A worker that did not run for a while leaves a gap, and no rate over it.
	late := &History{}
	late.live(0, 850_000, func(uint32) Sample { return Sample{} })
	late.live(880_000, 900_000, func(uint32) Sample { return Sample{Messages: 1 << 40} })
	points, _ = Merge(900_500, []*History{histories[0], late})
	if len(points) != historyLength-3 || points[len(points)-1].Ago != 0.5 || points[len(points)-3].Ago != 50.5 {
		t.Errorf("%d points, the last %+v", len(points), points[len(points)-3:])
	}

	// The clock wraps after seven weeks.
	old := &History{}
	old.live(1<<32-600_000, 1<<32-1, func(uint32) Sample { return Sample{Connections: 5} })
	old.live(0, 20_000, func(uint32) Sample { return Sample{Connections: 6} })
	if points, _ = Merge(20_500, []*History{old}); len(points) != 2 || points[1].Connections != 6 {
		t.Errorf("after the wrap: %+v", points)
	}

	// Waits: what was counted before the ten minutes is told.
	waiting := &History{}
	waiting.live(0, 900_000, func(now uint32) Sample {
		counted.PairingWait.Observe(int64(time.Second))
		return Sample{Waits: counted.PairingWait}
	})
	_, before := Merge(900_500, []*History{waiting, waiting})
	if ended := counted.PairingWait.Since(&before); before.Count() != 2*(31) || ended.Count() != counted.PairingWait.Count()-before.Count() {
		t.Errorf("%d before, %d since", before.Count(), ended.Count())
	}

	if _, before := Merge(500_000, []*History{waiting}); before.Count() != 0 {
		t.Errorf("%d before the beginning", before.Count())
	}
	if points, before := Merge(5, nil); points != nil || before.Count() != 0 {
		t.Errorf("of nobody: %v", points)
	}
}

func TestBusyShare(t *testing.T) {
	var h History
	if got := h.BusyShare(5, time.Second); got != 0 {
		t.Errorf("without samples %v", got)
	}
	busy := time.Duration(0)
	for now := uint32(0); now <= 200_000; now += 250 { // half busy, then not at all
		if h.Due(now) {
			h.Note(now, Sample{Busy: busy})
		}
		if now < 100_000 {
			busy += 125 * time.Millisecond
		}
		want := 0.5
		if now > 100_000 {
			want = 0.5 * max(0, 160_000-float64(now)) / 60_000
		}
		if got := h.BusyShare(now, busy); now >= 5000 && (got < want-0.1 || got > want+0.1) {
			t.Errorf("after %d ms: %.2f, want %.2f", now, got, want)
		}
	}
}
