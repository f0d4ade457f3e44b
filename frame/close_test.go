package frame

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

func TestParseClose(t *testing.T) {
	tests := []struct {
		desc    string
		payload string
		code    ws.StatusCode
		reason  string
		err     *Error
	}{
		{"empty", "", 1005, "", nil},
		{"one byte", "\x03", 0, "", ErrClosePayload},
		{"code only", "\x03\xe8", 1000, "", nil},
		{"code and reason", "\x03\xe9bye", 1001, "bye", nil},
		{"reason is not UTF-8", "\x03\xe8\xff", 1000, "\xff", ErrCloseReason},
		{"reason ends inside a rune", "\x03\xe8\xe2\x82", 1000, "\xe2\x82", ErrCloseReason},
		{"code and reason are bad", "\x00\x00\xff", 0, "\xff", ErrCloseCode},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			code, reason, err := ParseClose([]byte(tt.payload))
			if code != tt.code || string(reason) != tt.reason || err != tt.err {
				t.Errorf("got %d %q %v, want %d %q %v", code, reason, err, tt.code, tt.reason, tt.err)
			}
		})
	}
}

// mayStandOnTheWire is section 7.4 as a table.
func mayStandOnTheWire(code int) bool {
	for _, r := range [][2]int{{1000, 1003}, {1007, 1014}, {3000, 4999}} {
		if r[0] <= code && code <= r[1] {
			return true
		}
	}
	return false
}

func TestCloseCodes(t *testing.T) {
	for code := range 1 << 16 {
		_, _, err := ParseClose([]byte{byte(code >> 8), byte(code)})
		if (err == nil) != mayStandOnTheWire(code) {
			t.Fatalf("code %d: %v", code, err)
		}
	}
}

func TestAppendClose(t *testing.T) {
	tests := []struct {
		desc   string
		code   ws.StatusCode
		reason string
		want   string
	}{
		{"code only", 1000, "", "\x88\x02\x03\xe8"},
		{"with a reason", 4408, "stalled", "\x88\x09\x11\x38stalled"},
		{"no code", ws.StatusNoStatusRcvd, "ignored", "\x88\x00"},
		{"zero", 0, "", "\x88\x00"},
		{"1006 must not stand on the wire", ws.StatusAbnormalClosure, "", "\x88\x00"},
		{"a reason of 123 bytes", 1000, strings.Repeat("x", 123), "\x88\x7d\x03\xe8" + strings.Repeat("x", 123)},
		{"a longer one", 1000, strings.Repeat("x", 500), "\x88\x7d\x03\xe8" + strings.Repeat("x", 123)},
		{"is not cut in a rune", 1000, strings.Repeat("x", 121) + "€", "\x88\x7b\x03\xe8" + strings.Repeat("x", 121)},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			if got := AppendClose([]byte("before"), tt.code, tt.reason); string(got) != "before"+tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Every offence of this package fits into a close frame.
func TestErrorsFit(t *testing.T) {
	for _, e := range []*Error{ErrReservedBits, ErrOpcode, ErrControlFragmented, ErrContinuation, ErrInterrupted,
		ErrNotMasked, ErrControlTooLong, ErrLength, ErrTooBig, ErrUTF8, ErrClosePayload, ErrCloseCode, ErrCloseReason} {
		b := AppendClose(nil, e.Code, e.Reason)
		if code, reason, err := ParseClose(b[2:]); code != e.Code || string(reason) != e.Reason || err != nil {
			t.Errorf("%v: %d %q %v", e, code, reason, err)
		}
	}
}

func FuzzClose(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("\x03"))
	f.Add([]byte("\x03\xe8bye"))
	f.Add([]byte("\x03\xed"))
	f.Add([]byte("\x11\x94\xed\xa0\x80"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		code, reason, err := ParseClose(payload)
		var want *Error
		switch {
		case len(payload) == 0:
		case len(payload) == 1:
			want = ErrClosePayload
		case !mayStandOnTheWire(int(payload[0])<<8 | int(payload[1])):
			want = ErrCloseCode
		case !utf8.Valid(payload[2:]):
			want = ErrCloseReason
		}
		if err != want {
			t.Fatalf("%v, want %v", err, want)
		}
		if err != nil {
			return
		}
		if len(payload) > ws.MaxControlFramePayloadSize {
			return
		}
		// What was accepted is what we would send.
		sent := AppendMessage(nil, ws.OpClose, payload)
		if got := AppendClose(nil, code, string(reason)); !bytes.Equal(got, sent) {
			t.Fatalf("got %q, want %q", got, sent)
		}
	})
}

func ExampleParseClose() {
	code, reason, err := ParseClose([]byte("\x03\xe9tab closed"))
	fmt.Println(code, string(reason), err)
	code, _, err = ParseClose(nil)
	fmt.Println(code, err)
	_, _, err = ParseClose([]byte("\x03\xee")) // 1006
	fmt.Println(err)
	// Output:
	// 1001 tab closed <nil>
	// 1005 <nil>
	// frame: invalid close code (1002)
}
