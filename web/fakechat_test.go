package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/web"
)

const (
	noPartner   = "Sorry you dont have partner yet, check back in a minute"
	subprotocol = "roulette.v1"
	maxMessage  = 64 << 10
)

// fakeChat serves the page, and under /ws a chat just good enough for it: rich
// clients are told what happens, plain ones are paired as they come, and whoever
// looks is paired with whoever waits.
type fakeChat struct {
	url     string
	handler http.Handler
	clients sync.WaitGroup
	plain   bool // the subprotocol is never chosen

	// Guarded by mu.
	mu       sync.Mutex
	all      []*fakeClient
	accepted int
	refusing bool
	typing   int // typing records that came in
}

// fakeClient is one connection. Everything is guarded by the chat's mu.
type fakeClient struct {
	conn      *websocket.Conn
	rich      bool
	looking   bool
	pair      int
	interests []string
	partner   *fakeClient
	typing    bool
	last      *fakeClient // partner before; not again while somebody else waits
}

// fields is one control record.
type fields map[string]any

func newFakeChat(t *testing.T, plain bool) *fakeChat {
	t.Helper()
	chat := &fakeChat{plain: plain}
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler())
	mux.HandleFunc("/ws", chat.serve)
	chat.handler = mux
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
	client := c.accept(w, r)
	if client == nil {
		return
	}
	defer c.clients.Done()
	defer c.leave(client)
	client.conn.SetReadLimit(maxMessage)
	for {
		kind, message, err := client.conn.Read(context.Background())
		if err != nil {
			return
		}
		c.receive(client, kind, message)
	}
}

// accept lets a client in. It holds the lock throughout, so that refuse(true) is
// final when it returns.
func (c *fakeChat) accept(w http.ResponseWriter, r *http.Request) *fakeClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusing {
		http.Error(w, "refusing", http.StatusServiceUnavailable)
		return nil
	}
	options := &websocket.AcceptOptions{Subprotocols: []string{subprotocol}}
	if c.plain {
		options = nil
	}
	conn, err := websocket.Accept(w, r, options)
	if err != nil {
		return nil
	}
	client := &fakeClient{conn: conn, rich: conn.Subprotocol() == subprotocol}
	c.accepted++
	c.clients.Add(1)
	c.all = append(c.all, client)
	if client.rich {
		client.tell(fields{"type": "hello", "session": "s", "online": 12573, "max_message": maxMessage})
	} else {
		c.lookLocked(client)
	}
	return client
}

func (c *fakeChat) receive(from *fakeClient, kind websocket.MessageType, message []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text, control := strings.CutPrefix(string(message), "\x1e"); control && from.rich && kind == websocket.MessageText {
		var record struct {
			Type      string
			On        bool
			Interests []string
		}
		if json.Unmarshal([]byte(text), &record) != nil {
			from.tell(fields{"type": "error", "code": "bad_record", "message": text})
			return
		}
		switch record.Type {
		case "next":
			from.interests = record.Interests
			c.partLocked(from, "next")
			c.lookLocked(from)
		case "stop":
			c.partLocked(from, "stop")
			from.looking = false
		case "typing":
			c.typing++
			from.types(record.On)
		}
		return
	}
	switch {
	case from.partner != nil && !(kind == websocket.MessageText && strings.HasPrefix(string(message), "\x1e")):
		from.types(false)
		from.partner.write(kind, message)
	case from.rich:
		from.tell(fields{"type": "undelivered", "pair": from.pair, "n": 1})
	default:
		from.write(websocket.MessageText, []byte(noPartner))
	}
}

// lookLocked pairs client with somebody who waits, or lets it wait.
func (c *fakeChat) lookLocked(client *fakeClient) {
	client.looking = true
	other := c.waitingLocked(client, true)
	if other == nil {
		other = c.waitingLocked(client, false)
	}
	if other == nil {
		client.tell(fields{"type": "waiting"})
		return
	}
	for _, ends := range [][2]*fakeClient{{client, other}, {other, client}} {
		me, partner := ends[0], ends[1]
		me.looking, me.partner, me.last = false, partner, partner
		me.pair++
		common := slices.DeleteFunc(slices.Clone(me.interests), func(interest string) bool {
			return !slices.Contains(partner.interests, interest)
		})
		me.tell(fields{"type": "paired", "pair": me.pair, "common": common})
	}
}

func (c *fakeChat) waitingLocked(client *fakeClient, new bool) *fakeClient {
	for _, other := range c.all {
		if other != client && other.looking && !(new && (client.last == other || other.last == client)) {
			return other
		}
	}
	return nil
}

// partLocked ends the pairing of client, if there is one.
func (c *fakeChat) partLocked(client *fakeClient, reason string) {
	partner := client.partner
	if partner == nil {
		return
	}
	client.partner, partner.partner = nil, nil
	client.typing, partner.typing = false, false
	partner.tell(fields{"type": "left", "pair": partner.pair, "reason": reason})
	if !partner.rich {
		c.lookLocked(partner)
	}
}

func (c *fakeChat) leave(client *fakeClient) {
	c.mu.Lock()
	defer c.mu.Unlock()
	client.conn.CloseNow()
	client.looking = false
	c.all = slices.DeleteFunc(c.all, func(other *fakeClient) bool { return other == client })
	if c.refusing { // the server itself is gone: nobody is left to tell
		if client.partner != nil {
			client.partner.partner = nil
		}
		return
	}
	c.partLocked(client, "disconnected")
}

// types tells the partner whether client is typing, if that is news.
func (client *fakeClient) types(on bool) {
	if client.partner != nil && client.typing != on {
		client.partner.tell(fields{"type": "typing", "pair": client.partner.pair, "on": on})
	}
	client.typing = on
}

// tell sends a record to a client that is rich.
func (client *fakeClient) tell(record fields) {
	if !client.rich {
		return
	}
	text, err := json.Marshal(record)
	if err != nil {
		panic(err)
	}
	client.write(websocket.MessageText, []byte("\x1e"+string(text)+"\n"))
}

func (client *fakeClient) write(kind websocket.MessageType, message []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = client.conn.Write(ctx, kind, message) // its own reader notices
}

// tell sends a record to every rich client, as if the server meant it.
func (c *fakeChat) tell(record fields) {
	for _, client := range c.now() {
		c.mu.Lock()
		client.tell(record)
		c.mu.Unlock()
	}
}

// send sends a message to everybody, as if a stranger had.
func (c *fakeChat) send(kind websocket.MessageType, message []byte) {
	for _, client := range c.now() {
		client.write(kind, message)
	}
}

func (c *fakeChat) now() []*fakeClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// refuse sets whether newcomers are turned away.
func (c *fakeChat) refuse(refuse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusing = refuse
}

// cut ends all connections without a word, as a network does.
func (c *fakeChat) cut() {
	for _, client := range c.now() {
		client.conn.CloseNow()
	}
}

// dismiss closes all connections with a code.
func (c *fakeChat) dismiss(code websocket.StatusCode) {
	for _, client := range c.now() {
		client.conn.Close(code, "dismissed")
	}
}

// handshakes is how many clients were ever let in.
func (c *fakeChat) handshakes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accepted
}

// typings is how many typing records came in.
func (c *fakeChat) typings() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.typing
}
