package server

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
	"roulette/netpoll"
)

func exceeded(t *testing.T, s *Server, l metrics.Limit) int {
	t.Helper()
	return total(t, s, func(c *metrics.Counters) uint64 { return c.LimitsExceeded[l] })
}

func TestMessageRate(t *testing.T) {
	const burst, grace = 20, 11
	for _, tc := range []struct {
		desc  string
		limit metrics.Limit
		send  []byte
		op    byte
		reply string
	}{
		{"messages", metrics.LimitMessageRate, text("hello"), servertest.OpText, sorryText},
		{"pings", metrics.LimitControlRate, servertest.Encode(servertest.Fin|servertest.OpPing, "hi"), servertest.OpPong, "hi"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			k := newStoppedClock()
			s, addr := start(t, Config{Kernel: k, Settings: Settings{MessageRate: 10, MessageBurst: burst}})
			c := servertest.Dial(t, addr, "/ws")
			for range burst {
				c.Write(tc.send)
				c.Expect(tc.op, tc.reply)
			}
			if n := exceeded(t, s, tc.limit); n != 0 {
				t.Errorf("warned %d times within the burst", n)
			}
			c.Write(tc.send, tc.send)
			c.Expect(tc.op, tc.reply)
			c.Expect(tc.op, tc.reply)
			if n := exceeded(t, s, tc.limit); n != 1 {
				t.Errorf("warned %d times, want once", n)
			}
			k.advance(t, s, time.Second) // pays for ten
			for range 8 {
				c.Write(tc.send)
				c.Expect(tc.op, tc.reply)
			}
			if n := exceeded(t, s, tc.limit); n != 1 {
				t.Errorf("warned %d times, want no more", n)
			}
			// All of the grace and one more, in one write: what was within it
			// is answered.
			c.Write([]byte(strings.Repeat(string(tc.send), grace+1)))
			for range grace {
				c.Expect(tc.op, tc.reply)
			}
			c.ExpectClose(4429)
			if n := exceeded(t, s, tc.limit); n != 3 { // warned again, and out
				t.Errorf("counted %d times, want 3", n)
			}
			if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Closed[metrics.CloseRateLimited][metrics.ByServer] }); n != 1 {
				t.Errorf("%d closed for it", n)
			}
		})
	}
}

// Fragments may be empty, so no limit of size ends them.
func TestFragmentRate(t *testing.T) {
	const burst, grace = 20, 11
	for _, payload := range []string{"", "x"} {
		t.Run(fmt.Sprintf("%d bytes", len(payload)), func(t *testing.T) {
			_, addr := start(t, Config{Kernel: newStoppedClock(), Settings: Settings{MessageRate: 10, MessageBurst: burst}})
			c := servertest.Dial(t, addr, "/echo")
			piece := servertest.Encode(servertest.OpContinuation, payload)
			most := (burst+grace)*fragmentsAMessage - 1
			c.Write(slices.Concat(servertest.Encode(servertest.OpText, "x"), bytes.Repeat(piece, most-fragmentsAMessage),
				servertest.Encode(servertest.Fin|servertest.OpContinuation, "")))
			c.Expect(servertest.OpText, "x"+strings.Repeat(payload, most-fragmentsAMessage))
			c.Write(slices.Concat(servertest.Encode(servertest.OpText, "x"), bytes.Repeat(piece, 2*fragmentsAMessage)))
			c.ExpectClose(4429)
		})
	}
}

func TestMessageRateOff(t *testing.T) {
	s, addr := start(t, Config{Kernel: newStoppedClock()})
	a, b := couple(t, s, addr)
	const n = 10_000
	go a.Write([]byte(strings.Repeat(string(text("x")), n)))
	for range n {
		b.Expect(servertest.OpText, "x")
	}
}

// fromAfar is a kernel that sees its clients at other addresses than they have.
type fromAfar struct {
	*stoppedClock
	mu   sync.Mutex
	addr netip.Addr
}

func (k *fromAfar) set(addr string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.addr = netip.MustParseAddr(addr)
}

func (k *fromAfar) Accept(fd int) (int, netip.AddrPort, unix.Errno) {
	conn, peer, errno := k.stoppedClock.Accept(fd)
	k.mu.Lock()
	defer k.mu.Unlock()
	return conn, netip.AddrPortFrom(k.addr, peer.Port()), errno
}

func startAfar(t *testing.T, config Config) (k *fromAfar, s *Server, addr string) {
	k = &fromAfar{stoppedClock: newStoppedClock()}
	config.Kernel = k
	s, addr = start(t, config)
	return k, s, addr
}

// forgets waits until the table of addresses is empty.
func (k *fromAfar) forgets(t *testing.T, s *Server) {
	t.Helper()
	awaitNobody(t, s)
	for range 64 / 4 { // shards, one a tick
		k.advance(t, s, time.Second)
	}
	if n := s.addresses.Known(); n != 0 {
		t.Errorf("%d addresses are remembered for nothing", n)
	}
}

func TestConnectionsPerAddress(t *testing.T) {
	const limit = 3
	k, s, addr := startAfar(t, Config{Settings: Settings{MaxConnectionsPerAddress: limit}})
	var all []*servertest.Conn
	for i := range limit {
		k.set(fmt.Sprintf("2001:db8::%d", i))
		all = append(all, servertest.Dial(t, addr, "/echo"))
	}
	k.set("2001:db8::ffff")
	turnedAway(t, addr, 429)
	turnedAway(t, addr, 429)
	k.set("2001:db8:1::1")
	all = append(all, servertest.Dial(t, addr, "/echo"))
	k.set("127.0.0.1") // is not counted
	for range 2 * limit {
		all = append(all, servertest.Dial(t, addr, "/echo"))
	}
	all[0].Leave()
	servertest.Await(t, "one has left", func() bool { return s.poller.Count() == len(all)-1 })
	k.set("2001:db8::1")
	all[0] = servertest.Dial(t, addr, "/echo")
	turnedAway(t, addr, 429)
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Rejected[metrics.RejectPerAddress] }); n != 3 {
		t.Errorf("%d rejected, want 3", n)
	}
	for _, c := range all {
		c.Leave()
	}
	k.forgets(t, s)
	if n := s.turnedAway.Load(); n != 0 {
		t.Errorf("%d count as turned away", n)
	}
}

// A page takes no place among an address's chats.
func TestPagesPerAddress(t *testing.T) {
	k, s, addr := startAfar(t, Config{Settings: Settings{MaxConnectionsPerAddress: 1}})
	k.set("192.0.2.1")
	page := servertest.Connect(t, addr)
	page.Write([]byte("GET /favicon.svg HTTP/1.1\r\nHost: a\r\n\r\n"))
	if r, err := page.Response("GET"); err != nil || r.StatusCode != 200 {
		t.Fatalf("%v, %v", r, err)
	}
	c := servertest.Dial(t, addr, "/echo")
	turnedAway(t, addr, 429)
	c.Leave()
	page.TCP.Close()
	k.forgets(t, s)
}

func TestHandshakesPerAddress(t *testing.T) {
	k, s, addr := startAfar(t, Config{Settings: Settings{HandshakesPerAddress: 2}})
	k.set("192.0.2.1")
	for range 8 { // the burst
		servertest.Dial(t, addr, "/echo").Leave()
	}
	turnedAway(t, addr, 429)
	k.set("192.0.2.2")
	servertest.Dial(t, addr, "/echo").Leave()
	k.set("192.0.2.1")
	k.advance(t, s, time.Second)
	servertest.Dial(t, addr, "/echo").Leave()
	servertest.Dial(t, addr, "/echo").Leave()
	turnedAway(t, addr, 429)
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Rejected[metrics.RejectHandshakeRate] }); n != 2 {
		t.Errorf("%d rejected, want 2", n)
	}
	k.forgets(t, s)
}

func TestMaxConnections(t *testing.T) {
	const limit = 4
	s, addr := start(t, Config{Kernel: newStoppedClock(), Settings: Settings{MaxConnections: limit}})
	var all []*servertest.Conn
	for range limit {
		if s.NotReady() != "" {
			t.Error("full too early")
		}
		all = append(all, servertest.Dial(t, addr, "/echo"))
	}
	if s.NotReady() == "" {
		t.Error("ready though it is full")
	}
	for range 3 {
		turnedAway(t, addr, 503)
	}
	servertest.Await(t, "those are gone", func() bool { return s.poller.Count() == limit })

	// Only so many are kept until they have said what they want.
	var silent []*servertest.Conn
	for range maxTurnedAway {
		silent = append(silent, servertest.Connect(t, addr))
	}
	servertest.Await(t, "they are there", func() bool { return s.poller.Count() == limit+maxTurnedAway })
	if _, err := servertest.Connect(t, addr).Response("GET"); err == nil {
		t.Error("one too many to turn away is answered")
	}
	for _, c := range silent {
		c.TCP.Close()
	}
	servertest.Await(t, "they are gone", func() bool { return s.poller.Count() == limit })
	turnedAway(t, addr, 503)

	all[0].Leave()
	servertest.Await(t, "there is room", func() bool { return s.NotReady() == "" })
	all[0] = servertest.Dial(t, addr, "/echo")
	for _, c := range all {
		c.Leave()
	}
	awaitNobody(t, s)
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Rejected[metrics.RejectMaxConnections] }); n != 3+1+1 {
		t.Errorf("%d rejected", n)
	}
	if n := s.turnedAway.Load(); n != 0 {
		t.Errorf("%d count as turned away", n)
	}
}

// What a sender has written in its own good time while it was not read is not
// held against it when all of it is read at once.
func TestRateOfAPausedSender(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{MessageRate: 10, MessageBurst: 1 << 16}})
	a, b := stalledCouple(t, s, addr)
	eachConn(t, s, func(h *handler, c *netpoll.Conn) {
		if c.Paused() { // its burst is used up
			now, rate := h.worker.Now(), h.rules.messages
			rate.Take(&c.Rate, now, rate.Allowance(c.Rate, now))
		}
	})
	var writing sync.WaitGroup
	writing.Go(func() { a.finish(text("one"), text("two"), text("three")) })
	check(t, b, 0, a.next)
	for _, want := range []string{"one", "two", "three"} {
		b.Expect(servertest.OpText, want)
	}
	writing.Wait()
}
