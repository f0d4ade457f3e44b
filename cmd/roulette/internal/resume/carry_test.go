package resume

import "testing"

// TestCarried: an exchange goes on in another process wherever it is, and nothing
// that is not one is taken.
func TestCarried(t *testing.T) {
	var fresh, broken Exchange
	broken.Break(1)
	full := *returning(t)
	full.Resend(0, 2, 6, 0)
	full.sides[1].have, full.sides[0].try = 1<<64-1, 1<<32-1
	for _, x := range []*Exchange{&fresh, &broken, returning(t), &full} {
		b := x.Append(nil)
		got := *returning(t)
		if err := got.Parse(b); err != nil || got != *x {
			t.Errorf("%+v, %v; want %+v", got, err, *x)
		}
		for n := range b {
			if err := got.Parse(b[:n]); err == nil {
				t.Errorf("%d of %d bytes are taken", n, len(b))
			}
		}
		if got.Parse(append(b, 0)) == nil {
			t.Error("more than an exchange is taken")
		}
	}
}
