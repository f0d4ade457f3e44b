package tls13

import (
	"crypto/tls"
	"fmt"
	"testing"
)

// relay is what a worker does with a message: it opens one session's record and
// seals the data under another's.
func relay(t testing.TB, suite uint16, size, hotKeys int) func() {
	t.Helper()
	a := newSession(t, suite, false)
	b, err := New(Secrets{Suite: suite, Receive: secretOf(suite, 3), Send: secretOf(suite, 4)})
	if err != nil {
		t.Fatal(err)
	}
	rec := sender(suite).record(23, make([]byte, size), 0)
	in, out := make([]byte, len(rec)), make([]byte, len(rec))
	k := NewKeys(hotKeys)
	return func() {
		copy(in, rec)
		a.in.sequence, b.out.sequence = 0, 0
		data, _, _, err := a.Open(k, in)
		if len(data) != size {
			t.Fatal(err)
		}
		copy(out[HeaderSize:], data)
		b.Seal(k, out)
	}
}

// TestAllocations: nothing is allocated for a record while the keys are hot.
func TestAllocations(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		for _, size := range []int{1, 64, MostData} {
			f := relay(t, suite, size, 16)
			f() // a key stays when it is used again, which AllocsPerRun does before it counts
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%d bytes: %v allocations", size, n)
			}
		}
	})
}

func BenchmarkOpenSeal(b *testing.B) {
	for _, suite := range allSuites {
		for _, size := range []int{64, MostData} {
			b.Run(fmt.Sprintf("%s/%d", tls.CipherSuiteName(suite), size), func(b *testing.B) {
				f := relay(b, suite, size, 16)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					f()
				}
			})
		}
	}
}

// BenchmarkCold: a record sealed and opened under a key that had to be expanded.
func BenchmarkCold(b *testing.B) {
	for which, suite := range allSuites {
		b.Run(tls.CipherSuiteName(suite), func(b *testing.B) {
			all := crowd(b, 64*len(allSuites))
			k, buf := NewKeys(4), make([]byte, 0, 1024)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s := all[i%64*len(allSuites)+which]
				s.in.sequence, s.out.sequence = 0, 0
				if data, _, _, err := s.Open(k, s.AppendData(k, buf[:0], buf[500:564])); len(data) != 64 {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKeyUpdate(b *testing.B) {
	s, k := newSession(b, allSuites[0], false), NewKeys(4)
	buf := make([]byte, 0, 1024)
	for b.Loop() {
		s.appendKeyUpdate(k, buf, answer)
	}
}
