package tls13

import (
	"errors"
	"fmt"
	"io"
)

// half is one direction. The key and the nonce's mask are not here: they follow from
// the secret, and are made again when they are needed ([Keys]).
type half struct {
	sequence uint32 // of the next record (5.3); it stays below mostRecords
	secret   [32]byte
}

// tail is what is left of one direction's secret where it is longer.
type tail [mostSecret - 32]byte

// Session is what a connection's record layer keeps.
type Session struct {
	in  half // the receiver's
	out half // the sender's

	// The receiver's.
	fragment [4]byte // of a handshake message that is not whole yet
	held     uint8   // bytes of fragment
	useless  uint8   // records in a row that brought no data
	owed     update  // to the peer; the receiver alone asks for it to be sent

	// Immutable.
	kind  uint8    // index of suites, and client
	tails *[2]tail // of in and out; nil but with AES-256-GCM
}

// client is the bit of Session.kind that says on which side it is.
const client = 0x80

func (s *Session) suite() *suite  { return &suites[s.kind&^client] }
func (s *Session) isClient() bool { return s.kind&client != 0 }

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
		n := &Session{kind: uint8(i)}
		if s.Client {
			n.kind |= client
		}
		if suites[i].secret > len(n.in.secret) {
			n.tails = new([2]tail)
		}
		n.begin(&n.in, s.Receive)
		n.begin(&n.out, s.Send)
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

// begin takes a traffic secret.
func (s *Session) begin(h *half, secret []byte) {
	h.sequence = 0
	n := copy(h.secret[:], secret)
	if t := s.tailOf(h); t != nil {
		copy(t[:], secret[n:])
	}
}

// appendSecret appends the traffic secret in force.
func (s *Session) appendSecret(dst []byte, h *half) []byte {
	dst = append(dst, h.secret[:]...)
	if t := s.tailOf(h); t != nil {
		dst = append(dst, t[:]...)
	}
	return dst
}

// update goes on to the next traffic secret (7.2).
func (s *Session) update(k *Keys, h *half) {
	last := s.appendSecret(k.scratch[:0], h)
	next := k.expander(s.suite()).expand(k.next[:len(last)], last, "traffic upd")
	s.begin(h, next)
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
func (s *Session) Suite() uint16 { return s.suite().id }

// Format keeps the secrets out of whatever is printed (T4).
func (s *Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tls13.Session") }
