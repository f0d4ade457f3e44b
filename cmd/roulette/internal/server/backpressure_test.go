package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
)

// mostPending bounds what may wait for one receiver: what one read brings, with
// a message that it completes, and the replies to what the receiver sends.
const mostPending = 2*(readBuffer+frameSlack) + 16<<10

const frameSlack = 16

// pourer writes numbered messages until the server reads no more.
type pourer struct {
	*servertest.Conn
	frame func(i int) []byte // makes message number i; nil: binary, of payload(i)
	next  int                // number of the next message
	rest  []byte             // of the one that is under way
}

// pour writes until its writes block, because s, whose clock must be stopped,
// has paused so many connections (0: any number) and can write no more to those
// they wait for.
func (p *pourer) pour(t *testing.T, s *Server, paused int) {
	t.Helper()
	k := s.config.Kernel.(*stoppedClock)
	stuck := func() bool {
		for range 2 { // the kernels hand on what they have, which makes some room
			before := bytesSent(t, s)
			k.advance(t, s, 0)
			if f := flowOf(t, s); f.paused == 0 || paused > 0 && f.paused != paused || bytesSent(t, s) != before {
				return false
			}
		}
		return true
	}
	for begin := time.Now(); ; {
		if time.Since(begin) > servertest.Patience {
			t.Fatalf("it does not block: %s", describe(t, s))
		}
		p.TCP.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		b := p.rest
		if len(b) == 0 {
			if p.frame != nil {
				b = p.frame(p.next)
			} else {
				b = servertest.Encode(servertest.Fin|servertest.OpBinary, payload(p.next))
			}
			p.next++
		}
		n, err := p.TCP.Write(b)
		p.rest = b[n:]
		switch {
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatalf("message %d: %v; %s", p.next-1, err, describe(t, s))
		case err != nil && stuck():
			return
		}
	}
}

// describe says how s stands, for tests that fail.
func describe(t *testing.T, s *Server) string {
	ended := make(map[string]int)
	undelivered := 0
	onWorkers(t, s, func(h *handler) {
		c := h.collect()
		undelivered += int(c.UndeliveredMessages)
		for code := range c.Closed {
			for by, n := range c.Closed[code] {
				if n > 0 {
					ended[fmt.Sprintf("%d by %d", code, by)] += int(n)
				}
			}
		}
	})
	return fmt.Sprintf("%d connections, %d pairs, %d undelivered, ended %v, %+v",
		s.poller.Count(), s.pairs.Pairs(), undelivered, ended, flowOf(t, s))
}

// finish writes the rest, and what is given.
func (p *pourer) finish(last ...[]byte) {
	p.Write(append([][]byte{p.rest}, last...)...)
	p.rest = nil
}

// skipTo reads over everything until this text comes.
func skipTo(t *testing.T, c *servertest.Conn, text string) {
	t.Helper()
	for {
		f, err := c.Read()
		if err != nil {
			t.Fatalf("before %q: %v", text, err)
		}
		if f.Op == servertest.OpText && string(f.Payload) == text {
			return
		}
	}
}

// stalledCouple is a couple whose first has written until it was paused, and
// whose second has read nothing.
func stalledCouple(t *testing.T, s *Server, addr string) (a *pourer, b *servertest.Conn) {
	t.Helper()
	sender, b := couple(t, s, addr)
	a = &pourer{Conn: sender}
	a.pour(t, s, 1)
	return a, b
}

func TestSlowReceiver(t *testing.T) {
	servertest.Parallel(t)
	for _, workers := range []int{1, 2} {
		k := newStoppedClock()
		s, addr := start(t, Config{Kernel: k, Workers: workers})
		sender, b := couple(t, s, addr)
		a := &pourer{Conn: sender}
		first := 0
		for range 3 {
			a.pour(t, s, 1)
			if f := flowOf(t, s); f.waiting != 1 || f.most > mostPending {
				t.Fatalf("the sender's write blocks: %+v", f)
			}
			var writing sync.WaitGroup
			writing.Go(func() { a.finish() })
			check(t, b, first, a.next)
			writing.Wait()
			first = a.next
			servertest.Await(t, "nobody is paused", func() bool { return flowOf(t, s) == flow{} })
		}
		b.Write(text("thanks"))
		a.Expect(servertest.OpText, "thanks")
		a.Leave()
		b.Leave()
		awaitNobody(t, s)
		if n := total(t, s, func(c *metrics.Counters) uint64 { return c.RelayedMessages[metrics.OpcodeBinary] }); n != a.next {
			t.Errorf("%d messages relayed, sent %d", n, a.next)
		}
		if n := total(t, s, func(c *metrics.Counters) uint64 { return c.UndeliveredMessages }); n != 0 {
			t.Errorf("%d messages undelivered", n)
		}
	}
}

// A receiver that talks while it does not read is heard all the same.
func TestSlowReceiverTalks(t *testing.T) {
	s, addr := start(t, Config{Kernel: newStoppedClock()})
	a, b := stalledCouple(t, s, addr)
	b.Write(text("one moment"))
	a.Expect(servertest.OpText, "one moment")
}

// stall lets the stall time pass until something is so: the kernels may still
// move a little, which is progress.
func (k *stoppedClock) stall(t *testing.T, s *Server, what string, condition func() bool) {
	t.Helper()
	servertest.Await(t, what, func() bool {
		if !condition() {
			k.advance(t, s, 15*time.Second)
		}
		return condition()
	})
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the pools had
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestPausedSenderLeaves(t *testing.T) {
	servertest.Parallel(t)
	for _, tc := range []struct {
		desc  string
		leave func(a *pourer)
	}{
		{"with the closing handshake", func(a *pourer) {
			a.finish(servertest.Close(1000, ""))
			a.ExpectClose(1000)
		}},
		{"with an end of file", func(a *pourer) {
			a.finish()
			a.TCP.Close()
		}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			s, addr := start(t, Config{Kernel: newStoppedClock(), Workers: 2})
			a, b := stalledCouple(t, s, addr)
			var leaving sync.WaitGroup
			leaving.Go(func() { tc.leave(a) })
			check(t, b, 0, a.next)
			leaving.Wait()
			servertest.Await(t, "the partner waits again", func() bool { return s.pairs.Waiting() == 1 })
			c := servertest.Dial(t, addr, "/ws")
			c.Write(text("hello"))
			b.Expect(servertest.OpText, "hello")
			b.Write(text("hello yourself"))
			c.Expect(servertest.OpText, "hello yourself")
		})
	}
}

func TestReceiverBackAtTheLastMoment(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{StallTimeout: 15 * time.Second}})
	a, b := stalledCouple(t, s, addr)
	var writing sync.WaitGroup
	writing.Go(func() { a.finish() })
	k.advance(t, s, 15*time.Second-time.Millisecond)
	check(t, b, 0, a.next)
	writing.Wait()
	servertest.Await(t, "nothing waits", func() bool { return flowOf(t, s) == flow{} })
	k.advance(t, s, time.Millisecond)
	b.Write(text("here I am"))
	a.Expect(servertest.OpText, "here I am")
}

func TestStalledReceiver(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{StallTimeout: 15 * time.Second}})
	a, b := stalledCouple(t, s, addr)
	k.stall(t, s, "the pair is parted", func() bool { return s.pairs.Pairs() == 0 })
	// The sender is free: what was under way reaches nobody, and it is told.
	go a.finish(text("is anybody there?"))
	skipTo(t, a.Conn, sorryText)
	// The other one reads after all: whole messages up to some point, and why.
	for i := 0; ; i++ {
		f, err := b.Read()
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if f.Op == servertest.OpClose {
			if f.Code() != 4408 {
				t.Fatalf("got %v, want close 4408", f)
			}
			break
		}
		if !bytes.Equal(f.Payload, payload(i)) {
			t.Fatalf("message %d: got %v", i, f)
		}
	}
	if err := b.ReadEnd(); err != nil {
		t.Error(err)
	}
	c := servertest.Dial(t, addr, "/ws")
	c.Write(text("hello"))
	skipTo(t, a.Conn, "hello")
	a.Write(text("hello yourself"))
	skipTo(t, c, "hello yourself")

	for what, want := range map[string]struct{ got, want int }{
		"closed":      {total(t, s, func(c *metrics.Counters) uint64 { return c.Closed[metrics.CloseTimeout][metrics.ByServer] }), 1},
		"pairs ended": {total(t, s, func(c *metrics.Counters) uint64 { return c.PairsEnded[metrics.EndStalled] }), 1},
		"stalls":      {total(t, s, func(c *metrics.Counters) uint64 { return c.WriteStalls[metrics.StallClosed] }), 1},
	} {
		if want.got != want.want {
			t.Errorf("%s: counted %d, want %d", what, want.got, want.want)
		}
	}
}

func TestBothStalled(t *testing.T) {
	servertest.Parallel(t)
	t.Run("and both read again", func(t *testing.T) {
		s, addr := start(t, Config{Kernel: newStoppedClock(), Workers: 2})
		a, b := bothStalled(t, s, addr)
		var all sync.WaitGroup
		all.Go(func() { a.finish() })
		all.Go(func() { b.finish() })
		all.Go(func() { check(t, b.Conn, 0, a.next) })
		all.Go(func() { check(t, a.Conn, 0, b.next) })
		all.Wait()
		servertest.Await(t, "nobody is paused", func() bool { return flowOf(t, s) == flow{} })
	})
	t.Run("and only one reads again", func(t *testing.T) {
		s, addr := start(t, Config{Kernel: newStoppedClock(), Workers: 2})
		a, b := bothStalled(t, s, addr)
		var all sync.WaitGroup
		all.Go(func() { a.finish() })
		check(t, b.Conn, 0, a.next)
		all.Wait()
		if f := flowOf(t, s); f.paused != 1 || f.waiting != 1 {
			t.Errorf("%+v", f)
		}
	})
	t.Run("and none does", func(t *testing.T) {
		k := newStoppedClock()
		s, addr := start(t, Config{Kernel: k, Workers: 2})
		bothStalled(t, s, addr)
		k.stall(t, s, "both are gone", func() bool { return s.poller.Count() == 0 })
	})
}

func bothStalled(t *testing.T, s *Server, addr string) (a, b *pourer) {
	t.Helper()
	a, second := stalledCouple(t, s, addr)
	b = &pourer{Conn: second}
	b.pour(t, s, 2)
	return a, b
}

// The receiver leaves while a backlog stands: the sender is read again, is told
// what got lost, and can write to the next partner at once.
func TestReceiverLeavesBehindBacklog(t *testing.T) {
	servertest.Parallel(t)
	for _, tc := range []struct {
		desc  string
		leave func(b *servertest.Conn)
	}{
		{"with a reset", func(b *servertest.Conn) { b.TCP.Close() }},
		{"with the closing handshake", func(b *servertest.Conn) { b.Write(servertest.Close(1000, "")) }},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			s, addr := start(t, Config{Kernel: newStoppedClock(), Workers: 2})
			a, b := stalledCouple(t, s, addr)
			tc.leave(b)
			servertest.Await(t, "the sender waits", func() bool { return s.pairs.Waiting() == 1 })
			go a.finish(text("where are you?"))
			skipTo(t, a.Conn, sorryText)
			c := servertest.Dial(t, addr, "/ws")
			c.Write(text("hello"))
			skipTo(t, a.Conn, "hello")
			a.Write(text("to you"))
			skipTo(t, c, "to you")
			if f := flowOf(t, s); f != (flow{}) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// The sender leaves while a backlog stands, and the receiver's next partner is
// not stuck, though it has to wait its turn.
func TestNextPartnerBehindBacklog(t *testing.T) {
	servertest.Parallel(t)
	s, addr := start(t, Config{Kernel: newStoppedClock(), Workers: 2})
	a, b := stalledCouple(t, s, addr)
	a.TCP.SetLinger(0)
	a.TCP.Close()
	// A paused one is not read, so its end is seen when there is room.
	got := 0
	for ; s.pairs.Pairs() == 1; got++ {
		check(t, b, got, got+1)
	}
	c := &pourer{Conn: servertest.Dial(t, addr, "/ws"), next: 1_000_000}
	first := c.next
	c.pour(t, s, 1)
	var writing sync.WaitGroup
	writing.Go(func() { c.finish(text("done")) })
	for {
		f, err := b.Read()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(f.Payload, payload(first)) {
			break
		}
		if !bytes.Equal(f.Payload, payload(got)) {
			t.Fatalf("after %d messages got %v", got, f)
		}
		got++
	}
	check(t, b, first+1, c.next)
	b.Expect(servertest.OpText, "done")
	writing.Wait()
	servertest.Await(t, "nobody is paused", func() bool { return flowOf(t, s) == flow{} })
}

// With messages larger than usual, a backlog is larger too, and what comes
// behind them in one read is not lost.
func TestLargeMessagesBehindBacklog(t *testing.T) {
	servertest.Parallel(t)
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{MaxMessageSize: 1 << 20}})
	sender, b := couple(t, s, addr)
	message := func(i int) string {
		if i%5 == 0 {
			return strings.Repeat(string(rune('a'+i%26)), 1<<20)
		}
		return fmt.Sprint("a small one, number ", i)
	}
	a := &pourer{Conn: sender, frame: func(i int) []byte { return text(message(i)) }}
	first := 0
	for range 3 {
		a.pour(t, s, 1)
		var writing sync.WaitGroup
		writing.Go(func() { a.finish() })
		for ; first < a.next; first++ {
			b.Expect(servertest.OpText, message(first))
		}
		writing.Wait()
	}
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.UndeliveredMessages }); n != 0 {
		t.Errorf("%d messages undelivered", n)
	}
}

// A receiver that makes some progress is never stalled, and its sender, which
// is not read for minutes, is not silent.
func TestReceiverDripIsProgress(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Workers: 2})
	a, b := stalledCouple(t, s, addr)
	var writing sync.WaitGroup
	writing.Go(func() { a.finish() })
	for got, steps := 0, 0; got < a.next; steps++ {
		if flowOf(t, s).waiting > 0 {
			k.advance(t, s, 14*time.Second)
		}
		// Progress is what the socket has taken, which is not each read's.
		before := bytesSent(t, s)
		for got < a.next && (flowOf(t, s).waiting == 0 || bytesSent(t, s) == before) {
			f, err := b.Read()
			switch {
			case err != nil:
				t.Fatalf("step %d, message %d: %v", steps, got, err)
			case f.Op == servertest.OpPing:
				b.Write(servertest.Encode(servertest.Fin|servertest.OpPong, ""))
				continue
			case !bytes.Equal(f.Payload, payload(got)):
				t.Fatalf("step %d, message %d: got %v", steps, got, f)
			}
			got++
		}
	}
	writing.Wait()
	b.Write(text("all read"))
	for {
		f, err := a.Read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Op == servertest.OpText {
			break
		}
		if f.Op != servertest.OpPing {
			t.Fatalf("got %v", f)
		}
	}
}

func bytesSent(t testing.TB, s *Server) (n int) {
	onWorkers(t, s, func(h *handler) { n += int(h.worker.Stats().BytesSent) })
	return n
}
