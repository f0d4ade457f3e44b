package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync"
	"testing"

	"roulette/cmd/roulette/internal/proxy"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/cmd/roulette/internal/tlsfront"
	"roulette/metrics"
	"roulette/netpoll"
)

// What the tests of this package share: a server, clients on real sockets, and looks
// into the server from outside its workers. The stopped clock is in clock_test.go.

// Names that keep the tables short.
const (
	fin          = servertest.Fin
	continuation = servertest.OpContinuation
	textOp       = servertest.OpText
	binaryOp     = servertest.OpBinary
	closeOp      = servertest.OpClose
	pingOp       = servertest.OpPing
	pongOp       = servertest.OpPong
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

// start serves on a free port of the loopback. When the test and its later
// cleanups are through, it stops, and no goroutine and no descriptor may be left
// that was not there before.
func start(t *testing.T, config Config) (s *Server, addr string) {
	t.Helper()
	servertest.CheckLeaks(t)
	if config.Logger == nil {
		config.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if overTLS(t) && config.TLS == nil {
		config.TLS = testTLS(t, tlsfront.Config{})
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, netpoll.ErrClosed) { // after Shutdown
			t.Errorf("Close: %v", err)
		}
	})
	listen := s.Listen
	if config.TLS != nil {
		listen = s.ListenTLS
	}
	bound, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if config.TLS != nil {
		servertest.Secured(t, bound.String(), trusting())
	}
	s.Started()
	return s, bound.String()
}

// awaitNobody waits until every connection is gone.
func awaitNobody(t *testing.T, s *Server) {
	t.Helper()
	servertest.Await(t, "every connection to be gone", func() bool {
		return s.poller.Count() == 0 && s.pairs.Waiting() == 0 && s.pairs.Pairs() == 0
	})
}

// couple connects two clients, who are partners.
func couple(t *testing.T, s *Server, addr string) (a, b *servertest.Conn) {
	t.Helper()
	before := s.pairs.Pairs()
	a, b = servertest.Dial(t, addr, "/ws"), servertest.Dial(t, addr, "/ws")
	servertest.Await(t, "the pair", func() bool { return s.pairs.Pairs() == before+1 })
	return a, b
}

// alive fails the test unless the server makes a handshake and echoes.
func alive(t *testing.T, addr string) {
	t.Helper()
	c := servertest.Dial(t, addr, "/echo")
	c.Write(enc(fin|textOp, "still there?"))
	c.Expect(textOp, "still there?")
	c.Leave()
}

// text is a text message of a client.
func text(s string) []byte { return servertest.Encode(servertest.Fin|servertest.OpText, s) }

// enc is a client's frame.
func enc[T string | []byte](first byte, payload T) []byte { return servertest.Encode(first, payload) }

// got is a server's frame.
func got[T string | []byte](op byte, payload T) servertest.Frame {
	return servertest.Frame{Op: op, Payload: []byte(payload)}
}

// payload is message number i: of any size, and like no other.
func payload(i int) []byte {
	size := 1 + i*7919%60_000
	b := bytes.Repeat([]byte(fmt.Sprintf("%08d,", i)), size/9+1)
	return b[:max(size, 8)]
}

// check reads the messages first to next-1 and nothing in between.
func check(t *testing.T, c *servertest.Conn, first, next int) {
	t.Helper()
	for i := first; i < next; i++ {
		f, err := c.Read()
		if err != nil {
			t.Errorf("message %d of %d: %v", i, next, err)
			return
		}
		if f.Op != servertest.OpBinary || !bytes.Equal(f.Payload, payload(i)) {
			t.Errorf("message %d of %d: got %v", i, next, f)
			return
		}
	}
}

// ask opens a connection and says first, which is a request with something
// before it perhaps; the status of the answer comes back.
func ask(t *testing.T, addr, first string) (c *servertest.Conn, status int) {
	t.Helper()
	c = servertest.Connect(t, addr)
	c.Write([]byte(first))
	r, err := c.Response("GET")
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != 101 {
		c.TCP.Close()
	}
	return c, r.StatusCode
}

// refused reads a response with this status, which ends the connection.
func refused(t *testing.T, c *servertest.Conn, method string, status int) *http.Response {
	t.Helper()
	r, err := c.Response(method)
	if err != nil {
		t.Fatalf("%v; want %d", err, status)
	}
	if r.StatusCode != status {
		t.Fatalf("got %s, want %d", r.Status, status)
	}
	if !r.Close {
		t.Errorf("%s does not announce the end of the connection", r.Status)
	}
	if err := c.ReadEnd(); err != nil {
		t.Error(err)
	}
	c.TCP.Close()
	return r
}

// turnedAway makes a request that must be refused with this status, and with
// the advice to try again.
func turnedAway(t *testing.T, addr string, status int) {
	t.Helper()
	c := servertest.Connect(t, addr)
	c.Write([]byte(servertest.Request(addr, "/ws")))
	r, err := c.Response("GET")
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != status || r.Header.Get("Retry-After") == "" {
		t.Errorf("got %s, Retry-After %q, want %d", r.Status, r.Header.Get("Retry-After"), status)
	}
	c.TCP.Close()
}

// get makes a request on a kept connection and returns the response with its
// body.
func get(t *testing.T, c *servertest.Conn, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	c.Write([]byte(pageRequest(method, path, header...)))
	r, err := c.Response(method)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	body, _ := io.ReadAll(r.Body)
	return r, string(body)
}

// page asks the admin side for a path, and returns the answer.
func page(s *Server, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.AdminHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil))
	return w
}

// trusted parses a list of networks.
func trusted(t testing.TB, list ...string) (all proxy.Trusted) {
	t.Helper()
	for _, s := range list {
		p, err := proxy.ParseNetwork(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// onWorkers runs f for the handler of each worker, on it, one after the other.
func onWorkers(t testing.TB, s *Server, f func(h *handler)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
	defer cancel()
	var mu sync.Mutex
	err := s.poller.OnWorkers(ctx, func(w *netpoll.Worker) {
		mu.Lock()
		defer mu.Unlock()
		f(w.Handler().(*handler))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// settled returns when all workers have done what they were asked so far.
func settled(t testing.TB, s *Server) {
	t.Helper()
	onWorkers(t, s, func(*handler) {})
}

// total sums a counter over the workers.
func total[N uint64 | int64](t testing.TB, s *Server, of func(c *metrics.Counters) N) (n int) {
	t.Helper()
	onWorkers(t, s, func(h *handler) { n += int(of(h.collect())) })
	return n
}

// rejected is how many connections were refused for that.
func rejected(t testing.TB, s *Server, why metrics.RejectReason) int {
	t.Helper()
	return total(t, s, func(c *metrics.Counters) uint64 { return c.Rejected[why] })
}

// eachConn runs f for every connection that is not closing.
func eachConn(t testing.TB, s *Server, f func(h *handler, c *netpoll.Conn)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
	defer cancel()
	var mu sync.Mutex
	err := s.poller.Each(ctx, func(h netpoll.Handler, c *netpoll.Conn) {
		mu.Lock()
		defer mu.Unlock()
		f(h.(*handler), c)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// flow is what waits in a server, and who is not read because of it.
type flow struct{ paused, waiting, bytes, most int }

// flowOf adds up what waits now.
func flowOf(t testing.TB, s *Server) (f flow) {
	eachConn(t, s, func(_ *handler, c *netpoll.Conn) {
		if c.Paused() {
			f.paused++
		}
		if n := c.Pending(); n > 0 {
			f.waiting++
			f.bytes += n
			f.most = max(f.most, n)
		}
	})
	return f
}
