package simulator

import "math/bits"

// random is splitmix64 (Steele, Lea and Flood, 2014): small enough that every
// step has one of its own, so that leaving out one step does not change what the
// others draw.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number in [0, n).
func (r *random) below(n int) int {
	high, _ := bits.Mul64(r.next(), uint64(n))
	return int(high)
}

// oneIn is true once in n times, and never for 0.
func (r *random) oneIn(n int) bool { return n > 0 && r.below(n) == 0 }

// size returns a number in [1, most], small ones as often as large ones.
func (r *random) size(most int) int {
	if most <= 1 {
		return 1
	}
	limit := 1 << (1 + r.below(bits.Len(uint(most))))
	return 1 + r.below(min(limit, most))
}

func pick[T any](r *random, from ...T) T { return from[r.below(len(from))] }
