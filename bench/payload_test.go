//go:build linux

package bench

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

func TestSpreadGather(t *testing.T) {
	for _, v := range []uint64{0, 1, 63, 64, 1<<24 - 1, 1 << 24, 1<<48 - 1, 0x123456789abc} {
		w := spread(v)
		if got := gather(w); got != v {
			t.Errorf("gather(spread(%#x)) = %#x", v, got)
		}
		for i := range 8 {
			if b := byte(w >> (8 * i)); b < '0' || b > 'o' {
				t.Errorf("spread(%#x) has the byte %#x", v, b)
			}
		}
	}
}

// A frame unmasks to text that says who sent it and when; any altered bit of its
// head is noticed.
func TestFrames(t *testing.T) {
	for _, text := range Texts {
		t.Run(string(text), func(t *testing.T) { testFrames(t, text) })
	}
}

func testFrames(t *testing.T, text Text) {
	for _, size := range []int{minSize, 33, 64, 125, 126, 1000, 16 << 10, 65535, 65536, 100000} {
		s := newStencil(size, text, rand.Uint64())
		other := newStencil(size, text, rand.Uint64())
		for _, seq := range []uint64{0, 1, 5, 62, 63, 64, 1 << 40} {
			n := min(3, s.most)
			out := s.frames(firstWord(chat, 77, 4711), 4711, seq, 12345, n)
			if len(out) != n*s.frame {
				t.Fatalf("size %d: %d bytes for %d frames of %d", size, len(out), n, s.frame)
			}
			for i := range n {
				m := bytes.Clone(out[i*s.frame+s.header : (i+1)*s.frame])
				for j := range m {
					m[j] ^= s.mask[j&3]
				}
				h, ok := parseHead(m)
				want := head{kind: chat, run: 77, id: 4711, seq: seq + uint64(i), time: 12345}
				if !ok || h != want {
					t.Fatalf("size %d: %+v, %v, want %+v", size, h, ok, want)
				}
				if !bytes.Equal(m[headSize:], other.body(other.slot(h.id, h.seq))) {
					t.Fatalf("size %d, seq %d: another loop expects another body", size, h.seq)
				}
				if !utf8.Valid(m) {
					t.Fatalf("size %d: not text", size)
				}
				for bit := range 8 * headSize {
					m[bit/8] ^= 1 << (bit % 8)
					if _, ok := parseHead(m); ok {
						t.Fatalf("bit %d of the head altered unnoticed", bit)
					}
					m[bit/8] ^= 1 << (bit % 8)
				}
			}
		}
	}
}

// TestTexts: the bodies are of the script they are named after, and of as many
// bytes a character.
func TestTexts(t *testing.T) {
	for text, want := range map[Text]struct{ least, most float64 }{
		ASCII: {1, 1}, Binary: {1, 1}, German: {1.05, 1.5}, Japanese: {2.9, 3}, Emoji: {3.3, 4}, Mixed: {1.3, 2.5},
	} {
		pattern, stride := text.pattern(16<<10, 8)
		for slot := range 8 {
			body := pattern[slot*stride:][:16<<10]
			if got := float64(len(body)) / float64(utf8.RuneCount(body)); got < want.least || got > want.most {
				t.Errorf("%s: %.2f bytes a character", text, got)
			}
		}
	}
}

func TestHistogram(t *testing.T) {
	var h, other histogram
	for i := range 1000 {
		h.add(int64(i+1) * 1000)
		other.add(int64(i+1001) * 1000)
	}
	h.merge(&other)
	for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
		want := q * 2000 * 1000
		got := float64(h.quantile(q))
		if got < want || got > want*1.017 {
			t.Errorf("quantile(%v) = %v, want %v", q, got, want)
		}
	}
	if l := h.latency(); l.Count != 2000 || l.Max != 2000 || l.Mean != 1000.5 {
		t.Errorf("%+v", l)
	}
	for v := uint64(0); v < 1<<20; v += 37 {
		if b := bucket(v); ceiling(b) < v || b > 0 && ceiling(b-1) >= v {
			t.Fatalf("%d is in bucket %d, which ends at %d", v, b, ceiling(b))
		}
	}
	var longest histogram
	longest.add(1 << 62) // beyond the last bucket
	if longest.quantile(1) == 0 {
		t.Error("the longest is lost")
	}
}
