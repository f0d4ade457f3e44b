package netpoll

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"
)

// manualKernel is Linux with a clock that stands still until a test moves it,
// and sockets that take nothing while a test says so.
type manualKernel struct {
	Kernel
	now  atomic.Int64
	full atomic.Bool

	mu     sync.Mutex
	timers []int
	ticked chan struct{} // a timer was seen
}

func newManualKernel() *manualKernel {
	return &manualKernel{Kernel: Linux(), ticked: make(chan struct{}, maxWorkers)}
}

func (k *manualKernel) Now() time.Duration { return time.Duration(k.now.Load()) }

func (k *manualKernel) Timer() (int, error) {
	fd, err := k.Event() // becomes readable when the test says so
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timers = append(k.timers, fd)
	return fd, err
}

func (k *manualKernel) SetTimer(int, time.Duration, time.Duration) error { return nil }

func (k *manualKernel) Drain(fd int) uint64 {
	n := k.Kernel.Drain(fd)
	k.mu.Lock()
	timer := slices.Contains(k.timers, fd)
	k.mu.Unlock()
	if timer {
		k.ticked <- struct{}{}
	}
	return n
}

func (k *manualKernel) Write(fd int, b []byte) (int, unix.Errno) {
	if k.full.Load() {
		return 0, unix.EAGAIN
	}
	return k.Kernel.Write(fd, b)
}

// tick makes the timers of these workers fire once, and waits until they have
// seen it.
func (k *manualKernel) tick(t testing.TB, workers ...*Worker) {
	t.Helper()
	for _, w := range workers {
		k.Signal(w.timer)
		receive(t, "the tick", k.ticked)
		on(t, w, func() {}) // and it is through
	}
}

// advance moves the clock, and lets all workers look at all they have.
func (k *manualKernel) advance(t testing.TB, p *Poller, d time.Duration) {
	t.Helper()
	k.now.Add(int64(d))
	for range sweepTicks {
		k.tick(t, p.workers...)
	}
}

// faultyKernel is Linux on a bad day, at random but by a seed: reads and writes
// are short, are interrupted, find nothing or no memory, accept fails, events
// come that mean nothing, and events come for descriptors that are somebody
// else's by now. Where the real kernel would make an event later (the bytes
// that a short read left have "just arrived"), so does this one.
type faultyKernel struct {
	Kernel
	percent int

	mu     sync.Mutex
	rand   *rand.Rand
	epolls map[int]*faultyEpoll // by registered descriptor
	fds    []int                // the keys of epolls
	faults int
}

func newFaultyKernel(t testing.TB, percent int) *faultyKernel {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &faultyKernel{
		Kernel:  Linux(),
		percent: percent,
		rand:    rand.New(rand.NewPCG(seed, 0)),
		epolls:  make(map[int]*faultyEpoll),
	}
}

// fault says whether to fail now, and draws one of n ways.
func (k *faultyKernel) fault(n int) (way int, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rand.IntN(100) >= k.percent {
		return 0, false
	}
	k.faults++
	return k.rand.IntN(n), true
}

// count is how many faults there have been.
func (k *faultyKernel) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.faults
}

// part draws a number in [1, n].
func (k *faultyKernel) part(n int) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rand.IntN(2) == 0 {
		return 1 + k.rand.IntN(min(n, 16))
	}
	return 1 + k.rand.IntN(n)
}

// later makes an event for fd, as if something had happened to it.
func (k *faultyKernel) later(fd int) {
	k.mu.Lock()
	ep := k.epolls[fd]
	k.mu.Unlock()
	if ep != nil {
		ep.Epoll.Mod(fd, connEvents)
	}
}

// stir makes an event for a random descriptor.
func (k *faultyKernel) stir() {
	k.mu.Lock()
	fd := -1
	if len(k.fds) > 0 {
		fd = k.fds[k.rand.IntN(len(k.fds))]
	}
	k.mu.Unlock()
	if fd >= 0 {
		k.later(fd)
	}
}

func (k *faultyKernel) Read(fd int, b []byte) (int, unix.Errno) {
	way, ok := k.fault(4)
	if !ok {
		return k.Kernel.Read(fd, b)
	}
	switch way {
	case 0:
		return 0, unix.EINTR
	case 1:
		defer k.later(fd)
		return 0, unix.EAGAIN
	case 2:
		k.stir()
		return k.Kernel.Read(fd, b)
	}
	defer k.later(fd)
	return k.Kernel.Read(fd, b[:k.part(len(b))])
}

func (k *faultyKernel) Write(fd int, b []byte) (int, unix.Errno) {
	return k.write(fd, b, nil, func(a, _ []byte) (int, unix.Errno) { return k.Kernel.Write(fd, a) })
}

func (k *faultyKernel) Writev(fd int, a, b []byte) (int, unix.Errno) {
	return k.write(fd, a, b, func(a, b []byte) (int, unix.Errno) { return k.Kernel.Writev(fd, a, b) })
}

func (k *faultyKernel) write(fd int, a, b []byte, do func(a, b []byte) (int, unix.Errno)) (int, unix.Errno) {
	way, ok := k.fault(5)
	if !ok || len(a)+len(b) == 0 {
		return do(a, b)
	}
	switch way {
	case 0:
		return 0, unix.EINTR
	case 1:
		k.later(fd) // before the caller can have a backlog: the gap that lookAgain closes
		return 0, unix.EAGAIN
	case 2:
		return 0, unix.ENOBUFS // no event will tell
	case 3:
		k.stir()
		return do(a, b)
	}
	defer k.later(fd)
	n := k.part(len(a) + len(b))
	if n <= len(a) {
		return do(a[:n], nil)
	}
	return do(a, b[:n-len(a)])
}

func (k *faultyKernel) Accept(fd int) (int, netip.AddrPort, unix.Errno) {
	if way, ok := k.fault(4); ok {
		errno := [...]unix.Errno{unix.EINTR, unix.ECONNABORTED, unix.EPROTO, unix.ENETDOWN}[way]
		return -1, netip.AddrPort{}, errno
	}
	return k.Kernel.Accept(fd)
}

func (k *faultyKernel) Epoll(onError func(error)) (Epoll, error) {
	ep, err := k.Kernel.Epoll(onError)
	return &faultyEpoll{Epoll: ep, kernel: k}, err
}

type faultyEpoll struct {
	Epoll
	kernel *faultyKernel
	// Owned by the goroutine of the epoll.
	stale []func(easygo.EpollEvent) // callbacks of all connections there have been lately
}

func (e *faultyEpoll) Add(fd int, events easygo.EpollEvent, callback func(easygo.EpollEvent)) error {
	if events != connEvents {
		return e.Epoll.Add(fd, events, callback)
	}
	k := e.kernel
	k.mu.Lock()
	k.epolls[fd] = e
	k.fds = append(k.fds, fd)
	k.mu.Unlock()
	if e.stale = append(e.stale, callback); len(e.stale) > 64 {
		e.stale = e.stale[1:]
	}
	return e.Epoll.Add(fd, events, func(events easygo.EpollEvent) {
		callback(events)
		if way, ok := k.fault(3); ok {
			noise := [...]easygo.EpollEvent{connEvents, hangUpEvents | easygo.EPOLLIN, easygo.EPOLLOUT}[way]
			e.stale[k.part(len(e.stale))-1](noise)
		}
	})
}

func (e *faultyEpoll) Del(fd int) error {
	k := e.kernel
	k.mu.Lock()
	delete(k.epolls, fd)
	k.fds = slices.DeleteFunc(k.fds, func(v int) bool { return v == fd })
	k.mu.Unlock()
	return e.Epoll.Del(fd)
}
