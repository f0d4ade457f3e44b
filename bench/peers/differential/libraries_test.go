package differential

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
	"unicode/utf8"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
)

// connection is a client who has sent all it will send. It is also the response
// that is hijacked for it.
type connection struct {
	in      *bytes.Reader
	out     bytes.Buffer
	starved bool // everything was read, and more was asked for
}

func (c *connection) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if err != nil {
		c.starved = true
		err = io.ErrUnexpectedEOF // coder takes io.EOF between fragments for the end of the message
	}
	return n, err
}
func (c *connection) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *connection) Close() error                     { return nil }
func (c *connection) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *connection) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *connection) SetDeadline(time.Time) error      { return nil }
func (c *connection) SetReadDeadline(time.Time) error  { return nil }
func (c *connection) SetWriteDeadline(time.Time) error { return nil }

func (c *connection) Header() http.Header { return http.Header{} }
func (c *connection) WriteHeader(int)     {}
func (c *connection) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

// serve makes the outcome of a stream that a library reads with read, until read
// fails. Both libraries leave it to their callers to see that text is UTF-8.
func serve(t testing.TB, c *connection, read func() (op byte, payload []byte, err error)) outcome {
	t.Helper()
	var o outcome
	for {
		op, payload, err := read()
		if err != nil {
			break
		}
		if op == 1 && !utf8.Valid(payload) {
			o.end = 1007
			break
		}
		o.messages = append(o.messages, message{op, string(payload)})
	}
	if o.end == open && !c.starved {
		o.end = dropped
	}
	o, err := written(c.out.Bytes(), o)
	if err != nil {
		t.Fatalf("what was written, %x: %v", c.out.Bytes(), err)
	}
	return o
}

func request() *http.Request {
	r, _ := http.NewRequest("GET", "http://localhost/ws", nil)
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	return r
}

func ofGorilla(t testing.TB, stream []byte) outcome {
	t.Helper()
	c := &connection{in: bytes.NewReader(stream)}
	ws, err := new(websocket.Upgrader).Upgrade(c, request(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.out.Reset() // the response
	ws.SetReadLimit(limit)
	return serve(t, c, func() (byte, []byte, error) {
		op, payload, err := ws.ReadMessage()
		return byte(op), payload, err
	})
}

func ofCoder(t testing.TB, stream []byte) outcome {
	t.Helper()
	c := &connection{in: bytes.NewReader(stream)}
	ws, err := coder.Accept(c, request(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(limit)
	return serve(t, c, func() (byte, []byte, error) {
		op, r, err := ws.Reader(context.Background())
		if err != nil {
			return 0, nil, err
		}
		payload, err := io.ReadAll(r)
		return byte(op), payload, err
	})
}
