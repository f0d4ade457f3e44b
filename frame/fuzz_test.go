package frame

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// cutAt cuts b into parts of the lengths in cuts, and the rest. A length of 0
// makes an empty part, as a read that brought nothing.
func cutAt(b, cuts []byte) [][]byte {
	var places []int
	at := 0
	for _, c := range cuts {
		if at += int(c); at >= len(b) {
			break
		}
		places = append(places, at)
	}
	return cut(b, places...)
}

func addStreams(add func(stream []byte)) {
	for _, s := range streams {
		add(s.stream)
	}
	for _, o := range offences {
		add(append(bytes.Clone(o.before), o.bad...))
	}
	add(frames(first("\xf0"), ping("p"), more("\x9f\x98"), last("(")))
}

// FuzzDecoder: any stream, cut anywhere, gives what the naive decoder makes of
// the whole. cuts holds the lengths of the parts.
func FuzzDecoder(f *testing.F) {
	addStreams(func(stream []byte) {
		f.Add(stream, []byte{}, uint16(0))
		f.Add(stream, []byte{1, 1, 5, 3}, uint16(3))
	})
	f.Fuzz(func(t *testing.T, stream, cuts []byte, limit uint16) {
		most := int(limit)
		if most == 0 {
			most = DefaultLimit
		}
		whole := sameAsReference(t, most, stream)
		for _, parts := range [][][]byte{byteByByte(stream), cutAt(stream, cuts)} {
			if offence := sameAsReference(t, most, parts...); offence != whole {
				t.Fatalf("in %d parts %v, in one %v", len(parts), offence, whole)
			}
		}
	})
}

// FuzzRun: a stream that is relayed the fast way, with Run, Next and Join by
// turns as a server does it, makes the same frames in the same order, and ends
// with the same offence, as the naive decoder makes of it. most is what Run may
// take at once; apart says that control frames are answered before the messages
// behind them are joined to those ahead.
func FuzzRun(f *testing.F) {
	addStreams(func(stream []byte) {
		f.Add(stream, []byte{}, uint16(0), byte(0), false)
		f.Add(stream, []byte{1, 1, 5, 3}, uint16(5), byte(2), true)
	})
	f.Fuzz(func(t *testing.T, stream, cuts []byte, limit uint16, most byte, apart bool) {
		r := relay{t: t, most: int(most), apart: apart}
		r.decoder.Limit = int(limit)
		parts := cutAt(stream, cuts)
		for _, part := range parts {
			if r.read(bytes.Clone(part)); r.offence != nil {
				break
			}
		}
		r.decoder.Release()

		var frames, controls []byte
		list, code, _ := reference(stream, r.decoder.limit())
		for _, m := range list {
			if m.op.IsControl() {
				controls = AppendMessage(controls, m.op, m.payload)
			} else {
				frames = append(frames, m.frame...)
			}
		}
		switch {
		case codeOf(r.offence) != code:
			t.Fatalf("%v, want close code %d", r.offence, code)
		case !bytes.Equal(r.frames, frames):
			t.Fatalf("relayed %x\nwant    %x", r.frames, frames)
		case !bytes.Equal(r.controls, controls):
			t.Fatalf("control frames %x\nwant           %x", r.controls, controls)
		}
		if offence := sameAsReference(t, r.decoder.limit(), parts...); offence != r.offence {
			t.Fatalf("with Run %v, without %v", r.offence, offence)
		}
	})
}

// FuzzText: text in fragments is refused at the byte after which, whatever
// follows, unicode/utf8 would not have it, and at its end if it is unfinished.
func FuzzText(f *testing.F) {
	for _, tt := range texts {
		f.Add([]byte(tt.text), []byte{})
		f.Add([]byte(tt.text), []byte{1, 0, 1, 2})
	}
	f.Fuzz(func(t *testing.T, text, cuts []byte) {
		impossible := len(text)
		for i := range text {
			if !beginsUTF8(text[:i+1]) {
				impossible = i
				break
			}
		}
		if n, ok := validPrefix(text); ok != (impossible == len(text)) || ok && !utf8.Valid(text[:n]) {
			t.Fatalf("validPrefix: %d, %v, but byte %d is impossible", n, ok, impossible)
		}

		var d Decoder
		defer d.Release()
		feed := func(b []byte) (m Message, err *Error) {
			m, _, err = d.Next(b)
			return m, err
		}
		at := 0
		for i, part := range cutAt(text, cuts) {
			fragment := more(string(part))
			if i == 0 {
				fragment = first(string(part))
			}
			b := frames(fragment)
			header := len(b) - len(part)
			if _, err := feed(b[:header]); err != nil {
				t.Fatal(err)
			}
			for j := range part {
				_, err := feed(b[header+j : header+j+1])
				if bad := at == impossible; bad != (err == ErrUTF8) || !bad && err != nil {
					t.Fatalf("byte %d: %v, want an error at %d", at, err, impossible)
				}
				if err != nil {
					return
				}
				at++
			}
		}
		m, err := feed(frames(last("")))
		if utf8.Valid(text) {
			if err != nil || !bytes.Equal(m.Payload, text) {
				t.Fatalf("got %q, %v", m.Payload, err)
			}
		} else if err != ErrUTF8 {
			t.Fatalf("unfinished: %v", err)
		}
	})
}

// beginsUTF8 reports whether p can become UTF-8: all of it is whole runes but an
// end to which one of the ways to go on makes a whole one.
func beginsUTF8(p []byte) bool {
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			break
		}
		p = p[n:]
	}
	if len(p) == 0 {
		return true
	}
	for _, second := range []string{"", "\x80", "\xbf"} { // the least and the most
		for _, end := range []string{"\x80", "\x80\x80"} {
			if r, n := utf8.DecodeRune(append(append(bytes.Clone(p), second...), end...)); n > len(p) && (r != utf8.RuneError || n == 3) {
				return true
			}
		}
	}
	return false
}
