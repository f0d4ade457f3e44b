package mesh

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

func bit(on bool, value byte) byte {
	if on {
		return value
	}
	return 0
}

func appendString(dst []byte, s string) []byte {
	dst = append(dst, byte(len(s)>>8), byte(len(s)))
	return append(dst, s...)
}

func appendList(dst []byte, list []string) []byte {
	dst = append(dst, byte(len(list)))
	for _, s := range list {
		dst = appendString(dst, s)
	}
	return dst
}

// reader takes fields off a word. After a field that is not there all are zero,
// and failed says so.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) fail() { r.failed, r.b = true, nil }

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.fail()
		return make([]byte, n)
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) byte() byte { return r.take(1)[0] }

func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }

func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) rest() []byte {
	p := r.b
	r.b = nil
	return p
}

func (r *reader) string(most int) string {
	n := int(r.uint16())
	if n > most || n > len(r.b) {
		r.fail()
		return ""
	}
	p := r.take(n)
	if !utf8.Valid(p) {
		r.fail()
	}
	return string(p)
}

// list reads at most maxList strings, each once.
func (r *reader) list() (list []string) {
	n := int(r.byte())
	if n > maxList {
		r.fail()
		return nil
	}
	for range n {
		s := r.string(maxString)
		if s == "" || slices.Contains(list, s) {
			r.fail()
			return nil
		}
		list = append(list, s)
	}
	return list
}
