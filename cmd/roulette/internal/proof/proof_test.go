package proof

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(1_800_000_000, 0)

func solved(t *testing.T, p Puzzle) Answers {
	t.Helper()
	a, ok := p.Solve(nil)
	if !ok || !p.Verify(&a) {
		t.Fatalf("%+v has the answers %v", p, a)
	}
	return a
}

// TestProof: what Solve finds is right, and with any part wrong it is not.
func TestProof(t *testing.T) {
	s := NewIssuer(sha256.Sum256(nil))
	p := s.Ask(7, 6, start)
	a := solved(t, p)
	for part := range a {
		wrong := a
		for wrong[part]++; p.derive(uint32(part), wrong[part]); wrong[part]++ {
		}
		if p.Verify(&wrong) {
			t.Errorf("part %d can be wrong", part)
		}
	}
	other := s.Ask(7, 6, start)
	if other.Verify(&a) {
		t.Error("the answers to one puzzle are good for another")
	}
	stop := make(chan struct{})
	close(stop)
	if _, ok := p.Solve(stop); ok {
		t.Error("it does not stop")
	}
}

// TestVector: other implementations find the same.
func TestVector(t *testing.T) {
	// By Python's hashlib.pbkdf2_hmac("sha256", b"seed", salt, 256), the first n with four
	// leading zero bits for each part.
	want := Answers{49, 7, 27, 3, 12, 18, 36, 64}
	p := Puzzle{"seed", 4}
	if got := solved(t, p); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestClaim: a puzzle is answered by whom it was for, in time, once.
func TestClaim(t *testing.T) {
	s, other := NewIssuer(sha256.Sum256(nil)), NewIssuer(sha256.Sum256([]byte("x")))
	p := s.Ask(7, 5, start)
	for i := range len(p.Seed) {
		forged := p.Seed[:i] + string('A'+(p.Seed[i]+1)%26) + p.Seed[i+1:]
		if _, err := s.Claim(forged, 7, start); forged != p.Seed && !errors.Is(err, ErrForeign) {
			t.Errorf("with another character %d: %v", i, err)
		}
	}
	for _, c := range []struct {
		what   string
		by     *Issuer
		seed   string
		holder uint64
		after  time.Duration
		want   error
	}{
		{"another client's", s, p.Seed, 8, 0, ErrForeign},
		{"another server's", other, p.Seed, 7, 0, ErrForeign},
		{"nothing", s, "", 7, 0, ErrForeign},
		{"something long", s, strings.Repeat("A", 1<<16), 7, 0, ErrForeign},
		{"too late", s, p.Seed, 7, Fresh + time.Second, ErrLate},
		{"by a clock that has gone back", s, p.Seed, 7, -2 * Fresh, ErrLate},
		{"in time", s, p.Seed, 7, Fresh, nil},
		{"twice", s, p.Seed, 7, 0, ErrTwice},
	} {
		got, err := c.by.Claim(c.seed, c.holder, start.Add(c.after))
		if !errors.Is(err, c.want) || err == nil && got != p {
			t.Errorf("%s: %+v, %v", c.what, got, err)
		}
	}
	for n := range 2*MaxClaims + 1 { // by somebody who answers at once
		if _, err := s.Claim(s.Ask(1, 0, start).Seed, 1, start); err != nil && n < MaxClaims/2 {
			t.Fatalf("claim %d: %v", n, err)
		}
	}
	if n := len(s.young) + len(s.old); n > 2*MaxClaims {
		t.Errorf("%d claims are remembered", n)
	}
	later := start.Add(5 * time.Minute)
	if _, err := s.Claim(s.Ask(1, 0, later).Seed, 1, later); err != nil {
		t.Errorf("after a flood: %v", err)
	}
}

// TestQueue: the most effort first, and when it is full the least gives way.
func TestQueue(t *testing.T) {
	var q Queue
	hold, first := make(chan struct{}), make(chan struct{})
	q.Add(Puzzle{"seed", 0}, Answers{}, func(bool) { close(first); <-hold })
	<-first
	done := make(chan int, 2*MaxQueue)
	lost := make(chan int, 2*MaxQueue)
	add := func(bits int) bool {
		return q.Add(Puzzle{"seed", bits}, Answers{}, func(right bool) {
			if bits > 0 && !right {
				done <- bits
			} else if right {
				done <- 0
			} else {
				lost <- bits
			}
		})
	}
	for range MaxQueue - 2 {
		if !add(0) {
			t.Fatal("full too early")
		}
	}
	if !add(7) || !add(8) || add(0) || q.Waiting() != MaxQueue {
		t.Fatalf("%d wait", q.Waiting())
	}
	if !add(6) {
		t.Error("who has done more is not taken")
	}
	if got := <-lost; got != 0 {
		t.Errorf("one of %d bits gave way", got)
	}
	close(hold)
	for _, want := range []int{8, 7, 6, 0} {
		if got := <-done; got != want {
			t.Errorf("%d bits, want %d", got, want)
		}
	}
	if q.Close(); q.Waiting() != 0 || add(9) {
		t.Error("a queue that is closed has somebody wait")
	}
}

func BenchmarkWrong(b *testing.B) {
	p := Puzzle{"seed", MaxBits}
	for b.Loop() {
		p.Verify(&Answers{})
	}
}

func BenchmarkRight(b *testing.B) {
	p := Puzzle{"seed", 2}
	a, _ := p.Solve(nil)
	for b.Loop() {
		p.Verify(&a)
	}
}
