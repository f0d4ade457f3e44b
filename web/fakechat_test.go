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

	// How it is: set before anybody comes.
	plain     bool // the subprotocol is never chosen
	old       bool // it knows no hello of a client
	heartbeat int  // seconds

	// Guarded by mu.
	mu       sync.Mutex
	all      []*fakeClient
	accepted int
	refusing bool
	typing   int        // typing records that came in
	heard    []string   // types of the records that came in, but for typing
	hears    *sync.Cond // one more
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
	languages []string
	table     string
	agreed    bool // it has said hello
	hiding    bool
	before    *fakeClient // whom again would bring back
	again     bool
	closed    bool // it closes the connection itself
}

// fields is one control record.
type fields map[string]any

func newFakeChat(t *testing.T, plain bool) *fakeChat {
	t.Helper()
	chat := &fakeChat{plain: plain}
	chat.hears = sync.NewCond(&chat.mu)
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
			c.mu.Lock()
			client.closed = websocket.CloseStatus(err) != -1
			c.mu.Unlock()
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
		var record fakeRecord
		if json.Unmarshal([]byte(text), &record) != nil {
			from.tell(fields{"type": "error", "code": "bad_record", "message": text})
			return
		}
		if c.obeyLocked(from, record) {
			c.lookLocked(from)
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

// fakeRecord is what a client may say.
type fakeRecord struct {
	Type      string
	On        bool
	N         int
	Interests []string
	Languages []string
	Table     string
}

// obeyLocked does what a record wants, and says whether its client looks now.
func (c *fakeChat) obeyLocked(from *fakeClient, record fakeRecord) (looks bool) {
	if record.Type != "typing" {
		c.heard = append(c.heard, record.Type)
		c.hears.Broadcast()
	}
	switch record.Type {
	case "hello":
		if c.old {
			from.tell(fields{"type": "error", "code": "bad_record", "message": "unknown type"})
			return false
		}
		from.agreed = true
		from.tell(fields{"type": "hello", "can": []string{"heartbeat", "away", "people", "again", "languages", "tables", "report", "block"},
			"heartbeat": max(c.heartbeat, 25), "people": 12573})
	case "ping":
		from.tell(fields{"type": "pong", "n": record.N})
	case "hiding", "shown":
		from.hiding = record.Type == "hiding"
		if from.partner != nil {
			from.partner.tellAway(from.hiding)
		}
	case "next":
		from.interests, from.languages, from.table, from.again = record.Interests, record.Languages, record.Table, false
		c.partLocked(from, "next")
		return true
	case "stop":
		c.partLocked(from, "stop")
		from.looking, from.again = false, false
	case "again":
		c.againLocked(from)
	case "typing":
		c.typing++
		from.types(record.On)
	}
	return false
}

// againLocked brings two together again, if both want it.
func (c *fakeChat) againLocked(from *fakeClient) {
	other := from.before
	switch {
	case other == nil || from.partner != nil || other.partner != nil:
		from.tell(fields{"type": "error", "code": "too_late", "message": "not any more"})
	case other.again && other.before == from:
		c.joinLocked(from, other)
	default:
		from.again = true
		other.tell(fields{"type": "again", "pair": other.pair})
	}
}

func (client *fakeClient) tellAway(away bool) {
	if away {
		client.tell(fields{"type": "away", "pair": client.pair, "reason": "hidden"})
	} else {
		client.tell(fields{"type": "back", "pair": client.pair})
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
		waiting := fields{"type": "waiting"}
		if client.agreed && len(c.all) == 1 {
			waiting["alone"] = true
		}
		if client.agreed && len(client.interests) > 0 {
			waiting["patience"] = 5
		}
		client.tell(waiting)
		return
	}
	c.joinLocked(client, other)
}

func (c *fakeChat) joinLocked(client, other *fakeClient) {
	for _, ends := range [][2]*fakeClient{{client, other}, {other, client}} {
		me, partner := ends[0], ends[1]
		me.looking, me.partner, me.again = false, partner, false
		me.pair++
		paired := fields{"type": "paired", "pair": me.pair, "common": shared(me.interests, partner.interests)}
		if me.agreed && me.last == partner && me.pair > 1 {
			paired["again"] = true
		}
		if me.agreed {
			paired["opening"] = "what a server would have sealed"
		}
		if len(me.languages) > 0 {
			paired["common_languages"] = shared(me.languages, partner.languages)
		}
		me.last = partner
		me.tell(paired)
		if partner.hiding {
			me.tellAway(true)
		}
	}
}

// shared is what is in both lists.
func shared(mine, theirs []string) []string {
	return slices.DeleteFunc(slices.Clone(mine), func(one string) bool { return !slices.Contains(theirs, one) })
}

func (c *fakeChat) waitingLocked(client *fakeClient, new bool) *fakeClient {
	for _, other := range c.all {
		if other != client && other.looking && other.table == client.table && !(new && (client.last == other || other.last == client)) {
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
	client.before, partner.before = partner, client
	if reason == "disconnected" && client.closed && partner.agreed {
		reason = "closed"
	}
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

// records is the types of the records that came in since the last call, but for typing.
func (c *fakeChat) records() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	heard := c.heard
	c.heard = nil
	return heard
}

// obeyed waits until a record of this type has come since the last call of records, and
// has been answered.
func (c *fakeChat) obeyed(record string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !slices.Contains(c.heard, record) {
		c.hears.Wait()
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
