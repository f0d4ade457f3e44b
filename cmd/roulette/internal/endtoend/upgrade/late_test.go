package upgrade

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// slowWriter holds the second write back, which is the client's end of a TLS
// handshake, until it may go.
type slowWriter struct {
	net.Conn
	mu     sync.Mutex
	writes int
	there  chan struct{} // closed when it is held back
	may    chan struct{}
}

func (w *slowWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writes++; w.writes == 2 {
		close(w.there)
		<-w.may
	}
	return w.Conn.Write(b)
}

// TestLatecomers: whoever is in the middle of a handshake when all is handed over gets
// a chat as if nothing had been; who is in the middle of a page gets all of it. A second
// upgrade meanwhile makes no difference.
func TestLatecomers(t *testing.T) {
	t.Parallel()
	s := serve(t, "--handshake-timeout", "1m")
	connect := func(addr string) net.Conn {
		c, err := net.DialTimeout("tcp", addr, servertest.Patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	upgrade := servertest.Request(s.plain, "/ws")
	half := len(upgrade) / 2

	shaking := &slowWriter{Conn: connect(s.secure), there: make(chan struct{}), may: make(chan struct{})}
	secure := tls.Client(shaking, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- secure.Handshake() }()
	<-shaking.there

	asking := connect(s.plain) // a request that no worker has seen the end of
	io.WriteString(asking, upgrade[:half])

	// More pages than the sockets hold, so that net/http is in the middle of one, of
	// requests that it has read all at once.
	const requests = 140
	reading := connect(s.plain)
	if _, err := io.WriteString(reading, strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", requests)); err != nil {
		t.Fatal(err)
	}
	pages := bufio.NewReader(reading)
	if _, err := pages.Peek(1); err != nil {
		t.Fatal(err)
	}

	first := s.pid
	for range 2 {
		if out, err := s.upgrade(nil); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if !lives(first) {
		t.Error("the predecessor has gone while something was under way")
	}

	var chats []*client
	close(shaking.may)
	if err := <-shaken; err != nil {
		t.Fatalf("TLS handshake over the upgrades: %v", err)
	}
	io.WriteString(secure, upgrade)
	chats = append(chats, opened(t, "a TLS handshake", secure, bufio.NewReader(secure)))
	io.WriteString(asking, upgrade[half:])
	chats = append(chats, opened(t, "a request", asking, bufio.NewReader(asking)))
	got := 0
	for page(t, pages) {
		got++
	}
	if got == 0 || got >= requests {
		t.Errorf("%d of %d pages", got, requests)
	}

	servertest.Await(t, "a pair", func() bool { return s.metric("roulette_pairs") == 1 })
	for _, c := range chats {
		if _, err := c.conn.Write(program.Text("from " + c.name)); err != nil {
			t.Error(err)
		}
	}
	for i, c := range chats {
		if got, want := string(c.read(t)), "from "+chats[1-i].name; got != want {
			t.Errorf("%s has heard %q", c.name, got)
		}
	}
	servertest.Await(t, "the predecessor to be gone", func() bool { return !lives(first) })
}

// client is one that was opened by hand.
type client struct {
	name string
	conn net.Conn
	r    *bufio.Reader
}

// opened reads the answer to an upgrade.
func opened(t *testing.T, name string, c net.Conn, r *bufio.Reader) *client {
	t.Helper()
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%s is answered with %s", name, answer.Status)
	}
	return &client{name, c, r}
}

// read reads a short message of the server's.
func (c *client) read(t *testing.T) []byte {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	b := make([]byte, head[1])
	if _, err := io.ReadFull(c.r, b); err != nil || head[0] != servertest.Fin|servertest.OpText {
		t.Fatalf("%s: %x %q, %v", c.name, head, b, err)
	}
	return b
}

// page reads a page, and tells whether another may come. What has begun must be whole.
func page(t *testing.T, r *bufio.Reader) (more bool) {
	t.Helper()
	if _, err := r.Peek(1); err == io.EOF {
		return false
	}
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !bytes.Contains(b, []byte("</html>")) {
		t.Errorf("%s, %v, %d bytes", answer.Status, err, len(b))
	}
	return true
}
