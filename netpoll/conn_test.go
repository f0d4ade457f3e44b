package netpoll

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"roulette/netpoll/nettest"

	"golang.org/x/sys/unix"
)

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n != 32 {
		t.Errorf("a Conn has %d bytes, want 32", n)
	}
	if n := unsafe.Sizeof(chunk{}); n != 8184 {
		t.Errorf("a chunk has %d bytes, want 8184", n)
	}
}

// withoutSockets makes n connections of w that have no descriptor to speak of,
// for what needs many. Worker only; drop is its end.
func withoutSockets(w *Worker, n int) (conns []*Conn) {
	for range n {
		c := w.add(1 << 20) // no number that a process here could have
		if c == nil {
			break
		}
		conns = append(conns, c)
	}
	return conns
}

func drop(conns ...*Conn) {
	for _, c := range conns {
		w := c.Worker()
		c.forget()
		w.freeSlot(c)
	}
}

func TestIDs(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 8} {
		const n = 3*chunkSlots + 7
		p := open(t, Config{Workers: workers, MaxConns: 2000}, hooks{})
		seen := make(map[uint32]*Conn)
		most := uint32(0)
		onWorkers(t, p, func(w *Worker) {
			conns := withoutSockets(w, n)
			for _, c := range conns {
				id := c.ID()
				if seen[id] != nil {
					t.Errorf("id %d is given twice", id)
				}
				seen[id] = c
				most = max(most, id)
				if p.Conn(id) != c {
					t.Errorf("id %d does not lead back", id)
				}
			}
		})
		if int(most) >= p.IDs() {
			t.Errorf("id %d is not below %d", most, p.IDs())
		}
		// Dense: what a table by ID has in vain is little more than the header
		// slots and the rounding of the workers to a power of two.
		if room := 1 << p.idShift * (n + chunkSlots) * (chunkSlots + chunkReserved) / chunkSlots; int(most) > room {
			t.Errorf("%d workers with %d each have ids up to %d, want at most %d", workers, n, most, room)
		}
		for _, id := range []uint32{most + 1<<20, 1<<32 - 1} {
			if c := p.Conn(id); c != nil {
				t.Errorf("id %d is that of a connection", id)
			}
		}
		for id := range uint32(p.IDs()) {
			if c := p.Conn(id); c != nil && seen[id] == nil && c.fd >= 0 {
				t.Errorf("id %d was given to nobody", id)
			}
		}
		onWorkers(t, p, func(w *Worker) { w.each(func(c *Conn) { drop(c) }) })
		p.Close()
	}
}

// Slots and chunks come and go at random; what a model says is there is there.
func TestSlotsAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	p := open(t, Config{Workers: 1, MaxConns: 5000}, hooks{})
	on(t, p.workers[0], func() {
		w := p.workers[0]
		var conns []*Conn
		ids := make(map[uint32]bool)
		for range 50 {
			add := withoutSockets(w, random.IntN(1500))
			for _, c := range add {
				if ids[c.ID()] {
					t.Fatalf("id %d is taken", c.ID())
				}
				ids[c.ID()] = true
				if c.State() != 0 || c.Paused() || c.Closing() || c.Held() != nil || c.Key != 0 || c.Rate != 0 {
					t.Fatal("something is left of the slot's last owner")
				}
				c.SetState(0xffff, 0xffff)
				c.Key, c.Rate = 1, 2
				c.bits.Or(paused | closing)
			}
			conns = append(conns, add...)
			random.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
			for range random.IntN(len(conns) + 1) {
				c := conns[len(conns)-1]
				conns = conns[:len(conns)-1]
				delete(ids, c.ID())
				drop(c)
			}
			if w.Count() != len(conns) || p.Count() != len(conns) {
				t.Fatalf("%d and %d connections, want %d", w.Count(), p.Count(), len(conns))
			}
			found := 0
			w.each(func(c *Conn) { found++ })
			if found != len(conns) {
				t.Fatalf("each finds %d, want %d", found, len(conns))
			}
		}
		drop(conns...)
		for i := range w.chunks {
			if w.chunks[i].Load() != nil {
				t.Errorf("chunk %d is kept for nobody", i)
			}
		}
		if w.lastChunk != 0 {
			t.Errorf("lastChunk is %d", w.lastChunk)
		}
		// The first place is taken first.
		c := withoutSockets(w, 1)[0]
		if id := c.ID(); id != chunkReserved {
			t.Errorf("the first id is %d", id)
		}
		drop(c)
	})
}

func TestPlacesUpToMaxConns(t *testing.T) {
	p := open(t, Config{Workers: 1, MaxConns: chunkSlots}, hooks{})
	on(t, p.workers[0], func() {
		conns := withoutSockets(p.workers[0], 10*chunkSlots)
		if len(conns) != 2*chunkSlots { // a chunk more than there need be
			t.Errorf("%d fit", len(conns))
		}
		drop(conns[3])
		if conns[3] = p.workers[0].add(1 << 20); conns[3] == nil {
			t.Error("the free place is not found")
		}
		drop(conns...)
	})
}

// Chunks go while others look up and lock what was in them.
func TestLookUpWhileChunksGo(t *testing.T) {
	p := open(t, Config{Workers: 2, MaxConns: 3000}, hooks{})
	var stop atomic.Bool
	var looking sync.WaitGroup
	for lane := range 2 {
		looking.Go(func() {
			random := rand.New(rand.NewPCG(uint64(lane), 4))
			for !stop.Load() {
				if c := p.Conn(random.Uint32N(1500)); c != nil {
					c.Lock()
					if c.fd >= 0 && c.fd != 1<<20 {
						t.Error("a descriptor of nobody")
					}
					c.Unlock()
					c.Pending()
					c.State()
					c.Worker()
				}
			}
		})
	}
	for range 50 {
		onWorkers(t, p, func(w *Worker) { drop(withoutSockets(w, 600)...) })
	}
	stop.Store(true)
	looking.Wait()
}

func TestState(t *testing.T) {
	c := &newChunk(new(Worker), 0).conns[9]
	c.bits.Or(closing)
	before := c.bits.Load()
	c.SetState(0xabcd, 0xffff)
	c.SetState(0x0010, 0x00f0)
	if got := c.State(); got != 0xab1d {
		t.Errorf("state %#x", got)
	}
	c.SetState(0, 0xffff)
	if c.bits.Load() != before || c.slot() != 9+chunkReserved {
		t.Errorf("bits %#x, want %#x", c.bits.Load(), before)
	}
}

func TestWhatAConnHolds(t *testing.T) {
	p := open(t, Config{Workers: 1}, hooks{})
	w := p.workers[0]
	fd, _ := tcpPair(t)
	c := adoptOn(t, w, fd)
	on(t, w, func() {
		c.Hold(nil)
		if c.Held() != nil || c.spilled() != nil {
			t.Error("nothing takes memory")
		}
		c.Hold("a")
		c.Hold("b")
		fill(t, w, c, nil) // a backlog beside it
		if c.Held() != "b" {
			t.Errorf("held %v", c.Held())
		}
		c.Hold(nil)
		if c.Held() != nil || c.Pending() == 0 {
			t.Error("the backlog went with what was held")
		}
		c.Hold("c")
		c.Close()
		if c.spilled() != nil {
			t.Error("something is left")
		}
	})
}

func TestAskAndEach(t *testing.T) {
	p := open(t, Config{Workers: 3}, hooks{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, w := range p.Workers() {
		for range i + 1 {
			fd, _ := tcpPair(t)
			c := adoptOn(t, w, fd)
			c.SetState(uint16(i), 0xffff)
		}
	}
	fd, _ := tcpPair(t)
	finished := adoptOn(t, p.workers[2], fd)
	on(t, p.workers[2], func() { finished.Finish(nil) })

	var seen [3]atomic.Int32
	if err := p.Each(ctx, func(h Handler, c *Conn) {
		if c.Worker().Handler() != h || int(c.State()) != c.Worker().Index() {
			t.Error("on a strange worker")
		}
		seen[c.State()].Add(1)
	}); err != nil {
		t.Fatal(err)
	}
	for i := range seen {
		if got := seen[i].Load(); int(got) != i+1 {
			t.Errorf("worker %d: %d connections", i, got)
		}
	}

	// Order is kept, and one that is asked while it is busy answers later.
	var order []int
	done := make(chan struct{})
	for i := range 100 {
		p.workers[0].Ask(func() { order = append(order, i) })
	}
	p.workers[0].Ask(func() { close(done) })
	receive(t, "the last", done)
	for i, got := range order {
		if got != i {
			t.Fatalf("order %v", order)
		}
	}

	gone, cancel := context.WithCancel(ctx)
	cancel()
	proceed := make(chan struct{})
	p.workers[1].Ask(func() { <-proceed })
	if err := p.OnWorkers(gone, func(*Worker) {}); err != context.Canceled {
		t.Errorf("OnWorkers: %v", err)
	}
	close(proceed)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.OnWorkers(ctx, func(*Worker) {}); err != ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}

// A relayed read allocates nothing: read, partner's lock, write. Neither do
// pausing and resuming, once the pools are filled.
func TestAllocations(t *testing.T) {
	if nettest.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	p := open(t, Config{Workers: 1}, hooks{})
	w := p.workers[0]
	a, clientA := socketpair(t, w)
	b, clientB := socketpair(t, w)
	message, got := make([]byte, 1000), make([]byte, 1<<20)
	relay := func(c *Conn, bytes []byte) {
		partner := p.Conn(b.ID())
		partner.Lock()
		partner.Send(w, bytes, c)
		partner.Unlock()
	}
	k := p.kernel
	h := w.handler.(*hooked)
	on(t, w, func() {
		h.read = func(_ *Worker, c *Conn, bytes []byte) { relay(c, bytes) }
		for _, tc := range []struct {
			desc string
			f    func()
		}{
			{"a relayed read", func() {
				k.Write(clientA, message)
				a.ready(connEvents &^ hangUpEvents)
				k.Read(clientB, got)
			}},
			{"a write of two pieces", func() {
				b.Lock()
				b.SendTwo(w, message, message, a)
				b.Unlock()
				k.Read(clientB, got)
			}},
			{"a backlog", func() {
				for b.Pending() == 0 {
					relay(a, message)
				}
				for b.Pending() > 0 {
					k.Read(clientB, got)
					b.flush()
				}
				k.Read(clientB, got)
				a.Resume()
			}},
			{"a tick over idle connections", func() { w.onTick() }},
		} {
			tc.f() // fills the pools
			if n := testing.AllocsPerRun(200, tc.f); n != 0 {
				t.Errorf("%s: %v allocations", tc.desc, n)
			}
		}
	})
}

// socketpair makes one end of a socketpair a connection of w and returns the
// other, which is non-blocking too.
func socketpair(t testing.TB, w *Worker) (c *Conn, other int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[1]) })
	return adoptOn(t, w, fds[0]), fds[1]
}
