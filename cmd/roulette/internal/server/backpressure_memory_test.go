package server

import (
	"testing"
	"time"
)

func TestMemoryOfStalledPairs(t *testing.T) {
	const pairs = 8
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: time.Hour}})
	before := heap()
	for range pairs {
		a, _ := couple(t, s, addr)
		(&pourer{Conn: a}).pour(t, s, 0) // the kernels may make room for an earlier one meanwhile
	}
	f := flowOf(t, s)
	grown := heap() - before
	t.Logf("%d pairs stalled, %d bytes wait, at most %d for one; the heap grew by %d a pair", f.waiting, f.bytes, f.most, grown/pairs)
	if f.waiting < pairs/2 || f.paused != f.waiting || f.most > mostPending {
		t.Errorf("%+v", f)
	}
	if grown > pairs*2*mostPending {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	// The senders, who do not read either, get each other for partners.
	k.stall(t, s, "all receivers are gone, and nothing waits", func() bool {
		return s.poller.Count() <= pairs && flowOf(t, s) == flow{}
	})
}
