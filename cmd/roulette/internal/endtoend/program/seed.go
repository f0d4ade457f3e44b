package program

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var seedFlag = flag.Uint64("seed", 0, "what a random test has printed, to do the same again")

// Seed is -seed, or a new one; it is printed.
func Seed(t testing.TB) uint64 {
	s := *seedFlag
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("again with: go test -run '^%s$' -seed %d", t.Name(), s)
	return s
}
