package frame

import (
	"testing"
)

// FuzzDecoder: any stream, cut anywhere, gives what the naive decoder makes of
// the whole. cuts holds the lengths of the parts.
func FuzzDecoder(f *testing.F) {
	for _, s := range streams {
		f.Add(s.stream, []byte{}, uint16(0))
		f.Add(s.stream, []byte{1, 1, 5, 3}, uint16(3))
	}
	f.Add(unhex("82ff0000000000010001"), []byte{2}, uint16(0))
	f.Add(frames(first("\xf0"), ping("p"), more("\x9f\x98"), last("(")), []byte{7, 9}, uint16(100))
	f.Fuzz(func(t *testing.T, stream, cuts []byte, limit uint16) {
		if limit == 0 {
			sameAsReference(t, DefaultLimit, stream)
			sameAsReference(t, DefaultLimit, byteByByte(stream)...)
		}
		var places []int
		at := 0
		for _, c := range cuts {
			if at += int(c); at >= len(stream) {
				break
			}
			places = append(places, at)
		}
		sameAsReference(t, max(int(limit), 1), cut(stream, places...)...)
	})
}
