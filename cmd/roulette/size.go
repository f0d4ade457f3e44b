package main

import (
	"fmt"
	"strconv"
	"strings"
)

// size is a number of bytes, written 65536, 64KiB or 1MiB.
type size int

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *size) UnmarshalText(text []byte) error {
	digits, shift := string(text), 0
	for _, unit := range []struct {
		suffix string
		shift  int
	}{{"KiB", 10}, {"MiB", 20}, {"B", 0}} {
		if d, ok := strings.CutSuffix(digits, unit.suffix); ok {
			digits, shift = d, unit.shift
			break
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 31)
	if err != nil || n<<shift>>shift != n || n<<shift > 1<<30 {
		return fmt.Errorf("%q is not a size such as 64KiB", text)
	}
	*s = size(n << shift)
	return nil
}

// MarshalText implements [encoding.TextMarshaler]: in the largest unit that it is
// a multiple of.
func (s size) MarshalText() ([]byte, error) {
	switch {
	case s > 0 && s%(1<<20) == 0:
		return fmt.Appendf(nil, "%dMiB", s>>20), nil
	case s > 0 && s%(1<<10) == 0:
		return fmt.Appendf(nil, "%dKiB", s>>10), nil
	}
	return fmt.Appendf(nil, "%dB", s), nil
}
