package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/limit"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
)

// TestPublicHealth: balancers ask on the public port, by any of three methods, and are
// told whether new clients are welcome, and nothing else.
func TestPublicHealth(t *testing.T) {
	s, addr := start(t, Config{Settings: Settings{MaxConnections: 2}})
	ask := func(method string, status int, body string) {
		t.Helper()
		c := servertest.Connect(t, addr)
		r, got := get(t, c, method, "/"+healthPath)
		if r.StatusCode != status || got != body || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s, %q, %v", method, r.Status, got, r.Header)
		}
		if method == "OPTIONS" && r.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: %v", method, r.Header)
		}
		c.TCP.Close()
		servertest.Await(t, "its place to be free", func() bool { return s.http.open.Load() == 0 })
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		body := map[string]string{"GET": "ok\n"}[method]
		ask(method, http.StatusOK, body)
	}
	ask("POST", http.StatusMethodNotAllowed, "405 method not allowed\n")
	c := servertest.Connect(t, addr)
	c.Write([]byte("OPTIONS /healthz HTTP/1.0\r\n\r\n")) // as HAProxy does by itself
	if r, err := c.Response("OPTIONS"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", r, err)
	}
	c.TCP.Close()

	kept := servertest.Connect(t, addr)
	get(t, kept, "GET", "/"+healthPath)
	first, second := couple(t, s, addr)
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		r, body := get(t, kept, method, "/"+healthPath)
		if r.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "full") {
			t.Errorf("%s of a full server: %s, %q", method, r.Status, body)
		}
	}
	kept.TCP.Close()
	first.Leave()
	second.Leave()
	awaitNobody(t, s)
}

// TestPagesOfOneAddress: one address has only so many places, of which those that are idle
// give way first; another has its own, and so has the machine itself.
func TestPagesOfOneAddress(t *testing.T) {
	k, s, addr := startAfar(t, Config{MaxPages: 8, MaxPagesPerAddress: 2})
	k.set("192.0.2.1")
	var all []*servertest.Conn
	connect := func() *servertest.Conn {
		c := servertest.Connect(t, addr)
		all = append(all, c)
		return c
	}
	fetch := func(c *servertest.Conn) {
		t.Helper()
		if r, _ := get(t, c, "HEAD", "/"); r.StatusCode != http.StatusOK {
			t.Errorf("%s", r.Status)
		}
	}
	client := netip.MustParseAddr("192.0.2.1")
	key, _ := s.http.addresses.Key(client)
	for range 2 { // are being served
		s.http.addresses.Enter(key, limit.NetworkOf(client))
	}
	refusedPage := connect()
	refusedPage.Write([]byte(pageRequest("GET", "/")))
	refused(t, refusedPage, "GET", http.StatusTooManyRequests)
	s.http.addresses.Release(key, 0)
	first := connect()
	fetch(first)
	servertest.Await(t, "it to be idle", func() bool {
		s.http.idle.mu.Lock()
		defer s.http.idle.mu.Unlock()
		return s.http.idle.order.Len() == 1
	})
	fetch(connect()) // in the place of the first
	if err := first.ReadEnd(); err != nil {
		t.Errorf("the first: %v", err)
	}
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Rejected[metrics.RejectPerAddress] }); n != 1 {
		t.Errorf("%d are counted", n)
	}
	for _, other := range []string{"192.0.2.2", "127.0.0.1", "127.0.0.1", "127.0.0.1"} {
		k.set(other)
		fetch(connect())
	}
	for _, c := range all {
		c.TCP.Close()
	}
	s.http.addresses.Release(key, 0)
	servertest.Await(t, "all places to be free", func() bool { return s.http.open.Load() == 0 })
	if n := s.http.addresses.Known(); n != 0 {
		t.Errorf("%d addresses are remembered for nothing", n)
	}
}

// TestPagesOfForwardedAddress: a client of a proxy has only so many requests served at
// once, on whichever of the proxy's connections; others have their own, and chats and
// balancers are no pages.
func TestPagesOfForwardedAddress(t *testing.T) {
	s, addr := start(t, Config{MaxPagesPerAddress: 2, Settings: Settings{TrustedProxies: trusted(t, "127.0.0.1")}})
	busy := netip.MustParseAddr("203.0.113.7")
	serving := make(chan struct{})
	goOn := make(chan struct{})
	slow := s.http.uncrowded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		serving <- struct{}{}
		<-goOn
	}))
	for range 2 {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-For", busy.String())
		proxy := &httpConn{client: netip.MustParseAddr("127.0.0.1")}
		go func() {
			slow.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithValue(r.Context(), connKey{}, proxy)))
			serving <- struct{}{}
		}()
		<-serving
	}
	ask := func(path, forwarded string, status int) {
		t.Helper()
		c := servertest.Connect(t, addr)
		defer c.TCP.Close()
		if r, _ := get(t, c, "GET", path, "X-Forwarded-For: "+forwarded); r.StatusCode != status {
			t.Errorf("%s of %s: %s, want %d", path, forwarded, r.Status, status)
		}
	}
	ask("/", "203.0.113.7", http.StatusTooManyRequests)
	ask("/", "198.51.100.1, 203.0.113.7", http.StatusTooManyRequests) // what the client says of itself
	ask("/", "203.0.113.8", http.StatusOK)
	ask("/", "2001:db8::7", http.StatusOK)
	ask("/", "127.0.0.1", http.StatusOK) // the proxy's own
	ask("/", "nonsense", http.StatusOK)
	ask("/"+healthPath, "203.0.113.7", http.StatusOK)
	ask("/ws", "203.0.113.7", http.StatusUpgradeRequired)
	close(goOn)
	<-serving
	<-serving
	ask("/", "203.0.113.7", http.StatusOK)
	servertest.Await(t, "all places to be free", func() bool { return s.http.addresses.Known() == 0 })
}

// TestIdlePagesGiveWay: when all places of pages are taken, the connection that has
// been idle for longest gives way to one that asks, and one that is being served does
// not.
func TestIdlePagesGiveWay(t *testing.T) {
	s, addr := start(t, Config{})
	s.http.open.Add(maxHTTP - 2) // as many are being served
	defer s.http.open.Add(2 - maxHTTP)
	first, second := servertest.Connect(t, addr), servertest.Connect(t, addr)
	get(t, first, "HEAD", "/")
	idle := func(n int) {
		t.Helper()
		servertest.Await(t, "connections to be idle", func() bool {
			s.http.idle.mu.Lock()
			defer s.http.idle.mu.Unlock()
			return s.http.idle.order.Len() == n
		})
	}
	idle(1)
	get(t, second, "HEAD", "/")
	idle(2)
	third := servertest.Connect(t, addr)
	if r, _ := get(t, third, "HEAD", "/"); r.StatusCode != http.StatusOK {
		t.Errorf("the third: %s", r.Status)
	}
	if err := first.ReadEnd(); err != nil {
		t.Errorf("the first: %v", err)
	}
	if r, _ := get(t, second, "HEAD", "/"); r.StatusCode != http.StatusOK {
		t.Errorf("the second: %s", r.Status)
	}
	second.TCP.Close()
	third.TCP.Close()
	servertest.Await(t, "all places to be free", func() bool { return s.http.open.Load() == maxHTTP-2 })

	s.http.open.Add(2) // nobody is idle
	fourth := servertest.Connect(t, addr)
	fourth.Write([]byte(pageRequest("GET", "/")))
	refused(t, fourth, "GET", http.StatusServiceUnavailable)
	s.http.open.Add(-2)
}

// navigation is the request of a browser in which a person has typed the address.
func navigation(method string) string {
	return strings.Replace(pageRequest(method, "/"), "\r\n\r\n", "\r\nAccept: text/html,*/*;q=0.8\r\nAccept-Language: de-AT, en;q=0.5\r\nSec-Fetch-Mode: navigate\r\n\r\n", 1)
}

// TestFullChatServesItsPage: pages are no chats, so a server on which there is no
// place for another chat, or none for another from this address, has its page.
func TestFullChatServesItsPage(t *testing.T) {
	for name, settings := range map[string]Settings{
		"the server is full":             {MaxConnections: 1},
		"the address has all its places": {MaxConnectionsPerAddress: 1},
	} {
		t.Run(name, func(t *testing.T) {
			k := &fromAfar{stoppedClock: newStoppedClock()}
			k.set(refusedClient)
			s, addr := start(t, Config{Kernel: k, Settings: settings})
			chat := servertest.Dial(t, addr, "/echo")
			turnedAway(t, addr, map[bool]int{true: 503, false: 429}[settings.MaxConnections == 1])
			for range 3 {
				c := servertest.Connect(t, addr)
				c.Write([]byte(navigation("GET")))
				r, err := c.Response("GET")
				if err != nil || r.StatusCode != http.StatusOK {
					t.Fatalf("the page: %v, %v", r, err)
				}
				c.TCP.Close()
			}
			c := servertest.Connect(t, addr)
			get(t, c, "GET", "/")
			c.Write([]byte(servertest.Request(addr, "/ws"))) // the page's connection is one too many as a chat
			// (Its address is the test's own there, for which there is no limit.)
			if r, err := c.Response("GET"); err != nil || settings.MaxConnections == 1 && r.StatusCode != 503 {
				t.Errorf("the chat: %v, %v", r, err)
			}
			chat.Leave()
			c.TCP.Close()
			awaitNobody(t, s)
		})
	}
}

// TestRefusalsArePages: a person who looks at the answer sees a page in their
// language, which tries again by itself; a program gets a line.
func TestRefusalsArePages(t *testing.T) {
	s, addr := start(t, Config{})
	full := func(on int32) { s.http.open.Add(on * maxHTTP) }
	going := func(on int32) { s.phase.Store(map[int32]int32{1: int32(phaseDraining), -1: int32(phaseServing)}[on]) }
	for name, set := range map[string]func(on int32){"all places of pages are taken": full, "the server is going": going} {
		t.Run(name, func(t *testing.T) {
			set(1)
			defer set(-1)
			for _, method := range []string{"GET", "HEAD"} {
				c := servertest.Connect(t, addr)
				c.Write([]byte(navigation(method)))
				r, err := c.Response(method)
				if err != nil || r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Content-Language") != "de" || r.Header.Get("Retry-After") == "" {
					t.Fatalf("%s: %v, %v", method, r, err)
				}
				c.TCP.Close()
			}
			c := servertest.Connect(t, addr)
			c.Write([]byte(pageRequest("GET", "/")))
			if r, err := c.Response("GET"); err != nil || r.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("a program: %v, %v", r, err)
			}
			c.TCP.Close()
		})
	}
}

// TestSpareSockets: sockets that have said nothing, as browsers open them in advance,
// take nobody's place; nor is a page that is served by a full server a chat refused.
func TestSpareSockets(t *testing.T) {
	const limit = 2
	s, addr := start(t, Config{Kernel: newStoppedClock(), Settings: Settings{MaxConnections: limit}})
	var spare []*servertest.Conn
	for range limit + 3 {
		spare = append(spare, servertest.Connect(t, addr))
	}
	servertest.Await(t, "they are there", func() bool { return s.poller.Count() == len(spare) })
	if s.NotReady() != "" {
		t.Error("full of sockets that say nothing")
	}
	var chats []*servertest.Conn
	for range limit {
		chats = append(chats, servertest.Dial(t, addr, "/ws"))
	}
	spare[0].Write([]byte(servertest.Request(addr, "/ws"))) // came before them, and asks behind them
	refused(t, spare[0], "GET", 503)
	spare[limit+2].Write([]byte(pageRequest("GET", "/")))
	if r, err := spare[limit+2].Response("GET"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("the page: %v, %v", r, err)
	}
	if n := rejected(t, s, metrics.RejectMaxConnections); n != 1 {
		t.Errorf("%d rejected", n)
	}
	for _, c := range spare {
		c.TCP.Close()
	}
	for _, c := range chats {
		c.Leave()
	}
	awaitNobody(t, s)
	if marked, chats := s.turnedAway.Load(), s.chats.Load(); marked != 0 || chats != 0 {
		t.Errorf("%d count as turned away, %d as chats", marked, chats)
	}
}

// TestAskingWhy: a request for a chat path that wants no WebSocket is answered as one
// that does would be, on a connection of its own and on one that has had a page; and it
// uses up nothing.
func TestAskingWhy(t *testing.T) {
	for _, test := range []struct {
		description string
		settings    Settings
		before      func(t *testing.T, s *Server, addr string)
		want        int
	}{
		{"room", Settings{}, func(*testing.T, *Server, string) {}, http.StatusUpgradeRequired},
		{"full", Settings{MaxConnections: 1}, func(t *testing.T, _ *Server, addr string) { servertest.Dial(t, addr, "/echo") }, http.StatusServiceUnavailable},
		{"draining", Settings{}, func(_ *testing.T, s *Server, _ string) { s.phase.Store(int32(phaseDraining)) }, http.StatusServiceUnavailable},
		{"an address with all its places", Settings{MaxConnectionsPerAddress: 1},
			func(t *testing.T, _ *Server, addr string) { servertest.Dial(t, addr, "/echo") }, http.StatusTooManyRequests},
		{"an address in a hurry", Settings{HandshakesPerAddress: 1}, func(t *testing.T, _ *Server, addr string) {
			for range 4 {
				servertest.Dial(t, addr, "/echo").Leave()
			}
		}, http.StatusTooManyRequests},
		{"an address that is not", Settings{HandshakesPerAddress: 1}, func(t *testing.T, _ *Server, addr string) {
			for range 3 {
				servertest.Dial(t, addr, "/echo").Leave()
			}
		}, http.StatusUpgradeRequired},
	} {
		t.Run(test.description, func(t *testing.T) {
			k := &fromAfar{stoppedClock: newStoppedClock()}
			k.set(refusedClient)
			s, addr := start(t, Config{Kernel: k, Settings: test.settings})
			kept := servertest.Connect(t, addr)
			get(t, kept, "GET", "/")
			test.before(t, s, addr)
			for range 3 {
				c := servertest.Connect(t, addr)
				if r, _ := get(t, c, "GET", "/ws"); r.StatusCode != test.want {
					t.Errorf("%s, want %d", r.Status, test.want)
				}
				c.TCP.Close()
			}
			if test.settings.MaxConnectionsPerAddress == 0 { // for which net/http's own is loopback's
				if r, _ := get(t, kept, "GET", "/ws"); r.StatusCode != test.want && test.settings.HandshakesPerAddress == 0 {
					t.Errorf("behind a page: %s, want %d", r.Status, test.want)
				}
			}
			kept.TCP.Close()
		})
	}
}
