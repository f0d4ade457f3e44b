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

// Update is what Open leaves to be done by who may send.
type Update uint8

const (
	NoUpdate Update = iota
	Answer          // the peer has asked for a KeyUpdate
	Ask             // the peer is to be asked for one: it has sent very much
)

// Opened is what Open has found.
type Opened struct {
	// Data is what the records brought, in one piece. It lies in the bytes that
	// were opened.
	Data []byte
	// Used is how many bytes the whole records took. What follows them is the
	// beginning of another one.
	Used int
	// Update, if there is one, is to be sent with AppendKeyUpdate.
	Update Update
	// Err is io.EOF after a close_notify, an *Error if the connection is to end
	// otherwise, or else nil. Data came before.
	Err error
}

// Open opens the whole records that b begins with, where they lie; b is changed.
// After an Err there is no further call.
func (s *Session) Open(k *Keys, b []byte) (o Opened) {
	start := 0 // of Data
	for o.Err == nil {
		rest := b[o.Used:]
		size, err := Size(rest)
		if err != nil {
			o.Err = err
			break
		}
		if size == 0 || len(rest) < size {
			break
		}
		content, kind, err := s.open(k, rest[:size])
		if err != nil {
			o.Err = err
			break
		}
		o.Used += size
		if s.in.sequence == askForUpdate {
			o.Update = Ask
		}
		if s.held > 0 && kind != typeHandshake {
			o.Err = errUnexpected // messages are not interleaved (5.1)
			break
		}
		if len(content) > 0 && kind == typeData {
			s.useless = 0
			if len(o.Data) == 0 {
				start = o.Used - size + HeaderSize
				o.Data = content
			} else {
				end := start + len(o.Data)
				o.Data = b[start : end+copy(b[end:], content)]
			}
			continue
		}
		if s.useless++; s.useless > mostUseless {
			o.Err = errUnexpected // nobody has so much to say about nothing
			break
		}
		switch kind {
		case typeData: // empty, to hide when there is none (5.4)
		case typeAlert:
			o.Err = alerted(content)
		case typeHandshake:
			var update Update
			update, o.Err = s.message(content)
			o.Update = max(o.Update, update)
		default:
			o.Err = errUnexpected
		}
	}
	return o
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
	inner, failed := k.of(s, &s.in).Open(sealed[:0], k.number(&s.in), sealed, rec[:HeaderSize])
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

// message takes a record of handshake messages, which may hold parts of some.
func (s *Session) message(b []byte) (u Update, err error) {
	if len(b) == 0 {
		return NoUpdate, errUnexpected // (5.1)
	}
	for len(b) > 0 {
		n := copy(s.fragment[s.held:], b)
		s.held += uint8(n)
		b = b[n:]
		if int(s.held) < len(s.fragment) || len(b) == 0 {
			if s.fragment[0] != messageKeyUpdate {
				return NoUpdate, errUnexpected // see Limitations
			}
			return u, nil
		}
		f := s.fragment
		size := int(f[1])<<16 | int(f[2])<<8 | int(f[3])
		s.held = 0
		switch {
		case f[0] == messageTicket && s.client && size <= len(b):
			b = b[size:]
		case f[0] != messageKeyUpdate:
			return NoUpdate, errUnexpected
		case size != 1 || b[0] > 1:
			return NoUpdate, errDecode // (4.6.3)
		case len(b) > 1:
			return NoUpdate, errUnexpected // no message spans a change of keys (5.1)
		default:
			s.update(&s.in)
			if b[0] == 1 {
				u = Answer
			}
			return u, nil
		}
	}
	return NoUpdate, nil
}
