package frame

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// Run is what [Decoder.Run] found: messages that stand one behind the other,
// joined to be sent with one write.
type Run struct {
	// Frames are the messages' frames as a server sends them, without a gap.
	// The slice lies in the bytes that were read.
	Frames []byte
	// Texts and Binaries count the messages, Payload their bytes.
	Texts, Binaries, Payload int
}

// recordSeparator begins a control message (package record), which is not
// relayed and so ends a run.
const recordSeparator = 0x1e

// Run takes the messages off the start of b that ask for nothing but to be
// relayed: whole, unfragmented, text or binary, up to most of them. It unmasks
// and joins them in one pass over b, which is the fast path when several
// messages came with one read. It stops without a complaint in front of anything
// else (what is not whole, a control frame, a fragment, an offence, a control
// message), which is for Next; only a text that is not UTF-8 is an offence here, and
// the messages before it stand in the Run.
//
// The Decoder must be at a message boundary; it may hold a message that Next has
// handed out, which stays valid.
func (d *Decoder) Run(b []byte, most int) (r Run, rest []byte, offence *Error) {
	if d.op != 0 || d.left != 0 || d.headLen != 0 {
		return r, b, nil
	}
	limit := d.limit()
	at := 0           // the next client's frame
	begin := maskSize // where Frames begin: the first of them stays where it is
	end := begin
	for ; r.Texts+r.Binaries < most; at = len(b) - len(rest) {
		rest = b[at:]
		if len(rest) < 2+maskSize {
			break
		}
		op, n, size := rest[0], int(rest[1])-maskBit, 2+maskSize
		if op != finBit|byte(ws.OpText) && op != finBit|byte(ws.OpBinary) || n < 0 {
			break
		}
		if n >= len16 {
			if size += 2; n != len16 || len(rest) < size {
				break
			}
			if n = int(binary.BigEndian.Uint16(rest[2:])); n < len16 {
				break
			}
		}
		if n > limit || len(rest) < size+n {
			break
		}
		key := binary.LittleEndian.Uint32(rest[size-maskSize:])
		text := op == finBit|byte(ws.OpText)
		if text && n > 0 && rest[size]^byte(key) == recordSeparator {
			break
		}
		// The client's header less the mask is the server's.
		header := binary.BigEndian.Uint32(rest)
		src := rest[size : size+n]
		var dst []byte
		if size == 2+maskSize {
			dst = b[end+2 : end+2+n]
		} else {
			dst = b[end+4 : end+4+n]
		}
		ascii := unmaskTo(dst, src, key)
		if text && !ascii && !validUTF8(dst) {
			r.Frames = b[begin:end]
			return r, rest, ErrUTF8
		}
		b[end], b[end+1] = byte(header>>24), byte(header>>16)&^maskBit
		if size != 2+maskSize {
			b[end+2], b[end+3] = byte(header>>8), byte(header)
		}
		end += size - maskSize + n
		rest = rest[size+n:]
		if text {
			r.Texts++
		} else {
			r.Binaries++
		}
		r.Payload += n
	}
	if end > begin {
		r.Frames = b[begin:end]
	}
	return r, b[at:], nil
}

// cipherFrom is the length from which ws.Cipher and a copy are faster than the
// loop here.
const cipherFrom = 256

// unmaskTo unmasks src into dst, which is as long and begins at src or before
// it. It reports whether all of it is ASCII; from cipherFrom bytes on it does
// not look.
func unmaskTo(dst, src []byte, key uint32) (ascii bool) {
	if len(src) >= cipherFrom {
		var mask [maskSize]byte
		binary.LittleEndian.PutUint32(mask[:], key)
		ws.Cipher(src, mask, 0)
		copy(dst, src)
		return false
	}
	key64 := uint64(key)<<32 | uint64(key)
	seen := uint64(0)
	for len(src) >= 8 && len(dst) >= 8 {
		v := binary.LittleEndian.Uint64(src) ^ key64
		binary.LittleEndian.PutUint64(dst, v)
		seen |= v
		src, dst = src[8:], dst[8:]
	}
	if len(src) >= 4 && len(dst) >= 4 {
		v := binary.LittleEndian.Uint32(src) ^ key
		binary.LittleEndian.PutUint32(dst, v)
		seen |= uint64(v)
		src, dst = src[4:], dst[4:]
	}
	for i := range min(len(src), len(dst)) {
		v := src[i] ^ byte(key)
		key >>= 8
		dst[i] = v
		seen |= uint64(v)
	}
	return seen&0x8080808080808080 == 0
}
