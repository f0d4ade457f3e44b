package netpoll

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"roulette/netpoll/nettest"
)

// armedKernel is Linux, and knows whether a clock has been set going.
type armedKernel struct {
	Kernel
	armed atomic.Int32
}

func (k *armedKernel) SetTimer(fd int, first, interval time.Duration) error {
	k.armed.Add(1)
	return k.Kernel.SetTimer(fd, first, interval)
}

// ticking is a handler whose ticks read what was written after Open.
type ticking struct {
	hooked
	after  *int // written between Open and Start
	ticked chan int
}

func (h *ticking) Missed(uint32) {}

func (h *ticking) Tick() {
	select {
	case h.ticked <- *h.after:
	default:
	}
}

// What is done between Open and Start is done before the first tick: under the
// race detector this test sees to it, too.
func TestClockWaitsForStart(t *testing.T) {
	nettest.CheckLeaks(t)
	kernel := &armedKernel{Kernel: Linux()}
	after, ticked := 0, make(chan int, 1)
	p, err := Open(Config{
		Workers: 2, Kernel: kernel, Tick: time.Millisecond,
		NewHandler: func(w *Worker) Handler {
			return &ticking{hooked: hooked{w: w}, after: &after, ticked: ticked}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, w := range p.workers {
		on(t, w, func() {})
	}
	if n := kernel.armed.Load(); n != 0 {
		t.Errorf("%d clocks run before Start", n)
	}
	after = 1
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, "a tick", ticked); got != 1 {
		t.Errorf("the first tick saw %d, want 1", got)
	}
}

// leap is Linux with a clock that can be put on.
type leap struct {
	Kernel
	by atomic.Int64
}

func (k *leap) Now() time.Duration { return k.Kernel.Now() + time.Duration(k.by.Load()) }

// TestOpenedBeforeTheFirstTick: who comes then is as young as anybody, however long it
// took from Open to Start.
func TestOpenedBeforeTheFirstTick(t *testing.T) {
	nettest.CheckLeaks(t)
	kernel := &leap{Kernel: Linux()}
	ages := make(chan uint32, 1)
	p, err := Open(Config{
		Workers: 1, Kernel: kernel, Tick: time.Hour,
		NewHandler: hooks{accepted: func(w *Worker, c *Conn, _ netip.AddrPort) bool {
			ages <- milliseconds(w.Time()) - c.Opened()
			return false
		}}.handler,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	kernel.by.Store(int64(time.Hour))
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := p.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if age := receive(t, "a client", ages); age > milliseconds(time.Minute) {
		t.Errorf("opened %d ms ago", age)
	}
}
