package mesh

import "encoding/binary"

// body is every field that a word between two nodes can have; which it has,
// append and parse say.
type body struct {
	offer    uint64
	chat     Chat // the receiver's number
	mine     Chat // the sender's
	stranger Stranger
	meeting  Meeting
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
	case opMeet:
		return m.meeting.append(dst)
	case opJoin:
		return m.meeting.append(binary.BigEndian.AppendUint64(dst, uint64(m.mine)))
	case opCommit, opJoined:
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.chat))
		return binary.BigEndian.AppendUint64(dst, uint64(m.mine))
	case opAbort, opConfirm:
		return binary.BigEndian.AppendUint64(dst, uint64(m.chat))
	case opNote:
		dst = append(binary.BigEndian.AppendUint64(dst, uint64(m.chat)), byte(m.note.Kind))
		dst = binary.BigEndian.AppendUint64(dst, m.note.Generation)
		dst = binary.BigEndian.AppendUint64(dst, m.note.N)
		return binary.BigEndian.AppendUint64(dst, m.note.Lost)
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
	case opMeet:
		m.meeting.parse(r)
	case opJoin:
		m.mine = Chat(r.uint64())
		m.meeting.parse(r)
	case opCommit, opJoined:
		m.chat, m.mine = Chat(r.uint64()), Chat(r.uint64())
	case opAbort, opConfirm:
		m.chat = Chat(r.uint64())
	case opNote:
		m.chat, m.note.Kind = Chat(r.uint64()), NoteKind(r.byte())
		m.note.Generation, m.note.N, m.note.Lost = r.uint64(), r.uint64(), r.uint64()
		if m.note.Kind == 0 || m.note.Kind >= notes {
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
