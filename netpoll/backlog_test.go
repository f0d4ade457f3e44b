package netpoll

import (
	"bytes"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"roulette/netpoll/nettest"
)

// fill sends to c until its socket refuses, and a little waits.
func fill(t testing.TB, by *Worker, c *Conn, from *Conn) (sent int) {
	t.Helper()
	b := bytes.Repeat([]byte("x"), 64<<10)
	for c.Pending() == 0 {
		c.Lock()
		outcome := c.Send(by, b, from)
		c.Unlock()
		if outcome == Gone {
			t.Fatal("the receiver is gone")
		}
		sent += len(b)
	}
	return sent
}

func TestStall(t *testing.T) {
	k := newManualKernel()
	var stalls atomic.Int32
	p := open(t, Config{Kernel: k, Workers: 1}, hooks{
		stalled: func(_ *Worker, c *Conn) { stalls.Add(1); c.Finish([]byte("stalled")) },
	})
	w := p.workers[0]
	fd, client := tcpPair(t)
	c := adoptOn(t, w, fd)
	k.full.Store(true)
	on(t, w, func() {
		c.Lock()
		defer c.Unlock()
		if got := c.Send(w, []byte("hello "), nil); got != Queued {
			t.Errorf("outcome %d", got)
		}
	})

	k.advance(t, p, 15*time.Second-time.Millisecond)
	if stalls.Load() != 0 {
		t.Fatal("stalled before its time")
	}
	k.advance(t, p, time.Millisecond)
	if stalls.Load() != 1 {
		t.Fatalf("reported %d times, want once", stalls.Load())
	}
	k.advance(t, p, time.Millisecond)
	if stalls.Load() != 1 {
		t.Fatal("reported again while it is closing")
	}
	// Who reads after all gets what waited, and the last word.
	k.full.Store(false)
	k.advance(t, p, time.Millisecond)
	got, err := io.ReadAll(client)
	if err != nil || string(got) != "hello stalled" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestProgressIsNoStall(t *testing.T) {
	k := newManualKernel()
	p := open(t, Config{Kernel: k, Workers: 1}, hooks{
		stalled: func(*Worker, *Conn) { t.Error("stalled") },
	})
	w := p.workers[0]
	fd, client := tcpPair(t)
	c := adoptOn(t, w, fd)
	var sent, got int
	on(t, w, func() { sent = fill(t, w, c, nil) })
	b := make([]byte, 64<<10)
	for got < sent {
		k.advance(t, p, 14*time.Second)
		before := c.Pending()
		for c.Pending() == before && got < sent {
			n, err := client.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	if got != sent || c.Pending() != 0 {
		t.Fatalf("got %d of %d bytes, %d wait", got, sent, c.Pending())
	}
}

// The clocks of two workers are not read at the same moment: what was refused a
// moment after the receiver's worker looked at its clock has not waited for 49
// days.
func TestStallAcrossClocks(t *testing.T) {
	k := newManualKernel()
	var stalls atomic.Int32
	p := open(t, Config{Kernel: k, Workers: 2}, hooks{
		stalled: func(*Worker, *Conn) { stalls.Add(1) },
	})
	fd, _ := tcpPair(t)
	c := adoptOn(t, p.workers[0], fd)
	k.now.Add(int64(time.Second))
	k.tick(t, p.workers[1])
	k.full.Store(true)
	on(t, p.workers[1], func() {
		c.Lock()
		defer c.Unlock()
		c.Send(p.workers[1], []byte("hello"), nil)
	})
	on(t, p.workers[0], func() {
		for range 2 { // the second finds that nothing goes
			p.workers[0].sweepBacklog(c)
		}
	})
	if stalls.Load() != 0 {
		t.Fatal("stalled at once")
	}
	k.advance(t, p, 15*time.Second)
	if stalls.Load() == 0 {
		t.Fatal("not stalled after the stall time")
	}
}

func TestBacklogLimit(t *testing.T) {
	k := newManualKernel()
	const last = "the last word"
	stalled := make(chan struct{}, 1)
	p := open(t, Config{Kernel: k, Workers: 1, BacklogLimit: 100_000}, hooks{
		stalled: func(_ *Worker, c *Conn) { c.Finish([]byte(last)); stalled <- struct{}{} },
	})
	w := p.workers[0]
	fd, client := tcpPair(t)
	c := adoptOn(t, w, fd)
	on(t, w, func() {
		fill(t, w, c, nil)
		k.full.Store(true) // from here on nothing moves
		c.Lock()
		defer c.Unlock()
		for _, n := range []int{1000, 1} {
			for c.Send(w, make([]byte, n), nil) == Queued {
			}
		}
	})
	if n := c.Pending(); n != 100_000 {
		t.Fatalf("%d bytes wait, want the limit", n)
	}
	// The limit counts as a stall at the next look, whatever the clock says.
	k.advance(t, p, time.Millisecond)
	receive(t, "the stall", stalled)
	k.full.Store(false)
	k.advance(t, p, time.Millisecond)
	got, err := io.ReadAll(client)
	if err != nil || !bytes.HasSuffix(got, []byte(last)) {
		t.Fatalf("got %d bytes without the last word, %v", len(got), err)
	}
}

// Who is not read cannot be heard, and who has a backlog sees our ping late:
// neither must be taken for silent.
func TestPausedIsNotSilent(t *testing.T) {
	k := newManualKernel()
	p := open(t, Config{Kernel: k, Workers: 1}, hooks{
		stalled: func(*Worker, *Conn) {},
	})
	w := p.workers[0]
	fdA, _ := tcpPair(t)
	fdB, _ := tcpPair(t)
	fdC, _ := tcpPair(t)
	a, b, idle := adoptOn(t, w, fdA), adoptOn(t, w, fdB), adoptOn(t, w, fdC)
	on(t, w, func() {
		fill(t, w, b, a)
		k.full.Store(true)
	})
	if !a.Paused() || b.Paused() {
		t.Fatal("the sender and nobody else should be paused")
	}
	k.advance(t, p, time.Minute)
	on(t, w, func() {
		for _, tc := range []struct {
			desc string
			c    *Conn
			want uint32
		}{{"paused", a, 0}, {"with a backlog", b, 0}, {"idle", idle, 60_000}} {
			if got := w.Now() - tc.c.Heard(); got != tc.want {
				t.Errorf("%s: silent for %d ms, want %d", tc.desc, got, tc.want)
			}
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	read := make(chan string, 16)
	var drained atomic.Int32
	var a, b *Conn
	p := open(t, Config{Workers: 2}, hooks{
		read:    func(w *Worker, c *Conn, b []byte) { read <- string(b) },
		drained: func(_ *Worker, c *Conn) { drained.Add(1); a.Resume() },
	})
	fdA, clientA := tcpPair(t)
	fdB, clientB := tcpPair(t)
	a, b = adoptOn(t, p.workers[0], fdA), adoptOn(t, p.workers[1], fdB)
	for round := range 3 {
		sent := 0
		on(t, p.workers[0], func() { sent = fill(t, p.workers[0], b, a) })
		if _, err := io.WriteString(clientA, "hello"); err != nil {
			t.Fatal(err)
		}
		// The event for it has passed when a later one on the same worker has.
		fd, client := tcpPair(t)
		adoptOn(t, p.workers[0], fd)
		io.WriteString(client, "later")
		if got := receive(t, "an event", read); got != "later" {
			t.Fatalf("round %d: read %q of one that is paused", round, got)
		}
		if _, err := io.CopyN(io.Discard, clientB, int64(sent)); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, "reading goes on", read); got != "hello" {
			t.Fatalf("read %q", got)
		}
		if n := int(drained.Load()); n != round+1 {
			t.Fatalf("drained %d times after %d rounds", n, round+1)
		}
	}
}

// A paused one whose peer closes is noticed when it is read again, after all
// that it sent before.
func TestPausedPeerCloses(t *testing.T) {
	read := make(chan string, 16)
	closed := make(chan Cause, 2)
	p := open(t, Config{Workers: 1}, hooks{
		read:   func(_ *Worker, _ *Conn, b []byte) { read <- string(b) },
		closed: func(_ *Worker, _ *Conn, cause Cause) { closed <- cause },
	})
	w := p.workers[0]
	fdA, clientA := tcpPair(t)
	fdB, _ := tcpPair(t)
	a, b := adoptOn(t, w, fdA), adoptOn(t, w, fdB)
	on(t, w, func() { fill(t, w, b, a) })
	io.WriteString(clientA, "goodbye")
	clientA.Close()
	on(t, w, func() { b.Close() })
	if cause := receive(t, "the receiver's end", closed); cause != Requested {
		t.Fatalf("cause %d", cause)
	}
	on(t, w, func() { a.Resume() })
	if got := receive(t, "what was sent", read); got != "goodbye" {
		t.Fatalf("read %q", got)
	}
	if cause := receive(t, "the sender's end", closed); cause != EndOfFile {
		t.Fatalf("cause %d", cause)
	}
}

func TestSendTwo(t *testing.T) {
	p := open(t, Config{Workers: 1}, hooks{})
	w := p.workers[0]
	fd, client := tcpPair(t)
	c := adoptOn(t, w, fd)
	for _, pieces := range [][2]string{{"a", "b"}, {"", "b"}, {"a", ""}, {"", ""}} {
		on(t, w, func() {
			c.Lock()
			defer c.Unlock()
			if got := c.SendTwo(w, []byte(pieces[0]), []byte(pieces[1]), nil); got != Sent {
				t.Errorf("%q: outcome %d", pieces, got)
			}
		})
		want := pieces[0] + pieces[1]
		got := make([]byte, len(want))
		if _, err := io.ReadFull(client, got); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v", pieces, got, err)
		}
	}
}

// TestPause: who is paused by its own worker is read on when anybody resumes it.
func TestPause(t *testing.T) {
	var reads atomic.Int32
	p := open(t, Config{Workers: 1}, hooks{
		read: func(_ *Worker, c *Conn, _ []byte) {
			if reads.Add(1) == 1 {
				c.Pause()
			}
		},
	})
	w := p.workers[0]
	fd, client := tcpPair(t)
	c := adoptOn(t, w, fd)
	if _, err := client.Write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	nettest.Await(t, "the pause", c.Paused)
	if _, err := client.Write([]byte("two")); err != nil {
		t.Fatal(err)
	}
	on(t, w, func() {}) // what was ready has been served
	if n := reads.Load(); n != 1 {
		t.Errorf("%d reads of a paused connection", n)
	}
	c.Resume()
	nettest.Await(t, "the rest", func() bool { return reads.Load() == 2 && !c.Paused() })
}
