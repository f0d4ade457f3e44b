//go:build linux

package bench

import (
	"strings"
	"testing"
)

func TestSoakVerdict(t *testing.T) {
	before := Footprint{Heap: 100 << 20, HeapInUse: 110 << 20, Resident: 200 << 20, Descriptors: 20, Goroutines: 10}
	for _, tc := range []struct {
		name   string
		change func(r *SoakResult)
		want   string // in the error; empty for none
	}{
		{"as before", func(*SoakResult) {}, ""},
		{"two hundredths of heap more", func(r *SoakResult) { r.After.Heap += 2 << 20 }, ""},
		{"and a byte", func(r *SoakResult) { r.After.Heap += 2<<20 + 1 }, "bytes of heap"},
		{"a small heap, by the floor", func(r *SoakResult) { r.Before.Heap, r.After.Heap = 1<<20, 1<<20+heapFloor }, ""},
		{"and a byte more", func(r *SoakResult) { r.Before.Heap, r.After.Heap = 1<<20, 1<<20+heapFloor+1 }, "bytes of heap"},
		{"less of everything", func(r *SoakResult) { r.After = Footprint{} }, ""},
		{"resident memory is the kernel's affair", func(r *SoakResult) { r.After.Resident *= 2 }, ""},
		{"a descriptor", func(r *SoakResult) { r.After.Descriptors++ }, "21 descriptors, 20 before"},
		{"a goroutine", func(r *SoakResult) { r.After.Goroutines++ }, "11 goroutines, 10 before"},
		{"a message lost", func(r *SoakResult) { r.Faults.Lost = 1 }, "1 faults"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := SoakResult{Before: before, After: before}
			tc.change(&r)
			err := r.Err()
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			var b strings.Builder
			if err := r.WriteSummary(&b); err != nil || !strings.Contains(b.String(), tc.want) ||
				strings.Contains(b.String(), "nothing is left behind") != (tc.want == "") {
				t.Errorf("%v\n%s", err, b.String())
			}
		})
	}
}
