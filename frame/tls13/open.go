package tls13

import (
	"encoding/binary"
	"io"
)

// Sizes of records, in bytes.
const (
	// HeaderSize is what a record begins with, MostRecord the most that a whole
	// one is long (5.2), and Overhead what one without padding adds to its content.
	HeaderSize = 5
	MostRecord = HeaderSize + mostSealed
	Overhead   = HeaderSize + 1 + tagSize
	// MostData is the most content in one record (5.1).
	MostData = 1 << 14

	mostSealed = MostData + 256 // behind the header
)

// Types of records (5.1) and of handshake messages (4).
const (
	typeAlert     uint8 = 21
	typeHandshake uint8 = 22
	typeData      uint8 = 23

	messageTicket    uint8 = 4
	messageKeyUpdate uint8 = 24
)

// Limits in records: AES-GCM is good for 2^24.5 of them under one key (5.5).
const (
	mostRecords  = 23_726_566 // then the connection ends
	askForUpdate = 1 << 23    // received: the peer is asked for a KeyUpdate
	updateAfter  = 1 << 20    // sent: ours comes of our own accord
	mostUseless  = 32         // in a row, without data
)

// Open opens the record that b begins with, where it lies. data is what it
// brought, a part of b, which may be nothing; size is the record's length, 0 if it
// is not whole. owes tells that AppendOwed is to be called by who may send. err is
// io.EOF for a close_notify, an *Error if the connection is to end otherwise, or
// nil; after one there is no further call, and AppendEnd knows it.
func (s *Session) Open(k *Keys, b []byte) (data []byte, size int, owes bool, err error) {
	size, err = Size(b)
	if err == nil && (size == 0 || size > len(b)) {
		return nil, 0, false, nil
	}
	if err == nil {
		data, err = s.take(k, b[:size])
	}
	if err != nil {
		s.fail(err)
		return nil, size, false, err
	}
	if s.in.sequence == askForUpdate {
		s.owed = ask
	}
	return data, size, s.owed != nothing, nil
}

// take opens a whole record and does what it says.
func (s *Session) take(k *Keys, record []byte) (data []byte, err error) {
	content, kind, err := s.open(k, record)
	switch {
	case err != nil:
		return nil, err
	case s.held > 0 && kind != typeHandshake:
		return nil, errUnexpected // messages are not interleaved (5.1)
	case kind == typeData && len(content) > 0:
		s.useless = 0
		return content, nil
	case s.useless == mostUseless:
		return nil, errUnexpected // nobody has so much to say about nothing
	}
	s.useless++
	return nil, s.control(k, kind, content)
}

// control takes a record that brings no data.
func (s *Session) control(k *Keys, kind uint8, content []byte) error {
	switch kind {
	case typeData: // empty, to hide when there is none (5.4)
		return nil
	case typeAlert:
		return alerted(content)
	case typeHandshake:
		return s.messages(k, content)
	}
	return errUnexpected
}

// Size is the length of the record that b begins with, 0 if b is too short to
// say. An error is an *Error: no such record may come behind the handshake.
func Size(b []byte) (int, error) {
	if len(b) > 0 && b[0] != typeData {
		return 0, errUnexpected
	}
	if len(b) < HeaderSize {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(b[3:])) // the version in b[1:3] says nothing (5.1)
	if n > mostSealed {
		return 0, errOverflow
	}
	return HeaderSize + n, nil
}

// open is the record rec's content and its type (5.2, 5.4).
func (s *Session) open(k *Keys, rec []byte) (content []byte, kind uint8, err error) {
	if s.in.sequence >= mostRecords {
		return nil, 0, errLimit
	}
	sealed := rec[HeaderSize:]
	key := k.of(s, &s.in)
	inner, failed := key.aead.Open(sealed[:0], k.number(&s.in, key), sealed, rec[:HeaderSize])
	if failed != nil {
		return nil, 0, errMAC
	}
	if len(inner) > MostData+1 {
		return nil, 0, errOverflow
	}
	for i := len(inner) - 1; i >= 0; i-- {
		if inner[i] != 0 {
			return inner[:i], inner[i], nil
		}
	}
	return nil, 0, errUnexpected // nothing but padding
}

// alerted is what an alert means (6.1, 6.2).
func alerted(b []byte) error {
	if len(b) != 2 {
		return errDecode
	}
	switch a := Alert(b[1]); a {
	case CloseNotify:
		return io.EOF
	case UserCanceled:
		return nil // a close_notify follows
	default:
		return &Error{Alert: a, Remote: true}
	}
}

// messages takes a record of handshake messages, the last of which may go on in
// the next.
func (s *Session) messages(k *Keys, b []byte) error {
	if len(b) == 0 {
		return errUnexpected // (5.1)
	}
	for len(b) > 0 {
		n := copy(s.fragment[s.held:], b)
		s.held += uint8(n)
		b = b[n:]
		f := s.fragment
		if int(s.held) < len(f) || len(b) == 0 {
			if f[0] != messageKeyUpdate {
				return errUnexpected // see Limitations
			}
			return nil
		}
		s.held = 0
		size := int(f[1])<<16 | int(f[2])<<8 | int(f[3])
		switch {
		case f[0] == messageTicket && s.isClient() && size <= len(b):
			b = b[size:]
		case f[0] == messageKeyUpdate:
			return s.keyUpdate(k, size, b)
		default:
			return errUnexpected
		}
	}
	return nil
}

// keyUpdate takes a KeyUpdate of that size and what follows its head (4.6.3).
func (s *Session) keyUpdate(k *Keys, size int, b []byte) error {
	if size != 1 || b[0] > 1 {
		return errDecode
	}
	if len(b) > 1 {
		return errUnexpected // no message spans a change of keys (5.1)
	}
	s.update(k, &s.in)
	if b[0] == 1 {
		s.owed = max(s.owed, answer)
	}
	return nil
}
