package frame

import (
	"strings"
	"testing"
)

// One read's bytes, put back each time; the copy is part of the figure.
func BenchmarkNext(b *testing.B) {
	chunk := strings.Repeat("a", 16<<10)
	many := frames(text(chunk[:64]))
	for range 4 {
		many = append(many, many...)
	}
	benchmarks := []struct {
		desc  string
		parts [][]byte
	}{
		{"text=64B", [][]byte{frames(text(chunk[:64]))}},
		{"text=64B/16-in-one-read", [][]byte{many}},
		{"binary=64B", [][]byte{frames(binaryOf(chunk[:64]))}},
		{"text=16KiB", [][]byte{frames(text(chunk))}},
		{"text=16KiB/not-ASCII", [][]byte{frames(text(strings.Repeat("語", 16<<10/3)))}},
		{"binary=16KiB", [][]byte{frames(binaryOf(chunk))}},
		{"text=64B/in-two-reads", cut(frames(text(chunk[:64])), 30)},
		{"text=16KiB/in-two-reads", cut(frames(text(chunk)), 8<<10)},
		{"text=64B/in-two-fragments", [][]byte{frames(first(chunk[:32]), last(chunk[:32]))}},
		{"ping", [][]byte{frames(ping("hi"))}},
	}
	for _, bm := range benchmarks {
		b.Run(bm.desc, func(b *testing.B) {
			n := 0
			for _, p := range bm.parts {
				n += len(p)
			}
			b.SetBytes(int64(n))
			b.ReportAllocs()
			buf := make([]byte, n)
			var d Decoder
			for b.Loop() {
				for _, p := range bm.parts {
					var out []byte
					for rest := buf[:copy(buf, p)]; ; {
						m, r, err := d.Next(rest)
						if err != nil {
							b.Fatal(err)
						}
						if m.Op == 0 {
							break
						}
						rest = r
						if !m.Gathered {
							out, _ = Join(out, m.Frame)
						}
					}
				}
			}
		})
	}
}
