package record

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON (RFC 8259) as strictly as it is written. encoding/json
// would take the same key twice, keys in another case and half surrogate pairs,
// and hold what it does not know. A scanner keeps nothing but the places of
// the fields, so that reading a record without interests allocates nothing.
type scanner struct {
	b []byte // UTF-8
	i int    // b[i:] is still to be read
}

// object is the fields of a JSON object in their order.
type object struct {
	fields [maxFields]field
	n      int
}

type field struct {
	key   []byte // unquoted
	value []byte // valid JSON, with no white space around it
}

// get returns the value of a field, or nil if there is none.
func (o *object) get(key string) []byte {
	for i := range o.fields[:o.n] {
		if string(o.fields[i].key) == key {
			return o.fields[i].value
		}
	}
	return nil
}

// space skips white space.
func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// peek is the byte that comes next, or 0, which JSON has no place for.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// skip takes c off the input if that comes next, and reports whether it did.
func (s *scanner) skip(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

// value skips any value; objects and arrays may be depth deep.
func (s *scanner) value(depth int) bool {
	switch c := s.peek(); {
	case c == '{':
		var o object
		return s.object(&o, depth)
	case c == '[':
		return s.array(depth)
	case c == '"':
		return s.string()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

// object reads an object into o, which is empty.
func (s *scanner) object(o *object, depth int) bool {
	if depth == 0 || !s.skip('{') {
		return false
	}
	if s.space(); s.skip('}') {
		return true
	}
	for {
		start := s.i
		if o.n == maxFields || !s.string() {
			return false
		}
		key := unquote(s.b[start:s.i])
		if o.get(string(key)) != nil {
			return false
		}
		if s.space(); !s.skip(':') {
			return false
		}
		s.space()
		start = s.i
		if !s.value(depth - 1) {
			return false
		}
		o.fields[o.n] = field{key, s.b[start:s.i]}
		o.n++
		if s.space(); s.skip('}') {
			return true
		}
		if !s.skip(',') {
			return false
		}
		s.space()
	}
}

func (s *scanner) array(depth int) bool {
	if depth == 0 || !s.skip('[') {
		return false
	}
	if s.space(); s.skip(']') {
		return true
	}
	for {
		if !s.value(depth - 1) {
			return false
		}
		if s.space(); s.skip(']') {
			return true
		}
		if !s.skip(',') {
			return false
		}
		s.space()
	}
}

// element goes to the n-th element of an array that is known to be valid JSON,
// behind its bracket or the element before, and reports whether there is one.
func (s *scanner) element(n int) bool {
	if s.space(); s.skip(']') {
		return false
	}
	if n > 0 {
		s.skip(',')
		s.space()
	}
	return true
}

func (s *scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		return false
	}
	s.i += len(word)
	return true
}

func (s *scanner) number() bool {
	s.skip('-')
	if !s.skip('0') && !s.digits() {
		return false
	}
	if s.skip('.') && !s.digits() {
		return false
	}
	if s.skip('e') || s.skip('E') {
		if !s.skip('+') {
			s.skip('-')
		}
		return s.digits()
	}
	return true
}

// digits skips one digit or more.
func (s *scanner) digits() bool {
	start := s.i
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.i++
	}
	return s.i > start
}

func (s *scanner) string() bool {
	if !s.skip('"') {
		return false
	}
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			return true
		case c < ' ':
			return false
		case c == '\\' && !s.escape():
			return false
		}
	}
	return false
}

// escape skips what comes behind a backslash: one character, or a whole
// surrogate pair.
func (s *scanner) escape() bool {
	c := s.peek()
	s.i++
	if c != 'u' {
		return c != 0 && bytes.IndexByte([]byte(`"\/bfnrt`), c) >= 0
	}
	r, ok := hex4(s.b[s.i:])
	if !ok {
		return false
	}
	s.i += 4
	if !utf16.IsSurrogate(r) {
		return true
	}
	if !s.skip('\\') || !s.skip('u') {
		return false
	}
	r2, ok := hex4(s.b[s.i:])
	if !ok {
		return false
	}
	s.i += 4
	return utf16.DecodeRune(r, r2) != utf8.RuneError
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (r rune, ok bool) {
	var v [2]byte
	if len(b) < 4 {
		return 0, false
	}
	if _, err := hex.Decode(v[:], b[:4]); err != nil {
		return 0, false
	}
	return rune(binary.BigEndian.Uint16(v[:])), true
}

// unquote returns the text of a string that the scanner has accepted: a part of
// quoted if nothing is escaped, which is how records are written, or else a new
// slice.
func unquote(quoted []byte) []byte {
	b := quoted[1 : len(quoted)-1]
	i := bytes.IndexByte(b, '\\')
	if i < 0 {
		return b
	}
	var text []byte
	for ; i >= 0; i = bytes.IndexByte(b, '\\') {
		text = append(text, b[:i]...)
		c := b[i+1]
		b = b[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(b)
			b = b[4:]
			if utf16.IsSurrogate(r) {
				r2, _ := hex4(b[2:])
				r = utf16.DecodeRune(r, r2)
				b = b[6:]
			}
			text = utf8.AppendRune(text, r)
			continue
		}
		text = append(text, c)
	}
	return append(text, b...)
}
