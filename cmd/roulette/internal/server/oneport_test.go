package server

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/netpoll"
)

func pageRequest(method, path string, header ...string) string {
	lines := append([]string{method + " " + path + " HTTP/1.1", "Host: roulette.example"}, header...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// TestPagesAndChatsOnOneConnection: HTTP, several times, and at last a chat, on
// the same TCP connection.
func TestPagesAndChatsOnOneConnection(t *testing.T) {
	s, addr := start(t, Config{})
	c := servertest.Connect(t, addr)

	r, page := get(t, c, "GET", "/")
	if r.StatusCode != 200 || !strings.Contains(page, "<html") {
		t.Fatalf("GET /: %s %.80q", r.Status, page)
	}
	etag := r.Header.Get("Etag")
	if etag == "" {
		t.Error("no ETag")
	}
	if r, body := get(t, c, "HEAD", "/"); r.StatusCode != 200 || body != "" || r.ContentLength != int64(len(page)) || r.Header.Get("Etag") != etag {
		t.Errorf("HEAD /: %s, %d bytes, %v", r.Status, len(body), r.Header)
	}
	if r, body := get(t, c, "GET", "/", "If-None-Match: "+etag); r.StatusCode != 304 || body != "" {
		t.Errorf("GET / again: %s, %d bytes", r.Status, len(body))
	}
	if r, _ := get(t, c, "GET", "/nowhere"); r.StatusCode != 404 {
		t.Errorf("GET /nowhere: %s", r.Status)
	}
	if r, _ := get(t, c, "POST", "/", "Content-Length: 0"); r.StatusCode != 405 {
		t.Errorf("POST /: %s", r.Status)
	}

	c.Write([]byte(servertest.Request(addr, "/echo")), enc(fin|textOp, "hello"))
	if err := c.Upgraded(); err != nil {
		t.Fatal(err)
	}
	c.Expect(textOp, "hello")
	c.Write(enc(fin|binaryOp, content(65536)))
	c.Expect(binaryOp, string(content(65536)))
	c.Leave()
	awaitNobody(t, s)
}

// TestPipelined: pages, a chat and its first frames in one segment.
func TestPipelined(t *testing.T) {
	s, addr := start(t, Config{})
	for _, path := range []string{"/echo", "/ws"} {
		t.Run(path, func(t *testing.T) {
			c := servertest.Connect(t, addr)
			three := enc(fin|textOp, "three")
			c.Write(together([]byte(pageRequest("HEAD", "/")+pageRequest("GET", "/")+servertest.Request(addr, path)),
				enc(textOp, "on"), enc(fin|pingOp, ""), enc(fin|continuation, "e"), enc(fin|textOp, "two"), three[:8]))
			for _, method := range []string{"HEAD", "GET"} {
				if r, err := c.Response(method); err != nil || r.StatusCode != 200 {
					t.Fatalf("%s: %v, %v", method, r, err)
				}
			}
			if err := c.Upgraded(); err != nil {
				t.Fatal(err)
			}
			c.Write(three[8:])
			c.Expect(pongOp, "")
			for _, text := range []string{"one", "two", "three"} {
				if path == "/ws" {
					text = sorryText
				}
				c.Expect(textOp, text)
			}
			c.Leave()
		})
	}
	awaitNobody(t, s)
}

// TestRefusalsOnKeptConnections: an upgrade that is refused is refused alike
// when it comes after a page.
func TestRefusalsOnKeptConnections(t *testing.T) {
	s, addr := start(t, Config{})
	for _, tc := range []struct {
		request string
		status  int
	}{
		{servertest.Request(addr, "/ws", "Origin: https://evil.example"), 403},
		{servertest.Request(addr, "/ws", "Sec-WebSocket-Version: 12"), 426},
		{servertest.Request(addr, "/echo", "Sec-WebSocket-Key: short"), 400},
		{pageRequest("GET", "/ws"), 426},
		{pageRequest("POST", "/ws", "Content-Length: 0"), 405},
	} {
		c := servertest.Connect(t, addr)
		if r, _ := get(t, c, "GET", "/"); r.StatusCode != 200 {
			t.Fatalf("GET /: %s", r.Status)
		}
		c.Write([]byte(tc.request))
		refused(t, c, "GET", tc.status)
	}
	// Where no chat is, an upgrade is any request.
	c := servertest.Connect(t, addr)
	for range 2 {
		c.Write([]byte(servertest.Request(addr, "/chat")))
		if r, err := c.Response("GET"); err != nil || r.StatusCode != 404 {
			t.Fatalf("an upgrade where nothing is: %v, %v", r, err)
		}
	}
	c.TCP.Close()
	alive(t, addr)
	awaitNobody(t, s)
}

// TestManyPagesAndChats: both kinds at once, over and over on the same
// descriptor numbers.
func TestManyPagesAndChats(t *testing.T) {
	s, addr := start(t, Config{})
	const clients, rounds = 8, 25
	done := make(chan error)
	for i := range clients {
		go func() {
			done <- func() error {
				for j := range rounds {
					c, err := servertest.TryConnect(t, addr)
					if err != nil {
						return err
					}
					if (i+j)%2 == 0 {
						c.Write([]byte(pageRequest("HEAD", "/")))
						if r, err := c.Response("HEAD"); err != nil || r.StatusCode != 200 {
							return fmt.Errorf("HEAD: %v, %w", r, err)
						}
					}
					c.Write([]byte(servertest.Request(addr, "/echo")))
					if err := c.Upgraded(); err != nil {
						return err
					}
					text := fmt.Sprintf("client %d, round %d", i, j)
					c.Write(enc(fin|textOp, text))
					f, err := c.Read()
					if err != nil || string(f.Payload) != text {
						return fmt.Errorf("got %v, %w; want %q", f, err, text)
					}
					c.TCP.Close()
				}
				return nil
			}()
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	awaitNobody(t, s)
}

// resetting is the real kernel, in which a client resets its connection as soon as
// its request has been read.
type resetting struct {
	netpoll.Kernel
	client chan *net.TCPConn
}

func (k resetting) Read(fd int, b []byte) (int, unix.Errno) {
	n, errno := k.Kernel.Read(fd, b)
	if n > 0 {
		c := <-k.client
		c.SetLinger(0)
		c.Close()
	}
	return n, errno
}

// A connection that is on its way to net/http has no address any more when it was
// reset.
func TestPageReset(t *testing.T) {
	k := resetting{netpoll.Linux(), make(chan *net.TCPConn, 1)}
	s, addr := start(t, Config{Kernel: k})
	for range 3 {
		c := servertest.Connect(t, addr)
		k.client <- c.TCP
		c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		servertest.Await(t, "it to be gone", func() bool {
			return len(k.client) == 0 && s.poller.Count() == 0 && s.http.open.Load() == 0
		})
	}
}
