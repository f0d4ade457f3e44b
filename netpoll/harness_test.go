package netpoll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"roulette/netpoll/nettest"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must happen.
const patience = nettest.Patience

func TestMain(m *testing.M) {
	if os.Getenv(exhaustedEnv) != "" {
		serveExhausted()
		return
	}
	// The runtime opens its own epoll with the first socket, and keeps it.
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
	}
	os.Exit(m.Run())
}

// hooks are what a test wants to do in a Handler; nil ones do nothing.
type hooks struct {
	accepted func(w *Worker, c *Conn, peer netip.AddrPort) bool
	door     func(w *Worker, c *Conn, door Door)
	refused  func(w *Worker, why Refusal)
	read     func(w *Worker, c *Conn, b []byte)
	drained  func(w *Worker, c *Conn)
	stalled  func(w *Worker, c *Conn)
	sweep    func(w *Worker, c *Conn)
	garbled  func(w *Worker, c *Conn, err error)
	closed   func(w *Worker, c *Conn, cause Cause)
}

type hooked struct {
	hooks
	w *Worker
}

func (h hooks) handler(w *Worker) Handler { return &hooked{h, w} }

func (h *hooked) Accepted(c *Conn, peer netip.AddrPort, door Door) bool {
	if h.door != nil {
		h.door(h.w, c, door)
	}
	return h.accepted == nil || h.accepted(h.w, c, peer)
}

func (h *hooked) Refused(why Refusal) {
	if h.refused != nil {
		h.refused(h.w, why)
	}
}

func (h *hooked) Read(c *Conn, b []byte) {
	if h.read != nil {
		h.read(h.w, c, b)
	}
}

func (h *hooked) Drained(c *Conn) {
	if h.drained != nil {
		h.drained(h.w, c)
	}
}

func (h *hooked) Stalled(c *Conn) {
	if h.stalled != nil {
		h.stalled(h.w, c)
	}
}

func (h *hooked) Sweep(c *Conn) {
	if h.sweep != nil {
		h.sweep(h.w, c)
	}
}

func (h *hooked) Garbled(c *Conn, err error) {
	if h.garbled != nil {
		h.garbled(h.w, c, err)
	}
}

func (h *hooked) Closed(c *Conn, cause Cause) {
	if h.closed != nil {
		h.closed(h.w, c, cause)
	}
}

// echo answers every read with the same bytes.
func echo(w *Worker, c *Conn, b []byte) {
	c.Lock()
	c.Send(w, b, c)
	c.Unlock()
}

// open opens a Poller and checks at the end that nothing is left of it.
func open(t testing.TB, config Config, h hooks) *Poller {
	t.Helper()
	nettest.CheckLeaks(t)
	if config.NewHandler == nil {
		config.NewHandler = h.handler
	}
	config.CodecOf = toyOf
	p, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("Close: %v", err)
		}
		if n := p.Count(); n != 0 {
			t.Errorf("%d connections after Close", n)
		}
		for _, w := range p.workers {
			// The workers have ended, so their state is anybody's.
			if s := w.stats; s.BacklogConns != 0 && len(p.workers) == 1 {
				t.Errorf("%d backlogs after Close", s.BacklogConns)
			}
		}
		var conns, bytes int64
		for _, w := range p.workers {
			conns, bytes = conns+w.stats.BacklogConns, bytes+w.stats.BacklogBytes
		}
		if conns != 0 || bytes != 0 {
			t.Errorf("after Close %d backlogs of %d bytes are accounted for", conns, bytes)
		}
	})
	return p
}

func listenOn(t testing.TB, p *Poller, addr string) string {
	t.Helper()
	bound, err := p.Listen(netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	return bound.String()
}

// dial connects to addr; reads and writes fail after patience.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

func roundTrip(c net.Conn, text string) error {
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if string(b) != text {
		return fmt.Errorf("got %q, want %q", b, text)
	}
	return nil
}

// receive waits for a value.
func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
		panic("unreachable")
	}
}

// onWorkers runs f on all workers, one after the other.
func onWorkers(t testing.TB, p *Poller, f func(w *Worker)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var mu sync.Mutex
	err := p.OnWorkers(ctx, func(w *Worker) {
		mu.Lock()
		defer mu.Unlock()
		f(w)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// on runs f on one worker and waits for it.
func on(t testing.TB, w *Worker, f func()) {
	t.Helper()
	done := make(chan struct{})
	if err := w.Ask(func() { f(); close(done) }); err != nil {
		t.Fatal(err)
	}
	receive(t, "the worker runs what it was asked", done)
}

// tcpPair returns two ends of a TCP connection over the loopback: one as the
// Poller wants it, the other for the test.
func tcpPair(t testing.TB) (fd int, client *net.TCPConn) {
	t.Helper()
	k := Linux()
	l, err := k.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	addr, err := k.LocalAddr(l)
	if err != nil {
		t.Fatal(err)
	}
	client = dial(t, addr.String()) // the handshake is through: accept has one
	fd, _, errno := k.Accept(l)
	if errno != 0 {
		t.Fatal(errno)
	}
	return fd, client
}

// adoptOn makes fd a connection of w.
func adoptOn(t testing.TB, w *Worker, fd int) (c *Conn) {
	t.Helper()
	on(t, w, func() {
		if c = w.add(fd); c != nil {
			w.register(c)
		}
	})
	if c == nil {
		t.Fatal("no place for a connection")
	}
	return c
}
