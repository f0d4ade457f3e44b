package proxy

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
)

const signature2 = "\r\n\r\n\x00\r\nQUIT\n"

// v2 is a header of version 2.
func v2(command, family byte, body string) string {
	return signature2 + string([]byte{0x20 | command, family, byte(len(body) >> 8), byte(len(body))}) + body
}

const (
	tcp4 = "\xcb\x00\x71\x07\xc0\x00\x02\x01\x10\x92\x01\xbb" // 203.0.113.7:4242 to 192.0.2.1:443
	tcp6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x10\x92\x01\xbb"
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xcb\x00\x71\x07" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01\x10\x92\x01\xbb"
	tlv = "\x04\x00\x03abc" // PP2_TYPE_NOOP
)

// headers are whole headers, and the client they name; "invalid IP" is none.
var headers = []struct{ desc, header, client string }{
	{"v1, IPv4", "PROXY TCP4 203.0.113.7 192.0.2.1 4242 443\r\n", "203.0.113.7"},
	{"v1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 4242 443\r\n", "2001:db8::7"},
	{"v1, IPv4-mapped", "PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 4242 443\r\n", "203.0.113.7"},
	{"v1, UNKNOWN", "PROXY UNKNOWN\r\n", "invalid IP"},
	{"v1, UNKNOWN of the greatest length", "PROXY UNKNOWN " + strings.Repeat("f", 107-16) + "\r\n", "invalid IP"},
	{"v2, IPv4", v2(1, 0x11, tcp4), "203.0.113.7"},
	{"v2, IPv4 and TLVs", v2(1, 0x11, tcp4+tlv+tlv), "203.0.113.7"},
	{"v2, IPv6", v2(1, 0x21, tcp6), "2001:db8::7"},
	{"v2, IPv4-mapped", v2(1, 0x21, mapped), "203.0.113.7"},
	{"v2, LOCAL", v2(0, 0, ""), "invalid IP"},
	{"v2, LOCAL with an address", v2(0, 0x11, tcp4), "invalid IP"},
	{"v2, LOCAL with something", v2(0, 0, tlv), "invalid IP"},
	{"v2, a Unix socket", v2(1, 0x31, strings.Repeat("\x00", 216)), "invalid IP"},
	{"v2, UDP", v2(1, 0x12, tcp4), "invalid IP"},
	{"v2, as long as may be", v2(1, 0x11, tcp4+"\x04\x0f\xe1"+strings.Repeat("x", MaxHeader-16-12-3)), "203.0.113.7"},
}

// TestHeaders: every header, with a request behind it, is found at its last byte
// and no earlier.
func TestHeaders(t *testing.T) {
	for _, tc := range headers {
		stream := []byte(tc.header + "GET /ws HTTP/1.1\r\n\r\n")
		for n := range len(tc.header) {
			if end, err := HeaderEnd(stream[:n]); end != 0 || err != nil {
				t.Fatalf("%s: %d bytes of it: %d, %v", tc.desc, n, end, err)
			}
		}
		end, err := HeaderEnd(stream)
		if end != len(tc.header) || err != nil {
			t.Errorf("%s: ends at %d, %v, want %d", tc.desc, end, err, len(tc.header))
			continue
		}
		if got, err := ParseHeader(stream[:end]); err != nil || got.String() != tc.client {
			t.Errorf("%s: got %v, %v, want %s", tc.desc, got, err, tc.client)
		}
	}
}

// TestNoHeaders: at the first byte that cannot be one's, or, when it is whole.
func TestNoHeaders(t *testing.T) {
	for _, tc := range []struct {
		desc, bytes string
		at          int // how many bytes it takes to know; 0: it must be whole
	}{
		{"a request", "GET / HTTP/1.1\r\n\r\n", 1},
		{"a request that begins alike", "PROPFIND / HTTP/1.1\r\n\r\n", 4},
		{"TLS", "\x16\x03\x01", 1},
		{"the blank line that some clients send first", "\r\nGET / HTTP/1.1\r\n\r\n", 3},
		{"v1 without an end", "PROXY UNKNOWN " + strings.Repeat("f", 200), 107},
		{"v1, no space", "PROXYTCP4 203.0.113.7 192.0.2.1 4242 443\r\n", 0},
		{"v1, a bare line feed", "PROXY TCP4 203.0.113.7 192.0.2.1 4242 443\n", 0},
		{"v1, too few", "PROXY TCP4 203.0.113.7 192.0.2.1 4242\r\n", 0},
		{"v1, another family's address", "PROXY TCP4 2001:db8::7 192.0.2.1 4242 443\r\n", 0},
		{"v1, a port that is none", "PROXY TCP4 203.0.113.7 192.0.2.1 66666 443\r\n", 0},
		{"v1, a name", "PROXY TCP4 client.example.org 192.0.2.1 4242 443\r\n", 0},
		{"v2, too long", signature2 + "\x21\x11\x0f\xf1", 16},
		{"v2, the longest", signature2 + "\x21\x11\xff\xff", 16},
		{"v2, shorter than its address", v2(1, 0x11, tcp4[:11]), 0},
		{"v2, IPv6 in the room of IPv4", v2(1, 0x21, tcp4), 0},
		{"v2, version 3", signature2 + "\x31\x11\x00\x0c" + tcp4, 0},
		{"v2, an unknown command", v2(2, 0x11, tcp4), 0},
		{"v2, an unknown family", v2(1, 0x41, tcp4), 0},
		{"v2, PROXY without a family", v2(1, 0, ""), 0},
	} {
		b := []byte(tc.bytes)
		if tc.at == 0 {
			end, err := HeaderEnd(b)
			if end != len(b) || err != nil {
				t.Errorf("%s: ends at %d, %v, want %d", tc.desc, end, err, len(b))
				continue
			}
			if got, err := ParseHeader(b); err == nil {
				t.Errorf("%s: taken, for %v", tc.desc, got)
			}
			continue
		}
		for n := range len(b) + 1 {
			end, err := HeaderEnd(b[:n])
			if end != 0 || (err != nil) != (n >= tc.at) {
				t.Errorf("%s: %d bytes of it: %d, %v", tc.desc, n, end, err)
			}
		}
	}
}

// FuzzProxyHeader: what HeaderEnd finds grows with the bytes, never changes, and
// is what the library, which reads from a stream, takes.
func FuzzProxyHeader(f *testing.F) {
	for _, h := range headers {
		f.Add([]byte(h.header + "GET"))
		f.Add([]byte(h.header[:len(h.header)-1]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end, err := HeaderEnd(b)
		for n := range b[:min(len(b), MaxHeader)] {
			prefixEnd, prefixErr := HeaderEnd(b[:n])
			switch {
			case prefixErr != nil && err == nil, prefixEnd != 0 && prefixEnd != end:
				t.Fatalf("%d bytes: %d, %v; all: %d, %v\n%s", n, prefixEnd, prefixErr, end, err, hex.Dump(b))
			case prefixEnd > n:
				t.Fatalf("%d bytes: ends at %d", n, prefixEnd)
			}
		}
		var client netip.Addr
		if err == nil && end > 0 {
			client, err = ParseHeader(b[:end])
		}

		stream := bytes.NewReader(b)
		reader := bufio.NewReaderSize(stream, len(b)+16)
		want, wantErr := proxyproto.Read(reader)
		used := len(b) - stream.Len() - reader.Buffered()
		switch {
		case wantErr == nil && used > MaxHeader: // the library takes somewhat longer ones
			if err == nil {
				t.Fatalf("a header of %d bytes is taken", used)
			}
			return
		case (wantErr == nil) != (err == nil && end > 0):
			t.Fatalf("ends at %d, %v; the library: %v\n%s", end, err, wantErr, hex.Dump(b))
		case wantErr != nil:
			return
		case used != end:
			t.Fatalf("ends at %d, the library's at %d\n%s", end, used, hex.Dump(b))
		}
		var wantClient netip.Addr
		if tcp, ok := want.SourceAddr.(*net.TCPAddr); ok && want.Command.IsProxy() {
			wantClient = tcp.AddrPort().Addr().Unmap()
		}
		if client != wantClient {
			t.Fatalf("client %v, the library's %v", client, wantClient)
		}
	})
}
