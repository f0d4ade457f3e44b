package server

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
	"roulette/netpoll"
)

// countedFor is how many connections an address has.
func countedFor(t testing.TB, s *Server, addr string) int {
	t.Helper()
	key, ok := s.addresses.Key(netip.MustParseAddr(addr))
	if !ok {
		t.Fatalf("%s is not counted", addr)
	}
	return s.addresses.Connections(key)
}

func TestForwardedFor(t *testing.T) {
	k, s, addr := startAfar(t, Config{Settings: Settings{MaxConnectionsPerAddress: 2, TrustedProxies: trusted(t, "10.0.0.0/8", "2001:db8:1::/48")}})
	for _, tc := range []struct{ desc, peer, header, client string }{
		{"from a proxy", "10.0.0.1", "X-Forwarded-For: 192.0.2.1", "192.0.2.1"},
		{"from an IPv6 proxy", "2001:db8:1::1", "X-Forwarded-For: 2001:db8:2::1", "2001:db8:2::ffff"},
		{"two proxies, two lines, a forged hop", "10.0.0.1", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.2, 10.0.0.2", "192.0.2.2"},
		{"not from a proxy", "192.0.2.3", "X-Forwarded-For: 203.0.113.9", "192.0.2.3"},
		{"a client whose address looks like a proxy's", "11.0.0.1", "X-Forwarded-For: 10.0.0.1", "11.0.0.1"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			k.set(tc.peer)
			request := servertest.Request(addr, "/echo", tc.header)
			a, first := ask(t, addr, request)
			b, second := ask(t, addr, request)
			if first != 101 || second != 101 {
				t.Fatalf("answered %d and %d", first, second)
			}
			if n := countedFor(t, s, tc.client); n != 2 {
				t.Errorf("%d counted for %s", n, tc.client)
			}
			before := rejected(t, s, metrics.RejectPerAddress)
			if _, third := ask(t, addr, request); third != 429 {
				t.Errorf("over the limit: %d", third)
			}
			if n := rejected(t, s, metrics.RejectPerAddress) - before; n != 1 {
				t.Errorf("%d rejected", n)
			}
			a.Leave()
			servertest.Await(t, "a place", func() bool { return countedFor(t, s, tc.client) == 1 })
			c, fourth := ask(t, addr, request)
			if fourth != 101 {
				t.Errorf("within the limit again: %d", fourth)
			}
			b.Leave()
			c.Leave()
		})
	}
	for _, tc := range []struct{ desc, header string }{
		{"a proxy that says nothing", "X-Other: x"},
		{"a proxy that does not know", "X-Forwarded-For: unknown"},
		{"a proxy for itself", "X-Forwarded-For: 10.0.0.7"},
		{"for a client on this machine", "X-Forwarded-For: 127.0.0.1"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			k.set("10.0.0.1")
			for range 5 { // no limit
				c, status := ask(t, addr, servertest.Request(addr, "/echo", tc.header))
				if status != 101 {
					t.Fatalf("answered %d", status)
				}
				defer c.Leave()
			}
		})
	}
	k.forgets(t, s)
}

func TestForwardedHandshakeRate(t *testing.T) {
	k, s, addr := startAfar(t, Config{Settings: Settings{HandshakesPerAddress: 1, TrustedProxies: trusted(t, "10.0.0.1")}})
	k.set("10.0.0.1")
	for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
		request := servertest.Request(addr, "/echo", "X-Forwarded-For: "+client)
		for range 4 { // the burst
			c, status := ask(t, addr, request)
			if status != 101 {
				t.Fatalf("%s: answered %d", client, status)
			}
			c.Leave()
		}
		if _, status := ask(t, addr, request); status != 429 {
			t.Errorf("%s: over the rate: %d", client, status)
		}
	}
	if n := rejected(t, s, metrics.RejectHandshakeRate); n != 2 {
		t.Errorf("%d rejected", n)
	}
	k.forgets(t, s)
}

// TestForwardedAfterAPage: a proxy keeps its connections, so a chat may come
// after other requests, and for somebody else.
func TestForwardedAfterAPage(t *testing.T) {
	s, addr := start(t, Config{Kernel: newStoppedClock(), Settings: Settings{MaxConnectionsPerAddress: 1, TrustedProxies: trusted(t, "127.0.0.1")}})
	afterAPage := func(client string) (*servertest.Conn, int) {
		c := servertest.Connect(t, addr)
		if r, _ := get(t, c, "GET", "/", "X-Forwarded-For: 192.0.2.77"); r.StatusCode != 200 {
			t.Fatalf("GET /: %s", r.Status)
		}
		c.Write([]byte(servertest.Request(addr, "/echo", "X-Forwarded-For: "+client)))
		r, err := c.Response("GET")
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != 101 {
			c.TCP.Close()
		}
		return c, r.StatusCode
	}
	one, status := afterAPage("192.0.2.1")
	if status != 101 || countedFor(t, s, "192.0.2.1") != 1 {
		t.Errorf("answered %d", status)
	}
	if _, status := afterAPage("192.0.2.1"); status != 429 {
		t.Errorf("over the limit: %d", status)
	}
	two, status := afterAPage("192.0.2.2")
	if status != 101 {
		t.Errorf("another client: %d", status)
	}
	one.Leave()
	two.Leave()
	awaitNobody(t, s)
}

// Headers of the PROXY protocol; the two versions say the same.
const (
	proxyV1      = "PROXY TCP4 192.0.2.1 198.51.100.1 4242 443\r\n"
	proxyV2      = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x12\xc0\x00\x02\x01\xc6\x33\x64\x01\x10\x92\x01\xbb\x04\x00\x03abc"
	proxyLocal   = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	proxyUnknown = "PROXY UNKNOWN\r\n"
	proxyChained = "PROXY TCP4 10.0.0.2 198.51.100.1 4242 443\r\n" // of another proxy
)

func startBehindProxy(t *testing.T, settings Settings) (k *fromAfar, s *Server, addr string) {
	settings.TrustedProxies, settings.ProxyProtocol = trusted(t, "10.0.0.0/8"), true
	k, s, addr = startAfar(t, Config{Settings: settings})
	k.set("10.0.0.1")
	return k, s, addr
}

func TestProxyProtocol(t *testing.T) {
	_, s, addr := startBehindProxy(t, Settings{MaxConnectionsPerAddress: 1})
	for _, tc := range []struct{ desc, header, line, client string }{
		{"version 1", proxyV1, "X-Other: x", "192.0.2.1"},
		{"version 2", proxyV2, "X-Other: x", "192.0.2.1"},
		{"the client's own X-Forwarded-For", proxyV2, "X-Forwarded-For: 203.0.113.9", "192.0.2.1"},
		{"LOCAL, with X-Forwarded-For", proxyLocal, "X-Forwarded-For: 192.0.2.1", "192.0.2.1"},
		{"UNKNOWN, with X-Forwarded-For", proxyUnknown, "X-Forwarded-For: 192.0.2.1", "192.0.2.1"},
		{"a proxy behind a proxy", proxyChained, "X-Forwarded-For: 192.0.2.1", "192.0.2.1"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			request := tc.header + servertest.Request(addr, "/echo", tc.line)
			c, status := ask(t, addr, request)
			if status != 101 {
				t.Fatalf("answered %d", status)
			}
			if n := countedFor(t, s, tc.client); n != 1 {
				t.Errorf("%d counted for %s", n, tc.client)
			}
			if _, status := ask(t, addr, request); status != 429 {
				t.Errorf("over the limit: %d", status)
			}
			c.Leave()
			servertest.Await(t, "a place", func() bool { return countedFor(t, s, tc.client) == 0 })
		})
	}
	for _, header := range []string{proxyLocal, proxyUnknown, proxyChained} {
		for range 3 { // health checks, say: no limit
			c, status := ask(t, addr, header+servertest.Request(addr, "/echo"))
			if status != 101 {
				t.Fatalf("%q: answered %d", header, status)
			}
			defer c.Leave()
		}
	}
	if n := s.turnedAway.Load(); n != 0 {
		t.Errorf("%d count as turned away", n)
	}
}

// TestProxyProtocolSplits: wherever the segments end, the header, the request
// and the frames behind it are the same.
func TestProxyProtocolSplits(t *testing.T) {
	servertest.Parallel(t)
	k, s, addr := startBehindProxy(t, Settings{MaxConnectionsPerAddress: 1})
	for _, header := range []string{proxyV1, proxyV2, proxyLocal} {
		stream := together([]byte(header+servertest.Request(addr, "/echo")), enc(fin|textOp, "first"), servertest.Close(1000, ""))
		talk := func(pieces ...[]byte) {
			c := servertest.Connect(t, addr)
			c.Write(pieces...)
			if err := c.Upgraded(); err != nil {
				t.Fatalf("%d pieces, the first of %d bytes: %v", len(pieces), len(pieces[0]), err)
			}
			c.Expect(textOp, "first")
			c.ExpectClose(1000)
			c.TCP.Close()
			servertest.Await(t, "a place", func() bool { return countedFor(t, s, "192.0.2.1") == 0 })
		}
		for cut := 1; cut < len(stream); cut++ {
			talk(stream[:cut], stream[cut:])
		}
		var bytes [][]byte
		for i := range stream {
			bytes = append(bytes, stream[i:i+1])
		}
		talk(bytes...)
	}
	k.forgets(t, s)
}

// TestProxyProtocolPages: net/http gets the request without the header, and the
// chat that comes later is still the client's.
func TestProxyProtocolPages(t *testing.T) {
	k, s, addr := startBehindProxy(t, Settings{MaxConnectionsPerAddress: 1})
	c := servertest.Connect(t, addr)
	c.Write([]byte(proxyV2))
	if r, body := get(t, c, "GET", "/"); r.StatusCode != 200 || !strings.Contains(body, "<html") {
		t.Fatalf("GET /: %s", r.Status)
	}
	if n := s.addresses.Known(); n != 0 {
		t.Errorf("a page is counted for %d addresses", n)
	}
	c.Write([]byte(servertest.Request(addr, "/echo")), enc(fin|textOp, "hello"))
	if err := c.Upgraded(); err != nil {
		t.Fatal(err)
	}
	c.Expect(textOp, "hello")
	if n := countedFor(t, s, "192.0.2.1"); n != 1 {
		t.Errorf("%d counted", n)
	}
	if _, status := ask(t, addr, proxyV1+servertest.Request(addr, "/ws")); status != 429 {
		t.Errorf("over the limit: %d", status)
	}
	c.Leave()
	k.forgets(t, s)
}

func TestNoProxyProtocol(t *testing.T) {
	k, s, addr := startBehindProxy(t, Settings{})
	n := 0
	for _, first := range []string{
		servertest.Request(addr, "/echo"),
		clientHello,
		"\r\n" + servertest.Request(addr, "/echo"),
		"PROXY TCP4 client.example.org 198.51.100.1 4242 443\r\n" + servertest.Request(addr, "/echo"),
		"PROXY " + strings.Repeat("x", 200),
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff",
	} {
		c := servertest.Connect(t, addr)
		c.Write([]byte(first))
		refused(t, c, "GET", 400)
		n++
	}
	if got := rejected(t, s, metrics.RejectProxyHeader); got != n {
		t.Errorf("%d rejected, want %d", got, n)
	}
	if got := total(t, s, func(c *metrics.Counters) uint64 { return c.Handshakes[metrics.HandshakeBadRequest] }); got != n {
		t.Errorf("%d handshakes failed, want %d", got, n)
	}
	// Who is no proxy has no business here, whatever he says.
	k.set("192.0.2.1")
	for _, first := range []string{"", proxyV2 + servertest.Request(addr, "/echo"), servertest.Request(addr, "/echo")} {
		c := servertest.Connect(t, addr)
		c.Write([]byte(first))
		if b, _ := io.ReadAll(c.TCP); len(b) > 0 { // reset, if it came with something
			t.Errorf("answered %q", b)
		}
		c.TCP.Close()
		n++
	}
	if got := rejected(t, s, metrics.RejectProxyHeader); got != n {
		t.Errorf("%d rejected, want %d", got, n)
	}
	awaitNobody(t, s)
	if got := total(t, s, func(c *metrics.Counters) int64 { return c.Connections[metrics.ConnectionHandshaking] }); got != 0 {
		t.Errorf("%d are handshaking", got)
	}
}

// TestProxyProtocolTimeout: the header is under the deadline of the request.
func TestProxyProtocolTimeout(t *testing.T) {
	k, s, addr := startBehindProxy(t, Settings{MaxConnectionsPerAddress: 3})
	half, silent, begun := servertest.Connect(t, addr), servertest.Connect(t, addr), servertest.Connect(t, addr)
	half.Write([]byte(proxyV2[:20]))
	silent.Write([]byte(proxyV2))
	begun.Write([]byte(proxyV2 + "GET"))
	servertest.Await(t, "all they say to be read", func() bool {
		read := 0
		onWorkers(t, s, func(h *handler) { read += int(h.worker.Stats().BytesRead) })
		return read == 20+2*len(proxyV2)+3
	})
	k.advance(t, s, 6*time.Second)
	refused(t, half, "GET", 408)
	if err := silent.ReadEnd(); err != nil { // as a browser that connects in advance
		t.Error(err)
	}
	silent.TCP.Close()
	refused(t, begun, "GET", 408)
	k.forgets(t, s)
}

// TestProxyProtocolWhenFull: a connection over the limit gets its answer behind
// the header, too.
func TestProxyProtocolWhenFull(t *testing.T) {
	_, s, addr := startBehindProxy(t, Settings{MaxConnections: 1, MaxConnectionsPerAddress: 2})
	c, _ := ask(t, addr, proxyV2+servertest.Request(addr, "/echo"))
	if _, status := ask(t, addr, proxyV2+servertest.Request(addr, "/ws")); status != 503 {
		t.Errorf("answered %d", status)
	}
	c.Leave()
	awaitNobody(t, s)
	if n := s.turnedAway.Load(); n != 0 {
		t.Errorf("%d count as turned away", n)
	}
}

// TestManyTurnedAwayBehindProxy: those who have said through their proxy who
// they are, but not what they want, are kept in small number only.
func TestManyTurnedAwayBehindProxy(t *testing.T) {
	k, s, addr := startBehindProxy(t, Settings{MaxConnectionsPerAddress: 1})
	c, _ := ask(t, addr, proxyV2+servertest.Request(addr, "/echo"))
	var waiting []*servertest.Conn
	for range maxTurnedAway {
		w := servertest.Connect(t, addr)
		w.Write([]byte(proxyV2))
		waiting = append(waiting, w)
	}
	servertest.Await(t, "they are known", func() bool { return s.turnedAway.Load() == maxTurnedAway })
	more := servertest.Connect(t, addr)
	more.Write([]byte(proxyV2))
	if err := more.ReadEnd(); err != nil {
		t.Error(err)
	}
	waiting[0].Write([]byte(servertest.Request(addr, "/echo")))
	refused(t, waiting[0], "GET", 429)
	for _, w := range append(waiting[1:], more) {
		w.TCP.Close()
	}
	c.Leave()
	k.forgets(t, s)
	if n := s.turnedAway.Load(); n != 0 {
		t.Errorf("%d count as turned away", n)
	}
}

func TestProxyProtocolNeedsProxies(t *testing.T) {
	servertest.CheckLeaks(t)
	if _, err := New(Config{Settings: Settings{ProxyProtocol: true}}); err == nil {
		t.Error("anybody could say anything")
	}
}

// TestClientCostsNothing: what is known of a client is in the connection's 32
// bytes.
func TestClientCostsNothing(t *testing.T) {
	k, s, addr := startBehindProxy(t, Settings{MaxConnectionsPerAddress: 100})
	var all []*servertest.Conn
	for i := range 20 {
		c, status := ask(t, addr, fmt.Sprintf("PROXY TCP6 2001:db8::%x 2001:db8::1 1 1\r\n", i)+servertest.Request(addr, "/echo"))
		if status != 101 {
			t.Fatal(status)
		}
		all = append(all, c)
	}
	eachConn(t, s, func(_ *handler, c *netpoll.Conn) {
		if c.Held() != nil {
			t.Error("an idle connection holds its request")
		}
	})
	for _, c := range all {
		c.Leave()
	}
	k.forgets(t, s)
}
