package server

import (
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/servertest"
)

// endsFirst fails the test unless the server has ended its half of the connection
// while the client's is still open (7.1.1). Call it when the end was read.
func endsFirst(t *testing.T, c *servertest.Conn) {
	t.Helper()
	raw, err := c.TCP.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	state := func() uint8 {
		var info *unix.TCPInfo
		var infoErr error
		if err := raw.Control(func(fd uintptr) {
			info, infoErr = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		}); err != nil || infoErr != nil {
			t.Fatal(err, infoErr)
		}
		return info.State
	}
	if overTLS(t) { // a close_notify is an end as well, and comes first (RFC 8446, 6.1)
		servertest.Await(t, "the server's FIN", func() bool { return state() == unix.BPF_TCP_CLOSE_WAIT })
	}
	if s := state(); s != unix.BPF_TCP_CLOSE_WAIT {
		t.Errorf("the connection is in state %d, not CLOSE_WAIT", s)
	}
}

// TestConformanceOfTheEnd: how a connection ends (5.5.1, 7).
func TestConformanceOfTheEnd(t *testing.T) {
	s, addr := start(t, Config{})
	both := func(name string, f func(t *testing.T, c *servertest.Conn)) {
		t.Run(name+"/echo", func(t *testing.T) {
			f(t, servertest.Dial(t, addr, "/echo"))
		})
		awaitNobody(t, s)
		t.Run(name+"/pair", func(t *testing.T) {
			partner := startMirror(t, addr)
			c := servertest.Dial(t, addr, "/ws")
			servertest.Await(t, "a pair", func() bool { return s.pairs.Pairs() == 1 })
			f(t, c)
			// Whatever the client did, its partner is free and unharmed.
			servertest.Await(t, "the end of the pair", func() bool { return s.pairs.Pairs() == 0 })
			third := servertest.Dial(t, addr, "/ws")
			servertest.Await(t, "a new pair", func() bool { return s.pairs.Pairs() == 1 })
			third.Write(enc(fin|textOp, "third"))
			third.Expect(textOp, "third")
			third.Leave()
			partner.conn.Write(servertest.Close(1000, ""))
			if <-partner.done; partner.err != nil {
				t.Error(partner.err)
			}
			partner.conn.TCP.Close()
		})
		awaitNobody(t, s)
	}
	for _, tc := range []struct {
		name string
		send []byte
		code uint16
	}{
		{"7.1.1 after the closing handshake", servertest.Close(1000, "bye"), 1000},
		{"7.1.1 after one without a code", enc(fin|closeOp, ""), 0},
		{"7.1.7 after an offence", enc(fin|0x70|textOp, ""), 1002},
		{"7.1.7 after text that is not UTF-8", enc(fin|textOp, "\xff"), 1007},
		{"7.1.7 after what is too big", servertest.Header(fin|binaryOp, 1<<40, servertest.Eight), 1009},
	} {
		both(tc.name+" the server ends TCP first", func(t *testing.T, c *servertest.Conn) {
			c.Write(tc.send)
			c.ExpectClose(tc.code)
			endsFirst(t, c)
			// What comes now is neither read as frames nor answered.
			c.Write(enc(fin|pingOp, "late"), enc(fin|textOp, "late"), servertest.Close(1000, ""))
			c.TCP.Close()
		})
	}
	both("5.5.1 a close frame, and the end of the client's half at once", func(t *testing.T, c *servertest.Conn) {
		c.Write(servertest.Close(4000, "bye"))
		c.TCP.CloseWrite()
		c.ExpectClose(4000)
		c.TCP.Close()
	})
	both("7.1.5 the client's half ends without a close frame", func(t *testing.T, c *servertest.Conn) {
		c.Write(enc(fin|textOp, "hello"))
		c.Expect(textOp, "hello")
		c.TCP.CloseWrite()
		if err := c.ReadEnd(); err != nil {
			t.Error(err)
		}
		c.TCP.Close()
	})
	both("7.1.5 the client's half ends inside a frame", func(t *testing.T, c *servertest.Conn) {
		c.Write(enc(fin|textOp, "hello")[:9])
		c.TCP.CloseWrite()
		if err := c.ReadEnd(); err != nil {
			t.Error(err)
		}
		c.TCP.Close()
	})
	const last = "last words"
	t.Run("7.1.5 a message just ahead of the end of the client's half/echo", func(t *testing.T) {
		c := servertest.Dial(t, addr, "/echo")
		c.Write(enc(fin|textOp, last))
		c.TCP.CloseWrite()
		c.Expect(textOp, last)
		if err := c.ReadEnd(); err != nil {
			t.Error(err)
		}
		c.TCP.Close()
	})
	awaitNobody(t, s)
	t.Run("7.1.5 a message just ahead of the end of the client's half/pair", func(t *testing.T) {
		partner := startMirror(t, addr)
		c := servertest.Dial(t, addr, "/ws")
		servertest.Await(t, "a pair", func() bool { return s.pairs.Pairs() == 1 })
		c.Write(enc(fin|textOp, last))
		c.TCP.CloseWrite()
		servertest.Await(t, "the end of the pair", func() bool { return s.pairs.Pairs() == 0 })
		partner.check(t, frames(got(textOp, last)))
		c.TCP.Close()
	})
	awaitNobody(t, s)
}

// TestNothingBehindAClose: 5.5.1, who has sent a close frame sends nothing more,
// though a partner sends as it pleases; and each message of that reaches somebody
// or is answered for, not both.
func TestNothingBehindAClose(t *testing.T) {
	s, addr := start(t, Config{})
	for round := range 100 {
		a, b := servertest.Dial(t, addr, "/ws"), servertest.Dial(t, addr, "/ws")
		servertest.Await(t, "a pair", func() bool { return s.pairs.Pairs() == 1 })
		const messages = 20
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range messages {
				b.Write(enc(fin|textOp, fmt.Sprint(i)))
			}
			b.Write(servertest.Close(1000, ""))
		}()
		a.Write(servertest.Close(1000, ""))
		count := func(c *servertest.Conn, text func(i int) string) (n int) {
			for ; ; n++ {
				f, err := c.Read()
				if err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				if f.Op == closeOp {
					break
				}
				if f.Op != textOp || string(f.Payload) != text(n) {
					t.Fatalf("round %d: got %v, want %q", round, f, text(n))
				}
			}
			if err := c.ReadEnd(); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			return n
		}
		arrived := count(a, func(i int) string { return fmt.Sprint(i) })
		answered := count(b, func(int) string { return sorryText })
		if <-sent; arrived+answered != messages {
			t.Errorf("round %d: %d arrived and %d were answered, of %d", round, arrived, answered, messages)
		}
		a.TCP.Close()
		b.TCP.Close()
		awaitNobody(t, s)
	}
}

// TestAnnouncedMemory: 10.4, where a message of 16 MiB is allowed, announcing it
// costs the server no more than what has arrived.
func TestAnnouncedMemory(t *testing.T) {
	const clients, size = 200, 16 << 20
	s, addr := start(t, Config{Settings: Settings{MaxMessageSize: size}})
	var conns []*servertest.Conn
	for range clients {
		conns = append(conns, servertest.Dial(t, addr, "/echo"))
	}
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first left in pools
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	for _, c := range conns {
		// One segment: who answers the ping has read the rest.
		c.Write(together(enc(fin|pingOp, ""), servertest.Header(fin|binaryOp, size, servertest.Eight), []byte("x")))
		c.Expect(pongOp, "")
	}
	if each := (heap() - before) / clients; each > 2<<10 {
		t.Errorf("%d bytes for each of %d announcements of %d", each, clients, size)
	}
	for _, c := range conns {
		c.TCP.Close()
	}
	awaitNobody(t, s)
}
