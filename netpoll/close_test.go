package netpoll

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"roulette/netpoll/nettest"

	"golang.org/x/sys/unix"
)

func TestFinish(t *testing.T) {
	for _, unread := range []string{"", "never read by anybody"} {
		closed := make(chan Cause, 1)
		p := open(t, Config{Workers: 1}, hooks{
			read:   func(*Worker, *Conn, []byte) { t.Error("read after Finish") },
			closed: func(_ *Worker, _ *Conn, cause Cause) { closed <- cause },
		})
		w := p.workers[0]
		fd, client := tcpPair(t)
		io.WriteString(client, unread)
		on(t, w, func() {
			c := w.add(fd)
			c.Finish([]byte("bye"))
			c.Finish([]byte("twice"))
			c.Lock()
			if got := c.Send(w, []byte("late"), nil); got != Gone {
				t.Errorf("Send after Finish: %d", got)
			}
			c.Unlock()
			w.register(c)
		})
		io.WriteString(client, unread)
		got, err := io.ReadAll(client) // a reset would be an error
		if err != nil || string(got) != "bye" {
			t.Errorf("unread %q: got %q, %v", unread, got, err)
		}
		client.Close()
		if cause := receive(t, "its end", closed); cause != EndOfFile {
			t.Errorf("unread %q: cause %d", unread, cause)
		}
		p.Close()
	}
}

// Finish behind a backlog: all of it arrives, then the last, then the end.
func TestFinishBehindBacklog(t *testing.T) {
	p := open(t, Config{Workers: 1}, hooks{})
	w := p.workers[0]
	fd, client := tcpPair(t)
	c := adoptOn(t, w, fd)
	sent := 0
	on(t, w, func() {
		sent = fill(t, w, c, nil)
		c.Finish([]byte("bye"))
	})
	got, err := io.ReadAll(client)
	if err != nil || len(got) != sent+3 || !strings.HasSuffix(string(got), "xbye") {
		t.Fatalf("got %d bytes of %d, %v", len(got), sent+3, err)
	}
}

// A peer that has nothing more to say may still take what waits for it.
func TestFinishBehindBacklogOfHalfClosed(t *testing.T) {
	closed := make(chan Cause, 1)
	p := open(t, Config{Workers: 1}, hooks{
		closed: func(_ *Worker, _ *Conn, cause Cause) { closed <- cause },
	})
	w := p.workers[0]
	fd, client := tcpPair(t)
	c := adoptOn(t, w, fd)
	sent := 0
	on(t, w, func() {
		sent = fill(t, w, c, nil)
		c.Finish([]byte("bye"))
	})
	client.CloseWrite()
	on(t, w, func() { c.ready(connEvents) }) // the end of file is seen before anything is taken
	got, err := io.ReadAll(client)
	if err != nil || len(got) != sent+3 || !strings.HasSuffix(string(got), "xbye") {
		t.Fatalf("got %d bytes of %d, %v", len(got), sent+3, err)
	}
	client.Close()
	if cause := receive(t, "its end", closed); cause != EndOfFile {
		t.Errorf("cause %d", cause)
	}
}

const linger = 2 * time.Second

// openLingering opens a Poller whose clock stands still, and which tells how its
// connections end.
func openLingering(t *testing.T) (*manualKernel, *Poller, <-chan Cause) {
	k := newManualKernel()
	closed := make(chan Cause, 1)
	p := open(t, Config{Kernel: k, Workers: 1, LingerTimeout: linger}, hooks{
		closed: func(_ *Worker, _ *Conn, cause Cause) { closed <- cause },
	})
	return k, p, closed
}

func TestLinger(t *testing.T) {
	k, p, closed := openLingering(t)
	w := p.workers[0]
	fd, client := tcpPair(t)
	c := adoptOn(t, w, fd)
	k.advance(t, p, time.Minute)
	on(t, w, func() { c.Finish(nil) })
	// It does not close, and goes on talking, which is no reason to wait longer.
	k.advance(t, p, linger-time.Millisecond)
	io.WriteString(client, "and another thing")
	on(t, w, func() {
		if c.fd < 0 {
			t.Error("abandoned before its time")
		}
	})
	k.advance(t, p, time.Millisecond)
	if cause := receive(t, "its end", closed); cause != Abandoned {
		t.Fatalf("cause %d", cause)
	}
}

// Who takes nothing of what waits for it is not waited for either.
func TestLingerBehindBacklog(t *testing.T) {
	k, p, closed := openLingering(t)
	w := p.workers[0]
	fd, _ := tcpPair(t)
	c := adoptOn(t, w, fd)
	k.full.Store(true)
	on(t, w, func() {
		c.Lock()
		c.Send(w, []byte("hello "), nil)
		c.Unlock()
		c.Finish([]byte("bye"))
	})
	k.advance(t, p, linger-time.Millisecond)
	if n := c.Pending(); n != len("hello bye") {
		t.Errorf("%d bytes wait", n)
	}
	k.advance(t, p, time.Millisecond)
	if cause := receive(t, "its end", closed); cause != Abandoned {
		t.Fatalf("cause %d", cause)
	}
}

func TestCloseInCallbacks(t *testing.T) {
	k := newManualKernel()
	closed := make(chan Cause, 1)
	var in string
	closeIn := func(here string) func(*Worker, *Conn) {
		return func(w *Worker, c *Conn) {
			if in == here {
				c.Close()
				c.Close() // of no effect
			}
		}
	}
	p := open(t, Config{Kernel: k, Workers: 1}, hooks{
		read:    func(w *Worker, c *Conn, _ []byte) { closeIn("read")(w, c) },
		drained: closeIn("drained"),
		stalled: closeIn("stalled"),
		sweep:   closeIn("sweep"),
		closed:  func(_ *Worker, _ *Conn, cause Cause) { closed <- cause },
	})
	w := p.workers[0]
	for _, in = range []string{"read", "drained", "stalled", "sweep", "ask"} {
		fd, client := tcpPair(t)
		c := adoptOn(t, w, fd)
		switch in {
		case "read":
			io.WriteString(client, strings.Repeat("x", 200_000)) // more than a buffer
		case "drained":
			on(t, w, func() { fill(t, w, c, nil) })
			go io.Copy(io.Discard, client)
		case "stalled":
			on(t, w, func() {
				fill(t, w, c, nil)
				k.full.Store(true)
			})
			k.advance(t, p, time.Minute)
			k.full.Store(false)
		case "sweep":
			k.advance(t, p, 0)
		case "ask":
			on(t, w, c.Close)
		}
		if cause := receive(t, "the end in "+in, closed); cause != Requested {
			t.Errorf("in %s: cause %d", in, cause)
		}
		client.SetDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, client); errors.Is(err, unix.ETIMEDOUT) {
			t.Errorf("in %s: %v", in, err)
		}
		client.Close()
	}
	if n := p.Count(); n != 0 {
		t.Fatalf("%d left", n)
	}
}

func TestReset(t *testing.T) {
	closed := make(chan Cause, 1)
	p := open(t, Config{Workers: 1}, hooks{
		closed: func(_ *Worker, _ *Conn, cause Cause) { closed <- cause },
	})
	fd, client := tcpPair(t)
	adoptOn(t, p.workers[0], fd)
	client.SetLinger(0)
	client.Close()
	if cause := receive(t, "its end", closed); cause != Failed {
		t.Fatalf("cause %d", cause)
	}
}

// A descriptor goes out and comes home, and works in between.
func TestDetachAndAdopt(t *testing.T) {
	detached := make(chan int, 1)
	p := open(t, Config{Workers: 1}, hooks{
		read: func(w *Worker, c *Conn, b []byte) {
			if string(b) == "leave" {
				c.Hold("something")
				detached <- c.Detach().FD
				return
			}
			echo(w, c, b)
		},
		closed: func(*Worker, *Conn, Cause) { t.Error("Closed") },
	})
	client := dial(t, listenOn(t, p, "127.0.0.1:0"))
	for range 3 {
		if err := roundTrip(client, "hello"); err != nil {
			t.Fatal(err)
		}
		io.WriteString(client, "leave")
		fd := receive(t, "the descriptor", detached)
		if n := p.Count(); n != 0 {
			t.Fatalf("%d connections", n)
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Fatalf("flags %#x, %v", flags, err)
		}
		if _, errno := Linux().Write(fd, []byte("outside")); errno != 0 {
			t.Fatal(errno)
		}
		b := make([]byte, len("outside"))
		if _, err := io.ReadFull(client, b); err != nil || string(b) != "outside" {
			t.Fatalf("%q, %v", b, err)
		}
		io.WriteString(client, "while outside ")
		ready := make(chan *Conn, 1)
		if err := p.Adopt(Detached{FD: fd}, func(_ Handler, c *Conn) { ready <- c }); err != nil {
			t.Fatal(err)
		}
		if c := receive(t, "adoption", ready); c.Held() != nil {
			t.Fatal("something is held by a new connection")
		}
		b = make([]byte, len("while outside "))
		if _, err := io.ReadFull(client, b); err != nil || string(b) != "while outside " {
			t.Fatalf("%q, %v", b, err)
		}
	}
	io.WriteString(client, "leave")
	unix.Close(receive(t, "the descriptor", detached))
}

// What is asked of a worker together with its end leaves nothing behind.
func TestAdoptWhileClosing(t *testing.T) {
	p := open(t, Config{Workers: 1}, hooks{})
	w := p.workers[0]
	busy, proceed := make(chan struct{}), make(chan struct{})
	w.Ask(func() { close(busy); <-proceed })
	receive(t, "the worker is busy", busy)
	fd, client := tcpPair(t)
	closed := make(chan error, 1)
	go func() { closed <- p.Close() }()
	mail := func() int {
		w.mailMu.Lock()
		defer w.mailMu.Unlock()
		return len(w.tasks)
	}
	nettest.Await(t, "the worker is asked to end", func() bool { return mail() == 1 })
	if err := p.Adopt(Detached{FD: fd}, func(Handler, *Conn) {}); err != nil {
		t.Fatal(err)
	}
	close(proceed)
	if err := receive(t, "the end", closed); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
		t.Fatalf("not closed: %v", err)
	}
	if err := p.Adopt(Detached{FD: -1}, nil); err != ErrClosed {
		t.Fatalf("Adopt after Close: %v", err)
	}
	if err := p.Close(); err != ErrClosed {
		t.Fatalf("Close after Close: %v", err)
	}
	if err := w.Ask(func() {}); err != ErrClosed {
		t.Fatalf("Ask after Close: %v", err)
	}
}

// A worker that is asked nothing more has not ended yet.
func TestEnded(t *testing.T) {
	p := open(t, Config{Workers: 1}, hooks{})
	w := p.workers[0]
	busy, proceed := make(chan struct{}), make(chan struct{})
	w.Ask(func() { close(busy); <-proceed })
	receive(t, "the worker is busy", busy)
	closed := make(chan error, 1)
	go func() { closed <- p.Close() }()
	nettest.Await(t, "the worker is asked to end", func() bool {
		w.mailMu.Lock()
		defer w.mailMu.Unlock()
		return len(w.tasks) == 1
	})
	last, goOn := make(chan struct{}), make(chan struct{})
	w.Ask(func() { close(last); <-goOn })
	close(proceed)
	receive(t, "the worker's last task", last)
	if err := w.Ask(func() {}); err != ErrClosed {
		t.Errorf("Ask at the end: %v", err)
	}
	select {
	case <-w.Ended():
		t.Error("ended, with a task under way")
	default:
	}
	close(goOn)
	if err := receive(t, "the end", closed); err != nil {
		t.Fatal(err)
	}
	receive(t, "the worker's end", w.Ended())
}

// Close ends connections in every state, each with one call of Closed.
func TestPollerClose(t *testing.T) {
	const n = 60
	accepted, closed := make(chan *Conn, n), make(chan uint32, 2*n)
	p := open(t, Config{Workers: 3}, hooks{
		read: func(w *Worker, c *Conn, b []byte) {
			switch b[0] {
			case 'f':
				c.Finish([]byte("bye"))
			case 'h':
				c.Hold(b[0])
			case 'b':
				fill(t, w, c, c)
			}
			accepted <- c
		},
		closed: func(_ *Worker, c *Conn, _ Cause) { closed <- c.ID() },
	})
	addr := listenOn(t, p, "127.0.0.1:0")
	for i := range n {
		io.WriteString(dial(t, addr), "fhb-"[i%4:][:1])
	}
	for range n {
		receive(t, "a connection", accepted)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if len(closed) != n {
		t.Fatalf("Closed ran %d times for %d connections", len(closed), n)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Fatal("somebody listens")
	}
}
