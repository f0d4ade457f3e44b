package server

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/netpoll"
)

// stoppedClock is the real kernel with a clock that stands still until a test
// moves it: whatever the deadlines are, nothing is waited for. And sockets take
// nothing while a test says so.
type stoppedClock struct {
	netpoll.Kernel
	now    atomic.Int64
	turns  sync.RWMutex // read: a worker is in a callback, which takes no time
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

func (k *stoppedClock) Epoll(onError func(error)) (netpoll.Epoll, error) {
	e, err := k.Kernel.Epoll(onError)
	return timelessEpoll{e, k}, err
}

// timelessEpoll keeps the clock from being moved in the middle of a callback, which the
// worker would have been busy for.
type timelessEpoll struct {
	netpoll.Epoll
	clock *stoppedClock
}

func (e timelessEpoll) Add(fd int, events easygo.EpollEvent, callback func(easygo.EpollEvent)) error {
	return e.Epoll.Add(fd, events, func(events easygo.EpollEvent) {
		e.clock.turns.RLock()
		defer e.clock.turns.RUnlock()
		callback(events)
	})
}

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
	k.turns.Lock()
	k.now.Add(int64(d))
	k.turns.Unlock()
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
