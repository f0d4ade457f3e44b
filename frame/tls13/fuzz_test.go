package tls13

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// act is one step of a scripted peer: what it sends, and what of it is data. A
// script is pairs of bytes, of which the first chooses and the second says how much.
func act(r *reference, what, much byte) (sent, data []byte, end bool) {
	text := bytes.Repeat([]byte{what}, int(much)*3)
	switch what % 8 {
	case 0, 1, 2:
		return r.record(23, text, 0), text, false
	case 3:
		return r.record(23, text, int(much)), text, false
	case 4:
		return r.keyUpdate(much % 2), nil, false
	case 5:
		return r.record(21, []byte{1, byte(UserCanceled)}, int(much)), nil, false
	case 6:
		return r.record(23, nil, int(much)), nil, false
	default:
		return r.record(21, []byte{much, byte(CloseNotify)}, 0), nil, true
	}
}

// FuzzOpen: of a scripted stream, cut anywhere and with one byte changed or none,
// exactly the data of the records before the changed one comes out.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{0, 10, 4, 1, 3, 20, 5, 0, 6, 9, 1, 100, 7, 1}, uint16(3), uint16(0), byte(0), byte(0))
	f.Add([]byte{0, 10, 2, 10, 1, 10}, uint16(50), uint16(60), byte(1), byte(1))
	f.Add([]byte{4, 1, 4, 1, 0, 1, 7, 0}, uint16(1), uint16(29), byte(0x80), byte(2))
	f.Fuzz(func(t *testing.T, script []byte, cut, at uint16, change, which byte) {
		if len(script) > 60 {
			return
		}
		suite := allSuites[int(which)%len(allSuites)]
		r := sender(suite)
		var whole, data []byte
		var want error
		good := -1 // the length of the data before the changed record
		useless := 0
		for i := 0; i+1 < len(script); i += 2 {
			sent, d, end := act(r, script[i], script[i+1])
			if useless++; len(d) > 0 {
				useless = 0
			}
			if useless > mostUseless {
				break
			}
			if change != 0 && int(at) >= len(whole) && int(at) < len(whole)+len(sent) {
				good = len(data)
			}
			whole, data = append(whole, sent...), append(data, d...)
			if end {
				want = io.EOF
				break
			}
		}
		if good >= 0 {
			whole[at] ^= change
			data = data[:good]
		}
		s := stream{session: newSession(t, suite, false), keys: NewKeys(4)}
		size := 1 + int(cut)%max(1, len(whole))
		for rest := whole; len(rest) > 0; {
			n := min(size, len(rest))
			s.feed(rest[:n])
			rest = rest[n:]
		}
		if !bytes.Equal(s.data, data) {
			t.Fatalf("%d bytes of data, want %d; %v", len(s.data), len(data), s.err)
		}
		var e *Error
		switch {
		case good < 0 && s.err != want:
			t.Fatalf("%v, want %v", s.err, want)
		case good >= 0 && s.err == nil && len(s.pending) == 0, good >= 0 && s.err == io.EOF:
			t.Fatalf("nobody noticed: %v", s.err)
		case good >= 0 && s.err != nil && (!errors.As(s.err, &e) || e.Remote):
			t.Fatalf("%v", s.err)
		}
	})
}

// FuzzHostile: a peer that has the keys, and says what it likes in its records,
// gets nothing but an answer.
func FuzzHostile(f *testing.F) {
	f.Add(byte(22), []byte{24, 0, 0, 1, 1}, byte(0), []byte{4, 0, 0, 1, 0}, true)
	f.Add(byte(22), []byte{24, 0}, byte(7), []byte{0, 1, 0}, false)
	f.Add(byte(21), []byte{2, 40}, byte(0), []byte(nil), false)
	f.Fuzz(func(t *testing.T, kind byte, a []byte, padding byte, b []byte, client bool) {
		if len(a)+len(b) > 1000 {
			return
		}
		r := sender(allSuites[0])
		whole := append(r.record(kind, a, int(padding)), r.record(kind, b, 0)...)
		once := openAll(newSession(t, allSuites[0], client), NewKeys(4), bytes.Clone(whole))
		s := stream{session: newSession(t, allSuites[0], client), keys: NewKeys(4)}
		for i := range whole {
			s.feed(whole[i : i+1])
		}
		if !bytes.Equal(once.data, s.data) || once.owes != s.owes || once.err != s.err && !sameError(once.err, s.err) {
			t.Fatalf("at once %+v; bytewise %q, owes %v, %v", once, s.data, s.owes, s.err)
		}
	})
}

func sameError(a, b error) bool {
	var x, y *Error
	return errors.As(a, &x) && errors.As(b, &y) && *x == *y
}

// FuzzParse: what is taken is what Append writes.
func FuzzParse(f *testing.F) {
	for _, suite := range allSuites {
		f.Add(newSession(f, suite, true).Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, rest, err := Parse(b)
		if err != nil {
			return
		}
		if again := append(s.Append(nil), rest...); !bytes.Equal(again, b) {
			t.Fatalf("% x became % x", b, again)
		}
	})
}
