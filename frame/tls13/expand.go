package tls13

import "hash"

// expander is HKDF-Expand-Label with an empty context (7.1), for outputs that are no
// longer than the hash: one HMAC (RFC 5869, 2.3; RFC 2104). crypto/hkdf makes a
// kilobyte of garbage each time, and every ping to somebody who says nothing needs it
// twice. Owned by a Keys.
type expander struct {
	hash  hash.Hash
	block []byte   // scratch: the HMAC's key, padded
	info  [32]byte // scratch
	sum   [mostSecret]byte
}

func newExpander(s *suite) *expander {
	h := s.hash()
	return &expander{hash: h, block: make([]byte, h.BlockSize())}
}

const (
	innerPad = 0x36
	outerPad = 0x5c
)

// expand fills dst from a traffic secret, and returns it.
func (x *expander) expand(dst, secret []byte, label string) []byte {
	if len(dst) > x.hash.Size() || len(secret) > len(x.block) {
		panic("tls13: more than one block of HKDF")
	}
	info := append(x.info[:0], byte(len(dst)>>8), byte(len(dst)), byte(len("tls13 ")+len(label)))
	info = append(info, "tls13 "...)
	info = append(info, label...)
	info = append(info, 0, 1) // no context; the first block

	n := copy(x.block, secret)
	clear(x.block[n:])
	sum := x.digest(innerPad, info)
	sum = x.digest(innerPad^outerPad, sum)
	n = copy(dst, sum)
	clear(sum)
	clear(x.block)
	x.hash.Reset()
	return dst[:n]
}

// digest is the hash of the block, which changes by pad, and b.
func (x *expander) digest(pad byte, b []byte) []byte {
	for i := range x.block {
		x.block[i] ^= pad
	}
	x.hash.Reset()
	x.hash.Write(x.block)
	x.hash.Write(b)
	return x.hash.Sum(x.sum[:0])
}
