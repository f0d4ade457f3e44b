//go:build linux

package bench

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"roulette/frame/tls13"
)

// Behind wss:// the load is the same, in records of TLS 1.3. The handshake of each
// client is made by crypto/tls on a goroutine of its own; then its loop goes on with
// a tls13.Session and the socket.

// secure is what a client over TLS has besides. Owned by its loop.
type secure struct {
	session *tls13.Session
	partial []byte // the beginning of a record
}

// shaken is a client's handshake that is over.
type shaken struct {
	slot, generation int32
	session          *tls13.Session
	unread           []byte
	err              error
}

// shakeHands begins the handshake of c, which is connected.
func (l *loop) shakeHands(c *client) {
	c.state = securing
	l.interest(c, 0) // nothing but its end is of interest to the loop
	slot, generation, fd := c.slot, c.generation, int(c.fd)
	go func() {
		s := shaken{slot: slot, generation: generation}
		s.session, s.unread, s.err = shake(fd, l.run.tls)
		select {
		case l.shaken <- s:
		default: // the slot was given away meanwhile, many times
		}
	}()
}

// takeShaken goes on with the clients whose handshakes are over.
func (l *loop) takeShaken() {
	for {
		select {
		case s := <-l.shaken:
			c := &l.clients[s.slot]
			switch {
			case c.generation != s.generation || c.state != securing:
			case s.err != nil:
				l.end(c, "TLS: "+s.err.Error())
			default:
				c.tls = &secure{session: s.session, partial: s.unread}
				l.upgrade(c)
			}
		default:
			return
		}
	}
}

// unseal opens the records that a read has brought, n bytes of l.buf behind what was
// kept. plain is the loop's, until the next read. ended: a close_notify has come.
func (l *loop) unseal(c *client, n int) (plain []byte, ended bool, err error) {
	b := l.buf[:n]
	if len(c.tls.partial) > 0 {
		l.joined = append(append(l.joined[:0], c.tls.partial...), b...)
		b, c.tls.partial = l.joined, c.tls.partial[:0]
	}
	plain = l.plain[:0]
	defer func() { l.plain = plain[:0] }()
	for {
		data, size, owes, err := c.tls.session.Open(l.keys, b)
		switch {
		case err == io.EOF:
			return plain, true, nil
		case err != nil:
			return plain, false, err
		case size == 0 || size > len(b):
			if len(b) > 0 {
				c.tls.partial = append(c.tls.partial, b...)
			}
			return plain, false, nil
		}
		if owes {
			l.pushSealed(c, c.tls.session.AppendOwed(l.keys, l.sealed[:0]))
		}
		plain = append(plain, data...)
		b = b[size:]
	}
}

// oneRecord hands crypto/tls one record at a time, so that it holds nothing when
// the handshake is over.
type oneRecord struct {
	net.Conn
	unread []byte
	record int
}

func (c *oneRecord) Read(b []byte) (int, error) {
	for c.record == 0 {
		if len(c.unread) >= tls13.HeaderSize {
			size := tls13.HeaderSize + int(binary.BigEndian.Uint16(c.unread[3:]))
			if len(c.unread) >= size {
				c.record = size
				break
			}
		}
		c.unread = slices.Grow(c.unread, 4<<10)
		n, err := c.Conn.Read(c.unread[len(c.unread):cap(c.unread)])
		c.unread = c.unread[:len(c.unread)+n]
		if err != nil {
			return 0, err
		}
	}
	n := copy(b, c.unread[:c.record])
	c.unread, c.record = c.unread[n:], c.record-n
	return n, nil
}

// secrets takes the traffic secrets from what crypto/tls writes for debuggers.
type secrets map[string][]byte

func (s secrets) Write(line []byte) (int, error) {
	f := strings.Fields(string(line))
	if len(f) == 3 {
		secret, err := hex.DecodeString(f[2])
		if err != nil {
			return 0, errors.New("no secret")
		}
		s[f[0]] = secret
	}
	return len(line), nil
}

// shake shakes hands over a duplicate of the non-blocking socket fd.
func shake(fd int, config *tls.Config) (*tls13.Session, []byte, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(dup), "")
	defer file.Close()
	if err := file.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		return nil, nil, err
	}
	config = config.Clone()
	s := make(secrets)
	config.KeyLogWriter = s
	c := &oneRecord{Conn: fileConn{file}}
	t := tls.Client(c, config)
	if err := t.Handshake(); err != nil {
		return nil, nil, err
	}
	session, err := tls13.New(tls13.Secrets{
		Suite: t.ConnectionState().CipherSuite, Client: true,
		Receive: s["SERVER_TRAFFIC_SECRET_0"], Send: s["CLIENT_TRAFFIC_SECRET_0"],
	})
	return session, c.unread, err
}

// fileConn is a socket as crypto/tls wants it.
type fileConn struct{ *os.File }

func (fileConn) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (fileConn) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// oneTicket is a cache of sessions that gives the same one to everybody: all
// clients are one that comes back.
type oneTicket struct {
	session atomic.Pointer[tls.ClientSessionState]
}

func (o *oneTicket) Get(string) (*tls.ClientSessionState, bool) {
	s := o.session.Load()
	return s, s != nil
}

func (o *oneTicket) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		o.session.CompareAndSwap(nil, s)
	}
}

// tlsConfig is how clients shake hands, with a session to resume if they are to.
func (c *Config) tlsConfig(ctx context.Context, to target) (*tls.Config, error) {
	config := c.TLS.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	config.MinVersion = tls.VersionTLS13
	config.NextProtos = []string{"http/1.1"}
	if config.ServerName == "" {
		config.ServerName = to.name
	}
	if !c.Resume {
		return config, nil
	}
	config.ClientSessionCache = new(oneTicket)
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", to.addr.String())
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	// The ticket comes behind the handshake, before the answer to this.
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", to.host); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if config.ClientSessionCache.(*oneTicket).session.Load() == nil {
		return nil, errors.New("bench: the server gave no session ticket")
	}
	return config, nil
}
