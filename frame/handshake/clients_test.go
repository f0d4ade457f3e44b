package handshake

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// client is one of them. What want does not say, wantAll has from net/http.
type client struct {
	desc string
	head string
	want Request
}

func (c client) wantAll(t *testing.T) Request {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(c.head)))
	if err != nil {
		t.Fatal(err)
	}
	want := c.want
	if v := r.Header.Get("Origin"); v != "" {
		want.Origin = []byte(v)
	}
	if v := r.Header.Get("Cookie"); v != "" {
		want.Cookies = []byte(v)
	}
	return want
}

// What clients send, as recorded; the key is the one of RFC 6455 in all of them.
var clients = []client{
	{"Chrome", lines(
		"GET /ws HTTP/1.1",
		"Host: chat.example.org",
		"Connection: Upgrade",
		"Pragma: no-cache",
		"Cache-Control: no-cache",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Upgrade: websocket",
		"Origin: https://chat.example.org",
		"Sec-WebSocket-Version: 13",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Accept-Language: en-US,en;q=0.9,de;q=0.8",
		"Cookie: theme=dark; _ga=GA1.1.1234567890.1234567890",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
		"Sec-WebSocket-Protocol: roulette.v1",
	), Request{Subprotocol: "roulette.v1"}},
	{"Firefox", lines(
		"GET /ws HTTP/1.1",
		"Host: localhost:8080",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
		"Accept: */*",
		"Accept-Language: en-US,en;q=0.5",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Sec-WebSocket-Version: 13",
		"Origin: http://localhost:8080",
		"Sec-WebSocket-Protocol: roulette.v1",
		"Sec-WebSocket-Extensions: permessage-deflate",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"DNT: 1",
		"Connection: keep-alive, Upgrade",
		"Sec-Fetch-Dest: empty",
		"Sec-Fetch-Mode: websocket",
		"Sec-Fetch-Site: same-origin",
		"Pragma: no-cache",
		"Cache-Control: no-cache",
		"Upgrade: websocket",
	), Request{Subprotocol: "roulette.v1"}},
	{"curl", lines(
		"GET /echo HTTP/1.1",
		"Host: localhost:8080",
		"User-Agent: curl/8.14.1",
		"Accept: */*",
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Connection: Upgrade",
	), Request{Endpoint: 1}},
	{"websocat", lines(
		"GET /ws HTTP/1.1",
		"Host: 127.0.0.1:8080",
		"Connection: Upgrade",
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	), Request{}},
	{"Python websockets", lines(
		"GET /ws?room=1 HTTP/1.1",
		"Host: [::1]:8080",
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
		"User-Agent: Python/3.13 websockets/15.0.1",
	), Request{}},
	{"behind nginx", lines(
		"GET /ws HTTP/1.1",
		"Upgrade: websocket",
		"Connection: upgrade",
		"Host: chat.example.org",
		"X-Forwarded-For: 203.0.113.7, 198.51.100.2",
		"X-Forwarded-Proto: https",
		"Origin: https://chat.example.org",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	), Request{ForwardedFor: []byte("203.0.113.7, 198.51.100.2")}},
	{"everything in other cases and with odd spaces", lines(
		"GET /ws? HTTP/1.1",
		"hOST:LOCALHOST:8080",
		"ORIGIN: HTTP://localhost:8080",
		"upgrade:\t WebSocket \t",
		"CONNECTION: , ,UPGRADE",
		"sec-websocket-version:13",
		"SEC-WEBSOCKET-KEY:dGhlIHNhbXBsZSBub25jZQ==",
		"sec-websocket-protocol:x,, roulette.v1",
	), Request{Subprotocol: "roulette.v1"}},
	{"lists over several lines", lines(
		"GET /ws HTTP/1.1",
		"Host: localhost",
		"Connection: keep-alive",
		"Connection: Upgrade",
		"Upgrade: h2c",
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Protocol: other",
		"Sec-WebSocket-Protocol: roulette.v2, roulette.v1",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"X-Forwarded-For: 203.0.113.7",
		"X-Forwarded-For: 198.51.100.2",
	), Request{Subprotocol: "roulette.v2", ForwardedFor: []byte("203.0.113.7, 198.51.100.2")}},
	{"all that an offer of extensions may be", lines(
		"GET /ws HTTP/1.1",
		"Host: localhost",
		"Connection: Upgrade",
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"10\"; server_no_context_takeover, permessage-deflate",
		"Sec-WebSocket-Extensions: , x-one ,x-two ;a = b; c=\"1\\0\" , ",
		"Sec-WebSocket-Extensions:",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	), Request{}},
	{"through a forward proxy, in absolute form", lines(
		"GET http://chat.example.org/ws?x=http://a/b HTTP/1.1",
		"Host: proxy.example.net",
		"Origin: http://chat.example.org",
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Content-Length: 0",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	), Request{}},
}

// lines makes a head of lines without their ends.
func lines(list ...string) string { return strings.Join(list, "\r\n") + "\r\n\r\n" }
