package netpoll

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roulette/netpoll/nettest"
)

// relay pairs connections by their IDs and passes on what they send, as the
// server does: partner asked for, its write lock, partner asked again.
type relay struct {
	poller *Poller
	links  []atomic.Uint32 // by ID: the partner's ID + 1
	gone   atomic.Int64    // bytes that reached nobody
	most   atomic.Int64    // that ever waited for one
}

func (r *relay) open(t testing.TB, config Config) {
	r.poller = open(t, config, hooks{
		read: func(w *Worker, c *Conn, b []byte) { r.pass(w, c, b) },
		drained: func(_ *Worker, c *Conn) {
			if p := r.partner(c); p != nil {
				p.Resume()
			}
		},
		closed: func(_ *Worker, c *Conn, _ Cause) { r.part(c) },
	})
	r.links = make([]atomic.Uint32, r.poller.IDs())
}

func (r *relay) partner(c *Conn) *Conn {
	if link := r.links[c.ID()].Load(); link != 0 {
		return r.poller.Conn(link - 1)
	}
	return nil
}

func (r *relay) pass(w *Worker, c *Conn, b []byte) {
	p := r.partner(c)
	if p == nil {
		r.gone.Add(int64(len(b)))
		return
	}
	p.Lock()
	outcome := Gone
	if r.links[p.ID()].Load() == c.ID()+1 {
		outcome = p.Send(w, b, c)
	}
	p.Unlock()
	if outcome == Gone {
		r.gone.Add(int64(len(b)))
	}
	n := int64(p.Pending())
	for old := r.most.Load(); n > old && !r.most.CompareAndSwap(old, n); {
		old = r.most.Load()
	}
}

func (r *relay) link(a, b *Conn) {
	r.links[a.ID()].Store(b.ID() + 1)
	r.links[b.ID()].Store(a.ID() + 1)
}

// part takes c, to which nobody can write any more, out of its pair.
func (r *relay) part(c *Conn) {
	link := r.links[c.ID()].Swap(0)
	if link != 0 && r.links[link-1].CompareAndSwap(c.ID()+1, 0) {
		r.poller.Conn(link - 1).Resume()
	}
}

// Whatever the kernel does, each byte arrives once and in its place, nobody
// stays paused, and no more waits for anybody than what one read brought.
func TestRelayOverFaultyKernel(t *testing.T) {
	for _, percent := range []int{0, 10, 50} {
		t.Run(fmt.Sprintf("faults=%d%%", percent), func(t *testing.T) {
			relayOverFaults(t, percent)
		})
	}
}

func relayOverFaults(t *testing.T, percent int) {
	const pairs, readBuffer = 4, 32 << 10
	volume := 8 << 20
	if testing.Short() {
		volume = 2 << 20
	}
	k := newFaultyKernel(t, percent)
	var r relay
	r.open(t, Config{
		Kernel: k, Workers: 2, MaxConns: 100, ReadBuffer: readBuffer,
		Tick: 2 * time.Millisecond, // the sweep tries again after ENOBUFS
	})
	var running sync.WaitGroup
	var conns []*Conn
	for pair := range pairs {
		fdA, clientA := tcpPair(t)
		fdB, clientB := tcpPair(t)
		// Both on one worker, and on two.
		a := adoptOn(t, r.poller.workers[0], fdA)
		b := adoptOn(t, r.poller.workers[pair%2], fdB)
		r.link(a, b)
		conns = append(conns, a, b)
		for _, way := range [][2]net.Conn{{clientA, clientB}, {clientB, clientA}} {
			key := rand.Uint64()
			running.Go(func() { sendStream(t, way[0], key, volume) })
			running.Go(func() { checkStream(t, way[1], key, volume) })
		}
	}
	running.Wait()
	if n := r.gone.Load(); n != 0 {
		t.Errorf("%d bytes reached nobody", n)
	}
	if n := r.most.Load(); n > readBuffer {
		t.Errorf("%d bytes waited for one receiver, more than a read of %d", n, readBuffer)
	}
	nettest.Await(t, "nobody is paused, nothing waits", func() bool {
		for _, c := range conns {
			if c.Paused() || c.Pending() != 0 {
				return false
			}
		}
		return true
	})
	t.Logf("%d faults, at most %d bytes waited", k.count(), r.most.Load())
}

// sendStream writes n random bytes in pieces of random sizes.
func sendStream(t *testing.T, c net.Conn, key uint64, n int) {
	random := rand.New(rand.NewPCG(key, 1))
	stream := rand.NewChaCha8(streamKey(key))
	b := make([]byte, 100_000)
	for n > 0 {
		piece := b[:min(n, 1+random.IntN(1<<random.IntN(17)))]
		stream.Read(piece)
		if _, err := c.Write(piece); err != nil {
			t.Errorf("write, %d bytes to go: %v", n, err)
			return
		}
		n -= len(piece)
	}
}

// checkStream reads what sendStream has written, now and then slowly.
func checkStream(t *testing.T, c net.Conn, key uint64, n int) {
	random := rand.New(rand.NewPCG(key, 2))
	stream := rand.NewChaCha8(streamKey(key))
	got, want := make([]byte, 100_000), make([]byte, 100_000)
	for n > 0 {
		m, err := c.Read(got[:min(n, 1+random.IntN(1<<random.IntN(17)))])
		if err != nil {
			t.Errorf("read, %d bytes to go: %v", n, err)
			return
		}
		if m > 0 {
			stream.Read(want[:m])
			if !bytes.Equal(got[:m], want[:m]) {
				t.Errorf("wrong bytes, %d to go", n)
				return
			}
		}
		n -= m
	}
}

func streamKey(key uint64) (seed [32]byte) {
	binary.LittleEndian.PutUint64(seed[:], key)
	return seed
}

// No byte reaches a stranger while connections come and go over the same
// descriptors, slots and chunks. Each client stamps all it sends with the
// number of its pair.
func TestChurn(t *testing.T) {
	const lanes = 8
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	k := newFaultyKernel(t, 10)
	var r relay
	r.open(t, Config{
		Kernel: k, Workers: 2, MaxConns: 100, ReadBuffer: 4 << 10,
		Tick: time.Millisecond,
	})
	var numbers, strangers atomic.Int64
	var running sync.WaitGroup
	for lane := range lanes {
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(lane), 3))
			for range rounds {
				number := uint64(numbers.Add(1))
				fdA, clientA := tcpPair(t)
				fdB, clientB := tcpPair(t)
				a := adoptOn(t, r.poller.workers[random.IntN(2)], fdA)
				b := adoptOn(t, r.poller.workers[random.IntN(2)], fdB)
				r.link(a, b)
				stamp := bytes.Repeat(binary.BigEndian.AppendUint64(nil, number), 1+random.IntN(4000))
				var pair sync.WaitGroup
				pair.Go(func() { clientA.Write(stamp) })
				pair.Go(func() { clientB.Write(stamp) })
				// One leaves in the middle, in good order or not.
				clientA.SetLinger(random.IntN(2) - 1)
				got := make([]byte, 1+random.IntN(len(stamp)))
				n, err := io.ReadFull(clientB, got)
				if err != nil || !bytes.Equal(got, stamp[:n]) {
					strangers.Add(1)
					t.Errorf("pair %d: %d bytes of %d, %v", number, n, len(got), err)
				}
				clientA.Close()
				clientB.SetReadDeadline(time.Now())
				rest, _ := io.ReadAll(clientB)
				if whole := append(got, rest...); !bytes.HasPrefix(stamp, whole) {
					strangers.Add(1)
					t.Errorf("pair %d: got what it was not sent", number)
				}
				clientB.Close()
				pair.Wait()
			}
		})
	}
	running.Wait()
	nettest.Await(t, "all are gone", func() bool { return r.poller.Count() == 0 })
	if n := strangers.Load(); n != 0 {
		t.Errorf("%d strangers", n)
	}
	eachChunk(t, r.poller, func(*chunk) { t.Error("a chunk without connections is kept") })
}

// The same through listeners, with accepts that fail.
func TestAcceptOverFaultyKernel(t *testing.T) {
	k := newFaultyKernel(t, 30)
	p := open(t, Config{Kernel: k, Workers: 2, Tick: time.Millisecond}, hooks{
		accepted: func(_ *Worker, _ *Conn, peer netip.AddrPort) bool { return peer.IsValid() },
		read:     echo,
	})
	addr := listenOn(t, p, "127.0.0.1:0")
	var running sync.WaitGroup
	for lane := range 4 {
		running.Go(func() {
			for i := range 100 {
				c := dial(t, addr)
				if err := roundTrip(c, fmt.Sprint(lane, i)); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		})
	}
	running.Wait()
	nettest.Await(t, "all are gone", func() bool { return p.Count() == 0 })
	failed := 0
	onWorkers(t, p, func(w *Worker) {
		for _, n := range w.stats.AcceptErrors {
			failed += int(n)
		}
	})
	if failed == 0 {
		t.Error("no accept has failed")
	}
}

func eachChunk(t testing.TB, p *Poller, f func(k *chunk)) {
	onWorkers(t, p, func(w *Worker) {
		for i := range w.chunks {
			if k := w.chunks[i].Load(); k != nil {
				f(k)
			}
		}
	})
}
