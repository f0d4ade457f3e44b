package frame

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// clientFrame is one frame as a client sends it. The zero mask is a mask.
type clientFrame struct {
	fin     bool
	op      ws.OpCode
	mask    [4]byte
	payload []byte
}

func (f clientFrame) append(b []byte) []byte {
	n := len(f.payload)
	first := byte(f.op)
	if f.fin {
		first |= 0x80
	}
	switch {
	case n < 126:
		b = append(b, first, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, first, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, first, 0x80|127), uint64(n))
	}
	b = append(b, f.mask[:]...)
	for i, c := range f.payload {
		b = append(b, c^f.mask[i%4])
	}
	return b
}

func frames(list ...clientFrame) []byte {
	var b []byte
	for _, f := range list {
		b = f.append(b)
	}
	return b
}

var testMask = [4]byte{0x37, 0xfa, 0x21, 0x3d} // of section 5.7

func text(s string) clientFrame     { return clientFrame{true, ws.OpText, testMask, []byte(s)} }
func binaryOf(s string) clientFrame { return clientFrame{true, ws.OpBinary, testMask, []byte(s)} }
func ping(s string) clientFrame     { return clientFrame{true, ws.OpPing, testMask, []byte(s)} }

// first, more and last are the fragments of a text.
func first(s string) clientFrame { return clientFrame{false, ws.OpText, testMask, []byte(s)} }
func more(s string) clientFrame {
	return clientFrame{false, ws.OpContinuation, testMask, []byte(s)}
}
func last(s string) clientFrame {
	return clientFrame{true, ws.OpContinuation, testMask, []byte(s)}
}

// found is a message, copied out of whatever buffer it was in.
type found struct {
	op      ws.OpCode
	frame   []byte // nil for control frames
	payload []byte
}

// reference decodes a whole stream the slow and obvious way. code is that of
// the first offence, 0 without one, and at how many bytes prove it.
func reference(stream []byte, limit int) (list []found, code ws.StatusCode, at int) {
	var (
		message []byte
		op      ws.OpCode
	)
	at = 0
	rest := func() []byte { return stream[at:] }
	for len(rest()) > 0 {
		b := rest()
		fin, rsv, o := b[0]&0x80 != 0, b[0]&0x70, ws.OpCode(b[0]&0x0f)
		control := o >= 8
		switch {
		case rsv != 0, o > 2 && o < 8, o > 10, control && !fin, o == 0 && op == 0, (o == 1 || o == 2) && op != 0:
			return list, 1002, at + 1
		}
		if len(b) < 2 {
			return list, 0, at
		}
		if b[1] < 0x80 || control && b[1] > 0x80+125 {
			return list, 1002, at + 2
		}
		size, n := 2, uint64(b[1]&0x7f)
		switch n {
		case 126:
			size = 4
		case 127:
			size = 10
			if len(b) > 2 && b[2] > 0x7f {
				return list, 1002, at + 3
			}
		}
		if len(b) < size {
			return list, 0, at
		}
		switch size {
		case 4:
			if n = uint64(b[2])<<8 | uint64(b[3]); n < 126 {
				return list, 1002, at + 4
			}
		case 10:
			n = 0
			for _, c := range b[2:10] {
				n = n<<8 | uint64(c)
			}
			if n < 1<<16 {
				return list, 1002, at + 10
			}
		}
		if !control && uint64(len(message))+n > uint64(limit) {
			return list, 1009, at + size
		}
		if len(b) < size+4 {
			return list, 0, at
		}
		mask := b[size : size+4]
		at += size + 4
		if o == 1 || o == 2 {
			op = o
		}
		var payload []byte
		for i := uint64(0); i < n; i++ {
			if len(rest()) == 0 {
				return list, 0, at
			}
			c := rest()[0] ^ mask[i%4]
			at++
			if control {
				payload = append(payload, c)
				continue
			}
			message = append(message, c)
			if op == ws.OpText && !mayBecomeUTF8(message) {
				return list, 1007, at
			}
		}
		switch {
		case control:
			list = append(list, found{o, nil, payload})
		case fin:
			if op == ws.OpText && !utf8.Valid(message) {
				return list, 1007, at
			}
			list = append(list, found{op, AppendMessage(nil, op, message), message})
			message, op = nil, 0
		}
	}
	return list, 0, at
}

func mayBecomeUTF8(p []byte) bool {
	if len(p) > 8 { // what is before has been judged
		p = p[len(p)-8:]
		for !utf8.RuneStart(p[0]) {
			p = p[1:]
		}
	}
	for len(p) > 0 && utf8.FullRune(p) {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		p = p[n:]
	}
	return true
}

// decode feeds the parts to d, each in an array of its own as a read buffer is,
// and checks everything that must hold of any Message and of the memory held. at
// is how many bytes had been fed when the offence was found.
func decode(t testing.TB, d *Decoder, parts ...[]byte) (list []found, offence *Error, at int) {
	t.Helper()
	mostHeld := 1<<class(d.limit()) + slack
	for _, part := range parts {
		at += len(part)
		b := bytes.Clone(part)
		type held struct {
			m Message
			f found
		}
		var inBuffer []held
		for rest := b; ; {
			before := len(rest)
			m, r, err := d.Next(rest)
			if held := d.Held(); held > mostHeld || held > max(1<<minClass, 2*at)+slack {
				t.Fatalf("holds %d bytes after %d, the limit is %d", held, at, d.limit())
			}
			if err != nil {
				return list, err, at
			}
			if m.Op == ws.OpContinuation {
				if len(r) != 0 {
					t.Fatalf("nothing found, but %d bytes left", len(r))
				}
				break
			}
			if len(r) > before || len(r) > 0 && &r[len(r)-1] != &b[len(b)-1] {
				t.Fatal("rest is not the rest of b")
			}
			f := found{m.Op, bytes.Clone(m.Frame), bytes.Clone(m.Payload)}
			if m.Op.IsControl() != (m.Frame == nil) {
				t.Fatalf("opcode %#x has frame %x", m.Op, m.Frame)
			}
			if m.Frame != nil && len(m.Payload) > 0 && &m.Frame[len(m.Frame)-1] != &m.Payload[len(m.Payload)-1] {
				t.Fatal("payload is not the tail of the frame")
			}
			if !m.Gathered {
				inBuffer = append(inBuffer, held{m, f})
			}
			list = append(list, f)
			rest = r
		}
		for _, h := range inBuffer {
			if !bytes.Equal(h.m.Frame, h.f.frame) || !bytes.Equal(h.m.Payload, h.f.payload) {
				t.Fatalf("message %q changed before its buffer died", h.f.payload)
			}
		}
		if m, _, err := d.Next(nil); m.Op != 0 || err != nil {
			t.Fatalf("opcode %#x, %v, made of nothing", m.Op, err)
		}
		scribble()
		if d.op == 0 && d.control == 0 && d.Held() != 0 {
			t.Fatalf("holds %d bytes at a message boundary", d.Held())
		}
	}
	return list, nil, at
}

// scribble writes over the pooled buffers, which nobody may still use.
func scribble() {
	for n := 64; n <= 512; n *= 2 {
		b := getBuffer(n)
		for i := range b[:cap(b)] {
			b[:cap(b)][i] = 0xee
		}
		putBuffer(b)
	}
}

// sameAsReference decodes the parts, compares with the reference on the whole and
// returns the offence. It must be found in the part that has the byte that proves
// it.
func sameAsReference(t testing.TB, limit int, parts ...[]byte) *Error {
	t.Helper()
	stream := bytes.Join(parts, nil)
	want, wantCode, wantAt := reference(stream, limit)
	d := &Decoder{Limit: limit}
	got, offence, at := decode(t, d, parts...)
	if offence == nil {
		if last := d.left > 0 || d.op != 0 || d.headLen > 0; last == d.Empty() {
			t.Fatalf("Empty() = %v", d.Empty())
		}
	}
	d.Release()
	if !d.Empty() || d.Held() != 0 {
		t.Fatal("not empty after Release")
	}
	sameMessages(t, got, want)
	if codeOf(offence) != wantCode {
		t.Fatalf("%v, want close code %d\nstream %x", offence, wantCode, stream)
	}
	if offence == nil {
		return nil
	}
	end := 0
	for _, p := range parts {
		if end += len(p); end >= wantAt {
			break
		}
	}
	if at != end {
		t.Fatalf("offence found after %d bytes, want %d, the end of the part with byte %d", at, end, wantAt-1)
	}
	return offence
}

// codeOf is the close code of an offence, 0 of none.
func codeOf(offence *Error) ws.StatusCode {
	if offence == nil {
		return 0
	}
	return offence.Code
}

func sameMessages(t testing.TB, got, want []found) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("message %d is missing: %#x %.40q", i, want[i].op, want[i].payload)
		case i >= len(want):
			t.Fatalf("message %d is too many: %#x %.40q", i, got[i].op, got[i].payload)
		case got[i].op != want[i].op || !bytes.Equal(got[i].payload, want[i].payload) || !bytes.Equal(got[i].frame, want[i].frame):
			t.Fatalf("message %d:\ngot  %#x %.40q frame %.40x\nwant %#x %.40q frame %.40x", i,
				got[i].op, got[i].payload, got[i].frame, want[i].op, want[i].payload, want[i].frame)
		}
	}
}

// cut cuts b at the places.
func cut(b []byte, places ...int) [][]byte {
	var parts [][]byte
	from := 0
	for _, p := range places {
		parts = append(parts, b[from:p])
		from = p
	}
	return append(parts, b[from:])
}

func byteByByte(b []byte) [][]byte {
	places := make([]int, 0, len(b))
	for i := 1; i < len(b); i++ {
		places = append(places, i)
	}
	return cut(b, places...)
}

// randomStream makes a client's stream, valid except perhaps at the end, of
// about n frames.
func randomStream(r *rand.Rand, n int) []byte {
	var (
		b        []byte
		inside   bool
		alphabet = []rune("ab ñ語\U0001f600\U0010ffff")
	)
	for range n {
		f := clientFrame{fin: r.IntN(2) == 0}
		binary.LittleEndian.PutUint32(f.mask[:], r.Uint32())
		size := r.IntN(12)
		switch r.IntN(12) {
		case 0:
			size = 120 + r.IntN(12)
		case 1:
			size = r.IntN(3000)
		}
		for len(f.payload) < size {
			f.payload = utf8.AppendRune(f.payload, alphabet[r.IntN(len(alphabet))])
		}
		switch {
		case r.IntN(4) == 0:
			f.fin, f.op = true, ws.OpPing+ws.OpCode(r.IntN(2))
			f.payload = f.payload[:min(len(f.payload), 125)]
		case inside:
			inside = !f.fin
		default:
			f.op = ws.OpText + ws.OpCode(r.IntN(2))
			inside = !f.fin
		}
		b = f.append(b)
	}
	if r.IntN(3) == 0 && len(b) > 0 { // one wrong bit somewhere
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	}
	return b
}
