package tls13

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"hash"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

var allSuites = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}

// forSuites runs f for each cipher suite.
func forSuites(t *testing.T, f func(t *testing.T, suite uint16)) {
	for _, suite := range allSuites {
		t.Run(tls.CipherSuiteName(suite), func(t *testing.T) { f(t, suite) })
	}
}

// secretOf is a traffic secret for a test.
func secretOf(suite uint16, seed byte) []byte {
	n := 32
	if suite == tls.TLS_AES_256_GCM_SHA384 {
		n = 48
	}
	return bytes.Repeat([]byte{seed}, n)
}

// newSession is one for tests: what it receives is sealed under secretOf(suite, 1),
// what it sends under secretOf(suite, 2).
func newSession(t testing.TB, suite uint16, client bool) *Session {
	t.Helper()
	s, err := New(Secrets{Suite: suite, Client: client, Receive: secretOf(suite, 1), Send: secretOf(suite, 2)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reference is one direction of the record layer written a second time, from
// RFC 8446 5.2, 5.3, 7.1, 7.2 and 7.3, without a thought of speed.
type reference struct {
	suite  uint16
	secret []byte
	number uint64
}

func (r *reference) expand(label string, n int) []byte {
	var h func() hash.Hash = sha256.New
	if r.suite == tls.TLS_AES_256_GCM_SHA384 {
		h = sha512.New384
	}
	var info bytes.Buffer
	_ = binary.Write(&info, binary.BigEndian, uint16(n))
	info.WriteByte(byte(6 + len(label)))
	info.WriteString("tls13 " + label)
	info.WriteByte(0)
	out, err := hkdf.Expand(h, r.secret, info.String(), n)
	if err != nil {
		panic(err)
	}
	return out
}

func (r *reference) aead() cipher.AEAD {
	var a cipher.AEAD
	var err error
	switch r.suite {
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		a, err = chacha20poly1305.New(r.expand("key", 32))
	case tls.TLS_AES_256_GCM_SHA384:
		var b cipher.Block
		if b, err = aes.NewCipher(r.expand("key", 32)); err == nil {
			a, err = cipher.NewGCM(b)
		}
	default:
		var b cipher.Block
		if b, err = aes.NewCipher(r.expand("key", 16)); err == nil {
			a, err = cipher.NewGCM(b)
		}
	}
	if err != nil {
		panic(err)
	}
	return a
}

func (r *reference) nonce() []byte {
	n := r.expand("iv", 12)
	for i := range 8 {
		n[4+i] ^= byte(r.number >> (56 - 8*i))
	}
	r.number++
	return n
}

// record seals content of that type, with so many bytes of padding.
func (r *reference) record(kind byte, content []byte, padding int) []byte {
	inner := append(append([]byte(nil), content...), kind)
	inner = append(inner, make([]byte, padding)...)
	header := []byte{23, 3, 3, byte((len(inner) + 16) >> 8), byte(len(inner) + 16)}
	return append(header, r.aead().Seal(nil, r.nonce(), inner, header)...)
}

// keyUpdate is the record of one, after which the secret is the next.
func (r *reference) keyUpdate(request byte) []byte {
	rec := r.record(22, []byte{24, 0, 0, 1, request}, 0)
	r.next()
	return rec
}

func (r *reference) next() {
	r.secret, r.number = r.expand("traffic upd", len(r.secret)), 0
}

// open is the content of a whole record.
func (r *reference) open(t testing.TB, rec []byte) (content []byte, kind byte) {
	t.Helper()
	if len(rec) < 5 || int(binary.BigEndian.Uint16(rec[3:])) != len(rec)-5 {
		t.Fatalf("no whole record: % x", rec)
	}
	inner, err := r.aead().Open(nil, r.nonce(), rec[5:], rec[:5])
	if err != nil {
		t.Fatalf("record %d does not open: %v", r.number-1, err)
	}
	inner = bytes.TrimRight(inner, "\x00")
	return inner[:len(inner)-1], inner[len(inner)-1]
}

// sender and receiver are the other side of newSession's.
func sender(suite uint16) *reference {
	return &reference{suite: suite, secret: secretOf(suite, 1)}
}

func receiver(suite uint16) *reference {
	return &reference{suite: suite, secret: secretOf(suite, 2)}
}

// opened is what a session found in a stream of records.
type opened struct {
	data []byte
	used int // bytes of whole records
	owes bool
	err  error
}

// openAll opens the records that b begins with.
func openAll(s *Session, k *Keys, b []byte) (o opened) {
	for {
		data, size, owes, err := s.Open(k, b[o.used:])
		o.data = append(o.data, data...)
		o.used += size
		o.owes = o.owes || owes
		if o.err = err; err != nil || size == 0 || len(b) < o.used {
			if err == nil && size > 0 {
				o.used -= size
			}
			return o
		}
	}
}
