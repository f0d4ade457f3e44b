package frame

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestAppendHeader(t *testing.T) {
	tests := []struct {
		desc string
		op   ws.OpCode
		n    int
		want string
	}{
		{"empty text", ws.OpText, 0, "8100"},
		{"largest of one byte", ws.OpText, 125, "817d"},
		{"smallest of two bytes", ws.OpBinary, 126, "827e007e"},
		{"largest of two bytes", ws.OpBinary, 65535, "827effff"},
		{"smallest of eight bytes", ws.OpBinary, 65536, "827f0000000000010000"},
		{"pong", ws.OpPong, 2, "8a02"},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			got := AppendHeader(nil, tt.op, tt.n)
			if !bytes.Equal(got, unhex(tt.want)) {
				t.Errorf("got %x, want %s", got, tt.want)
			}
			if headerSize(tt.n) != len(got) {
				t.Errorf("headerSize is %d, the header has %d", headerSize(tt.n), len(got))
			}
			h, err := ws.ReadHeader(bytes.NewReader(got))
			if err != nil || !h.Fin || h.OpCode != tt.op || h.Length != int64(tt.n) || h.Masked {
				t.Errorf("gobwas reads %+v, %v", h, err)
			}
		})
	}
}

func TestAppendMessage(t *testing.T) {
	got := AppendMessage([]byte("before"), ws.OpPong, []byte("hi"))
	if string(got) != "before\x8a\x02hi" {
		t.Errorf("got %q", got)
	}
}

// Every pair of first bytes is judged as gobwas judges it.
func TestParseHeaderAsGobwasDoes(t *testing.T) {
	rest := strings.Repeat("\x00", 12)
	for b0 := range 256 {
		for b1 := range 256 {
			for _, inMessage := range []bool{false, true} {
				if n := b1 & 0x7f; n >= 126 {
					continue // the length is judged by more than gobwas does
				}
				b := append([]byte{byte(b0), byte(b1)}, rest...)
				theirs, err := ws.ReadHeader(bytes.NewReader(b))
				if err != nil {
					t.Fatal(err)
				}
				state := ws.StateServerSide
				if inMessage {
					state = state.Set(ws.StateFragmented)
				}
				want := ws.CheckHeader(theirs, state)
				h, got := parseHeader(b, inMessage, DefaultLimit)
				if (got == nil) != (want == nil) {
					t.Fatalf("%x: %v, gobwas says %v", b[:2], got, want)
				}
				if got == nil && (h.fin != theirs.Fin || h.op != theirs.OpCode || h.length != int(theirs.Length) || h.size != 6) {
					t.Fatalf("%x: %+v, gobwas says %+v", b[:2], h, theirs)
				}
			}
		}
	}
}
