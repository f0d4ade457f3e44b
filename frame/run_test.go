package frame

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/gobwas/ws"
)

// runFrame is a masked frame.
func runFrame(op ws.OpCode, payload []byte, key uint32) []byte {
	return ws.MustCompileFrame(ws.MaskFrameWith(ws.NewFrame(op, true, bytes.Clone(payload)),
		[4]byte{byte(key), byte(key >> 8), byte(key >> 16), byte(key >> 24)}))
}

// TestRunEqualsNext takes random streams apart with Run and Next by turns, and
// with Next alone.
func TestRunEqualsNext(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		var stream []byte
		for range r.IntN(12) {
			op := []ws.OpCode{ws.OpText, ws.OpText, ws.OpBinary, ws.OpBinary, ws.OpPing}[r.IntN(5)]
			n := r.IntN([]int{3, 20, 126, 300, 70_000}[r.IntN(5)])
			if op == ws.OpPing {
				n = min(n, 125)
			}
			payload := bytes.Repeat([]byte("aé€😀\x1e"), n/5+1)
			for n > 0 && !bytes.Equal(bytes.ToValidUTF8(payload[:n], nil), payload[:n]) {
				n--
			}
			payload = payload[:n]
			if r.IntN(6) == 0 && n > 0 {
				payload = append([]byte{0x1e}, payload...)
			}
			if r.IntN(40) == 0 {
				payload = append(payload, 0xff)
			}
			if op == ws.OpPing && len(payload) > 125 {
				payload = payload[:125]
			}
			stream = append(stream, runFrame(op, payload, r.Uint32())...)
		}
		stream = stream[:len(stream)-r.IntN(min(len(stream), 8)+1)]

		naive := Decoder{Limit: 65536}
		want, wantErr := drain(&naive, bytes.Clone(stream), 0)
		d := Decoder{Limit: 65536}
		got, gotErr := drain(&d, bytes.Clone(stream), 1+r.IntN(20))
		if !bytes.Equal(got, want) || gotErr != wantErr {
			t.Fatalf("%d bytes: got %d, %v, want %d, %v", len(stream), len(got), gotErr, len(want), wantErr)
		}
		d.Release()
		naive.Release()
	}
}

// drain concatenates the frames of all messages, controls as their payload.
func drain(d *Decoder, b []byte, most int) (all []byte, err *Error) {
	for {
		if most > 0 {
			run, rest, err := d.Run(b, most)
			all = append(all, run.Frames...)
			if n := run.Texts + run.Binaries; n > most {
				panic("more than asked for")
			}
			if err != nil {
				return all, err
			}
			b = rest
		}
		m, rest, err := d.Next(b)
		if err != nil || m.Op == ws.OpContinuation {
			return all, err
		}
		if b = rest; m.Op.IsControl() {
			all = append(all, m.Payload...)
		} else {
			all = append(all, m.Frame...)
		}
	}
}

func TestRunStops(t *testing.T) {
	hello := runFrame(ws.OpText, []byte("hello"), 0x04030201)
	relayed := AppendMessage(nil, ws.OpText, []byte("hello"))
	for _, test := range []struct {
		desc  string
		stop  []byte
		state func(*Decoder)
		err   *Error
	}{
		{desc: "at the end"},
		{desc: "at a ping", stop: runFrame(ws.OpPing, nil, 1)},
		{desc: "at a control message", stop: runFrame(ws.OpText, []byte("\x1e{}"), 0xa1b2c3d4)},
		{desc: "at an unmasked frame", stop: []byte{0x81, 5, 'h', 'e', 'l', 'l', 'o'}},
		{desc: "at reserved bits", stop: []byte{0xc1, 0x80, 1, 2, 3, 4}},
		{desc: "at a fragment", stop: []byte{0x01, 0x80, 1, 2, 3, 4}},
		{desc: "at half a header", stop: []byte{0x81}},
		{desc: "at half a payload", stop: hello[:len(hello)-1]},
		{desc: "at a length that is not minimal", stop: append([]byte{0x82, 0xfe, 0, 5, 1, 2, 3, 4}, "12345"...)},
		{desc: "at a message over the limit", stop: runFrame(ws.OpBinary, make([]byte, 2000), 9)},
		{desc: "at what is not UTF-8", stop: runFrame(ws.OpText, []byte("\xff"), 7), err: ErrUTF8},
		{desc: "at what is long and not UTF-8", stop: runFrame(ws.OpText, append(make([]byte, 700), 0xc3), 7), err: ErrUTF8},
	} {
		t.Run(test.desc, func(t *testing.T) {
			d := Decoder{Limit: 1000}
			b := append(append(bytes.Clone(hello), hello...), test.stop...)
			r, rest, err := d.Run(b, 100)
			if !bytes.Equal(r.Frames, append(bytes.Clone(relayed), relayed...)) || r.Texts != 2 || r.Binaries != 0 || r.Payload != 10 {
				t.Errorf("got %+v", r)
			}
			if err != test.err || err == nil && !bytes.Equal(rest, test.stop) {
				t.Errorf("stopped at % x, %v, want % x, %v", rest, err, test.stop, test.err)
			}
		})
	}
	t.Run("in the middle of a message", func(t *testing.T) {
		var d Decoder
		if _, _, err := d.Next(bytes.Clone(hello[:8])); err != nil {
			t.Fatal(err)
		}
		if r, rest, _ := d.Run(hello[8:], 100); r.Frames != nil || len(rest) != len(hello)-8 {
			t.Errorf("got %+v, rest % x", r, rest)
		}
		d.Release()
	})
}

func TestRunAllocatesNothing(t *testing.T) {
	var d Decoder
	b := bytes.Repeat(runFrame(ws.OpText, []byte("hello"), 5), 10)
	work := make([]byte, len(b))
	if n := testing.AllocsPerRun(100, func() {
		copy(work, b)
		if r, _, _ := d.Run(work, 100); r.Texts != 10 {
			t.Fatal(r)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRun(b *testing.B) {
	for _, bench := range []struct {
		name string
		op   ws.OpCode
		size int
	}{{"text/size=64", ws.OpText, 64}, {"binary/size=64", ws.OpBinary, 64}, {"text/size=16384", ws.OpText, 16384}} {
		b.Run(bench.name, func(b *testing.B) {
			const read = 64 << 10
			one := runFrame(bench.op, bytes.Repeat([]byte("a"), bench.size), 0xa1b2c3d4)
			n := read / len(one)
			stream := bytes.Repeat(one, n)
			work := make([]byte, len(stream))
			var d Decoder
			messages := 0
			for b.Loop() {
				copy(work, stream)
				r, _, _ := d.Run(work, 1<<20)
				messages += r.Texts + r.Binaries
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(messages), "ns/msg")
			b.SetBytes(int64(len(stream)))
		})
	}
}
