package server

import (
	"encoding/binary"
	"testing"
	"time"
	"unsafe"

	"roulette/cmd/roulette/internal/resume"
	"roulette/frame/record"
	"roulette/netpoll/nettest"
)

// TestLostBeforeTheToken: for somebody who perhaps has nothing to come back with the
// partner waits for a few seconds, and who has it is back by then.
func TestLostBeforeTheToken(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: returning})
	meet := func() (a, b *person, token string) {
		a, b = dialCan(t, addr), dialCan(t, addr)
		a.next()
		a.event("waiting")
		b.next()
		token = a.event("paired").Token
		b.event("paired")
		return a, b, token
	}
	a, b, _ := meet()
	a.breaks()
	b.event("away")
	k.advance(t, s, StartGrace+time.Second)
	if e := b.event("left"); e.Reason != record.LeftDisconnected {
		t.Fatalf("got %+v", e)
	}
	b.breaks()
	nettest.Await(t, "all seats to be free", func() bool { return s.pairs.Clients() == 0 })

	a, b, token := meet()
	a.breaks() // its have was lost
	b.event("away")
	k.advance(t, s, StartGrace-time.Second)
	again := dialCan(t, addr)
	again.resumes(token, 0, 1)
	again.event("resumed")
	b.event("sync")
	again.breaks() // it has shown that it has the token: now it is waited for
	b.event("away")
	k.advance(t, s, 44*time.Second)
	third := dialCan(t, addr)
	third.resumes(token, 0, 2)
	third.event("resumed")
}

// TestAwaySeatIsSmall: what 100,000 people who are away take, all in all: after a
// restart, so that both of each pair are.
func TestAwaySeatIsSmall(t *testing.T) {
	const people = 100_000
	settings := returning
	settings.MaxAway = people
	s, _ := start(t, Config{Workers: 1, Settings: settings})
	w := s.poller.Workers()[0]
	before := heap()
	for first := 0; first < people/2; first += 1000 {
		done := make(chan struct{})
		err := w.Ask(func() {
			defer close(done)
			h := w.Handler().(*handler)
			s.breaks.lock()
			defer s.breaks.mu.Unlock()
			for i := range 1000 {
				token := resume.Token{Node: 1, Holder: uint64(first + i + 1)}
				binary.BigEndian.PutUint64(token.Pair[8:], token.Holder)
				if h.meetingPlace(token) == nil {
					t.Error("no room")
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		<-done
	}
	if n := s.breaks.away(); n != people {
		t.Fatalf("%d are away", n)
	}
	each := float64(heap()-before) / people
	t.Logf("%.0f bytes of heap a seat; a pair %d, a seat %d", each, unsafe.Sizeof(kept{}), unsafe.Sizeof(absence{}))
	if each > awayMost {
		t.Errorf("%.0f bytes a seat, more than %d", each, awayMost)
	}
}

// awayMost is what a seat may take, in bytes.
const awayMost = 120
