package tls13

import "encoding/binary"

// update is a KeyUpdate that is to be sent (4.6.3).
type update uint8

const (
	nothing update = iota
	answer         // the peer has asked for one
	ask            // the peer is asked for one: it has sent very much

	// No KeyUpdate: Open has failed. The alert to be sent is in Session.fragment.
	failed
	refused // by an alert of the peer's, to which there is no answer
)

// RoomAfter is what a record has behind its data: the type and the tag. Before
// them is the header.
const RoomAfter = 1 + tagSize

// Seal makes a record, in place, of data between HeaderSize bytes before and
// RoomAfter bytes behind it, MostData at most (5.2). owes tells that AppendOwed is
// to be called before the next.
func (s *Session) Seal(k *Keys, record []byte) (owes bool) {
	s.seal(k, record, typeData)
	return s.out.sequence >= updateAfter
}

func (s *Session) seal(k *Keys, record []byte, kind uint8) {
	end := len(record) - tagSize
	record[end-1] = kind
	record[0], record[1], record[2] = typeData, 3, 3
	binary.BigEndian.PutUint16(record[3:], uint16(len(record)-HeaderSize))
	inner := record[HeaderSize:end]
	key := k.of(s, &s.out)
	key.aead.Seal(inner[:0], k.number(&s.out, key), inner, record[:HeaderSize])
}

// AppendData appends data to dst, as records and whatever is owed between them.
// data must not lie in dst.
func (s *Session) AppendData(k *Keys, dst, data []byte) []byte {
	for len(data) > 0 {
		n := min(len(data), MostData)
		if dst = s.append(k, dst, typeData, data[:n]); s.out.sequence >= updateAfter {
			dst = s.appendKeyUpdate(k, dst, answer)
		}
		data = data[n:]
	}
	return dst
}

// AppendedSize is how much AppendData appends for n bytes, at most.
func AppendedSize(n int) int {
	return n + (n/MostData+1)*Overhead + keyUpdateSize + Overhead
}

// fail notes why Open has failed, for AppendEnd. The receiver's.
func (s *Session) fail(err error) {
	e, ok := err.(*Error)
	switch {
	case !ok: // a close_notify, which is answered with one
	case e.Remote:
		s.owed = refused
	default:
		s.owed, s.fragment[0] = failed, byte(e.Alert)
	}
}

// AppendEnd appends the last record to dst: the alert for what made Open fail, or
// else a close_notify. The receiver calls it, and nothing is sent behind it.
func (s *Session) AppendEnd(k *Keys, dst []byte) []byte {
	switch s.owed {
	case failed:
		return s.AppendAlert(k, dst, Alert(s.fragment[0]))
	case refused:
		return dst
	}
	return s.AppendAlert(k, dst, CloseNotify)
}

// AppendAlert appends a's record to dst. Nothing is sent behind it.
func (s *Session) AppendAlert(k *Keys, dst []byte, a Alert) []byte {
	return s.append(k, dst, typeAlert, []byte{a.level(), byte(a)})
}

// AppendOwed appends to dst the KeyUpdate that Open or Seal has said is owed.
func (s *Session) AppendOwed(k *Keys, dst []byte) []byte {
	if s.out.sequence >= updateAfter { // whoever calls: long before the key is worn out (5.5)
		return s.appendKeyUpdate(k, dst, answer)
	}
	if s.owed == nothing { // only the receiver comes here
		return dst
	}
	dst = s.appendKeyUpdate(k, dst, s.owed)
	s.owed = nothing
	return dst
}

const keyUpdateSize = 5

// appendKeyUpdate appends a KeyUpdate, under the last key, and goes on to the next
// one (4.6.3).
func (s *Session) appendKeyUpdate(k *Keys, dst []byte, u update) []byte {
	request := byte(0)
	if u == ask {
		request = 1
	}
	dst = s.append(k, dst, typeHandshake, []byte{messageKeyUpdate, 0, 0, 1, request})
	s.update(k, &s.out)
	return dst
}

func (s *Session) append(k *Keys, dst []byte, kind uint8, content []byte) []byte {
	begin := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	dst = append(dst, content...)
	dst = append(dst, make([]byte, RoomAfter)...)
	s.seal(k, dst[begin:], kind)
	return dst
}
