package mesh

import (
	"encoding/binary"
	"unicode/utf8"
)

// recordSeparator begins a control record, which nobody relays.
const recordSeparator = 0x1e

// wholeFrames reports whether b is just so many text and binary messages, each
// one whole frame as a server sends it (RFC 6455, section 5.2), and none of them a
// control record.
func wholeFrames(b []byte, texts, binaries int) bool {
	for len(b) > 0 {
		if len(b) < 2 || b[1]&0x80 != 0 {
			return false
		}
		size, n := 2, int(b[1])
		switch {
		case n == 126:
			if size = 4; len(b) < size {
				return false
			}
			n = int(binary.BigEndian.Uint16(b[2:]))
		case n == 127:
			if size = 10; len(b) < size || binary.BigEndian.Uint64(b[2:]) > MaxData {
				return false
			}
			n = int(binary.BigEndian.Uint64(b[2:]))
		}
		if len(b) < size+n {
			return false
		}
		switch b[0] {
		case 0x81:
			text := b[size : size+n]
			if texts--; n > 0 && text[0] == recordSeparator || !utf8.Valid(text) {
				return false
			}
		case 0x82:
			binaries--
		default:
			return false
		}
		b = b[size+n:]
	}
	return texts == 0 && binaries == 0
}
