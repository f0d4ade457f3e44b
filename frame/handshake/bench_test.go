package handshake

import (
	"testing"

	"roulette/netpoll/nettest"
)

func BenchmarkUpgrade(b *testing.B) {
	u := newUpgrader(b)
	for _, c := range clients[:4] {
		b.Run(c.desc, func(b *testing.B) {
			b.ReportAllocs()
			head := []byte(c.head)
			dst := make([]byte, 0, 512)
			for b.Loop() {
				if n, err := HeadEnd(head, 0); n != len(head) || err != nil {
					b.Fatal(n, err)
				}
				if _, _, res := u.Upgrade(dst, head); res != OK {
					b.Fatal(res)
				}
			}
		})
	}
	b.Run("refused", func(b *testing.B) {
		b.ReportAllocs()
		head := []byte(lines("GET /ws HTTP/1.1", "Host: x"))
		dst := make([]byte, 0, 512)
		for b.Loop() {
			u.Upgrade(dst, head)
		}
	})
}

func TestUpgradeAllocations(t *testing.T) {
	u := newUpgrader(t)
	dst := make([]byte, 0, 512)
	tests := []struct {
		desc string
		head string
		most float64
	}{
		{"Chrome", clients[0].head, 1},
		{"curl", clients[2].head, 1},
		{"refused", lines("GET /ws HTTP/1.1", "Host: x"), 0},
		{"not a chat", lines("GET / HTTP/1.1", "Host: x"), 0},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			if nettest.RaceEnabled {
				t.Skip("sync.Pool loses on purpose under the race detector")
			}
			head := []byte(tt.head)
			if n := testing.AllocsPerRun(200, func() { u.Upgrade(dst, head) }); n > tt.most {
				t.Errorf("%v allocations, want %v at most", n, tt.most)
			}
		})
	}
}
