package server

import (
	"encoding/binary"
	"errors"
	"math"

	"roulette/cmd/roulette/internal/limit"
	"roulette/cmd/roulette/internal/resume"
	"roulette/netpoll"
	"roulette/pairing"
)

// carry is one connection and the client on it, as they can be written down for
// another server, in another process perhaps: all but the descriptor. Instead of
// times it has ages, and instead of what only this process can read, what any can.
//
// Nothing but append and parseCarry knows how it is written. A change there is
// another newestState.
type carry struct {
	// conn is the connection; its descriptor, codec, and what was held and attached
	// are not written with it.
	conn netpoll.Detached
	id   uint32 // in its server

	network limit.Network // of the address that it is counted for; 0: of none

	codec    []byte   // the state of its codec; nil: none
	request  *request // the beginning of a request; nil: none
	unparsed *unparsed
	traits   *traits           // of a rich client
	standing *pairing.Standing // nil: it is not in the table

	// Not written with it: what resume keeps of the pair, and which side of it.
	kept *kept
	side int
}

// unparsed is the beginning of a message.
type unparsed struct {
	decoder  []byte // frame.Decoder's state
	age      uint32 // since it began, in milliseconds
	limit    uint32 // of the message's size
	promised bool   // the client was told of that limit, and may not be held to less
}

// traits are what is kept of a rich client besides, with ages in milliseconds.
type traits struct {
	told           uint64 // upTo
	can            uint64
	online         uint32
	typingAge      uint32
	onlineAge      uint32
	spokeAge       uint32
	partedAge      uint32 // of a pairing that could be had again
	again          bool   // there is such a one
	typing         bool
	begun, greeted bool
	sought         bool
	resumable      uint32
	holder         uint64
	muted          uint32 // the pairing whose chat is thrown away until its resend
	pair           []byte // by which resume knows their pair; nil: it does not
	wishes         *pairing.Wishes
}

// The versions of the form of all that follows, and of the rest of a state, which can
// be written and read here. A field that came with a version is written, and read, if
// writer.version and reader.version have reached it; so the release before can still
// take over, without the field. The oldest goes up when nobody comes from there any
// more.
const (
	oldestState = 1
	newestState = stateWithNodes

	stateWithClasses = 2
)

var errCarry = errors.New("server: not what another server carries")

// Sections of a carry that may be absent.
const (
	hasCodec = 1 << iota
	hasRequest
	hasUnparsed
	hasTraits
	hasStanding
	carryPaused
	carryClosing

	carrySections = 1<<7 - 1
)

func (k *carry) sections() (bits byte) {
	for i, is := range [...]bool{k.conn.Codec != nil || k.codec != nil, k.request != nil, k.unparsed != nil, k.traits != nil, k.standing != nil,
		k.conn.Paused, k.conn.Closing} {
		if is {
			bits |= 1 << i
		}
	}
	return bits
}

// append appends k, with its length before it.
func (k *carry) append(dst []byte, version byte) []byte {
	w := writer{version: version}
	d := &k.conn
	w.b = append(w.b, k.sections())
	w.uints(uint64(k.id), uint64(d.State), uint64(d.Key), uint64(d.Rate), uint64(d.Heard), uint64(d.Opened), uint64(d.Unmoved), uint64(k.network))
	w.bytes(d.Unread)
	w.bytes(d.Unsent)
	if k.sections()&hasCodec != 0 {
		w.bytes(k.codec)
	}
	if r := k.request; r != nil {
		client, _ := r.client.MarshalBinary() // never fails
		w.bytes(r.bytes)
		w.bytes(client)
	}
	if u := k.unparsed; u != nil {
		w.bytes(u.decoder)
		w.uints(uint64(u.age), uint64(u.limit))
		w.bool(u.promised)
	}
	if p := k.traits; p != nil {
		w.uints(p.told, p.can)
		w.uints(uint64(p.online), uint64(p.typingAge), uint64(p.onlineAge), uint64(p.spokeAge), uint64(p.partedAge))
		w.bool(p.again)
		w.bool(p.typing)
		w.bool(p.begun)
		w.bool(p.greeted)
		w.bool(p.sought)
		w.uints(uint64(p.resumable), p.holder, uint64(p.muted))
		w.bytes(p.pair)
		w.wishes(p.wishes)
	}
	if k.standing != nil {
		w.standing(k.standing)
	}
	dst = binary.AppendUvarint(dst, uint64(len(w.b)))
	return append(dst, w.b...)
}

// skipCarry is parseCarry for one that is not looked at.
func skipCarry(b []byte) (rest []byte, err error) {
	r := reader{b: b}
	r.take(int(r.uint(math.MaxInt32)))
	return r.b, r.err
}

// parseCarry takes a carry off b. It keeps nothing of b.
func parseCarry(b []byte, version byte) (k *carry, rest []byte, err error) {
	outer := reader{b: b}
	r := reader{b: outer.take(int(outer.uint(math.MaxInt32))), version: version}
	if outer.err != nil {
		return nil, nil, outer.err
	}
	k = new(carry)
	d := &k.conn
	d.FD = -1
	sections := r.byte()
	if sections&^carrySections != 0 {
		r.err = errCarry
	}
	d.Paused, d.Closing = sections&carryPaused != 0, sections&carryClosing != 0
	k.id = r.uint32()
	d.State = uint16(r.uint(math.MaxUint16))
	d.Key, d.Rate, d.Heard, d.Opened, d.Unmoved = r.uint32(), r.uint32(), r.uint32(), r.uint32(), r.uint32()
	k.network = limit.Network(r.uint(math.MaxUint64))
	d.Unread, d.Unsent = r.bytes(netpoll.MaxRecord), r.bytes(math.MaxInt32)
	if sections&hasCodec != 0 {
		if k.codec = r.bytes(math.MaxInt32); k.codec == nil {
			k.codec = []byte{}
		}
	}
	if sections&hasRequest != 0 {
		k.request = &request{bytes: r.bytes(maxRequest + 1)}
		if k.request.client.UnmarshalBinary(r.bytes(64)) != nil {
			r.err = errCarry
		}
	}
	if sections&hasUnparsed != 0 {
		k.unparsed = &unparsed{decoder: r.bytes(math.MaxInt32), age: r.uint32(), limit: uint32(r.uint(math.MaxInt32)), promised: r.bool()}
	}
	if sections&hasTraits != 0 {
		k.traits = &traits{told: r.uint(toldMost), can: r.uint(math.MaxUint16),
			online: r.uint32(), typingAge: r.uint32(), onlineAge: r.uint32(), spokeAge: r.uint32(), partedAge: r.uint32(),
			again: r.bool(), typing: r.bool(), begun: r.bool(), greeted: r.bool(), sought: r.bool(),
			resumable: r.uint32(), holder: r.uint(math.MaxUint64),
			muted: r.uint32(), pair: r.bytes(len(resume.ID{})), wishes: r.wishes()}
		if n := len(k.traits.pair); n != 0 && n != len(resume.ID{}) {
			r.err = errCarry
		}
	}
	if sections&hasStanding != 0 {
		k.standing = r.standing()
	}
	if r.err == nil && len(r.b) > 0 {
		r.err = errCarry
	}
	return k, outer.b, r.err
}

// writer writes the fields of a carry, one after the other: numbers as varints,
// bytes with their length before them.
type writer struct {
	b       []byte
	version byte
}

func (w *writer) uints(values ...uint64) {
	for _, v := range values {
		w.b = binary.AppendUvarint(w.b, v)
	}
}

func (w *writer) bool(v bool) {
	if v {
		w.uints(1)
		return
	}
	w.uints(0)
}

func (w *writer) bytes(b []byte) {
	w.uints(uint64(len(b)))
	w.b = append(w.b, b...)
}

// strings tells no strings from none at all.
func (w *writer) strings(list []string) {
	if list == nil {
		w.uints(0)
		return
	}
	w.uints(uint64(len(list)) + 1)
	for _, s := range list {
		w.bytes([]byte(s))
	}
}

func (w *writer) wishes(v *pairing.Wishes) {
	if w.bool(v != nil); v != nil {
		w.strings(v.Interests)
		w.strings(v.Languages)
		w.bytes([]byte(v.Table))
	}
}

func (w *writer) standing(s *pairing.Standing) {
	w.bool(s.Auto)
	w.bool(s.Waiting)
	w.bool(s.Paired)
	w.uints(uint64(s.Life), uint64(s.Number), uint64(s.Since), uint64(s.Partner), uint64(s.Last), uint64(s.LastLife), uint64(s.Credit))
	w.uints(uint64(s.Insists))
	w.bool(s.Again)
	w.wishes(s.Wishes)
	if w.version >= stateWithClasses {
		w.uints(uint64(s.Class), uint64(s.Stands))
	}
}

// reader reads them. After the first mistake it returns zeros, and err says so.
type reader struct {
	b       []byte
	version byte
	err     error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.err = errCarry
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uint reads a number of at most most, in its shortest form.
func (r *reader) uint(most uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if r.err != nil || n <= 0 || v > most || n > 1 && r.b[n-1] == 0 {
		r.err = errCarry
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uint32() uint32 { return uint32(r.uint(math.MaxUint32)) }

func (r *reader) bool() bool { return r.uint(1) == 1 }

// bytes returns a copy; nil for none.
func (r *reader) bytes(most int) []byte {
	return append([]byte(nil), r.take(int(r.uint(uint64(most))))...)
}

func (r *reader) strings() (list []string) {
	n := r.uint(uint64(len(r.b)) + 1)
	if n > 0 {
		list = []string{}
	}
	for i := uint64(1); i < n && r.err == nil; i++ {
		list = append(list, string(r.bytes(math.MaxInt32)))
	}
	return list
}

func (r *reader) wishes() *pairing.Wishes {
	if !r.bool() {
		return nil
	}
	return &pairing.Wishes{Interests: r.strings(), Languages: r.strings(), Table: string(r.bytes(math.MaxInt32))}
}

func (r *reader) standing() *pairing.Standing {
	s := &pairing.Standing{Auto: r.bool(), Waiting: r.bool(), Paired: r.bool()}
	s.Life, s.Number, s.Since, s.Partner = pairing.Life(r.uint(math.MaxUint8)), r.uint32(), r.uint32(), r.uint32()
	s.Last, s.LastLife, s.Credit = r.uint32(), pairing.Life(r.uint(math.MaxUint8)), uint8(r.uint(math.MaxUint8))
	s.Insists = uint8(r.uint(math.MaxUint8))
	s.Again, s.Wishes = r.bool(), r.wishes()
	if r.version >= stateWithClasses {
		s.Class, s.Stands = pairing.Class(r.uint(pairing.Classes-1)), pairing.Class(r.uint(pairing.Classes-1))
	}
	if s.Waiting && s.Paired {
		r.err = errCarry
	}
	return s
}
