package server

import (
	"io"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
)

// clientHello is the beginning of what a browser says to an https address.
const clientHello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "0123456789abcdef0123456789abcdef" + " 0123456789abcdef"

func TestRequestsThatAreRefused(t *testing.T) {
	s, addr := start(t, Config{Settings: Settings{AllowedOrigins: []string{"https://example.org"}}})
	upgrade := func(path string, extra ...string) string { return servertest.Request(addr, path, extra...) }
	without := func(name string) string {
		var kept []string
		for line := range strings.Lines(upgrade("/ws")) {
			if !strings.HasPrefix(line, name+":") {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	padded := func(size int) string {
		head := upgrade("/ws", "X-Padding: ")
		return upgrade("/ws", "X-Padding: "+strings.Repeat("x", size-len(head)))
	}
	for _, tc := range []struct {
		name    string
		request string
		status  int
	}{
		{"a TLS ClientHello", clientHello, 400},
		{"the first byte of a TLS ClientHello", clientHello[:1], 400},
		{"zeros", strings.Repeat("\x00", 100), 400},
		{"200 KiB of zeros", strings.Repeat("\x00", 200<<10), 400},
		{"a frame without a handshake", string(enc(fin|textOp, "hello")), 400},
		{"SSH", "SSH-2.0-OpenSSH_9.2p1\r\n", 400},
		{"SMTP", "EHLO example.org\r\n\r\n", 400},
		{"4.1 a method in lower case", "get / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"4.2.1 no HTTP version", "GET /ws\r\nHost: x\r\n\r\n", 400},
		{"4.2.1 HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"bare line feeds", strings.ReplaceAll(upgrade("/ws"), "\r\n", "\n"), 400},
		{"a NUL in a header", upgrade("/ws", "X-Odd: a\x00b"), 400},
		{"a folded header", upgrade("/ws", "X-Odd: a\r\n b"), 400},
		{"a space before the colon", upgrade("/ws", "X-Odd : a"), 400},
		{"4.2.1 two Hosts", strings.Replace(upgrade("/ws"), "\r\n", "\r\nHost: other\r\n", 1), 400},
		{"4.2.1 no Host", without("Host"), 400},
		{"4.2.1 no Connection", without("Connection"), 400},
		{"4.2.1 no Upgrade", without("Upgrade"), 426},
		{"4.2.1 no key", without("Sec-WebSocket-Key"), 400},
		{"4.2.1 a key of 15 bytes", upgrade("/ws", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"), 400},
		{"4.2.1 no version", without("Sec-WebSocket-Version"), 400},
		{"4.4 version 12", upgrade("/ws", "Sec-WebSocket-Version: 12"), 426},
		{"4.4 version 8 on /echo", upgrade("/echo", "Sec-WebSocket-Version: 8"), 426},
		{"a body", upgrade("/ws", "Content-Length: 5") + "hello", 400},
		{"4.2.1 HTTP/1.0", strings.Replace(upgrade("/ws"), "HTTP/1.1", "HTTP/1.0", 1), 426},
		{"4.2.1 plain GET", "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 426},
		{"4.2.1 POST", strings.Replace(upgrade("/ws"), "GET", "POST", 1), 405},
		{"4.2.1 HEAD", "HEAD /ws HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"10.2 a foreign Origin", upgrade("/ws", "Origin: https://evil.example"), 403},
		{"10.2 an Origin that only begins like ours", upgrade("/ws", "Origin: https://example.org.evil.example"), 403},
		{"10.2 the opaque Origin", upgrade("/ws", "Origin: null"), 403},
		{"10.2 two Origins", upgrade("/ws", "Origin: https://example.org\r\nOrigin: https://example.org"), 400},
		{"8 KiB and a byte", padded(8<<10 + 1), 431},
		{"9 KiB", padded(9 << 10), 431},
		{"9 KiB that do not end", padded(9 << 10)[:9<<10-4], 431},
		{"200 KiB", padded(200 << 10), 431},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := servertest.Connect(t, addr)
			c.Write([]byte(tc.request))
			method, _, _ := strings.Cut(tc.request, " ")
			r := refused(t, c, method, tc.status)
			switch {
			case tc.status == 426 && r.Header.Get("Sec-WebSocket-Version") != "13":
				t.Errorf("426 without the version: %v", r.Header)
			case tc.status == 405 && r.Header.Get("Allow") != "GET":
				t.Errorf("405 without Allow: %v", r.Header)
			}
			alive(t, addr)
		})
	}
	awaitNobody(t, s)
}

func TestRequestsThatAreAccepted(t *testing.T) {
	s, addr := start(t, Config{Settings: Settings{AllowedOrigins: []string{"https://example.org"}}})
	whole := servertest.Request(addr, "/echo")
	largest := servertest.Request(addr, "/echo", "X-Padding: "+strings.Repeat("x", 8<<10-len(whole)-len("X-Padding: \r\n")))
	if len(largest) != 8<<10 {
		t.Fatal("the largest request is not 8 KiB")
	}
	for _, tc := range []struct {
		name    string
		request []string // pieces
	}{
		{"as it should be", []string{whole}},
		{"one byte at a time", strings.Split(whole, "")},
		{"8 KiB", []string{largest}},
		{"8 KiB, one byte at a time", strings.Split(largest, "")},
		{"an allowed Origin", []string{servertest.Request(addr, "/echo", "Origin: https://example.org")}},
		{"with a query", []string{servertest.Request(addr, "/echo?x=1")}},
		{"names and tokens in other cases", []string{strings.NewReplacer("Upgrade:", "UPGRADE:", "websocket", "WebSocket",
			"Connection: Upgrade", "connection: keep-alive, upgrade").Replace(whole)}},
		{"an extension that we do not have", []string{servertest.Request(addr, "/echo", "Sec-WebSocket-Extensions: permessage-deflate")}},
		{"a subprotocol that we do not have", []string{servertest.Request(addr, "/echo", "Sec-WebSocket-Protocol: mqtt")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := servertest.Connect(t, addr)
			for _, piece := range tc.request {
				c.Write([]byte(piece))
			}
			if err := c.Upgraded(); err != nil {
				t.Fatal(err)
			}
			c.Write(enc(fin|textOp, "hello"))
			c.Expect(textOp, "hello")
			c.Leave()
		})
	}
	awaitNobody(t, s)
}

// TestOwnOrigin: without a list, a page of the same host may come.
func TestOwnOrigin(t *testing.T) {
	_, addr := start(t, Config{})
	c := servertest.Connect(t, addr)
	c.Write([]byte(servertest.Request(addr, "/echo", "Origin: http://"+addr)))
	if err := c.Upgraded(); err != nil {
		t.Error(err)
	}
	c.Leave()
	c = servertest.Connect(t, addr)
	c.Write([]byte(servertest.Request(addr, "/echo", "Origin: http://other.example")))
	refused(t, c, "GET", 403)
}

// TestFramesBehindTheBlankLine: what follows the request is not lost, wherever
// the segments end.
func TestFramesBehindTheBlankLine(t *testing.T) {
	s, addr := start(t, Config{})
	bytes := append([]byte(servertest.Request(addr, "/echo")), together(
		enc(fin|textOp, "first"), enc(fin|pingOp, "p"), enc(textOp, "sec"), enc(fin|continuation, "ond"), servertest.Close(1000, ""))...)
	for cut := range len(bytes) + 1 {
		c := servertest.Connect(t, addr)
		c.Write(bytes[:cut])
		c.Write(bytes[cut:])
		if err := c.Upgraded(); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		c.Expect(textOp, "first")
		c.Expect(pongOp, "p")
		c.Expect(textOp, "second")
		c.ExpectClose(1000)
		c.TCP.Close()
	}
	awaitNobody(t, s)
}

func TestRequestThatNeverEnds(t *testing.T) {
	servertest.Parallel(t)
	s, addr := start(t, Config{Settings: Settings{HandshakeTimeout: 100 * time.Millisecond}})

	t.Run("half a request", func(t *testing.T) {
		c := servertest.Connect(t, addr)
		c.Write([]byte("GET /ws HTTP/1.1\r\nHost: x\r\n"))
		refused(t, c, "GET", 408)
	})
	t.Run("a byte now and then", func(t *testing.T) {
		c := servertest.Connect(t, addr)
		c.Write([]byte("GET /ws HTTP/1.1\r\nX-Slow: "))
		done := make(chan struct{})
		trickled := make(chan struct{})
		go func() {
			defer close(trickled)
			ticker := time.NewTicker(5 * time.Millisecond)
			defer ticker.Stop()
			for {
				select {
				case <-ticker.C:
					c.Write([]byte("x"))
				case <-done:
					return
				}
			}
		}()
		r, err := c.Response("GET")
		if err != nil || r.StatusCode != 408 {
			t.Errorf("got %v, %v", r, err)
		}
		if err := c.ReadEnd(); err != nil {
			t.Error(err)
		}
		close(done)
		<-trickled
		c.TCP.Close()
	})
	t.Run("nothing at all", func(t *testing.T) {
		c := servertest.Connect(t, addr)
		if err := c.ReadEnd(); err != nil {
			t.Error(err)
		}
		c.TCP.Close()
	})
	t.Run("on a kept connection", func(t *testing.T) {
		c := servertest.Connect(t, addr)
		c.Write([]byte("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"))
		if r, err := c.Response("HEAD"); err != nil || r.StatusCode != 200 {
			t.Fatalf("%v, %v", r, err)
		}
		c.Write([]byte("GET /ws HTTP/1.1\r\nHost"))
		// net/http answers this one, or just ends it.
		if _, err := io.ReadAll(c.TCP); err != nil {
			t.Error(err)
		}
		c.TCP.Close()
	})
	alive(t, addr)
	awaitNobody(t, s)
}

// TestHalfAFrameThenSilence: who says nothing any more is found by a ping, also
// in the middle of a frame, and a partner has seen nothing of it.
func TestHalfAFrameThenSilence(t *testing.T) {
	servertest.Parallel(t)
	s, addr := start(t, Config{Settings: Settings{PingInterval: 200 * time.Millisecond, PongTimeout: time.Second}})
	whole := enc(fin|textOp, content(1000))
	var silent []*servertest.Conn
	for _, send := range [][]byte{
		nil,
		whole[:1],
		whole[:5], // half a header
		whole[:8], // a header
		whole[:500],
		whole[:len(whole)-1],
		enc(textOp, "fragment"),
		enc(fin|pingOp, "ping")[:7],
	} {
		c := servertest.Dial(t, addr, "/echo")
		c.Write(send)
		silent = append(silent, c)
	}
	partner := startMirror(t, addr)
	servertest.Await(t, "the partner", func() bool { return s.pairs.Waiting() == 1 })
	c := servertest.Dial(t, addr, "/ws")
	servertest.Await(t, "a pair", func() bool { return s.pairs.Pairs() == 1 })
	c.Write(whole[:500])
	for i, c := range append(silent, c) {
		f, err := c.Read()
		if err != nil || f.Op != pingOp {
			t.Fatalf("client %d: %v, %v; want a ping", i, f, err)
		}
		c.ExpectClose(4408)
		c.TCP.Close()
	}

	third := servertest.Dial(t, addr, "/ws")
	servertest.Await(t, "a new pair", func() bool { return s.pairs.Pairs() == 1 })
	third.Write(enc(fin|textOp, "hello"))
	third.Expect(textOp, "hello")
	third.Leave()
	partner.check(t, frames(got(textOp, "hello")))
	awaitNobody(t, s)
}

// TestHalfAFrameThenGone: the connection ends inside a frame, cleanly or not.
func TestHalfAFrameThenGone(t *testing.T) {
	s, addr := start(t, Config{})
	whole := enc(fin|binaryOp, content(1000))
	for _, n := range []int{0, 1, 7, 9, 500, len(whole) - 1} {
		for _, linger := range []int{-1, 0} { // 0: a reset
			mirror := startMirror(t, addr)
			c := servertest.Dial(t, addr, "/ws")
			servertest.Await(t, "a pair", func() bool { return s.pairs.Pairs() == 1 })
			c.Write(whole[:n])
			c.TCP.SetLinger(linger)
			c.TCP.Close()
			servertest.Await(t, "the end of the pair", func() bool { return s.pairs.Pairs() == 0 })
			mirror.check(t, nil)
			awaitNobody(t, s)
		}
	}
	alive(t, addr)
}
