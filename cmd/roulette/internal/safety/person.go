package safety

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Person tells a person from others, without saying who they are: the number of their
// browser's cookie, or a keyed hash of their network. The zero Person is nobody in
// particular. It can be compared, and is the same on all nodes that share a [Secret].
type Person [16]byte

// ofNetwork is the bit of a Person's first byte that tells a hash of a network, which
// many people may share, from a cookie.
const ofNetwork = 0x80

// Known tells whether p is somebody.
func (p Person) Known() bool { return p != Person{} }

// Shared tells whether p may be many people: all those of one network that keep no
// cookie.
func (p Person) Shared() bool { return p[0]&ofNetwork != 0 }

// String is p in hexadecimal digits: it is in lists for moderators, not in logs.
func (p Person) String() string { return hex.EncodeToString(p[:]) }

// MarshalText implements [encoding.TextMarshaler], so that JSON has the digits.
func (p Person) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Person) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(p) {
		return fmt.Errorf("%.40q is not a person, %d hexadecimal digits", text, 2*len(p))
	}
	*p = Person(b)
	return nil
}

// CookieLasts is for how long a browser keeps its cookie after it has got one.
const CookieLasts = 30 * 24 * time.Hour

// The layout of a cookie's value before base64: the Person 16, the day it was made 4,
// MAC 16.
const (
	claimsSize = 16 + 4
	cookieSize = claimsSize + 16

	// CookieSize is its length as text.
	CookieSize = cookieSize * 8 / 6
)

var cookieText = base64.RawURLEncoding.Strict()

// errCookie: it is not one that this Secret has made lately.
var errCookie = errors.New("no cookie of this place")

// NewPerson is somebody who has not been here before.
func NewPerson() (p Person) {
	_, _ = rand.Read(p[:]) // never fails
	p[0] &^= ofNetwork
	return p
}

// AppendCookie appends the value of a cookie for p, who is no network.
func (s *Secret) AppendCookie(dst []byte, p Person, now time.Time) []byte {
	var raw [cookieSize]byte
	copy(raw[:], p[:])
	binary.BigEndian.PutUint32(raw[16:], day(now))
	tag := s.tag("cookie", raw[:claimsSize])
	copy(raw[claimsSize:], tag[:])
	return cookieText.AppendEncode(dst, raw[:])
}

// Cookie is who has a cookie with this value, and whether it is time for a new one. An
// error: it was not made here, or too long ago.
func (s *Secret) Cookie(value []byte, now time.Time) (p Person, renew bool, err error) {
	var raw [cookieSize]byte
	if len(value) != CookieSize {
		return Person{}, false, errCookie
	}
	if n, err := cookieText.Decode(raw[:], value); err != nil || n != cookieSize {
		return Person{}, false, errCookie
	}
	tag := s.tag("cookie", raw[:claimsSize])
	if !hmac.Equal(tag[:], raw[claimsSize:]) {
		return Person{}, false, errCookie
	}
	p = Person(raw[:16])
	age := int64(day(now)) - int64(binary.BigEndian.Uint32(raw[16:]))
	if p.Shared() || !p.Known() || age > int64(CookieLasts/(24*time.Hour)) {
		return Person{}, false, errCookie
	}
	return p, age != 0, nil
}

func day(now time.Time) uint32 { return uint32(now.Unix() / (24 * 60 * 60)) }

// OfNetwork is whoever comes from a network without a cookie. An invalid one is nobody.
func (s *Secret) OfNetwork(network netip.Prefix) Person {
	if !network.IsValid() {
		return Person{}
	}
	text, _ := network.Masked().MarshalBinary() // never fails
	p := Person(s.tag("network", text))
	p[0] |= ofNetwork
	return p
}

// tag is HMAC-SHA-256, cut to 128 bits (RFC 2104, section 5).
func (s *Secret) tag(purpose string, message []byte) [16]byte {
	h := hmac.New(sha256.New, s[:])
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(message)
	var sum [sha256.Size]byte
	return [16]byte(h.Sum(sum[:0])[:16])
}
