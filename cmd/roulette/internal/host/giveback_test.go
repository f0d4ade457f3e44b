package host

import (
	"slices"
	"testing"
)

// TestCrowd: memory is given back once for each crowd, when it stands still.
func TestCrowd(t *testing.T) {
	var c Crowd
	gave := 0
	look := func(counts ...int) {
		for _, n := range counts {
			if c.Look(n) {
				gave++
			}
		}
	}
	for _, step := range []struct {
		desc   string
		counts []int
		gave   int
	}{
		{"nobody", []int{0, 0, 0, 0, 0, 0}, 0},
		{"a few", []int{100, 499, 499, 499, 499, 499, 499}, 0},
		{"a crowd arrives", []int{1000, 2000, 4000}, 0},
		{"and is there", []int{4000, 4000, 4001, 3999}, 1},
		{"and stays", []int{4000, 4000, 4000, 4000, 4000, 4000}, 1},
		{"some go", []int{3501, 3501, 3501, 3501, 3501}, 1},
		{"a part of them that counts", []int{3400, 3400, 3400, 3400, 3400}, 2},
		{"it moves without end", []int{3000, 2000, 1000, 2000, 3000, 1000, 2000}, 2},
		{"all go", []int{0, 0, 0, 0}, 2},
		{"for good", []int{0, 0}, 3},
		{"a large one", []int{40000, 40000, 40000, 40000, 40000}, 4},
		{"its last", slices.Repeat([]int{41000}, longTicks), 4},
		{"are there for long", []int{41000}, 5},
		{"too few to count", slices.Repeat([]int{41600}, longTicks+2), 5},
	} {
		if look(step.counts...); gave != step.gave {
			t.Errorf("%s: gave back %d times, want %d", step.desc, gave, step.gave)
		}
	}
}
