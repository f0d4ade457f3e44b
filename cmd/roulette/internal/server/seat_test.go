package server

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
)

// standIn is an outlet that writes down what it is given.
type standIn struct {
	sync.Mutex
	mu    sync.Mutex
	told  []string // guarded by mu
	deaf  bool     // guarded by the Mutex
	place seat
}

// startAlone is the only node of its cluster, so that somebody may be elsewhere.
func startAlone(t *testing.T, workers int) (*Server, string) {
	t.Helper()
	_, servers, addrs := startNodes(t, 1, Config{Workers: workers})
	return servers[0], addrs[0]
}

func newStandIn(t *testing.T, s *Server) *standIn {
	t.Helper()
	o := new(standIn)
	place, ok := s.cluster.guests.take(o) // as the stand-ins of this node are those who are away
	if !ok {
		t.Fatal("no seat")
	}
	o.place = place
	t.Cleanup(func() { s.cluster.guests.leave(place) })
	return o
}

func (o *standIn) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told = append(o.told, fmt.Sprintf(format, args...))
}

func (o *standIn) deliver(out *batch, _ *netpoll.Conn) bool {
	if !o.deaf {
		o.note("%q", slices.Concat(out.first, out.frames))
	}
	return !o.deaf
}

func (o *standIn) typing(on bool)                              { o.note("typing %v", on) }
func (o *standIn) away(on bool)                                { o.note("away %v", on) }
func (o *standIn) paired()                                     { o.note("paired") }
func (o *standIn) drained()                                    {}
func (o *standIn) left(_ *Server, n uint32, why record.Reason) { o.note("left %d %s", n, why) }

// hears waits until the stand-in has been told this.
func (o *standIn) hears(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	servertest.Await(t, fmt.Sprintf("the stand-in is told %q", want), func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		got = slices.Clone(o.told)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		t.Fatalf("the stand-in was told %q, want %q", got, want)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told = nil
}

// changes has a worker do what a change by the stand-in calls for.
func (o *standIn) changes(t *testing.T, s *Server, change pairing.Change, why parting) {
	t.Helper()
	var once sync.Once
	onWorkers(t, s, func(h *handler) {
		once.Do(func() { h.apply(partner{out: o}, &change, why) })
	})
}

// meets pairs the stand-in with somebody who waits.
func (o *standIn) meets(t *testing.T, s *Server) {
	t.Helper()
	if _, ok := s.pairs.Ask(o.place, 0, 0, nil); !ok {
		t.Fatal("nobody waits")
	}
	m, ok := s.pairs.Settle(o.place, 0)
	if !ok {
		t.Fatal("they have gone")
	}
	var once sync.Once
	onWorkers(t, s, func(h *handler) { once.Do(func() { h.matched(m, partner{}) }) })
}

// TestStandIn: a partner who is not here is talked to like one who is.
func TestStandIn(t *testing.T) {
	s, addr := startAlone(t, 1)
	o := newStandIn(t, s)
	a := dialRich(t, addr)
	a.next()
	a.event("waiting")
	s.pairs.Enter(o.place, false)
	o.meets(t, s)
	if got := a.event("paired"); got.Pair != 1 {
		t.Fatalf("got %+v", got)
	}
	o.hears(t, "paired")
	a.do(record.AppendTypingCommand(nil, true))
	a.do([]byte("hello"))
	o.hears(t, "typing true", "typing false", `"\x81\x05hello"`)

	o.Lock()
	o.deaf = true
	o.Unlock()
	a.do([]byte("is anybody there?"))
	if got := a.event("undelivered"); got.N != 1 || got.Pair != 1 {
		t.Errorf("got %+v", got)
	}
	o.changes(t, s, s.pairs.Stop(o.place, 0), byStop)
	if got := a.event("left"); got.Pair != 1 || got.Reason != record.LeftStop {
		t.Errorf("got %+v", got)
	}
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.PairsEnded[metrics.EndStop] }); n != 1 {
		t.Errorf("%d pairs ended by stop", n)
	}

	a.next()
	a.event("waiting")
	b := newStandIn(t, s) // for o had a last
	s.pairs.Enter(b.place, false)
	b.meets(t, s)
	b.hears(t, "paired")
	if got := a.event("paired"); got.Pair != 2 {
		t.Errorf("got %+v", got)
	}
	a.conn.CloseNow()
	b.hears(t, "left 1 disconnected")
	s.pairs.Leave(o.place, 0)
	s.pairs.Leave(b.place, 0)
}

// TestPartnerMoves: a partner that moves to another seat and back stays the
// partner, and nothing is written to the connection whose seat it is no more (I7).
func TestPartnerMoves(t *testing.T) {
	s, addr := startAlone(t, 2)
	b := dialRich(t, addr)
	var home seat
	eachConn(t, s, func(_ *handler, c *netpoll.Conn) { home = seatOf(c) })
	a := dialRich(t, addr)
	a.next()
	a.event("waiting")
	b.next()
	a.event("paired")
	b.event("paired")

	o := newStandIn(t, s)
	if life, _ := s.pairs.Move(home, o.place, 0); life == 0 {
		t.Fatal("not moved")
	}
	b.says("who am I?")
	if e := b.event("undelivered"); e.N != 1 {
		t.Errorf("got %+v", e)
	}
	a.says("who are you?")
	o.hears(t, `"\x81\fwho are you?"`)

	if life, _ := s.pairs.Move(o.place, home, 0); life == 0 {
		t.Fatal("not moved back")
	}
	a.says("here you are")
	b.hears("here you are")
	b.says("here I am")
	a.hears("here I am")
}

// TestStandInsAreBounded: there are so many seats and no more, and each is taken
// once (I4).
func TestStandInsAreBounded(t *testing.T) {
	s := standIns[outlet]{first: 100}
	taken := make(map[seat]bool)
	for range maxStandIns {
		place, ok := s.take(&standIn{})
		if !ok || place < 100 || taken[place] {
			t.Fatalf("seat %d, %v", place, ok)
		}
		taken[place] = true
	}
	if place, ok := s.take(&standIn{}); ok {
		t.Fatalf("one more gets seat %d", place)
	}
	s.leave(150)
	if s.of(150) != nil || s.of(151) == nil {
		t.Error("the wrong seat was given back")
	}
	if place, ok := s.take(&standIn{}); !ok || place != 150 {
		t.Errorf("seat %d, %v", place, ok)
	}
}
