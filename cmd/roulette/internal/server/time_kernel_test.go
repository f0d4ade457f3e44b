package server

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
	"roulette/netpoll"
)

// stoppedClock is the real kernel with a clock that stands still until a test
// moves it: whatever the deadlines are, nothing is waited for. And sockets take
// nothing while a test says so.
type stoppedClock struct {
	netpoll.Kernel
	now    atomic.Int64
	full   atomic.Bool
	missed atomic.Uint64 // ticks that a timer counts besides its own
	mu     sync.Mutex
	timers []int
	ticked chan struct{} // a timer was seen
}

func newStoppedClock() *stoppedClock {
	return &stoppedClock{Kernel: netpoll.Linux(), ticked: make(chan struct{}, 16)}
}

func (k *stoppedClock) Now() time.Duration { return time.Duration(k.now.Load()) }

func (k *stoppedClock) Timer() (int, error) {
	fd, err := k.Event()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timers = append(k.timers, fd)
	return fd, err
}

func (k *stoppedClock) SetTimer(int, time.Duration, time.Duration) error { return nil }

func (k *stoppedClock) Write(fd int, b []byte) (int, unix.Errno) {
	if k.full.Load() {
		return 0, unix.EAGAIN
	}
	return k.Kernel.Write(fd, b)
}

func (k *stoppedClock) Writev(fd int, a, b []byte) (int, unix.Errno) {
	if k.full.Load() {
		return 0, unix.EAGAIN
	}
	return k.Kernel.Writev(fd, a, b)
}

func (k *stoppedClock) Drain(fd int) uint64 {
	n := k.Kernel.Drain(fd)
	k.mu.Lock()
	timer := slices.Contains(k.timers, fd)
	k.mu.Unlock()
	if timer {
		n += k.missed.Load()
		k.ticked <- struct{}{}
	}
	return n
}

// advance moves the clock by d, and every worker looks at all its connections.
func (k *stoppedClock) advance(t testing.TB, s *Server, d time.Duration) {
	t.Helper()
	k.now.Add(int64(d))
	for range 4 { // a quarter of the connections is looked at each time
		for _, fd := range k.timers {
			k.Signal(fd)
			select {
			case <-k.ticked:
			case <-time.After(servertest.Patience):
				t.Fatal("no tick")
			}
		}
		settled(t, s)
	}
}

// freeze stops all workers, lets meanwhile happen and d pass, and has them go on:
// each finds its timer, and what has happened, at once. early says that time
// passes first.
func (k *stoppedClock) freeze(t testing.TB, s *Server, d time.Duration, early bool, meanwhile func()) {
	t.Helper()
	var frozen sync.WaitGroup
	goOn := make(chan struct{})
	for _, w := range s.poller.Workers() {
		frozen.Add(1)
		if err := w.Ask(func() { frozen.Done(); <-goOn }); err != nil {
			t.Fatal(err)
		}
	}
	frozen.Wait()
	if !early {
		meanwhile()
	}
	k.now.Add(int64(d))
	k.missed.Store(uint64(d/s.Settings().tick()) - 1)
	for _, fd := range k.timers {
		k.Signal(fd)
	}
	if early {
		meanwhile()
	}
	close(goOn)
	for range k.timers {
		select {
		case <-k.ticked:
		case <-time.After(servertest.Patience):
			t.Fatal("no tick")
		}
	}
	k.missed.Store(0)
	settled(t, s)
}

// settled returns when all workers have done what they were asked so far.
func settled(t testing.TB, s *Server) {
	t.Helper()
	onWorkers(t, s, func(*handler) {})
}

// onWorkers runs f for the handler of each worker, on it, one after the other.
func onWorkers(t testing.TB, s *Server, f func(h *handler)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
	defer cancel()
	var mu sync.Mutex
	err := s.poller.OnWorkers(ctx, func(w *netpoll.Worker) {
		mu.Lock()
		defer mu.Unlock()
		f(w.Handler().(*handler))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// total sums a counter over the workers.
func total[N uint64 | int64](t testing.TB, s *Server, of func(c *metrics.Counters) N) (n int) {
	t.Helper()
	onWorkers(t, s, func(h *handler) { n += int(of(h.collect())) })
	return n
}

// eachConn runs f for every connection that is not closing.
func eachConn(t testing.TB, s *Server, f func(h *handler, c *netpoll.Conn)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
	defer cancel()
	var mu sync.Mutex
	err := s.poller.Each(ctx, func(h netpoll.Handler, c *netpoll.Conn) {
		mu.Lock()
		defer mu.Unlock()
		f(h.(*handler), c)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// flow is what waits in a server, and who is not read because of it.
type flow struct{ paused, waiting, bytes, most int }

func flowOf(t testing.TB, s *Server) (f flow) {
	eachConn(t, s, func(_ *handler, c *netpoll.Conn) {
		if c.Paused() {
			f.paused++
		}
		if n := c.Pending(); n > 0 {
			f.waiting++
			f.bytes += n
			f.most = max(f.most, n)
		}
	})
	return f
}
