package mesh

import (
	"encoding/binary"
	"errors"
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
	opMeet   // somebody of a pair that was broken is here; to one node, or to all
	opJoin   // makes them a pair of two nodes again
	opJoined // agrees
	ops
)

// NoteKind is what a [Note] is about.
type NoteKind uint8

const (
	Typing NoteKind = iota + 1
	NotTyping
	Hidden
	Shown
	Have    // so many messages have been shown: N
	Sync    // how many have been shown? wants Counted
	Counted // the answer: N
	Back    // both are here; N messages of yours have been shown
	Resend  // begins again with message N; Lost before it are lost
	notes
)

// Note is a message about a chat, beside what is said in it. The words of a return
// (package resume) carry its generation.
type Note struct {
	Kind                NoteKind
	Generation, N, Lost uint64
}

// Reason is why a chat across nodes has ended.
type Reason uint8

const (
	Next Reason = iota + 1
	Stop
	Disconnected
	Stalled
	Kicked
	Closed
	Lost      // the bus, the node, or a word between them
	Broken    // their connection is lost, or on another node now: the pair can go on
	TakenOver // the other one's person has come back on another node
	reasons
)

// header begins every word.
//
//	version 1 | op 1 | world 4 | from 8 | seq 8 | size 4
//
// seq counts the words from one node to another, from anywhere; it is 0 in what goes
// to all. size is how many bytes of the word follow, so that a bus may carry words to
// one node as one piece (a packet): a bus takes less time for bytes than for pieces.
type header struct {
	version uint8
	op      op
	world   uint32
	from    Node
	seq     uint64
}

const (
	atSize     = 1 + 1 + 4 + 8 + 8
	headerSize = atSize + 4
)

func (h header) append(dst []byte) []byte {
	dst = append(dst, h.version, byte(h.op))
	dst = binary.BigEndian.AppendUint32(dst, h.world)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.from))
	dst = binary.BigEndian.AppendUint64(dst, h.seq)
	return append(dst, 0, 0, 0, 0) // see seal
}

// seal notes the size of a word that is whole now.
func seal(word []byte) []byte {
	binary.BigEndian.PutUint32(word[atSize:], uint32(len(word)-headerSize))
	return word
}

var errWord = errors.New("malformed word")

// parseHeader takes the first word off a packet.
func parseHeader(b []byte) (h header, word, rest []byte, err error) {
	if len(b) < headerSize {
		return h, nil, nil, errWord
	}
	end := headerSize + uint64(binary.BigEndian.Uint32(b[atSize:]))
	if end > uint64(len(b)) {
		return h, nil, nil, errWord
	}
	return header{
		version: b[0],
		op:      op(b[1]),
		world:   binary.BigEndian.Uint32(b[2:]),
		from:    Node(binary.BigEndian.Uint64(b[6:])),
		seq:     binary.BigEndian.Uint64(b[14:]),
	}, b[headerSize:end], b[end:], nil
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
