package server

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
	"roulette/netpoll"
)

// apply changes the settings of s.
func apply(t *testing.T, s *Server, change func(*Settings)) {
	t.Helper()
	settings := s.Settings()
	change(&settings)
	if err := s.Apply(settings); err != nil {
		t.Fatal(err)
	}
}

// toldOf opens a chat of a rich client, and checks what its hello says of the
// message size.
func toldOf(t *testing.T, addr string, size int) *servertest.Conn {
	t.Helper()
	c := servertest.Connect(t, addr)
	c.Write([]byte(servertest.Request(addr, "/ws", "Sec-WebSocket-Protocol: roulette.v1")))
	if _, err := c.Response("GET"); err != nil {
		t.Fatal(err)
	}
	hello, err := c.Read()
	if want := fmt.Sprintf(`"max_message":%d}`, size); err != nil || !strings.Contains(string(hello.Payload), want) {
		t.Fatalf("%v, %v, want %s", hello, err, want)
	}
	return c
}

// closesAt demands that a message of n bytes is too long, and one less is not.
func closesAt(t *testing.T, c *servertest.Conn, n int) {
	t.Helper()
	for _, m := range [][]byte{
		text(strings.Repeat("x", n-1)),
		// in pieces, to a partial of its own
		append(servertest.Encode(servertest.OpText, strings.Repeat("x", n-2)), servertest.Encode(servertest.Fin, "x")...),
	} {
		for _, piece := range [][]byte{m[:len(m)/2], m[len(m)/2:]} {
			c.Write(piece)
		}
		if f, err := c.Read(); err != nil || f.Op == servertest.OpClose {
			t.Errorf("a message of %d bytes: %v, %v", n-1, f, err)
			return
		}
	}
	c.Write(text(strings.Repeat("x", n)))
	c.ExpectClose(1009)
	c.TCP.Close()
}

// Who was told a limit keeps it when it shrinks, and has more when it grows.
func TestApplyMessageSize(t *testing.T) {
	s, addr := start(t, Config{Workers: 1, Settings: Settings{MaxMessageSize: 1 << 10}})
	toldFirst, plain := toldOf(t, addr, 1<<10), servertest.Dial(t, addr, "/echo")
	// So that there are partials to use again.
	whole := text("in two pieces")
	var others []*servertest.Conn
	for i := range 5 {
		c := servertest.Dial(t, addr, "/echo")
		c.Write(whole[:5])
		awaitHeld(t, s, i+1)
		others = append(others, c)
	}
	for _, c := range others {
		c.Write(whole[5:])
		c.Expect(servertest.OpText, "in two pieces")
		c.Leave()
	}
	midway := toldOf(t, addr, 1<<10)
	midway.Write(servertest.Encode(servertest.OpText, "half a message"))
	awaitHeld(t, s, 1)

	apply(t, s, func(s *Settings) { s.MaxMessageSize = 512 })
	toldSecond := toldOf(t, addr, 512)
	apply(t, s, func(s *Settings) { s.MaxMessageSize = 256 })
	if n := s.backlogLimit; n != 4*(readBuffer+1<<10) {
		t.Errorf("backlogs of %d bytes, which the messages told of may not fit", n)
	}
	closesAt(t, plain, 257)
	closesAt(t, toldOf(t, addr, 256), 257)
	closesAt(t, toldSecond, 513)
	closesAt(t, toldFirst, 1025)
	midway.Write(servertest.Encode(servertest.Fin, strings.Repeat("x", 1000)))
	if f, err := midway.Read(); err != nil || f.Op != servertest.OpText {
		t.Errorf("%v, %v", f, err)
	}
	kept, growing := toldOf(t, addr, 256), servertest.Dial(t, addr, "/echo")
	growing.Write(servertest.Encode(servertest.OpText, strings.Repeat("x", 200)))
	awaitHeld(t, s, 1)

	apply(t, s, func(s *Settings) { s.MaxMessageSize = 2 << 10 })
	growing.Write(servertest.Encode(servertest.Fin, strings.Repeat("x", 200)))
	growing.Expect(servertest.OpText, strings.Repeat("x", 400))
	growing.Leave()
	closesAt(t, midway, 2049)
	closesAt(t, kept, 2049)
	closesAt(t, toldOf(t, addr, 2048), 2049)
	awaitNobody(t, s)
}

// awaitHeld waits until n connections hold a part of a message.
func awaitHeld(t *testing.T, s *Server, n int) {
	t.Helper()
	servertest.Await(t, "parts of messages", func() bool {
		held := 0
		eachConn(t, s, func(_ *handler, c *netpoll.Conn) {
			if p, ok := c.Held().(*partial); ok && !p.Empty() {
				held++
			}
		})
		return held == n
	})
}

// A partial that stays for what its client was told is not a message that takes
// too long, and the next message has all its time.
func TestApplyMessageSizeAndTime(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Workers: 1, Settings: Settings{MaxMessageSize: 1 << 10, PingInterval: time.Hour}})
	c := toldOf(t, addr, 1<<10)
	apply(t, s, func(s *Settings) { s.MaxMessageSize = 512 })
	k.advance(t, s, 2*messageTimeout)
	c.Write(servertest.Encode(servertest.OpText, "half a message"))
	awaitHeld(t, s, 1)
	k.advance(t, s, messageTimeout-moment)
	c.Write(servertest.Encode(servertest.Fin|servertest.OpPing, "still here?"))
	c.Expect(servertest.OpPong, "still here?")
	k.advance(t, s, moment)
	c.ExpectClose(4408)
}

// A ping that is out when the interval changes is not held against its client.
func TestApplyPingInterval(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: time.Minute, PongTimeout: 10 * time.Second}})
	c := servertest.Dial(t, addr, "/ws")
	k.advance(t, s, time.Minute)
	c.Expect(servertest.OpPing, "")
	apply(t, s, func(s *Settings) { s.PingInterval = 5 * time.Second })
	k.advance(t, s, time.Second)
	if n := total(t, s, func(c *metrics.Counters) int64 { return c.Connections[metrics.ConnectionClosing] }); n != 0 {
		t.Fatal("closed for a pong that has time yet")
	}
	c.Expect(servertest.OpPing, "")
	k.advance(t, s, 10*time.Second-moment)
	c.Write(servertest.Encode(servertest.Fin|servertest.OpPing, "is there time?"))
	c.Expect(servertest.OpPong, "is there time?")
	k.advance(t, s, 0) // a look at it in between, as there is every second
	k.advance(t, s, 5*time.Second)
	c.Expect(servertest.OpPing, "")
	k.advance(t, s, 10*time.Second)
	c.ExpectClose(4408)
}

func TestApplyLimits(t *testing.T) {
	k, s, addr := startAfar(t, Config{Settings: Settings{MaxConnections: 2}})
	k.set("192.0.2.1")
	a, b := servertest.Dial(t, addr, "/echo"), servertest.Dial(t, addr, "/echo")
	turnedAway(t, addr, 503)

	apply(t, s, func(s *Settings) { s.MaxConnections = 1 })
	if s.NotReady() == "" {
		t.Error("ready, with more than there may be")
	}
	a.Write(text("still here"))
	a.Expect(servertest.OpText, "still here")
	apply(t, s, func(s *Settings) { s.MaxConnections, s.MaxConnectionsPerAddress = 1<<30, 3 })
	if n := s.Settings().MaxConnections; n != s.most {
		t.Errorf("%d connections, want what the descriptors allow, %d", n, s.most)
	}
	servertest.Await(t, "a place", func() bool { return s.NotReady() == "" })
	c := servertest.Dial(t, addr, "/echo") // those from before the limit count, and stay
	turnedAway(t, addr, 429)
	apply(t, s, func(s *Settings) { s.MaxConnectionsPerAddress = 0 })
	d := servertest.Dial(t, addr, "/echo")
	for _, conn := range []*servertest.Conn{a, b, c, d} {
		conn.Leave()
	}
	k.forgets(t, s)
}

func TestApplyWrong(t *testing.T) {
	s, _ := start(t, Config{Settings: Settings{MessageRate: 5}})
	before := s.Settings()
	if err := s.Apply(Settings{MessageRate: 9, AllowedOrigins: []string{"nowhere"}}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v", err)
	}
	if after := s.Settings(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%v has become %v", before, after)
	}
}

// Settings that change all the time disturb nobody.
func TestApplyWhileTheyTalk(t *testing.T) {
	s, addr := start(t, Config{Workers: 2})
	a, b := couple(t, s, addr)
	var talk sync.WaitGroup
	done := make(chan struct{})
	talk.Go(func() {
		defer close(done)
		for i := range 300 {
			m := bytes.Repeat([]byte{'a' + byte(i%26)}, i)
			a.Write(servertest.Encode(servertest.Fin|servertest.OpText, m))
			b.Expect(servertest.OpText, string(m))
		}
	})
	for i := 0; ; i++ {
		select {
		case <-done:
			talk.Wait()
			return
		default:
			apply(t, s, func(s *Settings) {
				s.MaxMessageSize = 1<<10 + i%3*100
				s.MessageRate = i % 2 * 10_000
				s.MessageBurst = 10_000
				s.PingInterval = time.Duration(i%3+1) * time.Minute
			})
		}
	}
}
