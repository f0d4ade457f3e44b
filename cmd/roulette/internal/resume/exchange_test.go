package resume

import (
	"testing"
	"unsafe"
)

// returning is an exchange in which side 0 has come back having shown 3, and side
// 1, which stayed, has shown 5 and said so.
func returning(t *testing.T) *Exchange {
	t.Helper()
	var x Exchange
	x.Break(0)
	if !x.Return(0, 1, 3) || x.Have(0, 2, 9) || !x.Have(1, 2, 5) {
		t.Fatal("no return")
	}
	return &x
}

func TestReturn(t *testing.T) {
	x := returning(t)
	if x.Count(0) != 3 || x.Count(1) != 5 || x.Settled() || x.Relays(0) || x.Relays(1) {
		t.Errorf("%+v", x)
	}
	if !x.Resend(0, 2, 6, 0) || !x.Relays(0) || x.Relays(1) || x.Settled() {
		t.Errorf("after the first resend: %+v", x)
	}
	if !x.Resend(1, 2, 6, 2) || !x.Settled() {
		t.Errorf("after both: %+v", x)
	}
}

// TestOutOfTurn: words of another generation, of the wrong side, said twice, or
// with numbers that do not fit, change nothing.
func TestOutOfTurn(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*Exchange) bool
	}{
		{"an older try", func(x *Exchange) bool { return x.Return(0, 1, 3) }},
		{"no try", func(x *Exchange) bool { return x.Return(1, 0, 3) }},
		{"count of an old generation", func(x *Exchange) bool { return x.Have(1, 1, 5) }},
		{"count of a generation to come", func(x *Exchange) bool { return x.Have(1, 3, 5) }},
		{"count said twice", func(x *Exchange) bool { return x.Have(1, 2, 4) }},
		{"resend of an old generation", func(x *Exchange) bool { return x.Resend(0, 1, 6, 0) }},
		{"resend too early", func(x *Exchange) bool { return x.Resend(0, 2, 5, 0) }},
		{"resend too late", func(x *Exchange) bool { return x.Resend(0, 2, 7, 0) }},
		{"resend that loses nothing it skips", func(x *Exchange) bool { return x.Resend(0, 2, 6, 1) }},
		{"resend that wraps", func(x *Exchange) bool { return x.Resend(0, 2, 0, ^uint64(5)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := returning(t)
			before := *x
			if c.do(x) || *x != before {
				t.Errorf("from %+v to %+v", before, *x)
			}
		})
	}
	x := returning(t)
	if !x.Resend(0, 2, 6, 0) || x.Resend(0, 2, 6, 0) {
		t.Error("a resend counts once")
	}
	var fresh Exchange
	if fresh.Have(0, 0, 1) || fresh.Resend(0, 0, 1, 0) {
		t.Error("nothing was broken, so nothing returns")
	}
}

// TestBreakDuringTheReturn: the generation before is forgotten, whoever breaks.
func TestBreakDuringTheReturn(t *testing.T) {
	for side := range 2 {
		x := returning(t)
		x.Break(side)
		if x.Resend(0, 2, 6, 0) || x.Resend(1, 2, 4, 0) || x.Met() {
			t.Errorf("side %d: %+v", side, x)
		}
		if !x.Return(side, 2, 4) || x.Generation() != 4 || x.Met() || !x.Have(1-side, 4, 6) || !x.Met() {
			t.Errorf("side %d, back: %+v", side, x)
		}
	}
}

// TestNobodyIsCountedAway: who has no connection has no count, even if it is
// still under way.
func TestNobodyIsCountedAway(t *testing.T) {
	var x Exchange
	x.Break(0)
	x.Break(1)
	if !x.Return(0, 1, 3) || x.Have(1, 3, 5) {
		t.Errorf("%+v", x)
	}
	if !x.Return(1, 1, 5) || x.Met() {
		t.Errorf("%+v", x)
	}
	if !x.Have(0, 4, 3) {
		t.Errorf("%+v", x)
	}
}

func TestExchangeIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Exchange{}); size > 40 {
		t.Errorf("%d bytes", size)
	}
}
