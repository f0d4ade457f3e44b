package main

import "testing"

func TestPercentFor(t *testing.T) {
	for _, test := range []struct {
		what             string
		live, handshakes uint64
		want             int
	}{
		{"nothing yet", 0, 0, gcPercentAtMost},
		{"the slack is an amount", 2 << 20, 0, 50},
		{"also of more", 5 << 20, 0, 20},
		{"a share again", 40 << 20, 0, gcPercentAtLeast},
		{"a large heap", 500 << 20, 0, gcPercent},
		{"a crowd comes", 8 << 20, manyHandshakes, 400},
		{"to a crowd", 500 << 20, manyHandshakes, gcPercentShaking},
	} {
		if got := percentFor(test.live, test.handshakes); got != test.want {
			t.Errorf("%s: %d, not %d", test.what, got, test.want)
		}
	}
}
