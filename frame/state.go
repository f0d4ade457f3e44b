package frame

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// AppendState appends what the Decoder holds of a message that is not whole, for
// another Decoder, in another process perhaps, to go on with; the Limit is not a
// part of it. It must not be called between a message that Next has handed out and
// the last use of it.
//
//	op 1 | tail 1 | fragments 2 | left 4 | mask 4 | maskAt 1 | frameOp 1 | fin 1 | head 1+n | control 1+n | data 4+n
func (d *Decoder) AppendState(dst []byte) []byte {
	d.reclaim()
	fin := byte(0)
	if d.fin {
		fin = 1
	}
	dst = append(dst, byte(d.op), d.tail)
	dst = binary.BigEndian.AppendUint16(dst, d.fragments)
	dst = binary.BigEndian.AppendUint32(dst, uint32(d.left))
	dst = append(dst, d.mask[:]...)
	dst = append(dst, d.maskAt, byte(d.frameOp), fin, d.headLen)
	dst = append(dst, d.head[:d.headLen]...)
	dst = append(dst, d.control)
	if d.buf == nil {
		return binary.BigEndian.AppendUint32(dst, 0)
	}
	dst = append(dst, d.buf[len(d.buf):len(d.buf)+int(d.control)]...)
	data := d.buf[headRoom:]
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(data))), data...)
}

// RestoreState makes the Decoder, which is Empty, one that AppendState has written
// down, and returns what stands behind it in b. It keeps nothing of b. False: b is
// not what AppendState writes, or holds more than Limit; the Decoder is then as it
// was.
func (d *Decoder) RestoreState(b []byte) (rest []byte, ok bool) {
	const fixed = 2 + 2 + 4 + maskSize + 4
	if len(b) < fixed {
		return nil, false
	}
	s := Decoder{
		Limit: d.Limit, op: ws.OpCode(b[0]), tail: b[1], fragments: binary.BigEndian.Uint16(b[2:]),
		mask: [maskSize]byte(b[8:]), maskAt: b[12], frameOp: ws.OpCode(b[13]), fin: b[14] == 1, headLen: b[15],
	}
	left := binary.BigEndian.Uint32(b[4:])
	if b[14] > 1 || left > uint32(s.limit()) || int(s.headLen) > len(s.head) {
		return nil, false
	}
	s.left = int(left)
	b = b[fixed:]
	head, b, ok := split(b, int(s.headLen))
	if !ok || len(b) < 1 {
		return nil, false
	}
	copy(s.head[:], head)
	s.control = b[0]
	control, b, ok := split(b[1:], int(s.control))
	if !ok || len(b) < 4 {
		return nil, false
	}
	size := binary.BigEndian.Uint32(b)
	if size > uint32(s.limit()) {
		return nil, false
	}
	data, b, ok := split(b[4:], int(size))
	if !ok || !s.plausible(data) {
		return nil, false
	}
	if len(data)+len(control) > 0 {
		s.buf = append(getBuffer(len(data)), data...)
		copy(s.buf[len(s.buf):len(s.buf)+len(control)], control)
	}
	*d = s
	return b, true
}

func split(b []byte, n int) (head, rest []byte, ok bool) {
	if len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// plausible tells whether d, which is to hold these data of a message, is what a
// Decoder can become.
func (d *Decoder) plausible(data []byte) bool {
	inMessage := d.op == ws.OpText || d.op == ws.OpBinary
	switch {
	case !inMessage && (d.op != 0 || len(data) > 0 || d.tail != 0):
		return false
	case d.maskAt >= maskSize, d.op != ws.OpText && d.tail != 0:
		return false
	case d.left > 0 && d.frameOp.IsControl():
		if d.headLen > 0 || d.left+int(d.control) > ws.MaxControlFramePayloadSize {
			return false
		}
	case d.left > 0:
		if !inMessage || d.headLen > 0 || d.control > 0 || len(data)+d.left > d.limit() ||
			d.frameOp != d.op && d.frameOp != ws.OpContinuation {
			return false
		}
	case d.control > 0: // it would have been handed out
		return false
	}
	if d.op == ws.OpText {
		if valid, ok := validPrefix(data); !ok || len(data)-valid != int(d.tail) {
			return false
		}
	}
	if d.headLen > 0 {
		room := d.limit() - len(data)
		if h, offence := parseHeader(d.head[:d.headLen], d.op != 0, room); h.size != 0 || offence != nil {
			return false
		}
	}
	return true
}
