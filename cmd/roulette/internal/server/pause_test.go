package server

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
	"roulette/netpoll"
)

// eitherWay runs f twice: for a worker that, when it goes on after a pause, finds
// its timer before what its clients have sent, and after.
func eitherWay(t *testing.T, settings Settings, f func(t *testing.T, s *Server, addr string, k *stoppedClock, pause func(meanwhile func()))) {
	for _, early := range []bool{false, true} {
		t.Run(fmt.Sprintf("timer first=%v", early), func(t *testing.T) {
			k := newStoppedClock()
			s, addr := start(t, Config{Kernel: k, Settings: settings, Workers: 1})
			f(t, s, addr, k, func(meanwhile func()) {
				t.Helper()
				k.freeze(t, s, time.Hour, early, meanwhile)
				k.advance(t, s, 0) // and a look at everybody
			})
		})
	}
}

// The pong to a ping was sent in time, and has not been read because nothing was.
func TestPausedBetweenPingAndPong(t *testing.T) {
	eitherWay(t, Settings{PingInterval: 20 * time.Second, PongTimeout: 10 * time.Second}, func(t *testing.T, s *Server, addr string, k *stoppedClock, pause func(func())) {
		c := servertest.Dial(t, addr, "/echo")
		k.advance(t, s, 20*time.Second)
		c.Expect(servertest.OpPing, "")
		pause(func() { c.Write(servertest.Encode(servertest.Fin|servertest.OpPong, "")) })
		c.Write(text("still here"))
		c.Expect(servertest.OpText, "still here")
		// Who then stays silent is closed all the same.
		k.advance(t, s, 20*time.Second)
		c.Expect(servertest.OpPing, "")
		pause(func() {})
		k.advance(t, s, 10*time.Second)
		c.ExpectClose(4408)
	})
}

func TestPausedInTheHandshake(t *testing.T) {
	eitherWay(t, Settings{HandshakeTimeout: 5 * time.Second}, func(t *testing.T, s *Server, addr string, k *stoppedClock, pause func(func())) {
		request := servertest.Request(addr, "/ws")
		c := servertest.Connect(t, addr)
		c.Write([]byte(request[:10]))
		servertest.Await(t, "it is read", func() bool {
			return total(t, s, func(c *metrics.Counters) uint64 { return c.NetworkReceiveBytes }) == 10
		})
		k.advance(t, s, 5*time.Second-moment)
		pause(func() {})
		c.Write([]byte(request[10:]))
		if err := c.Upgraded(); err != nil {
			t.Error(err)
		}
	})
}

// Who comes during the pause is no older than its end.
func TestAcceptedAfterAPause(t *testing.T) {
	eitherWay(t, Settings{HandshakeTimeout: 5 * time.Second}, func(t *testing.T, s *Server, addr string, k *stoppedClock, pause func(func())) {
		request := servertest.Request(addr, "/ws")
		var c *servertest.Conn
		pause(func() {
			c = servertest.Connect(t, addr)
			c.Write([]byte(request[:10]))
		})
		k.advance(t, s, 5*time.Second-moment)
		c.Write([]byte(request[10:]))
		if err := c.Upgraded(); err != nil {
			t.Error(err)
		}
	})
}

func TestPausedInAMessage(t *testing.T) {
	eitherWay(t, Settings{PingInterval: 24 * time.Hour}, func(t *testing.T, s *Server, addr string, k *stoppedClock, pause func(func())) {
		c := servertest.Dial(t, addr, "/echo")
		message := text("once upon a time")
		c.Write(message[:9])
		servertest.Await(t, "it is held", func() (held bool) {
			eachConn(t, s, func(_ *handler, c *netpoll.Conn) { held = c.Held() != nil })
			return held
		})
		k.advance(t, s, messageTimeout-moment)
		pause(func() {})
		c.Write(message[9:])
		c.Expect(servertest.OpText, "once upon a time")
	})
}

// What was sent at the steady rate while nobody looked comes all at once.
func TestPausedWhileMessagesCome(t *testing.T) {
	eitherWay(t, Settings{MessageRate: 10, MessageBurst: 20}, func(t *testing.T, s *Server, addr string, k *stoppedClock, pause func(func())) {
		c := servertest.Dial(t, addr, "/echo")
		const n = 600 // a minute
		pause(func() { c.Write(bytes.Repeat(text("tick"), n)) })
		for range n {
			c.Expect(servertest.OpText, "tick")
		}
		// And it is no licence.
		k.advance(t, s, 0)
		c.Write(bytes.Repeat(text("tick"), n))
		for f, err := c.Read(); f.Op != servertest.OpClose || f.Code() != 4429; f, err = c.Read() {
			if err != nil || f.Op != servertest.OpText {
				t.Fatalf("%v, %v; want text and close 4429", f, err)
			}
		}
	})
}

// A receiver that had not taken anything for nearly the stall time has the rest
// of it.
func TestPausedWithABacklog(t *testing.T) {
	eitherWay(t, Settings{StallTimeout: 15 * time.Second, PingInterval: 24 * time.Hour}, func(t *testing.T, s *Server, addr string, k *stoppedClock, pause func(func())) {
		a, b := couple(t, s, addr)
		k.full.Store(true)
		a.Write(text("hello"))
		servertest.Await(t, "it waits", func() bool { return flowOf(t, s).waiting == 1 })
		k.advance(t, s, 15*time.Second-moment)
		pause(func() {})
		if flowOf(t, s).waiting != 1 {
			t.Fatal("judged by a time in which nobody looked")
		}
		k.full.Store(false)
		k.advance(t, s, 0)
		b.Expect(servertest.OpText, "hello")
	})
}
