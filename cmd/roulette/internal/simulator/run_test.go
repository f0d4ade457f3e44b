package simulator

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSameSeedSameRun: or a printed seed would be worth nothing.
func TestSameSeedSameRun(t *testing.T) {
	for seed := range uint64(24) {
		open := oneServer
		if seed%4 == 3 {
			open = severalNodes
		}
		var traces [2]strings.Builder
		for i := range traces {
			if what, at := play(open, seed, all(2000), &traces[i]); what != "" {
				t.Fatalf("seed %d, step %d: %s", seed, at, what)
			}
		}
		if a, b := traces[0].String(), traces[1].String(); a != b {
			at := 0
			for at < min(len(a), len(b)) && a[at] == b[at] {
				at++
			}
			t.Fatalf("seed %d: two runs differ:\n%.300s\n%.300s", seed, a[at:], b[at:])
		}
	}
}

func TestShrink(t *testing.T) {
	tries := 0
	got := shrink(all(1000), time.Now().Add(time.Minute), func(list []int) bool {
		tries++
		return slices.Contains(list, 17) && slices.Contains(list, 523) && slices.Contains(list, 998)
	})
	if !slices.Equal(got, []int{17, 523, 998}) {
		t.Errorf("got %v after %d tries", got, tries)
	}
}
