package tls13

import (
	"bytes"
	"crypto/hkdf"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestExpand: the standard library's HKDF comes to the same, for each length that a
// hash has room for.
func TestExpand(t *testing.T) {
	for i := range suites {
		suite := &suites[i]
		x := newExpander(suite)
		for _, label := range []string{"", "iv", "key", "traffic upd", "a label of 20 bytes."} {
			for n := 1; n <= x.hash.Size(); n++ {
				secret := make([]byte, suite.secret)
				for i := range secret {
					secret[i] = byte(rand.Uint32())
				}
				info := binary.BigEndian.AppendUint16(nil, uint16(n))
				info = append(append(append(info, byte(6+len(label))), "tls13 "+label...), 0)
				want, err := hkdf.Expand(suite.hash, secret, string(info), n)
				if err != nil {
					t.Fatal(err)
				}
				if got := x.expand(make([]byte, n), secret, label); !bytes.Equal(got, want) {
					t.Fatalf("%q, %d bytes of %x: %x, not %x", label, n, secret, got, want)
				}
			}
		}
	}
}

// TestExpandAllocates nothing, for a ping does it twice.
func TestExpandAllocates(t *testing.T) {
	for i := range suites {
		x, secret, key := newExpander(&suites[i]), make([]byte, suites[i].secret), make([]byte, 32)
		if n := testing.AllocsPerRun(100, func() { x.expand(key, secret, "key") }); n != 0 {
			t.Errorf("suite %d: %v allocations", i, n)
		}
	}
}
