package resume

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// ID names a pair, in all processes and for all time.
type ID [16]byte

// Node names a run of a server: random at each start, handed on in a live
// upgrade.
type Node uint64

// Token says who may take a place in which pair. Its holder carries it about and
// cannot change it.
type Token struct {
	Pair   ID
	Side   uint8     // 0 or 1: which of the two
	Node   Node      // who issued it
	Seat   uint32    // where the person sat then
	Holder uint64    // known of the person by Node alone: tells them from others who sit there later
	Issued time.Time // to the second
}

// The errors of [Keys.Open].
var (
	ErrMalformed = errors.New("not a token")
	ErrForged    = errors.New("a token of another key")
)

// The layout of a token before base64: version 1, side 1, node 8, pair 16,
// seat 4, issued 4, holder 8, MAC 16.
const (
	tokenVersion = 1
	macSize      = 16
	claimsSize   = 1 + 1 + 8 + 16 + 4 + 4 + 8
	tokenSize    = claimsSize + macSize

	// EncodedSize is the length of a token as text.
	EncodedSize = (tokenSize*8 + 5) / 6
)

var encoding = base64.RawURLEncoding.Strict()

// Append appends the token t as text, signed with the first key.
func (k *Keys) Append(dst []byte, t Token) []byte {
	var raw [tokenSize]byte
	raw[0], raw[1] = tokenVersion, t.Side
	binary.BigEndian.PutUint64(raw[2:], uint64(t.Node))
	copy(raw[10:], t.Pair[:])
	binary.BigEndian.PutUint32(raw[26:], t.Seat)
	binary.BigEndian.PutUint32(raw[30:], uint32(t.Issued.Unix()))
	binary.BigEndian.PutUint64(raw[34:], t.Holder)
	copy(raw[claimsSize:], mac(k.keys[0], raw[:claimsSize]))
	return encoding.AppendEncode(dst, raw[:])
}

// Open returns what the token in text says, if any of the keys has signed it.
// Whether its time and its pair are still good is the caller's to judge.
func (k *Keys) Open(text string) (Token, error) {
	var raw [tokenSize]byte
	if len(text) != EncodedSize {
		return Token{}, ErrMalformed
	}
	// Decode passes over line ends.
	if n, err := encoding.Decode(raw[:], []byte(text)); err != nil || n != tokenSize {
		return Token{}, ErrMalformed
	}
	if raw[0] != tokenVersion || raw[1] > 1 {
		return Token{}, ErrMalformed
	}
	for _, key := range k.keys {
		if hmac.Equal(mac(key, raw[:claimsSize]), raw[claimsSize:]) {
			return Token{
				Side:   raw[1],
				Node:   Node(binary.BigEndian.Uint64(raw[2:])),
				Pair:   ID(raw[10:26]),
				Seat:   binary.BigEndian.Uint32(raw[26:]),
				Holder: binary.BigEndian.Uint64(raw[34:]),
				Issued: time.Unix(int64(binary.BigEndian.Uint32(raw[30:])), 0),
			}, nil
		}
	}
	return Token{}, ErrForged
}

// mac is HMAC-SHA-256, cut to 128 bits (RFC 2104, section 5).
func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)[:macSize]
}
