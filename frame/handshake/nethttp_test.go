package handshake

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// netHTTP is the server of net/http, on connections in memory.
type netHTTP struct {
	server http.Server
	conns  chan net.Conn
	done   chan struct{}
}

// seen is what net/http has made of a connection's bytes: the first request, and
// what stands behind it; or its refusal.
type seen struct {
	request *http.Request // nil: refused
	behind  []byte
	refusal []byte
}

func startNetHTTP(t testing.TB) *netHTTP {
	n := &netHTTP{conns: make(chan net.Conn), done: make(chan struct{})}
	n.server.ErrorLog = log.New(io.Discard, "", 0)
	n.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		behind, _ := io.ReadAll(buffered.Reader)
		conn.(*memory).finish(seen{request: r, behind: behind})
	})
	go n.server.Serve(n)
	t.Cleanup(func() { n.server.Close() })
	return n
}

// serve gives it a connection on which the client sends b and nothing more.
func (n *netHTTP) serve(b []byte) seen {
	c := &memory{in: bytes.NewReader(b), seen: make(chan seen, 1)}
	n.conns <- c
	return <-c.seen
}

// Accept, Close and Addr implement [net.Listener].
func (n *netHTTP) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}
func (n *netHTTP) Close() error   { close(n.done); return nil }
func (n *netHTTP) Addr() net.Addr { return &net.TCPAddr{} }

// memory is a connection.
type memory struct {
	in       *bytes.Reader
	out      bytes.Buffer
	finished sync.Once
	seen     chan seen
}

func (c *memory) finish(s seen) { c.finished.Do(func() { c.seen <- s }) }

func (c *memory) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *memory) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *memory) Close() error                     { c.finish(seen{refusal: c.out.Bytes()}); return nil }
func (c *memory) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *memory) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memory) SetDeadline(time.Time) error      { return nil }
func (c *memory) SetReadDeadline(time.Time) error  { return nil }
func (c *memory) SetWriteDeadline(time.Time) error { return nil }
