package admin

import (
	"testing"
	"time"
)

func TestBusyMinute(t *testing.T) {
	var b BusyMinute
	if got := b.Share(5, time.Second); got != 0 {
		t.Errorf("without samples %v", got)
	}
	busy := time.Duration(0)
	for now := uint32(0); now <= 200_000; now += 250 { // half busy, then not at all
		b.Note(now, busy)
		if now < 100_000 {
			busy += 125 * time.Millisecond
		}
		want := 0.5
		if now > 100_000 {
			want = 0.5 * max(0, 160_000-float64(now)) / 60_000
		}
		if got := b.Share(now, busy); now >= 5000 && (got < want-0.1 || got > want+0.1) {
			t.Errorf("after %d ms: %.2f, want %.2f", now, got, want)
		}
	}
}
