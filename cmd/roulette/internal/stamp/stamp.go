package stamp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync/atomic"

	"roulette/cmd/roulette/internal/safety"
	"roulette/frame"
)

// Every is after how many messages the receiver gets a mark.
const Every = 32

// Process names a run of a server, in all of time.
type Process [16]byte

// Stamper begins chains and goes on with them.
type Stamper struct {
	// Immutable after Inherit.
	secret *safety.Secret
	runs   []run // the first is this process's own

	// Atomic.
	chains atomic.Uint64 // begun
	seals  atomic.Uint64
}

// run is a process: its name, and the keys of its chains and its seals.
type run struct {
	name         Process
	links, seals cipher.AEAD
}

// maxRuns bounds the processes of chains that go on, this one included.
const maxRuns = 256

// New is a Stamper for a process that begins.
func New(secret *safety.Secret) *Stamper {
	s := &Stamper{secret: secret}
	var name Process
	_, _ = rand.Read(name[:]) // never fails
	s.runs = []run{s.run(name)}
	return s
}

// run derives the keys of a process.
func (s *Stamper) run(name Process) run {
	return run{name: name, links: s.aead("stamp link ", name), seals: s.aead("stamp seal ", name)}
}

func (s *Stamper) aead(purpose string, name Process) cipher.AEAD {
	key := s.secret.For(purpose + string(name[:]))
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		panic(err) // the length is right
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// Processes are those whose chains may go on, this one first: for Inherit in a process
// that takes over.
func (s *Stamper) Processes() (names []Process) {
	for i := range s.runs {
		names = append(names, s.runs[i].name)
	}
	return names
}

// Inherit makes the chains of others go on here, who stamp no more and had the same
// secret.
func (s *Stamper) Inherit(names []Process) {
	for _, name := range names {
		if len(s.runs) < maxRuns && !slices.ContainsFunc(s.runs, func(r run) bool { return r.name == name }) {
			s.runs = append(s.runs, s.run(name))
		}
	}
}

// Chain is how far one direction of a chat is. The zero Chain stamps nothing.
type Chain struct {
	number uint64 // of the chain in its run, and of the run in the highest byte; 0: none
	pair   uint32
	n      uint32 // messages so far
	tag    [tagSize]byte
}

const (
	tagSize   = 16
	nonceSize = 12
	runShift  = 56
	most      = 1<<32 - 1 // messages of a chain
)

// Begin is a new chain for the receiver's pair-th pairing.
func (s *Stamper) Begin(pair uint32) Chain { return Chain{number: s.chains.Add(1), pair: pair} }

// Of tells whether c is the chain of the receiver's pair-th pairing.
func (c *Chain) Of(pair uint32) bool { return c.number != 0 && c.pair == pair }

// Marked tells whether the receiver has had a mark for all that was relayed.
func (c *Chain) Marked() bool { return c.n%Every == 0 }

// N is how many messages were relayed.
func (c *Chain) N() uint32 { return c.n }

// Scratch is room for the work on chains.
type Scratch struct {
	nonce [nonceSize]byte
	out   [2 * tagSize]byte
	plain [openingSize]byte
	seal  [headSize + openingSize + tagSize]byte
}

// Add notes the first of frames, which is to be relayed, and returns the rest. frames
// are whole frames of a server, one behind the other.
func (s *Stamper) Add(c *Chain, frames []byte, w *Scratch) (rest []byte) {
	n := frame.Size(frames)
	if c.number != 0 && c.n == most {
		*c = Chain{}
	}
	if c.number != 0 {
		s.link(&s.runs[c.number>>runShift], c, frames[:n], w)
	}
	return frames[n:]
}

// link adds one frame to a chain.
func (s *Stamper) link(r *run, c *Chain, frame []byte, w *Scratch) {
	c.n++
	binary.BigEndian.PutUint64(w.nonce[:], c.number&(1<<runShift-1))
	binary.BigEndian.PutUint32(w.nonce[8:], c.n)
	r.links.Seal(w.out[:0], w.nonce[:], c.tag[:], frame)
	copy(c.tag[:], w.out[tagSize:])
}

// ChainSize is the length of a chain that is written down.
const ChainSize = 1 + 7 + 4 + 4 + tagSize

// Append writes a chain down for a process that takes over. It is empty if there is
// none.
func (c *Chain) Append(dst []byte) []byte {
	if c.number == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint64(dst, c.number)
	dst = binary.BigEndian.AppendUint32(dst, c.pair)
	dst = binary.BigEndian.AppendUint32(dst, c.n)
	return append(dst, c.tag[:]...)
}

// Restore reads a chain that a process has written down whose Processes were names, and
// which has been inherited; one of another secret is none. False: it is no chain.
func (s *Stamper) Restore(b []byte, names []Process) (c Chain, ok bool) {
	if len(b) == 0 {
		return c, true
	}
	if len(b) != ChainSize || int(b[0]) >= len(names) {
		return c, false
	}
	c.number, c.pair, c.n = binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	c.tag = [tagSize]byte(b[16:])
	i := slices.IndexFunc(s.runs, func(r run) bool { return r.name == names[b[0]] })
	if i < 0 {
		return Chain{}, true
	}
	c.number = c.number&(1<<runShift-1) | uint64(i)<<runShift
	return c, true
}
