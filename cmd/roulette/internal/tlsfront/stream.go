package tlsfront

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"roulette/frame/tls13"
)

// Stream is a connection behind its handshake as a net.Conn, for what needs one, such
// as net/http. Reading and writing may go on at once.
type Stream struct {
	net.Conn
	session *tls13.Session

	// The reader's.
	unread  []byte // sealed
	plain   []byte // opened, a part of unread's array
	readErr error
	in      *tls13.Keys

	// Guarded by mu.
	mu     sync.Mutex
	out    *tls13.Keys
	unsent []byte
	sealed []byte // scratch
	ended  bool   // close_notify was sent
}

// NewStream goes on with a session on conn. unsent is to be written before all else,
// unread was read already; both are sealed.
func NewStream(conn net.Conn, session *tls13.Session, unsent, unread []byte) *Stream {
	return &Stream{
		Conn: conn, session: session, unsent: unsent, unread: unread,
		in: tls13.NewKeys(1), out: tls13.NewKeys(1),
	}
}

// Read implements net.Conn. A deadline that ends a call ends nothing else.
func (s *Stream) Read(b []byte) (int, error) {
	for len(s.plain) == 0 {
		if s.readErr != nil {
			return 0, s.readErr
		}
		if len(b) == 0 {
			return 0, nil
		}
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, s.plain)
	s.plain = s.plain[n:]
	return n, nil
}

// next opens a record, if there is one, or else reads on.
func (s *Stream) next() error {
	data, size, owes, err := s.session.Open(s.in, s.unread)
	switch {
	case err != nil:
		s.readErr = err
		var e *tls13.Error // else it is a close_notify, and there may still be an answer to send
		if errors.As(err, &e) && !e.Remote {
			s.end(e.Alert)
		}
		return err
	case size > 0:
		s.plain, s.unread = data, s.unread[size:]
		if owes {
			return s.answer()
		}
		return nil
	}
	if cap(s.unread)-len(s.unread) < 512 { // plain is empty: nothing of the array is in use
		s.unread = slices.Grow(slices.Clone(s.unread), tls13.MostRecord)
	}
	n, err := s.Conn.Read(s.unread[len(s.unread):cap(s.unread)])
	s.unread = s.unread[:len(s.unread)+n]
	if n > 0 {
		return nil
	}
	if err == io.EOF { // without a close_notify: somebody may have cut it (RFC 8446, 6.1)
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (s *Stream) answer() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	return s.sendLocked(s.session.AppendOwed(s.out, s.begin()))
}

// Write implements net.Conn.
func (s *Stream) Write(b []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(b) > 0 {
		if s.ended {
			return n, net.ErrClosed
		}
		m := min(len(b), 4*tls13.MostData)
		if err := s.sendLocked(s.session.AppendData(s.out, s.begin(), b[:m])); err != nil {
			return n, err
		}
		n, b = n+m, b[m:]
	}
	return n, nil
}

// begin is what the next write begins with.
func (s *Stream) begin() []byte {
	b := append(s.sealed[:0], s.unsent...)
	s.unsent = nil
	return b
}

// sendLocked writes what has been sealed. An error is the end: a record went out in
// part, or not at all.
func (s *Stream) sendLocked(sealed []byte) error {
	s.sealed = sealed[:0]
	_, err := s.Conn.Write(sealed)
	s.ended = s.ended || err != nil
	return err
}

// CloseWrite says that nothing follows (RFC 8446, 6.1), and shuts the sending side.
func (s *Stream) CloseWrite() error {
	s.end(tls13.CloseNotify)
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// Close implements net.Conn, with a close_notify if there was none.
func (s *Stream) Close() error {
	s.end(tls13.CloseNotify)
	return s.Conn.Close()
}

// end sends the last record.
func (s *Stream) end(a tls13.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	// Best effort, and not for long: the peer may not read any more.
	_ = s.SetWriteDeadline(time.Now().Add(time.Second))
	_ = s.sendLocked(s.session.AppendAlert(s.out, s.begin(), a))
}

// Detach gives the session back, with what was opened and not read, and what was not
// opened. Nobody reads or writes s meanwhile or afterwards, and the descriptor is
// taken elsewhere: Close then says nothing.
func (s *Stream) Detach() (session *tls13.Session, plain, unread []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	return s.session, s.plain, s.unread
}
