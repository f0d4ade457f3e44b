package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"roulette/web"
)

const noPartner = "Sorry you dont have partner yet, check back in a minute"

// fakeChat serves the page, and under /ws a chat just good enough for it: whoever
// comes is paired with whoever waits.
type fakeChat struct {
	url     string
	clients sync.WaitGroup

	// Guarded by mu.
	mu       sync.Mutex
	partners map[*websocket.Conn]*websocket.Conn // nil while waiting
	accepted int
	refusing bool
}

func newFakeChat(t *testing.T) *fakeChat {
	t.Helper()
	chat := &fakeChat{partners: make(map[*websocket.Conn]*websocket.Conn)}
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler())
	mux.HandleFunc("/ws", chat.serve)
	server := httptest.NewServer(mux)
	chat.url = server.URL
	t.Cleanup(func() {
		chat.refuse(true)
		chat.cut()
		chat.clients.Wait()
		server.Close()
	})
	return chat
}

func (c *fakeChat) serve(w http.ResponseWriter, r *http.Request) {
	conn := c.accept(w, r)
	if conn == nil {
		return
	}
	defer c.clients.Done()
	defer c.leave(conn)
	conn.SetReadLimit(64 << 10)
	for {
		kind, message, err := conn.Read(context.Background())
		if err != nil {
			return
		}
		if partner := c.partner(conn); partner != nil {
			_ = partner.Write(context.Background(), kind, message) // its own reader notices
		} else {
			_ = conn.Write(context.Background(), websocket.MessageText, []byte(noPartner))
		}
	}
}

// accept lets a client in and pairs it. It holds the lock throughout, so that
// refuse(true) is final when it returns.
func (c *fakeChat) accept(w http.ResponseWriter, r *http.Request) *websocket.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusing {
		http.Error(w, "refusing", http.StatusServiceUnavailable)
		return nil
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return nil
	}
	c.accepted++
	c.clients.Add(1)
	c.partners[conn] = nil
	c.pairLocked(conn)
	return conn
}

func (c *fakeChat) pairLocked(conn *websocket.Conn) {
	for other, partner := range c.partners {
		if other != conn && partner == nil {
			c.partners[conn], c.partners[other] = other, conn
			return
		}
	}
}

func (c *fakeChat) leave(conn *websocket.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.CloseNow()
	partner := c.partners[conn]
	delete(c.partners, conn)
	if partner != nil {
		c.partners[partner] = nil
		c.pairLocked(partner)
	}
}

func (c *fakeChat) partner(conn *websocket.Conn) *websocket.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.partners[conn]
}

func (c *fakeChat) all() []*websocket.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*websocket.Conn
	for conn := range c.partners {
		all = append(all, conn)
	}
	return all
}

// refuse sets whether newcomers are turned away.
func (c *fakeChat) refuse(refuse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusing = refuse
}

// cut ends all connections without a word, as a network does.
func (c *fakeChat) cut() {
	for _, conn := range c.all() {
		conn.CloseNow()
	}
}

// dismiss closes all connections with a code.
func (c *fakeChat) dismiss(code websocket.StatusCode) {
	for _, conn := range c.all() {
		conn.Close(code, "dismissed")
	}
}

// handshakes is how many clients were ever let in.
func (c *fakeChat) handshakes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accepted
}
