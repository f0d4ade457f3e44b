package terminal

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"roulette/frame/record"
)

const (
	handshakeTimeout = 15 * time.Second
	beatEvery        = 30 * time.Second // between pings of the protocol
	pongTimeout      = 20 * time.Second
	readLimit        = 16 << 20
)

// The pace of what we send: below what a server allows a connection by default.
const (
	paceBurst = 40
	pacePer   = time.Second / 15
)

// connection is one attempt, and what came of it. Three goroutines serve it; all
// of them end with its context, and so does the socket.
type connection struct {
	url    string
	client *http.Client
	cancel context.CancelFunc
	in     chan arrival  // to the client
	out    chan parcel   // from the client
	pulse  chan struct{} // closed: the client has heartbeats of its own
}

// An arrival is what a connection tells the client. The last one has an err, and
// nothing follows it.
type arrival struct {
	kind    websocket.MessageType
	data    []byte
	written *parcel // has been handed to the network
	err     error
}

// A parcel is what the client hands to a connection.
type parcel struct {
	kind    websocket.MessageType
	data    []byte
	id      int    // of a chat message; 0 is none
	number  uint64 // of a chat message, in a chat that can be resumed
	pair    bool   // it is for the present partner only
	seen    bool   // nothing but the question whether the server has seen everything before
	goodbye bool   // close
}

// dial begins to connect. go must run what it is given.
func dial(ctx context.Context, client *http.Client, url string, spawn func(func())) *connection {
	ctx, cancel := context.WithCancel(ctx)
	c := &connection{url: url, client: client, cancel: cancel, in: make(chan arrival), out: make(chan parcel), pulse: make(chan struct{})}
	spawn(func() {
		defer cancel()
		c.tell(ctx, arrival{err: c.run(ctx, spawn)})
	})
	return c
}

func (c *connection) tell(ctx context.Context, a arrival) {
	select {
	case c.in <- a:
	case <-ctx.Done():
	}
}

// run connects and reads until the connection ends, and says why.
func (c *connection) run(ctx context.Context, spawn func(func())) error {
	soon, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	ws, err := open(soon, c.client, c.url)
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	spawn(func() { c.write(ctx, ws) })
	spawn(func() { c.beat(ctx, ws) })
	// The server speaks first.
	for limit := soon; ; limit = ctx {
		kind, data, err := ws.Read(limit)
		if err != nil {
			if limit == soon && soon.Err() != nil && ctx.Err() == nil {
				return errors.New("the server says nothing")
			}
			return readable(err)
		}
		c.tell(ctx, arrival{kind: kind, data: data})
	}
}

// write sends what the client gives, at a bounded pace.
func (c *connection) write(ctx context.Context, ws *websocket.Conn) {
	var clear time.Time // when all that was sent is forgotten by the limit
	for {
		var p parcel
		select {
		case p = <-c.out:
		case <-ctx.Done():
			return
		}
		if p.goodbye {
			_ = ws.Close(websocket.StatusNormalClosure, "") // the reader sees it end
			return
		}
		if p.seen {
			if !c.hasSeen(ctx, ws) {
				return
			}
			c.tell(ctx, arrival{written: &p})
			continue
		}
		now := time.Now()
		if clear.Before(now) {
			clear = now
		}
		if !sleep(ctx, clear.Add(-paceBurst*pacePer).Sub(now)) {
			return
		}
		clear = clear.Add(pacePer)
		if err := ws.Write(ctx, p.kind, p.data); err != nil {
			ws.CloseNow() // the reader says why
			return
		}
		c.tell(ctx, arrival{written: &p})
	}
}

// hasSeen waits until the server has seen all that was sent. It answers in order, so when
// the pong is there, all that has been dealt with, and what came back for it has been read.
func (c *connection) hasSeen(ctx context.Context, ws *websocket.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, pongTimeout)
	defer cancel()
	if err := ws.Ping(ctx); err != nil {
		ws.CloseNow()
		return false
	}
	return true
}

// beat notices a server that is gone without a word, and that knows no heartbeats.
func (c *connection) beat(ctx context.Context, ws *websocket.Conn) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.pulse:
			return
		case <-ctx.Done():
			return
		}
		limit, cancel := context.WithTimeout(ctx, pongTimeout)
		err := ws.Ping(limit)
		cancel()
		if err != nil {
			ws.CloseNow()
			return
		}
	}
}

// sleep reports whether the time has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errNotSpoken: no such server.
var errNotSpoken = errors.New("the server does not speak " + record.Subprotocol)

// refusal is an answer to the handshake that is none.
type refusal struct {
	status     string
	retryAfter time.Duration
	banned     bool   // so it is of no use to try again before that
	appeal     string // where somebody who is banned can write to
}

func (r *refusal) Error() string {
	if r.banned {
		says := "you are banned until " + time.Now().Add(r.retryAfter).Format("2006-01-02 15:04")
		if r.appeal != "" {
			says += "; if this is a mistake, write to " + VisibleLine(r.appeal)
		}
		return says
	}
	return "the server answered " + VisibleLine(r.status)
}

// newHTTPClient goes through a proxy of the environment where there is TLS, by CONNECT.
// Without TLS net/http would ask the proxy for the page itself, as it does for http, and
// an upgrade is none: so it goes straight to the server.
func newHTTPClient(secure *tls.Config) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if secure != nil {
		t.TLSClientConfig = secure.Clone()
	}
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return noEnd{conn}, nil
	}
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme != "https" {
			return nil, nil
		}
		return http.ProxyFromEnvironment(r)
	}
	return &http.Client{Transport: t}
}

// noEnd is a connection whose end is an error: websocket takes io.EOF between the header
// and the payload of a frame for the end of an empty message.
type noEnd struct{ net.Conn }

func (c noEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// open performs the handshake.
func open(ctx context.Context, client *http.Client, url string) (*websocket.Conn, error) {
	ws, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{record.Subprotocol}})
	if err != nil {
		return nil, explain(ctx, response, err)
	}
	if ws.Subprotocol() != record.Subprotocol {
		ws.CloseNow()
		return nil, errNotSpoken
	}
	ws.SetReadLimit(readLimit)
	return ws, nil
}

// explain says in few words why there is no connection.
func explain(ctx context.Context, response *http.Response, err error) error {
	if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
		seconds, _ := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 32) // or none
		r := &refusal{status: response.Status, retryAfter: time.Duration(seconds) * time.Second}
		if r.banned = response.StatusCode == http.StatusForbidden && seconds > 0; r.banned {
			body, _ := io.ReadAll(response.Body) // websocket.Dial has read its beginning
			_, second, _ := strings.Cut(string(body), "\n")
			r.appeal, _, _ = strings.Cut(second, "\n")
		}
		return r
	}
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		return errors.New("the server does not answer")
	case errors.Is(err, http.ErrSchemeMismatch):
		return errors.New("the server speaks no TLS there: try ws://")
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}

// ended is a close by the server.
type ended struct {
	code   websocket.StatusCode
	reason string
}

func (e *ended) Error() string {
	s := fmt.Sprintf("the server closed the connection: %d", e.code)
	if e.reason != "" {
		s += " " + VisibleLine(e.reason)
	}
	return s
}

// readable is why a connection could not be read on.
func readable(err error) error {
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return &ended{closed.Code, closed.Reason}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("connection lost")
	}
	return fmt.Errorf("connection lost: %w", err)
}

// codeOf is the close code that stands for err.
func codeOf(err error) websocket.StatusCode {
	var e *ended
	if errors.As(err, &e) {
		return e.code
	}
	return codeLost
}

// address checks a server's URL, and adds what may be left out.
func address(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is not a URL such as ws://localhost:8080/ws", raw)
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
	default:
		return "", fmt.Errorf("%q is not a ws:// or wss:// URL", raw)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return u.String(), nil
}

// Probe connects once to a server of any kind, and says in few words why that
// cannot be done.
func Probe(ctx context.Context, url string, secure *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	client := newHTTPClient(secure)
	defer client.CloseIdleConnections()
	ws, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		return explain(ctx, response, err)
	}
	_ = ws.Close(websocket.StatusNormalClosure, "") // it was there
	return nil
}
