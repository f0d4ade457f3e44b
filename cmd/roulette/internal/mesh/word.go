package mesh

import (
	"encoding/binary"
	"errors"
	"slices"
	"unicode/utf8"
)

// Version of the words. Nodes of another major version are seen, and not talked
// to; a minor one may add fields at the end of a word.
const (
	MajorVersion = 1
	MinorVersion = 0
)

// Node names a run of a server.
type Node uint64

// Chat is the number of a chat across nodes, on one of its nodes.
type Chat uint64

// op is what a word is for.
type op uint8

const (
	opBeat op = iota + 1
	opOffer
	opAccept
	opDecline
	opCommit
	opAbort
	opConfirm
	opData
	opNote
	opEnd
	opChatCredit
	opNodeCredit
	opTally  // says the sequence so far, so that a loss shows soon
	opBroken // a word of yours is missing: all our chats have ended
	opPing   // wants a pong
	opPong
	ops
)

// Note is a message about a chat, beside what is said in it.
type Note uint8

const (
	Typing Note = iota + 1
	NotTyping
	Hidden
	Shown
	notes
)

// Reason is why a chat across nodes has ended.
type Reason uint8

const (
	Next Reason = iota + 1
	Stop
	Disconnected
	Stalled
	Kicked
	Closed
	Lost // the bus, the node, or a word between them
	reasons
)

// header begins every word.
//
//	version 1 | op 1 | world 4 | from 8 | seq 8
//
// seq counts the words from one node to another, from anywhere; it is 0 in a beat.
type header struct {
	version uint8
	op      op
	world   uint32
	from    Node
	seq     uint64
}

const headerSize = 1 + 1 + 4 + 8 + 8

func (h header) append(dst []byte) []byte {
	dst = append(dst, h.version, byte(h.op))
	dst = binary.BigEndian.AppendUint32(dst, h.world)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.from))
	return binary.BigEndian.AppendUint64(dst, h.seq)
}

var errWord = errors.New("malformed word")

func parseHeader(b []byte) (h header, rest []byte, err error) {
	if len(b) < headerSize {
		return h, nil, errWord
	}
	return header{
		version: b[0],
		op:      op(b[1]),
		world:   binary.BigEndian.Uint32(b[2:]),
		from:    Node(binary.BigEndian.Uint64(b[6:])),
		seq:     binary.BigEndian.Uint64(b[14:]),
	}, b[headerSize:], nil
}

// Beat is what a node says of itself, each second.
type Beat struct {
	Minor    uint8
	Draining bool
	Open     bool   // somebody waits who takes anybody
	Online   uint32 // people in its chat
	Release  string // the program's version, for people
	Name     string // the node's, for people
	// Tags are hashes of what those who wait insist on.
	Tags []uint64
}

// The bounds of what a word may carry.
const (
	maxTags   = 32
	maxList   = 10
	maxString = 128 // bytes: 32 characters of four
	maxTable  = 256
	// MaxData bounds the frames of one word: what one read brings, and a message.
	MaxData = 640 << 10
	// MaxMessage is the longest message that fits.
	MaxMessage = 512 << 10
)

func (m *Beat) append(dst []byte) []byte {
	dst = append(dst, m.Minor, bit(m.Draining, 1)|bit(m.Open, 2))
	dst = binary.BigEndian.AppendUint32(dst, m.Online)
	dst = appendString(dst, m.Release)
	dst = appendString(dst, m.Name)
	dst = append(dst, byte(len(m.Tags)))
	for _, tag := range m.Tags {
		dst = binary.BigEndian.AppendUint64(dst, tag)
	}
	return dst
}

func (m *Beat) parse(r *reader) {
	m.Minor = r.byte()
	flags := r.byte()
	m.Draining, m.Open = flags&1 != 0, flags&2 != 0
	m.Online = r.uint32()
	m.Release, m.Name = r.string(maxString), r.string(maxString)
	n := int(r.byte())
	if n > maxTags {
		r.fail()
		return
	}
	m.Tags = make([]uint64, n)
	for i := range m.Tags {
		m.Tags[i] = r.uint64()
	}
}

// Stranger is what a node tells another of somebody who waits.
type Stranger struct {
	Home      Node   // theirs; not a field of the word, which says from whom it is
	Person    uint64 // tells them from all others there
	Interests []string
	Languages []string
	Table     string
	Patient   bool   // insists on some of that still
	Waited    uint32 // milliseconds
}

func (s *Stranger) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, s.Person)
	dst = appendList(dst, s.Interests)
	dst = appendList(dst, s.Languages)
	dst = appendString(dst, s.Table)
	dst = append(dst, bit(s.Patient, 1))
	return binary.BigEndian.AppendUint32(dst, s.Waited)
}

func (s *Stranger) parse(r *reader) {
	s.Person = r.uint64()
	s.Interests, s.Languages = r.list(), r.list()
	s.Table = r.string(maxTable)
	s.Patient = r.byte()&1 != 0
	s.Waited = r.uint32()
}

// body is every field that a word between two nodes can have; which it has,
// append and parse say.
type body struct {
	offer    uint64
	chat     Chat // the receiver's number
	mine     Chat // the sender's
	stranger Stranger
	note     Note
	reason   Reason
	total    uint64 // bytes: taken so far; in opData, sent before; in opPing, any number
	texts    uint32
	binaries uint32
	frames   []byte // the rest of the word
}

func (m *body) append(dst []byte, o op) []byte {
	switch o {
	case opOffer:
		dst = binary.BigEndian.AppendUint64(dst, m.offer)
		return m.stranger.append(dst)
	case opAccept:
		dst = binary.BigEndian.AppendUint64(dst, m.offer)
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.mine))
		return m.stranger.append(dst)
	case opDecline:
		return binary.BigEndian.AppendUint64(dst, m.offer)
	case opCommit:
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.chat))
		return binary.BigEndian.AppendUint64(dst, uint64(m.mine))
	case opAbort, opConfirm:
		return binary.BigEndian.AppendUint64(dst, uint64(m.chat))
	case opNote:
		return append(binary.BigEndian.AppendUint64(dst, uint64(m.chat)), byte(m.note))
	case opEnd:
		return append(binary.BigEndian.AppendUint64(dst, uint64(m.chat)), byte(m.reason))
	case opChatCredit:
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.chat))
		return binary.BigEndian.AppendUint64(dst, m.total)
	case opNodeCredit, opPing, opPong:
		return binary.BigEndian.AppendUint64(dst, m.total)
	case opData:
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.chat))
		dst = binary.BigEndian.AppendUint64(dst, m.total)
		dst = binary.BigEndian.AppendUint32(dst, m.texts)
		dst = binary.BigEndian.AppendUint32(dst, m.binaries)
		return append(dst, m.frames...)
	}
	return dst // opTally, opBroken
}

func (m *body) parse(r *reader, o op) {
	switch o {
	case opOffer:
		m.offer = r.uint64()
		m.stranger.parse(r)
	case opAccept:
		m.offer, m.mine = r.uint64(), Chat(r.uint64())
		m.stranger.parse(r)
	case opDecline:
		m.offer = r.uint64()
	case opCommit:
		m.chat, m.mine = Chat(r.uint64()), Chat(r.uint64())
	case opAbort, opConfirm:
		m.chat = Chat(r.uint64())
	case opNote:
		m.chat, m.note = Chat(r.uint64()), Note(r.byte())
		if m.note == 0 || m.note >= notes {
			r.fail()
		}
	case opEnd:
		m.chat, m.reason = Chat(r.uint64()), Reason(r.byte())
		if m.reason == 0 || m.reason >= reasons {
			r.fail()
		}
	case opChatCredit:
		m.chat, m.total = Chat(r.uint64()), r.uint64()
	case opNodeCredit, opPing, opPong:
		m.total = r.uint64()
	case opData:
		m.chat, m.total = Chat(r.uint64()), r.uint64()
		m.texts, m.binaries = r.uint32(), r.uint32()
		m.frames = r.rest()
		if len(m.frames) > MaxData || !wholeFrames(m.frames, int(m.texts), int(m.binaries)) {
			r.fail()
		}
	case opTally, opBroken:
	default:
		r.fail()
	}
}

// recordSeparator begins a control record, which nobody relays.
const recordSeparator = 0x1e

// wholeFrames reports whether b is just so many text and binary messages, each
// one whole frame as a server sends it (RFC 6455, section 5.2), and none of them a
// control record.
func wholeFrames(b []byte, texts, binaries int) bool {
	for len(b) > 0 {
		if len(b) < 2 || b[1]&0x80 != 0 {
			return false
		}
		size, n := 2, int(b[1])
		switch {
		case n == 126:
			if size = 4; len(b) < size {
				return false
			}
			n = int(binary.BigEndian.Uint16(b[2:]))
		case n == 127:
			if size = 10; len(b) < size || binary.BigEndian.Uint64(b[2:]) > MaxData {
				return false
			}
			n = int(binary.BigEndian.Uint64(b[2:]))
		}
		if len(b) < size+n {
			return false
		}
		switch b[0] {
		case 0x81:
			text := b[size : size+n]
			if texts--; n > 0 && text[0] == recordSeparator || !utf8.Valid(text) {
				return false
			}
		case 0x82:
			binaries--
		default:
			return false
		}
		b = b[size+n:]
	}
	return texts == 0 && binaries == 0
}

func bit(on bool, value byte) byte {
	if on {
		return value
	}
	return 0
}

func appendString(dst []byte, s string) []byte {
	dst = append(dst, byte(len(s)>>8), byte(len(s)))
	return append(dst, s...)
}

func appendList(dst []byte, list []string) []byte {
	dst = append(dst, byte(len(list)))
	for _, s := range list {
		dst = appendString(dst, s)
	}
	return dst
}

// reader takes fields off a word. After a field that is not there all are zero,
// and failed says so.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) fail() { r.failed, r.b = true, nil }

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.fail()
		return make([]byte, n)
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) rest() []byte {
	p := r.b
	r.b = nil
	return p
}

func (r *reader) string(most int) string {
	n := int(r.uint16())
	if n > most || n > len(r.b) {
		r.fail()
		return ""
	}
	p := r.take(n)
	if !utf8.Valid(p) {
		r.fail()
	}
	return string(p)
}

// list reads at most maxList strings, each once.
func (r *reader) list() (list []string) {
	n := int(r.byte())
	if n > maxList {
		r.fail()
		return nil
	}
	for range n {
		s := r.string(maxString)
		if s == "" || slices.Contains(list, s) {
			r.fail()
			return nil
		}
		list = append(list, s)
	}
	return list
}
