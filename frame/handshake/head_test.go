package handshake

import (
	"strings"
	"testing"
)

func TestHeadEnd(t *testing.T) {
	tests := []struct {
		desc  string
		bytes string
		n     int // 0: not whole
		bad   int // how many bytes prove that it is no head; 0: none do
	}{
		{"nothing", "", 0, 0},
		{"shortest", "A\r\n", 0, 2},
		{"one line", "GET / HTTP/1.1\r\n\r\n", 18, 0},
		{"with headers", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, 0},
		{"with frames behind", "GET / HTTP/1.1\r\n\r\n\x81\x85\n\r\n\r\n", 18, 0},
		{"with a second request behind", "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", 18, 0},
		{"not whole", "GET / HTTP/1.1\r\nHost: x\r\n\r", 0, 0},
		{"longest method", strings.Repeat("M", 16) + " / HTTP/1.1\r\n\r\n", 31, 0},
		{"method with a hyphen", "M-SEARCH * HTTP/1.1\r\n\r\n", 23, 0},
		{"other bytes in a header wait for the scan", "GET / HTTP/1.1\r\nA:\x00\x01\x7f\xff\r\n\r\n", 26, 0},

		{"TLS ClientHello", "\x16\x03\x01\x02\x00\x01", 0, 1},
		{"SSH", "SSH-2.0-OpenSSH_9.6\r\n", 0, 17},
		{"lower case", "get / HTTP/1.1\r\n\r\n", 0, 1},
		{"empty line in front", "\r\nGET / HTTP/1.1\r\n\r\n", 0, 1},
		{"space in front", " GET / HTTP/1.1\r\n\r\n", 0, 1},
		{"a WebSocket frame", "\x81\x85\x37\xfa\x21\x3d", 0, 1},
		{"SOCKS 5", "\x05\x01\x00", 0, 1},
		{"NUL in the method", "GE\x00 /", 0, 3},
		{"colon in the method", "Host: x\r\n", 0, 5},
		{"method is too long", strings.Repeat("M", 17), 0, 17},
		{"request line without a space", "GET\r\n", 0, 4},
		{"NUL in the target", "GET /\x00 HTTP/1.1\r\n", 0, 6},
		{"tab in the request line", "GET\t/ HTTP/1.1\r\n", 0, 4},
		{"tab in the target", "GET /\t HTTP/1.1\r\n", 0, 6},
		{"DEL in the target", "GET /\x7f", 0, 6},
		{"bare CR in the request line", "GET /\rx HTTP/1.1\r\n", 0, 7},
		{"two CR", "GET / HTTP/1.1\r\r\n", 0, 16},
		{"bare LF after the request line", "GET / HTTP/1.1\nHost: x\n\n", 0, 15},
		{"bare LF after a header", "GET / HTTP/1.1\r\nHost: x\n\n", 0, 24},
		{"bare LF as the blank line", "GET / HTTP/1.1\r\nHost: x\r\n\n", 0, 26},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			// Every prefix, on its own and after every shorter one.
			for end := range len(tt.bytes) + 1 {
				for from := range end + 1 {
					if tt.n > 0 && from > tt.n-1 || tt.bad > 0 && from > tt.bad-1 {
						continue // an earlier call has told
					}
					n, err := HeadEnd([]byte(tt.bytes[:end]), from)
					switch {
					case tt.bad > 0 && end >= tt.bad:
						if err != ErrNotHTTP || n != 0 {
							t.Fatalf("%q from %d: %d, %v, want an error", tt.bytes[:end], from, n, err)
						}
					case tt.n > 0 && end >= tt.n:
						if n != tt.n || err != nil {
							t.Fatalf("%q from %d: %d, %v, want %d", tt.bytes[:end], from, n, err, tt.n)
						}
					case n != 0 || err != nil:
						t.Fatalf("%q from %d: %d, %v, want 0", tt.bytes[:end], from, n, err)
					}
				}
			}
		})
	}
}
