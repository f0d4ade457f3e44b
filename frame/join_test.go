package frame

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestJoinOneRead(t *testing.T) {
	stream := frames(text("one"), ping("unanswered"), binaryOf("two"), text(""), text("four"))
	want := "\x81\x03one\x82\x03two\x81\x00\x81\x04four"
	var (
		d   Decoder
		out []byte
	)
	for rest := stream; ; {
		m, r, err := d.Next(rest)
		if err != nil {
			t.Fatal(err)
		}
		if m.Op == 0 {
			break
		}
		rest = r
		if m.Frame == nil {
			continue
		}
		var ok bool
		if out, ok = Join(out, m.Frame); !ok {
			t.Fatal("frames of one read do not join")
		}
	}
	if string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if &out[0] != &stream[4] {
		t.Error("the frames left the read buffer")
	}
}

func TestJoinRefusesOtherArrays(t *testing.T) {
	one, two := make([]byte, 100), make([]byte, 100)
	tests := []struct {
		desc   string
		out, f []byte
		ok     bool
	}{
		{"nothing yet", nil, two[10:20], true},
		{"an empty frame", one[:10], nil, true},
		{"behind", one[:10], one[30:50], true},
		{"at once behind", one[:10], one[10:20], true},
		{"up to the end", one[:10], one[90:], true},
		{"another array", one[:10], two[30:50], false},
		{"another array, other order", two[:10], one[30:50], false},
		{"in front", one[50:60], one[10:20], false},
		{"over the end of out", one[:10], one[9:20], false},
		{"out may not grow so far", one[:10:40], one[30:50], false},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			out, ok := Join(tt.out, tt.f)
			if ok != tt.ok {
				t.Fatalf("ok = %v", ok)
			}
			n := len(tt.out)
			if ok {
				n += len(tt.f)
			}
			if len(out) != n {
				t.Errorf("%d bytes, want %d", len(out), n)
			}
		})
	}
}

// Whatever mixture of whole and gathered messages arrives: writing out before a
// frame that does not join gives the frames in order.
func TestJoinRandomStreams(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		stream := randomStream(r, 1+r.IntN(20))
		messages, _, _ := reference(stream, DefaultLimit)
		var want []byte
		for _, m := range messages {
			want = append(want, m.frame...)
		}
		got := relay{t: t, most: r.IntN(4)}
		for part := range slices.Chunk(stream, 1+r.IntN(len(stream))) {
			if got.read(bytes.Clone(part)); got.offence != nil {
				break
			}
		}
		got.decoder.Release()
		if !bytes.Equal(got.frames, want) {
			t.Fatalf("got %x\nwant %x\nstream %x", got.frames, want, stream)
		}
	}
}
