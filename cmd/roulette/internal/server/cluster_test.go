package server

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/mesh"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
)

// localBus carries words between servers in this process, in order, until it is cut.
type localBus struct {
	mu    sync.Mutex
	cut   bool // nothing arrives, and nobody is told
	twice bool // everything does twice
	nodes []*busEnd
	held  *busEnd // hears nothing until it is let go
	later []word  // what it is to hear then
}

// busEnd is one server's.
type busEnd struct {
	bus     *localBus
	mesh    *mesh.Mesh
	inbox   chan word
	stopped chan struct{}
}

type word struct {
	subject string
	data    []byte
}

// Publish implements [mesh.Bus].
func (b *busEnd) Publish(subject string, data []byte) {
	b.bus.mu.Lock()
	defer b.bus.mu.Unlock()
	if b.bus.cut {
		return
	}
	for _, n := range b.bus.nodes {
		if n != b {
			w := word{subject, bytes.Clone(data)}
			if n == b.bus.held {
				b.bus.later = append(b.bus.later, w)
				continue
			}
			n.inbox <- w
			if b.bus.twice {
				n.inbox <- w
			}
		}
	}
}

func (b *busEnd) run() {
	defer close(b.stopped)
	for w := range b.inbox {
		switch w.subject {
		case b.mesh.BeatSubject(), b.mesh.MeetSubject(), b.mesh.Subject():
			b.mesh.Receive(w.data)
		}
	}
}

// change changes the bus.
func (b *localBus) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// letGo brings what was held.
func (b *localBus) letGo() {
	b.change(func() {
		for _, w := range b.later {
			b.held.inbox <- w
		}
		b.held, b.later = nil, nil
	})
}

// setCut cuts the bus, or mends it; the nodes notice.
func (b *localBus) setCut(on bool) {
	b.mu.Lock()
	b.cut = on
	b.mu.Unlock()
	for _, n := range b.nodes {
		n.mesh.BusLost()
	}
}

// startNodes serves on so many nodes that know each other.
func startNodes(t *testing.T, n int, config Config) (bus *localBus, servers []*Server, addrs []string) {
	bus = &localBus{}
	for i := range n {
		end := &busEnd{bus: bus, inbox: make(chan word, 1<<14), stopped: make(chan struct{})}
		config.Cluster = &Cluster{World: "test", Name: fmt.Sprintf("node%d", i), Bus: end, Connected: func() bool { return true }}
		s, addr := start(t, config)
		end.mesh = s.Mesh()
		go end.run()
		t.Cleanup(func() {
			bus.mu.Lock()
			bus.nodes = nil
			bus.mu.Unlock()
			close(end.inbox)
			<-end.stopped
		})
		bus.mu.Lock()
		bus.nodes = append(bus.nodes, end)
		bus.mu.Unlock()
		servers, addrs = append(servers, s), append(addrs, addr)
	}
	servertest.Await(t, "the nodes to know each other", func() bool {
		for _, s := range servers {
			if nodes, _, _ := s.Mesh().State(); nodes != n-1 {
				return false
			}
		}
		return true
	})
	return bus, servers, addrs
}

// acrossNodes is two rich clients on two nodes who have met.
func acrossNodes(t *testing.T, addrs []string) (a, b *person) {
	t.Helper()
	a, b = dialRich(t, addrs[0]), dialRich(t, addrs[1])
	a.next()
	a.event("waiting")
	b.next()
	b.event("waiting")
	for _, p := range []*person{a, b} {
		if e := p.event("paired"); e.Pair != 1 {
			t.Fatalf("got %+v", e)
		}
	}
	return a, b
}

func TestStrangersOnTwoNodes(t *testing.T) {
	servertest.Parallel(t)
	_, servers, addrs := startNodes(t, 2, Config{})
	a, b := acrossNodes(t, addrs)
	a.says("hello")
	b.hears("hello")
	b.says("hi")
	a.hears("hi")
	a.do([]byte("\x1e" + `{"type":"typing","on":true}`))
	if e := b.event("typing"); !e.On || e.Pair != 1 {
		t.Errorf("got %+v", e)
	}
	a.says("typed") // which ends that
	if e := b.event("typing"); e.On {
		t.Errorf("got %+v", e)
	}
	b.hears("typed")
	b.next()
	if e := a.event("left"); e.Reason != record.LeftNext || e.Pair != 1 {
		t.Errorf("got %+v", e)
	}
	b.event("waiting")
	a.says("too late")
	if e := a.event("undelivered"); e.N != 1 {
		t.Errorf("got %+v", e)
	}
	a.next() // they avoid each other now, so a third is met
	a.event("waiting")
	c := dialRich(t, addrs[1])
	c.next()
	c.event("paired")
	b.event("paired")
	b.conn.CloseNow()
	c.event("left")
	c.next()
	c.event("waiting")
	c.event("paired")
	if e := a.event("paired"); e.Pair != 2 {
		t.Errorf("got %+v", e)
	}
	for _, s := range servers {
		if s.people() != 2 || s.across() != 1 {
			servertest.Await(t, "two people", func() bool { return s.people() == 2 && s.across() == 1 })
		}
		if err := s.pairs.ConsistencyCheck(milliseconds(s.now())); err != nil {
			t.Error(err)
		}
	}
}

func TestPlainStrangersOnTwoNodes(t *testing.T) {
	servertest.Parallel(t)
	_, servers, addrs := startNodes(t, 2, Config{})
	a := servertest.Dial(t, addrs[0], "/ws")
	a.Write(text("anybody?")) // what it always got
	a.Expect(textOp, sorryText)
	b := servertest.Dial(t, addrs[1], "/ws")
	servertest.Await(t, "the pair", func() bool { return servers[0].pairs.Pairs() == 1 && servers[1].pairs.Pairs() == 1 })
	a.Write(append(text("one"), enc(fin|binaryOp, "two")...))
	b.Expect(textOp, "one")
	b.Expect(binaryOp, "two")
	b.Leave() // and a waits again, by itself
	servertest.Await(t, "a to wait", func() bool { return servers[0].pairs.Waiting() == 1 })
	a.Write(text("anybody?"))
	a.Expect(textOp, sorryText)
}

// TestWishesAcrossNodes: interests, languages and tables bring people of two nodes
// together, and keep them apart.
func TestWishesAcrossNodes(t *testing.T) {
	servertest.Parallel(t)
	_, _, addrs := startNodes(t, 2, Config{})
	for _, c := range []struct {
		name string
		wish record.Command
		want []string
	}{
		{"interest", record.Command{Kind: record.Next, HasInterests: true, Interests: []string{"go", "tea"}}, []string{"go", "tea"}},
		{"language", record.Command{Kind: record.Next, HasLanguages: true, Languages: []string{"de"}}, nil},
		{"table", record.Command{Kind: record.Next, HasTable: true, Table: "kitchen"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b, other := dialRich(t, addrs[0]), dialRich(t, addrs[1]), dialRich(t, addrs[1])
			other.do(record.AppendCommand(nil, &record.Command{Kind: record.Next, HasTable: true, Table: "not for " + c.name}))
			other.event("waiting")
			a.do(record.AppendCommand(nil, &c.wish))
			a.event("waiting")
			b.do(record.AppendCommand(nil, &c.wish))
			b.event("waiting")
			for _, p := range []*person{a, b} {
				if e := p.event("paired"); strings.Join(e.Common, ",") != strings.Join(c.want, ",") {
					t.Errorf("got %+v", e)
				}
			}
			a.says("here")
			b.hears("here")
		})
	}
}

// TestLanguagesAcrossNodes: who has languages insists on them for 8 s, on two nodes as on
// one.
func TestLanguagesAcrossNodes(t *testing.T) {
	servertest.Parallel(t)
	_, _, addrs := startNodes(t, 2, Config{})
	a, b := dialRich(t, addrs[0]), dialRich(t, addrs[1])
	a.do(record.AppendCommand(nil, &record.Command{Kind: record.Next, HasLanguages: true, Languages: []string{"eo"}}))
	a.event("waiting")
	b.next()
	b.event("waiting")
	began := time.Now()
	a.event("paired")
	b.event("paired")
	if took := time.Since(began); took < 6*time.Second {
		t.Errorf("they have met after %v", took)
	}
	a.says("saluton")
	b.hears("saluton")
}

// TestPatienceAcrossNodes: who has interests insists on them for a while, on two nodes as
// on one; and the last partner is avoided across nodes until nobody else has come.
func TestPatienceAcrossNodes(t *testing.T) {
	servertest.Parallel(t)
	_, _, addrs := startNodes(t, 2, Config{})
	a, b := dialRich(t, addrs[0]), dialRich(t, addrs[1])
	meet := func(least time.Duration) {
		t.Helper()
		began := time.Now()
		for _, p := range []*person{a, b} {
			p.event("paired")
		}
		if took := time.Since(began); took < least {
			t.Errorf("they have met after %v", took)
		}
		a.says("here")
		b.hears("here")
	}
	a.do(record.AppendCommand(nil, &record.Command{Kind: record.Next, HasInterests: true, Interests: []string{"ornithology"}}))
	a.event("waiting")
	b.next()
	b.event("waiting")
	meet(3 * time.Second) // patience is 5 s
	a.do(record.AppendCommand(nil, &record.Command{Kind: record.Next, HasInterests: true}))
	a.event("waiting")
	b.event("left")
	b.next()
	b.event("waiting")
	meet(3 * time.Second)
}

// TestSlowReceiverElsewhere: a sender on another node is paused when the credit is
// used up, nothing is lost, and it goes on.
func TestSlowReceiverElsewhere(t *testing.T) {
	servertest.Parallel(t)
	_, servers, addrs := startNodes(t, 2, Config{Workers: 1})
	a, b := plainAcross(t, servers, addrs)
	const messages = 400
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range messages {
			a.Write(enc(fin|binaryOp, payload(i)))
		}
	})
	servertest.Await(t, "a to be paused", func() bool { return flowOf(t, servers[0]).paused == 1 })
	if f := flowOf(t, servers[1]); f.most > mesh.ChatCredit+2*readBuffer {
		t.Errorf("%d bytes wait for b", f.most)
	}
	check(t, b, 0, messages)
	writing.Wait()
	b.Write(text("got all"))
	a.Expect(textOp, "got all")
	if st := servers[0].Mesh().Stats(); st.Stalls == 0 || st.Losses != 0 {
		t.Errorf("%+v", st)
	}
}

// plainAcross is two plain clients on two nodes, who have met.
func plainAcross(t *testing.T, servers []*Server, addrs []string) (a, b *servertest.Conn) {
	t.Helper()
	a, b = servertest.Dial(t, addrs[0], "/ws"), servertest.Dial(t, addrs[1], "/ws")
	servertest.Await(t, "the pair", func() bool { return servers[0].pairs.Pairs() == 1 && servers[1].pairs.Pairs() == 1 })
	return a, b
}

// TestBusIsLost: chats of one node do not notice; those of two end, and both are told.
func TestBusIsLost(t *testing.T) {
	servertest.Parallel(t)
	bus, servers, addrs := startNodes(t, 2, Config{})
	a, b := acrossNodes(t, addrs)
	x, y := richCouple(t, addrs[0])
	for range 5 {
		bus.setCut(true)
		for _, p := range []*person{a, b} {
			if e := p.event("left"); e.Reason != record.LeftDisconnected {
				t.Errorf("got %+v", e)
			}
		}
		x.says("still there?")
		y.hears("still there?")
		c := dialRich(t, addrs[1])
		c.next()
		c.event("waiting")
		b.next()
		b.event("paired") // on their own node
		c.event("paired")
		c.conn.CloseNow()
		b.event("left")
		bus.setCut(false)
		a.conn.CloseNow()
		b.conn.CloseNow()
		servertest.Await(t, "them to have gone", func() bool { return servers[0].people() == 2 && servers[1].people() == 2 })
		a, b = acrossNodes(t, addrs)
	}
	for _, s := range servers {
		if err := s.pairs.ConsistencyCheck(milliseconds(s.now())); err != nil {
			t.Error(err)
		}
	}
}

// TestNodeDrains: it takes nobody of others any more, and who is there is sent away.
func TestNodeDrains(t *testing.T) {
	servertest.Parallel(t)
	_, servers, addrs := startNodes(t, 2, Config{})
	a, b := acrossNodes(t, addrs)
	gone := shutdown(t, servers[1], 0)
	if e := a.event("left"); e.Reason != record.LeftDisconnected {
		t.Errorf("got %+v", e)
	}
	b.closedWith(1001)
	if err := <-gone; err != nil {
		t.Error(err)
	}
	servertest.Await(t, "the other node to be known to drain, or to be forgotten", func() bool {
		peers := servers[0].Mesh().Peers()
		return len(peers) == 0 || peers[0].Draining
	})
}

// nodes: people of two nodes meet, or nearly, on a bus that does what buses do.
func (a *audit) nodes(t *testing.T) {
	bus, servers, addrs := startNodes(t, 2, Config{Workers: 1})
	s := servers[0]
	plain, slow := plainAcross(t, servers, addrs)
	a.awaits(t, s, "cluster_nodes{}", "cluster_connected{}", "cluster_people{}", "cluster_chats{}", "cluster_meetings_total{}",
		"cluster_words_total{direction=in}", "cluster_words_total{direction=out}", "cluster_bytes_total{direction=in}", "cluster_bytes_total{direction=out}")
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range 400 {
			plain.Write(enc(fin|binaryOp, payload(i)))
		}
	})
	a.awaits(t, s, "cluster_credit_stalls_total{}")
	check(t, slow, 0, 400)
	writing.Wait()
	plain.TCP.Close()
	slow.TCP.Close()
	servertest.Await(t, "them to have gone", func() bool { return servers[0].people() == 0 && servers[1].people() == 0 })

	s.Mesh().Receive([]byte("garbage"))
	s.Mesh().Receive(append([]byte{mesh.MajorVersion, 1}, make([]byte, 24)...)) // of another world
	bus.change(func() { bus.twice = true })
	a.awaits(t, s, "cluster_refused_words_total{reason=malformed}", "cluster_refused_words_total{reason=strange}", "cluster_refused_words_total{reason=repeated}")
	bus.change(func() { bus.twice = false })

	// Somebody waits on the other node, as far as this one knows.
	known := func() bool {
		for _, p := range servers[0].Mesh().Peers() {
			if p.Waiting {
				return true
			}
		}
		return false
	}
	there := func() *person {
		p := dialRich(t, addrs[1])
		p.next()
		p.event("waiting")
		servertest.Await(t, "it to be known", known)
		return p
	}
	offered := func() uint64 { return servers[0].Mesh().Stats().OffersMade }
	seek := func() *person { // and an offer is made
		before := offered()
		p := dialRich(t, addrs[0])
		p.next()
		p.event("waiting")
		servertest.Await(t, "an offer", func() bool { return offered() > before })
		return p
	}
	result := func(name string, play func(there, here *person)) {
		t.Helper()
		key := "cluster_offers_total{result=" + name + "}"
		a.awaitsWhile(t, s, func() {
			x := there()
			bus.change(func() { bus.held = bus.nodes[0] }) // it makes offers and hears no answer
			play(x, nil)
			y := seek()
			play(nil, y)
			bus.letGo()
			settled(t, s)
			x.conn.CloseNow()
			y.conn.CloseNow()
			servertest.Await(t, "them to have gone", func() bool { return servers[0].people() == 0 && servers[1].people() == 0 && !known() })
		}, key)
	}
	result("accepted", func(_, _ *person) {})
	result("declined", func(there, _ *person) {
		if there != nil {
			there.do([]byte("\x1e" + `{"type":"stop"}`))
			servertest.Await(t, "nobody to wait", func() bool { return servers[1].pairs.Waiting() == 0 })
		}
	})
	result("aborted", func(_, here *person) {
		if here != nil {
			here.do([]byte("\x1e" + `{"type":"stop"}`))
			servertest.Await(t, "nobody to wait", func() bool { return servers[0].pairs.Waiting() == 0 })
		}
	})
	result("expired", func(_, here *person) {
		if here != nil {
			servertest.Await(t, "the offer to be too old", func() bool { return servers[0].Mesh().Stats().OffersExpired > 0 })
		}
	})
	a.awaits(t, s, "cluster_refused_words_total{reason=stale}")
	s.Mesh().BusLost()
	a.awaits(t, s, "cluster_losses_total{}")
}
