package resume

import (
	"encoding/binary"
	"errors"
)

// ErrCarried: it is not what Append has written.
var ErrCarried = errors.New("resume: not an exchange")

// Flags of a side in what Append writes.
const (
	sideCounted = 1 << iota
	sideAway
	sideMuted

	sideFlags = 1<<3 - 1
)

// Append writes x down, for another process to go on with.
func (x *Exchange) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, x.generation)
	for i := range x.sides {
		s := &x.sides[i]
		var flags byte
		for bit, is := range [...]bool{s.counted, s.away, s.muted} {
			if is {
				flags |= 1 << bit
			}
		}
		dst = append(dst, flags)
		dst = binary.AppendUvarint(dst, uint64(s.try))
		dst = binary.AppendUvarint(dst, s.have)
	}
	return dst
}

// Parse reads into x what Append has written, all of it.
func (x *Exchange) Parse(b []byte) error {
	var got Exchange
	number := func(most uint64) uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > most {
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	got.generation = number(1<<64 - 1)
	for i := range got.sides {
		if len(b) == 0 || b[0]&^sideFlags != 0 {
			return ErrCarried
		}
		flags := b[0]
		b = b[1:]
		s := &got.sides[i]
		s.counted, s.away, s.muted = flags&sideCounted != 0, flags&sideAway != 0, flags&sideMuted != 0
		if s.try = uint32(number(1<<32 - 1)); len(b) == 0 {
			return ErrCarried
		}
		if i == 1 {
			v, n := binary.Uvarint(b)
			if n <= 0 || n != len(b) {
				return ErrCarried
			}
			s.have = v
			break
		}
		s.have = number(1<<64 - 1)
	}
	*x = got
	return nil
}
