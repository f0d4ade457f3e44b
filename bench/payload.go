//go:build linux

package bench

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

const (
	headSize   = 32      // bytes of a message before its body
	maxSize    = 1 << 20 // bytes of a message
	maxClients = 1<<24 - 2
	batchBytes = 128 << 10 // about as much as one write offers a socket
)

// kind tells what a message is for.
type kind uint64

const (
	hello kind = 1 // sequence carries the id heard from, plus one
	chat  kind = 2
)

// head is the decoded head of a message.
type head struct {
	kind kind
	run  uint64 // 18 bits that tell one run from another
	id   uint32 // the sender
	seq  uint64 // 48 bits
	time int64  // ns since the run began, 48 bits
}

// spread writes the low 48 bits of v as eight characters of '0' to 'o', first
// character lowest.
func spread(v uint64) uint64 {
	v = v&0xffffff | v>>24&0xffffff<<32
	v = v&0x00000fff_00000fff | v&0x00fff000_00fff000<<4
	v = v&0x003f003f_003f003f | v&0x0fc00fc0_0fc00fc0<<2
	return v + 0x30303030_30303030
}

// gather is the inverse of spread, for words that spread made.
func gather(w uint64) uint64 {
	v := w - 0x30303030_30303030
	v = v&0x003f003f_003f003f | v>>2&0x0fc00fc0_0fc00fc0
	v = v&0x00000fff_00000fff | v>>4&0x00fff000_00fff000
	return v&0xffffff | v>>8&0xffffff_000000
}

// checksum covers the three words before it. Each factor is odd, so a change in
// one word alone always changes the sum before the last fold.
func checksum(w0, w1, w2 uint64) uint64 {
	h := w0*0x9e3779b97f4a7c15 + bits.RotateLeft64(w1*0xc2b2ae3d27d4eb4f, 31) + bits.RotateLeft64(w2*0x165667b19e3779f9, 17)
	h ^= h >> 29
	return spread(h * 0xbf58476d1ce4e5b9 >> 16)
}

func firstWord(k kind, run uint64, id uint32) uint64 {
	return spread(uint64(k) | uint64(id)<<6 | run<<30)
}

// parseHead reads the head at the start of b, at least headSize bytes. It reports
// false when the head is not one that a generator made.
func parseHead(b []byte) (h head, ok bool) {
	_ = b[headSize-1]
	w0 := binary.LittleEndian.Uint64(b)
	w1 := binary.LittleEndian.Uint64(b[8:])
	w2 := binary.LittleEndian.Uint64(b[16:])
	if checksum(w0, w1, w2) != binary.LittleEndian.Uint64(b[24:]) {
		return head{}, false
	}
	v := gather(w0)
	return head{
		kind: kind(v & 63),
		id:   uint32(v >> 6 & (1<<24 - 1)),
		run:  v >> 30,
		seq:  gather(w1),
		time: int64(gather(w2)),
	}, true
}

// A stencil holds the frames of one loop, built and masked once. The bodies of
// consecutive messages of one sender take turns among slots pieces of a pattern,
// and the frames stand in that order in batch, so that any run of messages is one
// stretch of it with only the heads to be written.
type stencil struct {
	size    int // payload bytes
	header  int // bytes before the payload, mask included
	frame   int // bytes in all
	slots   int // a power of two
	stride  int // of the bodies in pattern
	most    int // frames that one write may carry
	key     uint64
	mask    [4]byte
	batch   []byte
	pattern []byte
	reply   []byte // the header of such a message as a server sends it
}

func newStencil(size int, text Text, seed uint64) *stencil {
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := &stencil{size: size}
	op := byte(0x81)
	if text == Binary {
		op = 0x82
	}
	switch {
	case size < 126:
		s.reply = []byte{op, byte(size)}
	case size < 1<<16:
		s.reply = []byte{op, 126, byte(size >> 8), byte(size)}
	default:
		s.reply = binary.BigEndian.AppendUint64([]byte{op, 127}, uint64(size))
	}
	binary.LittleEndian.PutUint32(s.mask[:], rnd.Uint32()|0x01010101)
	key := uint64(binary.LittleEndian.Uint32(s.mask[:]))
	s.key = key | key<<32
	s.header = len(s.reply) + 4
	s.frame = s.header + size
	s.most = max(1, batchBytes/s.frame)
	s.slots = 64
	for s.slots > 8 && s.slots*s.frame > batchBytes {
		s.slots /= 2
	}

	s.pattern, s.stride = text.pattern(size-headSize, s.slots)
	s.batch = make([]byte, 0, (s.slots+s.most)*s.frame)
	for i := range s.slots + s.most {
		s.batch = append(s.batch, s.reply...)
		s.batch[len(s.batch)-len(s.reply)+1] |= 0x80
		s.batch = append(s.batch, s.mask[:]...)
		s.batch = append(s.batch, make([]byte, headSize)...)
		for j, b := range s.body(i % s.slots) {
			s.batch = append(s.batch, b^s.mask[j&3])
		}
	}
	return s
}

// slot is the place in the pattern of a message's body.
func (s *stencil) slot(id uint32, seq uint64) int {
	return int(seq+uint64(id)) & (s.slots - 1)
}

func (s *stencil) body(slot int) []byte {
	return s.pattern[slot*s.stride:][:s.size-headSize]
}

// frames writes the heads of n messages, at most most, of a sender whose first
// word is w0, from sequence number seq, and returns their bytes, which are good
// until the next call.
func (s *stencil) frames(w0 uint64, id uint32, seq uint64, time int64, n int) []byte {
	start := s.slot(id, seq) * s.frame
	w2 := spread(uint64(time))
	at := start + s.header
	for i := range n {
		b := s.batch[at : at+headSize : at+headSize]
		w1 := spread(seq + uint64(i))
		binary.LittleEndian.PutUint64(b, w0^s.key)
		binary.LittleEndian.PutUint64(b[8:], w1^s.key)
		binary.LittleEndian.PutUint64(b[16:], w2^s.key)
		binary.LittleEndian.PutUint64(b[24:], checksum(w0, w1, w2)^s.key)
		at += s.frame
	}
	return s.batch[start : start+n*s.frame]
}

// appendControl appends one masked frame, also of text, of at most 125 bytes of payload.
func (s *stencil) appendControl(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, 0x80|op, 0x80|byte(len(payload)))
	dst = append(dst, s.mask[:]...)
	for i, b := range payload {
		dst = append(dst, b^s.mask[i&3])
	}
	return dst
}

// appendHello appends a text message of nothing but a head.
func (s *stencil) appendHello(dst []byte, run uint64, id uint32, heard uint64, time int64) []byte {
	var b [headSize]byte
	w0, w1, w2 := firstWord(hello, run, id), spread(heard), spread(uint64(time))
	binary.LittleEndian.PutUint64(b[:], w0)
	binary.LittleEndian.PutUint64(b[8:], w1)
	binary.LittleEndian.PutUint64(b[16:], w2)
	binary.LittleEndian.PutUint64(b[24:], checksum(w0, w1, w2))
	return s.appendControl(dst, 1, b[:])
}
