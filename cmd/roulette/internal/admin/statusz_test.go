package admin

import "testing"

func TestTimesAndSizesForPeople(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0s", 0.0123: "12.3ms", 2.34: "2.3s", 61.7: "1m1s", 3661: "1h1m1s", 90000: "1 d 1h0m0s"} {
		if got := humanDuration(seconds); got != want {
			t.Errorf("%v s: %s, want %s", seconds, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 40: "5120.0 GiB"} {
		if got := humanBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
