package servertest

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Conn is a connection to the server under test. Writing and reading may happen
// on two goroutines.
type Conn struct {
	TCP *net.TCPConn
	TLS *tls.Conn // nil in the clear
	r   *bufio.Reader
	w   io.Writer
	t   testing.TB
}

// Connect opens a connection and says nothing. It is closed with the test.
func Connect(t testing.TB, addr string) *Conn {
	t.Helper()
	c, err := TryConnect(t, addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TryConnect is Connect for goroutines that are not the test's own, and for
// those who expect to be refused.
func TryConnect(t testing.TB, addr string) (*Conn, error) {
	tcp, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { tcp.Close() })
	c := Over(t, tcp.(*net.TCPConn))
	if config, ok := secured.Load(addr); ok {
		return c, c.Secure(config.(*tls.Config))
	}
	return c, nil
}

// Over is a connection that was opened elsewhere.
func Over(t testing.TB, tcp *net.TCPConn) *Conn {
	return &Conn{TCP: tcp, r: bufio.NewReaderSize(tcp, 4<<10), w: tcp, t: t}
}

// secured are the addresses at which TLS is spoken, with how clients do.
var secured sync.Map

// Secured has all connections to addr, from now on, begin with a TLS handshake.
func Secured(t testing.TB, addr string, config *tls.Config) {
	secured.Store(addr, config)
	t.Cleanup(func() { secured.Delete(addr) })
}

// Secure makes a TLS handshake; what is read and written after it goes through TLS.
func (c *Conn) Secure(config *tls.Config) error {
	c.patience()
	c.TLS = tls.Client(c.TCP, config)
	if err := c.TLS.Handshake(); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.r, c.w = bufio.NewReaderSize(c.TLS, 4<<10), c.TLS
	return nil
}

// Key is the nonce of section 1.3, Accept what answers it.
const (
	Key    = "dGhlIHNhbXBsZSBub25jZQ=="
	Accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// Request is an upgrade request for path; extra lines, without their ends,
// follow the usual ones and replace those of the same name.
func Request(addr, path string, extra ...string) string {
	lines := []string{
		"Host: " + addr, "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + Key,
	}
	for _, e := range extra {
		name, _, _ := strings.Cut(e, ":")
		replaced := false
		for i, l := range lines {
			if n, _, _ := strings.Cut(l, ":"); strings.EqualFold(n, name) {
				lines[i], replaced = e, true
			}
		}
		if !replaced {
			lines = append(lines, e)
		}
	}
	return "GET " + path + " HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// Dial opens a connection and makes the handshake for path.
func Dial(t testing.TB, addr, path string) *Conn {
	t.Helper()
	c := Connect(t, addr)
	c.Write([]byte(Request(addr, path)))
	if err := c.Upgraded(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Upgraded reads the response to an upgrade request.
func (c *Conn) Upgraded() error {
	r, err := c.Response("GET")
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusSwitchingProtocols || r.Header.Get("Sec-WebSocket-Accept") != Accept {
		return fmt.Errorf("handshake answered %v %v", r.Status, r.Header)
	}
	return nil
}

// Response reads an HTTP response to a request with that method, its body
// included.
func (c *Conn) Response(method string) (*http.Response, error) {
	c.patience()
	r, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	if r.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("body of response %s: %w", r.Status, err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	return r, nil
}

func (c *Conn) patience() { c.TCP.SetReadDeadline(time.Now().Add(Patience)) }

// Write writes each piece with a write of its own. An error fails the test,
// except one that says that the peer is gone.
func (c *Conn) Write(pieces ...[]byte) {
	c.t.Helper()
	c.TCP.SetWriteDeadline(time.Now().Add(Patience))
	for _, b := range pieces {
		if _, err := c.w.Write(b); err != nil {
			if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
				c.t.Errorf("write: %v", err)
			}
			return
		}
	}
}

// Read reads the next frame and complains of everything that a strict client
// complains of. io.EOF is a clean end.
func (c *Conn) Read() (Frame, error) {
	c.patience()
	first, err := c.r.ReadByte()
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Op: first & 0xf}
	switch {
	case first&0x70 != 0:
		return f, fmt.Errorf("frame with reserved bits: %#x", first)
	case first&Fin == 0:
		return f, fmt.Errorf("a fragment: %#x", first)
	case f.Op != OpText && f.Op != OpBinary && f.Op != OpClose && f.Op != OpPing && f.Op != OpPong:
		return f, fmt.Errorf("opcode %d", f.Op)
	}
	second, err := c.r.ReadByte()
	if err != nil {
		return f, unexpected(err)
	}
	n, least := uint64(second), uint64(0)
	extended := make([]byte, 8)
	switch {
	case second&0x80 != 0:
		return f, errors.New("a masked frame")
	case n == 126:
		least = 126
		_, err = io.ReadFull(c.r, extended[6:])
	case n == 127:
		least = 1 << 16
		_, err = io.ReadFull(c.r, extended)
	default:
		binary.BigEndian.PutUint64(extended, n)
	}
	if err != nil {
		return f, unexpected(err)
	}
	n = binary.BigEndian.Uint64(extended)
	switch {
	case n < least:
		return f, fmt.Errorf("length %d is not minimal", n)
	case f.Op >= OpClose && n > 125:
		return f, fmt.Errorf("control frame of %d bytes", n)
	case n > 1<<24:
		return f, fmt.Errorf("frame of %d bytes", n)
	}
	f.Payload = make([]byte, n)
	if _, err := io.ReadFull(c.r, f.Payload); err != nil {
		return f, unexpected(err)
	}
	return f, nil
}

// unexpected is the error for an end inside a frame.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ReadEnd reads the end of the stream: nil for a clean one with nothing before.
func (c *Conn) ReadEnd() error {
	c.patience()
	b, err := io.ReadAll(c.r)
	switch {
	case err != nil:
		return fmt.Errorf("no clean end: %w", err)
	case len(b) > 0:
		return fmt.Errorf("%d bytes before the end: %.80q", len(b), b)
	}
	return nil
}

// Expect reads one frame and fails the test if it is another one.
func (c *Conn) Expect(op byte, payload string) {
	c.t.Helper()
	f, err := c.Read()
	if err != nil {
		c.t.Fatalf("read: %v; want %v", err, Frame{op, []byte(payload)})
	}
	if f.Op != op || string(f.Payload) != payload {
		c.t.Fatalf("got %v, want %v", f, Frame{op, []byte(payload)})
	}
}

// ReadClose reads a close frame with this code (0: without one) and the clean end
// of the connection.
func (c *Conn) ReadClose(code uint16) error {
	f, err := c.Read()
	return c.closes(f, err, code)
}

// closes is ReadClose for a frame that was read.
func (c *Conn) closes(f Frame, err error, code uint16) error {
	switch {
	case err != nil:
		return fmt.Errorf("read: %w; want close %d", err, code)
	case f.Op != OpClose || f.Code() != code:
		return fmt.Errorf("got %v, want close %d", f, code)
	}
	return c.ReadEnd()
}

// ExpectClose fails the test if ReadClose fails.
func (c *Conn) ExpectClose(code uint16) {
	c.t.Helper()
	if err := c.ReadClose(code); err != nil {
		c.t.Fatal(err)
	}
}

// Leave makes the closing handshake and closes the connection. The server may have
// pinged it before.
func (c *Conn) Leave() {
	c.t.Helper()
	c.Write(Close(1000, ""))
	f, err := c.Read()
	for err == nil && f.Op == OpPing {
		f, err = c.Read()
	}
	if err := c.closes(f, err, 1000); err != nil {
		c.t.Fatal(err)
	}
	c.TCP.Close()
}
