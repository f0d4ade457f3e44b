package tls13

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
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
// A key stays when it is used for the second time. The pings of those who say nothing
// come one by one, and would fill the place of those who talk.
type Keys struct {
	sets  [][ways]*hot // in each: the latest first
	once  []uint32     // of masks whose keys were used lately and did not stay; empty: all stay
	nonce [nonceSize]byte
	round uint8 // of Cool

	// Found and Made are how often a key was there, and was not. The owner's.
	Found, Made uint64
}

// hot is an expanded key.
type hot struct {
	mask   [nonceSize]byte
	secret [mostSecret]byte // from which the key follows
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

// of returns h's AEAD. The set is chosen by the nonce's mask, and not by the
// secret, whose bits shall not show in what takes time.
func (k *Keys) of(s *Session, h *half) cipher.AEAD {
	set := &k.sets[binary.LittleEndian.Uint32(h.mask[:])&uint32(len(k.sets)-1)]
	for i, e := range set {
		if e == nil {
			break
		}
		if e.mask == h.mask && e.is(s, h) {
			e.round = k.round
			copy(set[1:i+1], set[:i])
			set[0] = e
			k.Found++
			return e.aead
		}
	}
	k.Made++
	e := &hot{mask: h.mask, suite: s.suite(), round: k.round}
	secret := s.appendSecret(e.secret[:0], h)
	key := e.suite.expand(secret, "key", e.suite.key) // (7.3)
	var err error
	if e.aead, err = e.suite.aead(key); err != nil {
		panic("tls13: " + err.Error()) // the length is the suite's
	}
	clear(key)
	if k.first(h) {
		return e.aead
	}
	copy(set[1:], set[:ways-1])
	set[0] = e
	return e.aead
}

// first tells whether h's key was not used lately, and notes that it was.
func (k *Keys) first(h *half) bool {
	if len(k.once) == 0 {
		return false
	}
	place := &k.once[binary.LittleEndian.Uint32(h.mask[4:])%uint32(len(k.once))]
	mark := binary.LittleEndian.Uint32(h.mask[8:])
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
func (k *Keys) number(h *half) []byte {
	k.nonce = h.mask
	last := k.nonce[nonceSize-4:]
	binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)^h.sequence)
	h.sequence++
	return k.nonce[:]
}
