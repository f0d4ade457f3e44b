package tls13

import "encoding/binary"

// SealedSize is how long n bytes of data are as records, at most: a KeyUpdate may
// be among them.
func SealedSize(n int) int {
	return n + (n/MostData+1)*Overhead + Overhead + keyUpdateSize
}

const keyUpdateSize = 5

// Seal appends the data that a and b are, one behind the other, to dst as
// records. Neither may lie in dst.
func (s *Session) Seal(k *Keys, dst, a, b []byte) []byte {
	for len(a)+len(b) > 0 {
		if s.out.sequence >= updateAfter {
			dst = s.AppendKeyUpdate(k, dst, Answer) // of our own accord (5.5)
		}
		begin := len(dst)
		dst = append(dst, typeData, 3, 3, 0, 0)
		n := min(len(a), MostData)
		dst, a = append(dst, a[:n]...), a[n:]
		n = min(len(b), MostData-n)
		dst, b = append(dst, b[:n]...), b[n:]
		dst = s.seal(k, dst, begin, typeData)
	}
	return dst
}

// AppendAlert appends a's record to dst. Nothing is sent behind it.
func (s *Session) AppendAlert(k *Keys, dst []byte, a Alert) []byte {
	begin := len(dst)
	dst = append(dst, typeData, 3, 3, 0, 0, a.level(), byte(a))
	return s.seal(k, dst, begin, typeAlert)
}

// AppendKeyUpdate appends to dst the record of a KeyUpdate (4.6.3), under the
// last keys, and goes on to the next ones. With Ask the peer is to do the same.
func (s *Session) AppendKeyUpdate(k *Keys, dst []byte, u Update) []byte {
	request := byte(0)
	if u == Ask {
		request = 1
	}
	begin := len(dst)
	dst = append(dst, typeData, 3, 3, 0, 0, messageKeyUpdate, 0, 0, 1, request)
	dst = s.seal(k, dst, begin, typeHandshake)
	s.update(&s.out)
	return dst
}

// seal makes a record of dst[begin:], a header's room and the content (5.2).
func (s *Session) seal(k *Keys, dst []byte, begin int, kind uint8) []byte {
	dst = append(dst, kind)
	rec := dst[begin:]
	binary.BigEndian.PutUint16(rec[3:], uint16(len(rec)-HeaderSize+tagSize))
	body := rec[HeaderSize:]
	sealed := k.of(s, &s.out).Seal(body[:0], k.number(&s.out), body, rec[:HeaderSize])
	// Seal has put the tag behind the body where there was room for it.
	return append(dst[:begin+HeaderSize], sealed...)
}
