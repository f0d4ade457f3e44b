package frame

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
)

// stateStream is what a client sends: fragments, control frames between them, all
// lengths of headers, a text cut within a rune.
func stateStream() (b []byte) {
	frame := func(first byte, payload []byte) {
		mask := [maskSize]byte{1, 200, 33, 4}
		header := []byte{first}
		switch n := len(payload); {
		case n < len16:
			header = append(header, maskBit|byte(n))
		default:
			header = append(header, maskBit|len16, byte(n>>8), byte(n))
		}
		payload = bytes.Clone(payload)
		ws.Cipher(payload, mask, 0)
		b = append(append(append(b, header...), mask[:]...), payload...)
	}
	frame(byte(ws.OpText), []byte("caf\xc3"))
	frame(finBit|byte(ws.OpPing), []byte("are you there"))
	frame(byte(ws.OpContinuation), nil)
	frame(finBit|byte(ws.OpContinuation), []byte("\xa9 au lait"))
	frame(finBit|byte(ws.OpBinary), bytes.Repeat([]byte{7}, 200))
	frame(finBit|byte(ws.OpText), []byte("whole"))
	frame(finBit|byte(ws.OpClose), []byte("\x03\xe8bye"))
	return b
}

// messagesOf is what a Decoder makes of pieces, which another one takes over
// between them.
func messagesOf(t *testing.T, move bool, pieces ...[]byte) (got []string) {
	t.Helper()
	d := &Decoder{Limit: 300}
	for _, piece := range pieces {
		rest := bytes.Clone(piece)
		for {
			m, behind, err := d.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			if m.Op == ws.OpContinuation {
				break
			}
			got = append(got, string(byte(m.Op))+string(m.Payload))
			rest = behind
		}
		if move {
			state := d.AppendState([]byte("before"))
			d.Release()
			next := &Decoder{Limit: 300}
			rest, ok := next.RestoreState(append(state[len("before"):], "behind"...))
			if !ok || string(rest) != "behind" {
				t.Fatalf("not restored: %q, %v", rest, ok)
			}
			d = next
		}
	}
	if !d.Empty() {
		t.Error("something is left")
	}
	return got
}

// TestStateAtEveryByte: the Decoder moves at every place of a stream, and nobody
// notices.
func TestStateAtEveryByte(t *testing.T) {
	stream := stateStream()
	want := messagesOf(t, false, stream)
	if len(want) != 5 {
		t.Fatalf("%d messages", len(want))
	}
	for i := range stream {
		for _, j := range []int{i, (i + len(stream)) / 2} {
			got := messagesOf(t, true, stream[:i], stream[i:j], stream[j:])
			if len(got) != len(want) {
				t.Fatalf("moved at %d and %d: %q", i, j, got)
			}
			for k := range got {
				if got[k] != want[k] {
					t.Errorf("moved at %d and %d: message %d is %q", i, j, k, got[k])
				}
			}
		}
	}
}

// TestStateEveryPrefix: what is not whole is refused.
func TestStateEveryPrefix(t *testing.T) {
	stream := stateStream()
	for _, at := range []int{0, 1, 8, 14, 31, 60, 61, 70} {
		d := &Decoder{}
		for b := bytes.Clone(stream[:at]); ; {
			m, rest, err := d.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			if m.Op == 0 {
				break
			}
			b = rest
		}
		state := d.AppendState(nil)
		for n := range state {
			if _, ok := new(Decoder).RestoreState(state[:n]); ok {
				t.Errorf("at %d: %d of %d bytes are taken", at, n, len(state))
			}
		}
		d.Release()
	}
}

// FuzzState: whatever is restored can be fed with anything, and is written down as
// it was.
func FuzzState(f *testing.F) {
	stream := stateStream()
	for at := range stream {
		d := &Decoder{}
		for b := bytes.Clone(stream[:at]); ; {
			m, rest, err := d.Next(b)
			if err != nil || m.Op == 0 {
				break
			}
			b = rest
		}
		f.Add(d.AppendState(nil), bytes.Clone(stream[at:]))
	}
	f.Fuzz(func(t *testing.T, state, input []byte) {
		d := &Decoder{Limit: 1000}
		rest, ok := d.RestoreState(state)
		if !ok {
			if !d.Empty() {
				t.Fatal("refused, and not empty")
			}
			return
		}
		defer d.Release()
		again := d.AppendState(nil)
		e := &Decoder{Limit: 1000}
		if left, ok := e.RestoreState(again); !ok || len(left) > 0 || !bytes.Equal(e.AppendState(nil), again) {
			t.Fatalf("%x is restored from %x, and not again", again, state[:len(state)-len(rest)])
		}
		e.Release()
		for {
			m, behind, err := d.Next(input)
			if err != nil || m.Op == 0 {
				return
			}
			input = behind
		}
	})
}
