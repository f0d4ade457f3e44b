package server

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	easygo "github.com/mailru/easygo/netpoll"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/netpoll/nettest"
)

const moment = time.Millisecond

func TestHandshakeDeadline(t *testing.T) {
	for _, tc := range []struct {
		desc, said string
		status     int // 0: no answer
	}{
		{"nothing was said", "", 0},
		{"half a request was", "GET /ws HTTP/1.1\r\nHost: a", 408},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			k := newStoppedClock()
			s, addr := start(t, Config{Kernel: k, Settings: Settings{HandshakeTimeout: 5 * time.Second}})
			c := servertest.Connect(t, addr)
			c.Write([]byte(tc.said))
			servertest.Await(t, "it is read", func() bool {
				return s.poller.Count() == 1 && total(t, s, func(c *metrics.Counters) uint64 { return c.NetworkReceiveBytes }) == len(tc.said)
			})
			k.advance(t, s, 5*time.Second-moment)
			if total(t, s, func(c *metrics.Counters) uint64 { return c.Handshakes[metrics.HandshakeTimeout] }) != 0 {
				t.Fatal("too early")
			}
			k.advance(t, s, moment)
			if tc.status == 0 {
				if err := c.ReadEnd(); err != nil {
					t.Error(err)
				}
			} else if r, err := c.Response("GET"); err != nil || r.StatusCode != tc.status {
				t.Errorf("got %v, %v, want %d", r, err, tc.status)
			}
			if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Handshakes[metrics.HandshakeTimeout] }); n != 1 {
				t.Errorf("%d timeouts counted", n)
			}
			c.TCP.Close()
			awaitNobody(t, s)
		})
	}
}

// A drop now and then does not prolong the handshake, and a request that is
// whole at the last moment is served.
func TestHandshakeAtTheLastMoment(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{HandshakeTimeout: 5 * time.Second}})
	c := servertest.Connect(t, addr)
	request := servertest.Request(addr, "/ws")
	sent := 0
	for i := range 5 {
		c.Write([]byte(request[i : i+1]))
		sent++
		servertest.Await(t, "it is read", func() bool {
			return total(t, s, func(c *metrics.Counters) uint64 { return c.NetworkReceiveBytes }) == sent
		})
		if i < 4 {
			k.advance(t, s, 5*time.Second/4-moment)
		}
	}
	c.Write([]byte(request[5:]))
	if err := c.Upgraded(); err != nil {
		t.Fatal(err)
	}
	k.advance(t, s, 5*time.Second)
	c.Write(text("anybody?"))
	c.Expect(servertest.OpText, sorryText)
}

// pingedConns counts the connections that have a ping under way.
func pingedConns(t *testing.T, s *Server) (n int) {
	eachConn(t, s, func(_ *handler, c *netpoll.Conn) {
		if has(c, pinged) {
			n++
		}
	})
	return n
}

func TestPingAndPong(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: 20 * time.Second, PongTimeout: 10 * time.Second}})
	c := servertest.Dial(t, addr, "/ws")
	for range 3 {
		k.advance(t, s, 15*time.Second-moment)
		if pingedConns(t, s) != 0 {
			t.Fatal("pinged too early")
		}
		k.advance(t, s, 5*time.Second+moment)
		c.Expect(servertest.OpPing, "")
		k.advance(t, s, 5*time.Second-moment) // the deadline is up to 5 s early, as the ping was
		c.Write(servertest.Encode(servertest.Fin|servertest.OpPong, ""))
		servertest.Await(t, "the pong is heard", func() bool {
			heard := false
			eachConn(t, s, func(h *handler, c *netpoll.Conn) { heard = h.worker.Now() == c.Heard() })
			return heard
		})
		k.advance(t, s, 0) // a look at it in between, as there is every second
	}
	// Anything is a sign of life, not only a pong.
	k.advance(t, s, 20*time.Second)
	c.Expect(servertest.OpPing, "")
	c.Write(text("hello"))
	c.Expect(servertest.OpText, sorryText)
	k.advance(t, s, 15*time.Second-moment)
	if pingedConns(t, s) != 0 {
		t.Fatal("the message has not put the ping off")
	}
	// And without any, it is over.
	k.advance(t, s, 5*time.Second+moment)
	c.Expect(servertest.OpPing, "")
	k.advance(t, s, 10*time.Second)
	c.ExpectClose(4408)
	c.TCP.Close()
	awaitNobody(t, s)
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Closed[metrics.CloseTimeout][metrics.ByServer] }); n != 1 {
		t.Errorf("%d closed for it", n)
	}
}

// The time for the pong begins with the ping, also when the whole process was
// frozen for longer than both together.
func TestPongAfterAFreeze(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: 20 * time.Second, PongTimeout: 10 * time.Second}})
	c := servertest.Dial(t, addr, "/ws")
	k.advance(t, s, time.Hour)
	c.Expect(servertest.OpPing, "")
	k.advance(t, s, 10*time.Second-moment)
	if s.poller.Count() != 1 || pingedConns(t, s) != 1 {
		t.Fatal("closed too early")
	}
	k.advance(t, s, moment)
	c.ExpectClose(4408)
}

// TestPingEconomy: who is in no chat is asked seldom, and as often as others from the
// moment on that somebody waits for them.
func TestPingEconomy(t *testing.T) {
	const often, seldom, pong = 20 * time.Second, 10 * time.Minute, 10 * time.Second
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: often, IdlePingInterval: seldom, PongTimeout: pong}})
	a, b := couple(t, s, addr)
	alone := servertest.Dial(t, addr, "/echo")
	k.advance(t, s, often)
	if n := pingedConns(t, s); n != 2 {
		t.Fatalf("%d are pinged, and not the two who chat", n)
	}
	b.Expect(pingOp, "")
	k.advance(t, s, pong)
	b.ExpectClose(4408)
	a.TCP.Close()
	b.TCP.Close()
	servertest.Await(t, "the couple's end", func() bool { return s.poller.Count() == 1 })

	lonely := servertest.Dial(t, addr, "/ws")
	k.advance(t, s, seldom*3/4-often-pong-moment)
	if n := pingedConns(t, s); n != 0 {
		t.Fatalf("%d of the others are pinged too early", n)
	}
	// Somebody comes for the one who has been silent for so long.
	servertest.Dial(t, addr, "/ws")
	servertest.Await(t, "a pair", func() bool { return s.pairs.Pairs() == 1 })
	k.advance(t, s, 0)
	lonely.Expect(pingOp, "")
	if n := pingedConns(t, s); n != 1 {
		t.Fatalf("%d are pinged, and not the one who is waited for", n)
	}
	// The one on /echo is asked in the end, and has the usual time for the answer.
	lonely.TCP.Close()
	servertest.Await(t, "the end of the pair", func() bool { return s.pairs.Pairs() == 0 })
	k.advance(t, s, seldom/4+moment)
	alone.Expect(pingOp, "")
	k.advance(t, s, pong-moment)
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Closed[metrics.CloseTimeout][metrics.ByServer] }); n != 2 {
		t.Fatalf("%d were ended, and not the first two", n)
	}
	k.advance(t, s, moment)
	alone.ExpectClose(4408)
}

// Those who came at once are not pinged at once.
func TestPingsAreSpread(t *testing.T) {
	const n, steps = 200, 40
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: 20 * time.Second}})
	for range n {
		servertest.Dial(t, addr, "/echo")
	}
	k.advance(t, s, 15*time.Second-moment)
	if n := pingedConns(t, s); n != 0 {
		t.Fatalf("%d pinged too early", n)
	}
	k.now.Add(int64(moment))
	before, most := 0, 0
	for range steps {
		k.advance(t, s, 5*time.Second/steps)
		now := pingedConns(t, s)
		most = max(most, now-before)
		before = now
	}
	if before != n {
		t.Errorf("%d of %d are pinged in time", before, n)
	}
	if most > 4*n/steps {
		t.Errorf("%d pings in one of %d steps, %d in all", most, steps, n)
	}
}

func TestMessageDeadline(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k})
	c := servertest.Dial(t, addr, "/ws")
	c.Write(servertest.Encode(servertest.OpText, "once upon a time"))
	for passed := time.Duration(0); passed < messageTimeout; passed += 10 * time.Second {
		c.Write(servertest.Encode(servertest.Fin|servertest.OpPing, "still here"))
		c.Expect(servertest.OpPong, "still here")
		k.advance(t, s, 10*time.Second-moment/6)
	}
	c.Write(servertest.Encode(servertest.Fin|servertest.OpPing, "still here"))
	c.Expect(servertest.OpPong, "still here")
	k.advance(t, s, moment)
	c.ExpectClose(4408)
}

// A stream of messages that reads always cut in the middle is not one message.
func TestStreamIsNoLateMessage(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k})
	c := servertest.Dial(t, addr, "/echo")
	message := servertest.Encode(servertest.Fin|servertest.OpText, strings.Repeat("x", 1000))
	c.Write(message[:500])
	for range 10 {
		c.Write(append(message[500:len(message):len(message)], message[:500]...))
		c.Expect(servertest.OpText, strings.Repeat("x", 1000))
		servertest.Await(t, "the half message is read", func() bool {
			return total(t, s, func(c *metrics.Counters) uint64 { return c.NetworkReceiveBytes })%len(message) ==
				(len(servertest.Request(addr, "/echo"))+500)%len(message)
		})
		k.advance(t, s, 10*time.Second)
	}
	c.Write(message[500:])
	c.Expect(servertest.OpText, strings.Repeat("x", 1000))
}

// Nor is a message late whose sender is not read.
func TestPausedMessageIsNotLate(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{StallTimeout: time.Hour}})
	a, b := couple(t, s, addr)
	k.full.Store(true)
	second := text("and another")
	a.Write(append(text("one"), second[:9]...))
	servertest.Await(t, "the sender is paused in the middle of a message", func() (held bool) {
		eachConn(t, s, func(_ *handler, c *netpoll.Conn) { held = held || c.Paused() && c.Held() != nil })
		return held
	})
	k.advance(t, s, 10*messageTimeout)
	k.advance(t, s, messageTimeout-moment)
	a.Write(second[9:])
	k.full.Store(false)
	k.advance(t, s, 0)
	b.Expect(servertest.OpText, "one")
	b.Expect(servertest.OpText, "and another")
}

func TestPingAllocations(t *testing.T) {
	if nettest.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Workers: 1, Settings: Settings{PingInterval: 20 * time.Second}})
	for _, path := range []string{"/ws", "/echo"} {
		servertest.Dial(t, addr, path)
	}
	k.advance(t, s, 20*time.Second)
	eachConn(t, s, func(h *handler, c *netpoll.Conn) {
		before := h.worker.Stats().BytesSent
		if n := testing.AllocsPerRun(100, func() {
			clearFlag(c, pinged)
			h.Sweep(c)
		}); n != 0 {
			t.Errorf("%v allocations for a ping", n)
		}
		if sent := h.worker.Stats().BytesSent - before; sent != 101*uint64(len(pingFrame)) {
			t.Errorf("%d bytes sent", sent)
		}
	})
}

// wakeups counts the callbacks of all epolls.
type wakeups struct {
	*stoppedClock
	n atomic.Int64
}

type countingEpoll struct {
	netpoll.Epoll
	n *atomic.Int64
}

func (k *wakeups) Epoll(onError func(error)) (netpoll.Epoll, error) {
	ep, err := k.stoppedClock.Epoll(onError)
	return countingEpoll{ep, &k.n}, err
}

func (e countingEpoll) Add(fd int, events easygo.EpollEvent, callback func(easygo.EpollEvent)) error {
	return e.Epoll.Add(fd, events, func(events easygo.EpollEvent) {
		e.n.Add(1)
		callback(events)
	})
}

// An empty server, and one with connections that say nothing, is woken by its
// coarse clock alone.
func TestIdleWakeups(t *testing.T) {
	const workers, rounds = 2, 10
	for _, conns := range []int{0, 10} {
		t.Run(fmt.Sprintf("conns=%d", conns), func(t *testing.T) {
			k := &wakeups{stoppedClock: newStoppedClock()}
			s, addr := start(t, Config{Kernel: k, Workers: workers, Settings: Settings{PingInterval: time.Hour}})
			for range conns {
				servertest.Dial(t, addr, "/echo")
			}
			settled(t, s)
			settled(t, s) // what the last connection's registration reported is through
			before := k.n.Load()
			for range rounds {
				k.advance(t, s, time.Second)
			}
			// Each of the four ticks of an advance wakes each worker, and so
			// does being asked whether it is through.
			want := int64(rounds * 4 * 2 * workers)
			if got := k.n.Load() - before; got != want {
				t.Errorf("%d wake-ups, want %d", got, want)
			}
		})
	}
}
