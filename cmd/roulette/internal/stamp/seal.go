package stamp

import (
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"time"

	"roulette/cmd/roulette/internal/safety"
)

// Opening is what is said at the beginning of a chain: who the two are.
type Opening struct {
	Pair               [16]byte // names the chat, in all processes
	Reporter, Reported safety.Person
	Network            netip.Prefix // of the reported; the zero Prefix: it is not known
}

// What is sealed, version 1:
//
//	kind 1, process of the chain 16, its number 8, and then
//	opening: pair 16, reporter 16, reported 16, family of the network 1, bits 1, address 16
//	mark:    n 4, tag 16, moment 8
//
// and around it
//
//	version 1, process of the seal 16, its number 8, sealed, tag 16
const (
	version = 1

	kindOpening = 1
	kindMark    = 2

	kindSize    = 1 + 16 + 8
	openingSize = kindSize + 3*16 + 2 + 16
	markSize    = kindSize + 4 + tagSize + 8
	headSize    = 1 + 16 + 8

	// OpeningSize and MarkSize are their lengths as text.
	OpeningSize = ((headSize+openingSize+tagSize)*8 + 5) / 6
	MarkSize    = ((headSize+markSize+tagSize)*8 + 5) / 6
)

var text = base64.RawURLEncoding.Strict()

// AppendOpening appends the opening of a chain, as text.
func (s *Stamper) AppendOpening(dst []byte, c *Chain, o *Opening, w *Scratch) []byte {
	b := s.begin(kindOpening, c, w)
	b = append(b, o.Pair[:]...)
	b = append(b, o.Reporter[:]...)
	b = append(b, o.Reported[:]...)
	var family, bits byte
	var addr [16]byte
	switch a := o.Network.Addr(); {
	case a.Is4():
		family, bits, addr = 4, byte(o.Network.Bits()), a.As16()
	case a.Is6():
		family, bits, addr = 6, byte(o.Network.Bits()), a.As16()
	}
	b = append(append(b, family, bits), addr[:]...)
	return s.seal(dst, b, w)
}

// AppendMark appends a mark of a chain, as text. now is when it is given.
func (s *Stamper) AppendMark(dst []byte, c *Chain, now time.Time, w *Scratch) []byte {
	b := s.begin(kindMark, c, w)
	b = binary.BigEndian.AppendUint32(b, c.n)
	b = append(b, c.tag[:]...)
	return s.seal(dst, binary.BigEndian.AppendUint64(b, uint64(now.Unix())), w)
}

func (s *Stamper) begin(kind byte, c *Chain, w *Scratch) []byte {
	b := append(w.plain[:0], kind)
	b = append(b, s.runs[c.number>>runShift].name[:]...)
	return binary.BigEndian.AppendUint64(b, c.number&(1<<runShift-1))
}

// seal appends what is sealed in the name of this process.
func (s *Stamper) seal(dst, plain []byte, w *Scratch) []byte {
	own := &s.runs[0]
	b := append(w.seal[:0], version)
	b = append(b, own.name[:]...)
	b = binary.BigEndian.AppendUint64(b, s.seals.Add(1))
	w.nonce = [nonceSize]byte{}
	copy(w.nonce[:], b[17:])
	b = own.seals.Seal(b, w.nonce[:], plain, nil)
	return text.AppendEncode(dst, b)
}

// opened is what was sealed.
type opened struct {
	process Process
	number  uint64
	Opening // of an opening

	// Of a mark.
	n   uint32
	tag [tagSize]byte
	at  time.Time
}

// open reads what this process, or another one with its secret, has sealed.
func (s *Stamper) open(kind byte, sealed string) (o opened, ok bool) {
	size := openingSize
	if kind == kindMark {
		size = markSize
	}
	var raw [headSize + openingSize + tagSize]byte
	b := raw[:headSize+size+tagSize]
	if len(sealed) != text.EncodedLen(len(b)) {
		return o, false
	}
	// Decode passes over line ends.
	if n, err := text.Decode(b, []byte(sealed)); err != nil || n != len(b) || b[0] != version {
		return o, false
	}
	var nonce [nonceSize]byte
	copy(nonce[:], b[17:headSize])
	seals := s.runOf(Process(b[1:17])).seals
	b, err := seals.Open(nil, nonce[:], b[headSize:], nil)
	if err != nil || b[0] != kind {
		return o, false
	}
	o.process, o.number = Process(b[1:17]), binary.BigEndian.Uint64(b[17:])
	b = b[kindSize:]
	if kind == kindMark {
		o.n, o.tag = binary.BigEndian.Uint32(b), [tagSize]byte(b[4:])
		o.at = time.Unix(int64(binary.BigEndian.Uint64(b[4+tagSize:])), 0)
		return o, true
	}
	o.Pair, o.Reporter, o.Reported = [16]byte(b), safety.Person(b[16:]), safety.Person(b[32:])
	switch addr := netip.AddrFrom16([16]byte(b[50:])); b[48] {
	case 4:
		o.Network = netip.PrefixFrom(addr.Unmap(), int(b[49]))
	case 6:
		o.Network = netip.PrefixFrom(addr, int(b[49]))
	}
	return o, true
}

// runOf is a process with this secret.
func (s *Stamper) runOf(name Process) run {
	for _, r := range s.runs {
		if r.name == name {
			return r
		}
	}
	return s.run(name)
}

// Open reads an opening. False: nobody with this secret has sealed it.
func (s *Stamper) Open(opening string) (o Opening, ok bool) {
	all, ok := s.open(kindOpening, opening)
	return all.Opening, ok
}
