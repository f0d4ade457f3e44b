package frame

import (
	"math"

	"github.com/gobwas/ws"
)

// DefaultLimit is the largest message, in bytes of payload, that a [Decoder]
// without a limit of its own takes.
const DefaultLimit = 64 << 10

// Decoder takes one client's byte stream apart into whole messages, and holds
// what has arrived of one that is not whole yet. The zero value stands at a
// message boundary. After an error only Release may be called.
type Decoder struct {
	// Limit is the largest message, in bytes of payload; 0 means
	// DefaultLimit.
	Limit int

	// The message being gathered.
	buf  []byte    // headRoom and the data so far, see gather.go; nil for nothing
	op   ws.OpCode // OpText or OpBinary; 0 between messages
	tail uint8     // bytes at the end of a text that only begin a rune

	fragments uint16 // frames after a message's first that Fragments has not told yet

	// The frame being gathered, valid while left > 0.
	left    int // bytes of its payload that are still to come
	mask    [maskSize]byte
	maskAt  uint8 // index in mask of the next byte
	frameOp ws.OpCode
	fin     bool
	control uint8 // bytes of a control frame's payload held behind buf

	// The header being gathered.
	headLen uint8
	head    [maxClientHeader]byte
}

// Message is what [Decoder.Next] found. Its slices lie in b, and so live as long
// as b and are overwritten by [Join], unless Gathered is set.
type Message struct {
	// Op is OpText, OpBinary, OpPing, OpPong or OpClose; OpContinuation (0)
	// says that b is used up and nothing more is whole.
	Op ws.OpCode

	// Gathered says that Frame and Payload lie in a buffer of the Decoder:
	// they are valid until the next call of Next or Release (Run leaves
	// them alone), and Frame does
	// not Join with frames in b.
	Gathered bool

	// Frame is, for OpText and OpBinary, the whole unmasked frame as a server
	// sends it, FIN and a header of minimal length included. Its capacity
	// reaches over the messages behind it, which is for Join alone.
	Frame []byte

	// Payload is the unmasked payload, for OpText and OpBinary the tail of
	// Frame.
	Payload []byte
}

// Next takes the next whole message off b and returns the rest of b, which is
// what the following call wants. It unmasks in place: b is the Decoder's to
// write to. offence, nil if there is none, is found at the earliest byte that is
// proof of it; the messages before that byte have been returned by earlier calls.
//
// Call it until it reports Op 0, also with an empty rest: this last call gives
// back the buffer that a gathered message lies in.
func (d *Decoder) Next(b []byte) (m Message, rest []byte, offence *Error) {
	d.reclaim()
	for {
		if d.left == 0 {
			if len(b) == 0 {
				return Message{}, nil, nil
			}
			h, n, offence := d.header(b)
			if offence != nil {
				return Message{}, nil, offence
			}
			if h.size == 0 {
				return Message{}, nil, nil // b has become a part of d.head
			}
			// All but the first fragments of a message, and the data of
			// a header that came in pieces, have to move anyway.
			whole := h.op.IsControl() || h.fin && h.op != ws.OpContinuation
			if whole && n == int(h.size) && len(b)-n >= h.length {
				return inPlace(b, h)
			}
			b = b[n:]
			d.begin(h)
		}

		p := b[:min(d.left, len(b))]
		b = b[len(p):]
		if d.frameOp.IsControl() {
			d.gatherControl(p)
		} else if offence := d.gather(p); offence != nil {
			return Message{}, nil, offence
		}
		switch {
		case d.left > 0:
			return Message{}, nil, nil
		case d.frameOp.IsControl():
			return d.takeControl(), b, nil
		case d.fin:
			m, offence := d.takeMessage()
			if offence != nil {
				return Message{}, nil, offence
			}
			return m, b, nil
		}
	}
}

// header reads the frame header that b begins with or, after an earlier part of
// it, continues with. n is how many bytes of b belong to it. h.size is 0 if it
// is not whole; its bytes are then in d.head.
func (d *Decoder) header(b []byte) (h header, n int, offence *Error) {
	room := d.limit()
	if d.buf != nil { // there were fragments
		room -= len(d.buf) - headRoom
	}
	if d.headLen == 0 {
		h, offence = parseHeader(b, d.op != 0, room)
		if h.size == 0 && offence == nil {
			d.headLen = uint8(copy(d.head[:], b))
		}
		return h, int(h.size), offence
	}
	held := d.headLen
	d.headLen += uint8(copy(d.head[held:], b))
	h, offence = parseHeader(d.head[:d.headLen], d.op != 0, room)
	if h.size != 0 {
		d.headLen = 0
	}
	return h, int(h.size) - int(held), offence
}

// begin starts to gather the payload of the frame with the header h.
func (d *Decoder) begin(h header) {
	d.left, d.mask, d.maskAt = h.length, h.mask, 0
	d.frameOp, d.fin = h.op, h.fin
	switch h.op {
	case ws.OpText, ws.OpBinary:
		d.op, d.fragments = h.op, 0
	case ws.OpContinuation:
		if d.fragments < math.MaxUint16 {
			d.fragments++
		}
	}
}

// Fragments tells how many times n frames have come that continue a message, which
// may be empty, and so come for ever within any limit of size; what is left over
// counts the next time.
func (d *Decoder) Fragments(n int) (times int) {
	if int(d.fragments) < n {
		return 0
	}
	times = int(d.fragments) / n
	d.fragments %= uint16(n)
	return times
}

// inPlace takes the frame with the header h, which is a message of its own and
// whole, off b.
func inPlace(b []byte, h header) (m Message, rest []byte, offence *Error) {
	end := int(h.size) + h.length
	m = Message{Op: h.op, Payload: b[h.size:end]}
	ws.Cipher(m.Payload, h.mask, 0)
	if h.op.IsControl() {
		return m, b[end:], nil
	}
	if h.op == ws.OpText && !validUTF8(m.Payload) {
		return Message{}, nil, ErrUTF8
	}
	// The client's header, less the mask, is the server's: move it up to the
	// payload, over the mask.
	m.Frame = b[maskSize:end]
	copy(m.Frame, b[:int(h.size)-maskSize])
	m.Frame[1] &^= maskBit
	return m, b[end:], nil
}

// Empty reports whether the Decoder stands at a message boundary and holds
// nothing, so that it is as good as a new one, also for another connection.
func (d *Decoder) Empty() bool {
	return d.buf == nil && d.op == 0 && d.left == 0 && d.headLen == 0
}

// Held returns how many bytes of memory the Decoder holds besides itself: at
// most about twice what was received of the message, and never more than the
// limit, rounded up to a power of two, and 136 bytes.
func (d *Decoder) Held() int {
	return cap(d.buf)
}

// Release gives the memory back that the Decoder holds and makes it a new one,
// with the same Limit.
func (d *Decoder) Release() {
	if d.buf != nil {
		putBuffer(d.buf)
	}
	*d = Decoder{Limit: d.Limit}
}

// reclaim gives the buffer back when what it held was handed out by the last
// call of Next.
func (d *Decoder) reclaim() {
	if d.buf != nil && d.op == 0 && d.control == 0 {
		putBuffer(d.buf)
		d.buf = nil
	}
}

func (d *Decoder) limit() int {
	if d.Limit <= 0 {
		return DefaultLimit
	}
	return d.Limit
}
