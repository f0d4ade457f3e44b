package limit

import "testing"

func TestRate(t *testing.T) {
	type step struct {
		now  uint32 // milliseconds
		n    int
		want Verdict
	}
	const wrap = 1 << 28 // milliseconds after which the arithmetic wraps
	for _, tc := range []struct {
		desc             string
		perSecond, burst int
		begin            uint32
		steps            []step
	}{
		{"off", 0, 5, 0, []step{{0, 100_000, Within}}},
		{"burst, grace, too much", 10, 4, 0, []step{{0, 4, Within}, {0, 3, Over}, {0, 1, TooMuch}}},
		{"one an interval is free", 10, 4, 0, []step{{0, 4, Within}, {100, 1, Within}, {100, 1, Over}, {200, 1, Over}, {400, 1, Within}}},
		{"idle time is no credit beyond the burst", 10, 4, 0, []step{{60_000, 4, Within}, {60_000, 1, Over}}},
		{"a fraction of a second", 3, 1, 0, []step{{0, 1, Within}, {333, 1, Over}, {1000, 1, Within}}},
		{"many a second", 10_000, 100, 0, []step{{0, 100, Within}, {1, 10, Within}}},
		{"burst without one", 10, 0, 0, []step{{0, 1, Within}, {0, 1, Over}}},
		{"over the wrap", 10, 4, wrap - 1, []step{{wrap - 1, 4, Within}, {wrap - 1, 1, Over}, {wrap + 99, 1, Over}, {wrap + 499, 3, Within}}},
		{"idle for longer than half the wrap", 10, 4, 0, []step{{0, 6, Within + 9}, {wrap*3/4 - 1, 4, Within}, {wrap*3/4 - 1, 1, Over}}},
		{"idle over the wrap", 10, 4, 0, []step{{0, 1, Within}, {wrap * 5 / 4, 4, Within}, {wrap * 5 / 4, 1, Over}}},
		{"a clock that runs a little behind", 10, 4, 0, []step{{1000, 2, Within}, {900, 1, Within}, {900, 1, Over}}},
		{"a burst beyond what fits", 1, 1_000_000, 0, []step{{0, 30_000, Within}}},
		{"a burst that would wrap to nothing", 1, 268_436, 0, []step{{0, 30_000, Within}}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			r := NewRate(tc.perSecond, tc.burst)
			tat := tc.begin * unit
			for i, s := range tc.steps {
				for n := range s.n {
					if got := r.Take(&tat, s.now, 1); got != s.want && s.want <= TooMuch {
						t.Fatalf("step %d, number %d at %d ms: got %d, want %d", i, n, s.now, got, s.want)
					}
				}
			}
		})
	}
}
