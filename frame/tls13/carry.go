package tls13

import (
	"encoding/binary"
	"errors"
)

// carryVersion is the first byte of what Append writes:
//
//	version 1, suite and side 1, owed 1, useless 1, held 1, fragment 4,
//	then of the receiving and of the sending half: sequence 4, secret 32 or 48
const carryVersion = 1

const carryHead = 9

// ErrCarried: it is not what Append has written, or of another version.
var ErrCarried = errors.New("tls: not a session")

// Append writes s down, secrets and all, for another process to go on (T2: where
// s stopped). Whoever calls it owns both halves, and uses s only if the other
// process does not.
func (s *Session) Append(dst []byte) []byte {
	dst = append(dst, carryVersion, s.kind, byte(s.owed), s.useless, s.held)
	dst = append(dst, s.fragment[:]...)
	for _, h := range []*half{&s.in, &s.out} {
		dst = binary.BigEndian.AppendUint32(dst, h.sequence)
		dst = s.appendSecret(dst, h)
	}
	return dst
}

// Parse reads what Append has written and returns what stands behind it.
func Parse(b []byte) (s *Session, rest []byte, err error) {
	if len(b) < carryHead || b[0] != carryVersion || int(b[1]&^client) >= len(suites) || update(b[2]) > ask || b[3] > mostUseless || b[4] > 4 {
		return nil, nil, ErrCarried
	}
	suite := &suites[b[1]&^client]
	head, halves := b[:carryHead], b[carryHead:]
	one := 4 + suite.secret
	if len(halves) < 2*one {
		return nil, nil, ErrCarried
	}
	in, out := halves[:one], halves[one:2*one]
	s, err = New(Secrets{
		Suite: suite.id, Client: head[1]&client != 0,
		Receive: in[4:], ReceiveNumber: binary.BigEndian.Uint32(in),
		Send: out[4:], SendNext: binary.BigEndian.Uint32(out),
	})
	if err != nil {
		return nil, nil, ErrCarried
	}
	s.owed, s.useless, s.held = update(head[2]), head[3], head[4]
	copy(s.fragment[:], head[5:])
	return s, halves[2*one:], nil
}
