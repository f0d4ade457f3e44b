package tls13

import (
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"unsafe"
)

// ways is how many expanded keys share a set: a direction finds a place among so
// many others.
const ways = 4

// Keys holds the expanded keys of the directions that were used lately, as a
// processor's cache holds memory: a direction belongs to one set, and takes the
// place there of the one that has not been used for longest. What is found is
// compared with the whole secret, so nothing has to be told when a connection ends,
// changes its keys, or moves.
//
// A key stays when it is used for the second time between two calls of Cool or so. The
// pings of those who say nothing come one by one, and would fill the place of those
// who talk.
type Keys struct {
	sets  [][ways]*hot // in each: the latest first
	once  []uint32     // of directions whose keys were used lately and did not stay; empty: all stay
	cold  hot          // the one that was used last and did not stay
	nonce [nonceSize]byte
	round uint8 // of Cool

	expanders     [2]*expander // by the length of the secrets; nil until one is needed
	scratch, next [mostSecret]byte

	// Found and Made are how often a key was there, and was not. The owner's.
	Found, Made uint64
}

// hot is an expanded key and what else follows from a secret (7.3).
type hot struct {
	half   uintptr // where the half lies, or lay, that had the secret
	mask   [nonceSize]byte
	secret [mostSecret]byte
	suite  *suite
	round  uint8
	aead   cipher.AEAD
}

// NewKeys makes room for so many expanded keys, rounded up.
func NewKeys(most int) *Keys {
	n := 1
	for n*ways < most {
		n *= 2
	}
	k := &Keys{sets: make([][ways]*hot, n)}
	if n > 1 {
		k.once = make([]uint32, n*ways)
	}
	return k
}

// of returns h's key, good until the next call. It is looked for by where h lies, and
// not by the secret, whose bits shall not show in what takes time.
func (k *Keys) of(s *Session, h *half) *hot {
	at := uintptr(unsafe.Pointer(h))
	spread := uint64(at) * 0x9e3779b97f4a7c15
	set := &k.sets[uint32(spread>>32)&uint32(len(k.sets)-1)]
	for i, e := range set {
		if e == nil {
			break
		}
		if e.half == at && e.is(s, h) {
			if e.round = k.round; i > 0 {
				copy(set[1:i+1], set[:i])
				set[0] = e
			}
			k.Found++
			return e
		}
	}
	k.Made++
	if k.first(spread) {
		k.make(&k.cold, s, h)
		return &k.cold
	}
	e := new(hot)
	k.make(e, s, h)
	copy(set[1:], set[:ways-1])
	set[0] = e
	return e
}

// make expands h's key into e.
func (k *Keys) make(e *hot, s *Session, h *half) {
	e.half, e.suite, e.round = uintptr(unsafe.Pointer(h)), s.suite(), k.round
	x := k.expander(e.suite)
	secret := s.appendSecret(e.secret[:0], h)
	x.expand(e.mask[:], secret, "iv")
	key := x.expand(k.next[:e.suite.key], secret, "key")
	var err error
	if e.aead, err = e.suite.aead(key); err != nil {
		panic("tls13: " + err.Error()) // the length is the suite's
	}
	clear(key)
}

func (k *Keys) expander(s *suite) *expander {
	x := &k.expanders[0]
	if s.secret > sha256.Size {
		x = &k.expanders[1]
	}
	if *x == nil {
		*x = newExpander(s)
	}
	return *x
}

// first tells whether a key was not used lately, and notes that it was.
func (k *Keys) first(spread uint64) bool {
	if len(k.once) == 0 {
		return false
	}
	place := &k.once[uint32(spread>>24)%uint32(len(k.once))]
	mark := uint32(spread) | 1 // 0: nobody
	if *place == mark {
		return false
	}
	*place = mark
	return true
}

// is compares the secrets themselves.
func (e *hot) is(s *Session, h *half) bool {
	if e.suite != s.suite() || subtle.ConstantTimeCompare(e.secret[:len(h.secret)], h.secret[:]) != 1 {
		return false
	}
	t := s.tailOf(h)
	return t == nil || subtle.ConstantTimeCompare(e.secret[len(h.secret):], t[:]) == 1
}

// Cool drops what has not been used since the call before.
func (k *Keys) Cool() {
	for i := range k.sets {
		set := &k.sets[i]
		kept := 0
		for _, e := range set {
			if e != nil && e.round == k.round {
				set[kept] = e
				kept++
			}
		}
		clear(set[kept:])
	}
	k.round++
	if k.round%2 == 0 {
		clear(k.once)
	}
}

// Forget drops all keys.
func (k *Keys) Forget() {
	clear(k.sets)
	clear(k.once)
	k.cold = hot{}
}

// Len is how many expanded keys there are.
func (k *Keys) Len() (n int) {
	for i := range k.sets {
		for _, e := range k.sets[i] {
			if e != nil {
				n++
			}
		}
	}
	return n
}

// number is the nonce of h's next record, and moves the number on (5.3; T2). The
// nonce is in k until the next one.
func (k *Keys) number(h *half, key *hot) []byte {
	k.nonce = key.mask
	last := k.nonce[nonceSize-4:]
	binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)^h.sequence)
	h.sequence++
	return k.nonce[:]
}
