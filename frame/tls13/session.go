package tls13

import (
	"errors"
	"fmt"
	"io"
)

// half is one direction, as far as it is as long with every suite.
type half struct {
	sequence uint32 // of the next record (5.3); it stays below mostRecords
	mask     [nonceSize]byte
	secret   [32]byte
	key      [16]byte
}

// tail is what is left of one direction's secret and key where they are longer.
type tail struct {
	secret [mostSecret - 32]byte
	key    [mostKey - 16]byte
}

// Session is what a connection's record layer keeps.
type Session struct {
	// The receiver's.
	in       half
	fragment [4]byte // of a handshake message that is not whole yet
	held     uint8   // bytes of fragment
	useless  uint8   // records in a row that brought no data

	// Immutable.
	suite  uint8 // index of suites
	client bool
	tails  *[2]tail // of in and out; nil with AES-128-GCM

	// The sender's.
	out half
}

// Secrets are what a handshake leaves to the record layer. The sequence numbers
// count what has gone through under these secrets already.
type Secrets struct {
	Suite                   uint16 // as crypto/tls numbers them
	Client                  bool   // this side is the client
	Receive, Send           []byte // traffic secrets (7.1); copied
	ReceiveNumber, SendNext uint32 // sequence numbers of the next records
}

// ErrSecrets: there is no such suite, or its secrets are of another length.
var ErrSecrets = errors.New("tls: suite and secrets do not fit")

// New makes the record layer that follows a handshake.
func New(s Secrets) (*Session, error) {
	for i := range suites {
		if suites[i].id != s.Suite {
			continue
		}
		if len(s.Receive) != suites[i].secret || len(s.Send) != suites[i].secret ||
			s.ReceiveNumber >= mostRecords || s.SendNext >= mostRecords {
			return nil, ErrSecrets
		}
		n := &Session{suite: uint8(i), client: s.Client}
		if i != 0 {
			n.tails = new([2]tail)
		}
		n.in.begin(&suites[i], n.tailOf(&n.in), s.Receive)
		n.out.begin(&suites[i], n.tailOf(&n.out), s.Send)
		n.in.sequence, n.out.sequence = s.ReceiveNumber, s.SendNext
		return n, nil
	}
	return nil, ErrSecrets
}

func (s *Session) tailOf(h *half) *tail {
	switch {
	case s.tails == nil:
		return nil
	case h == &s.in:
		return &s.tails[0]
	}
	return &s.tails[1]
}

// begin takes a traffic secret and what follows from it (7.3).
func (h *half) begin(s *suite, t *tail, secret []byte) {
	h.sequence = 0
	copy(h.mask[:], s.expand(secret, "iv", nonceSize))
	key := s.expand(secret, "key", s.key)
	n := copy(h.secret[:], secret)
	m := copy(h.key[:], key)
	if t != nil {
		copy(t.secret[:], secret[n:])
		copy(t.key[:], key[m:])
	}
	clear(key)
}

// appendSecret appends the traffic secret in force.
func (h *half) appendSecret(dst []byte, s *suite, t *tail) []byte {
	dst = append(dst, h.secret[:]...)
	if s.secret > len(h.secret) {
		dst = append(dst, t.secret[:s.secret-len(h.secret)]...)
	}
	return dst
}

// update goes on to the next traffic secret (7.2).
func (s *Session) update(h *half) {
	suite, t := &suites[s.suite], s.tailOf(h)
	var space [mostSecret]byte
	last := h.appendSecret(space[:0], suite, t)
	next := suite.expand(last, "traffic upd", suite.secret)
	h.begin(suite, t, next)
	clear(next)
	clear(last)
}

// Wipe forgets the secrets. Nothing else is called afterwards.
func (s *Session) Wipe() {
	if s.tails != nil {
		*s.tails = [2]tail{}
	}
	*s = Session{}
}

// Suite is the cipher suite's number.
func (s *Session) Suite() uint16 { return suites[s.suite].id }

// Format keeps the secrets out of whatever is printed (T4).
func (s *Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tls13.Session") }
