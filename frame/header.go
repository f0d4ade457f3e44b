package frame

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

const (
	finBit  = 0x80
	rsvBits = 0x70
	opBits  = 0x0f
	maskBit = 0x80
	lenBits = 0x7f

	len16 = 126 // two bytes of length follow
	len64 = 127 // eight bytes of length follow

	maskSize        = 4
	maxServerHeader = 2 + 8
	maxClientHeader = 2 + 8 + maskSize
)

// header is what a client's frame header says.
type header struct {
	fin    bool
	op     ws.OpCode
	size   uint8 // of the header itself, 6 to 14 bytes
	mask   [maskSize]byte
	length int // of the payload, at most Decoder.Limit
}

// parseHeader reads a client's frame header from the start of b. h.size is 0
// while b holds only a part of it; that part is checked in any case. inMessage
// says that fragments of a message came before, room is how many bytes that
// message may still grow by.
//
// The checks are those of ws.CheckHeader, which wants a whole header and
// allocates for each refusal, and two that it lacks: minimal and possible
// lengths.
func parseHeader(b []byte, inMessage bool, room int) (h header, err *Error) {
	if len(b) == 0 {
		return h, nil
	}
	h.fin, h.op = b[0]&finBit != 0, ws.OpCode(b[0]&opBits)
	switch {
	case b[0]&rsvBits != 0:
		return h, ErrReservedBits
	case h.op.IsReserved():
		return h, ErrOpcode
	case h.op.IsControl():
		if !h.fin {
			return h, ErrControlFragmented
		}
	case h.op == ws.OpContinuation && !inMessage:
		return h, ErrContinuation
	case h.op != ws.OpContinuation && inMessage:
		return h, ErrInterrupted
	}

	if len(b) < 2 {
		return h, nil
	}
	h.length = int(b[1] & lenBits)
	switch {
	case b[1]&maskBit == 0:
		return h, ErrNotMasked
	case h.op.IsControl() && h.length > ws.MaxControlFramePayloadSize:
		return h, ErrControlTooLong
	}

	size := 2 + maskSize
	switch h.length {
	case len16:
		size += 2
		if len(b) < 4 {
			return h, nil
		}
		h.length = int(binary.BigEndian.Uint16(b[2:]))
		if h.length < len16 {
			return h, ErrLength
		}
	case len64:
		size += 8
		if len(b) > 2 && b[2]&0x80 != 0 {
			return h, ErrLength
		}
		if len(b) < 10 {
			return h, nil
		}
		n := binary.BigEndian.Uint64(b[2:])
		switch {
		case n <= 0xffff:
			return h, ErrLength
		case n > uint64(room):
			return h, ErrTooBig
		}
		h.length = int(n)
	}
	if !h.op.IsControl() && h.length > room {
		return h, ErrTooBig
	}

	if len(b) < size {
		return h, nil
	}
	h.mask = [maskSize]byte(b[size-maskSize : size])
	h.size = uint8(size)
	return h, nil
}

// headerSize is the length of a server's header for n bytes of payload.
func headerSize(n int) int {
	switch {
	case n < len16:
		return 2
	case n <= 0xffff:
		return 4
	}
	return maxServerHeader
}

// AppendHeader appends the header of a server's unfragmented frame with n bytes
// of payload (2, 4 or 10 bytes, section 5.2).
func AppendHeader(dst []byte, op ws.OpCode, n int) []byte {
	first := finBit | byte(op)
	switch headerSize(n) {
	case 2:
		return append(dst, first, byte(n))
	case 4:
		return append(dst, first, len16, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, len64), uint64(n))
}

// AppendMessage appends a server's unfragmented frame. The payload of a control
// frame must not exceed 125 bytes.
func AppendMessage(dst []byte, op ws.OpCode, payload []byte) []byte {
	return append(AppendHeader(dst, op, len(payload)), payload...)
}

// Size is the length of the server's frame at the start of b, header included, which is
// whole and of a message that AppendHeader has begun.
func Size(b []byte) int {
	switch n := int(b[1]); n {
	case len16:
		return 4 + int(binary.BigEndian.Uint16(b[2:]))
	case len64:
		return maxServerHeader + int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2 + n
	}
}
