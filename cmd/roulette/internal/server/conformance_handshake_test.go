package server

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/servertest"
)

// TestConformanceOfHandshake: the opening handshake (4.2, 9.1, 11.3), on both
// paths. What is refused for its bytes alone stands in
// TestRequestsThatAreRefused.
func TestConformanceOfHandshake(t *testing.T) {
	s, addr := start(t, Config{})
	const accepted = http.StatusSwitchingProtocols
	two := func(name, a, b string) string { return name + ": " + a + "\r\n" + name + ": " + b }
	for _, tc := range []struct {
		section, name string
		header        string // replaces the usual one
		status        int
		subprotocol   string // chosen on /ws; /echo has none
	}{
		{"4.2.1", "Upgrade in other letters", "uPGRADE: wEBsOCKET", accepted, ""},
		{"4.2.1", "Upgrade as one of a list", "Upgrade: h2c, websocket", accepted, ""},
		{"4.2.1", "Upgrade on the second line", two("Upgrade", "h2c", "websocket"), accepted, ""},
		{"4.2.1", "Upgrade to something else", "Upgrade: h2c", 426, ""},
		{"4.2.1", "Upgrade to something longer", "Upgrade: websockets", 426, ""},
		{"4.2.1", "Upgrade to nothing", "Upgrade:", 426, ""},
		{"4.2.1", "Connection in other letters", "cONNECTION: uPGRADE", accepted, ""},
		{"4.2.1", "Connection as one of a list", "Connection: keep-alive, Upgrade", accepted, ""},
		{"4.2.1", "Connection on the second line", two("Connection", "keep-alive", "Upgrade"), accepted, ""},
		{"4.2.1", "Connection with empty elements and tabs", "Connection: ,\t, Upgrade\t,", accepted, ""},
		{"4.2.1", "Connection without upgrade", "Connection: keep-alive", 400, ""},
		{"4.2.1", "Connection with something longer", "Connection: upgrades, x-upgrade", 400, ""},
		{"4.2.1", "Connection with spaces for commas", "Connection: keep-alive Upgrade", 400, ""},
		{"4.2.1", "another key", "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==", accepted, ""},
		{"4.2.1", "a key of zeros", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", accepted, ""},
		{"4.2.1", "a key of all characters", "Sec-WebSocket-Key: +/azAZ09+/azAZ09+/azAQ==", accepted, ""},
		{"4.2.2", "white space around the key is no part of it", "Sec-WebSocket-Key: \t " + servertest.Key + " \t", accepted, ""},
		{"4.2.1", "a key of 17 bytes", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=", 400, ""},
		{"4.2.1", "a key of 32 bytes", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 400, ""},
		{"4.2.1", "a key without its padding", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA", 400, ""},
		{"4.2.1", "a key in the alphabet for URLs", "Sec-WebSocket-Key: -_AAAAAAAAAAAAAAAAAAAA==", 400, ""},
		{"4.2.1", "a key with a space inside", "Sec-WebSocket-Key: AAAAAAAAAAA AAAAAAAAAA==", 400, ""},
		{"4.2.1", "an empty key", "Sec-WebSocket-Key:", 400, ""},
		{"11.3.1", "two keys", two("Sec-WebSocket-Key", servertest.Key, servertest.Key), 400, ""},
		{"4.2.1", "version 13 with zeros", "Sec-WebSocket-Version: 0013", 426, ""},
		{"4.4", "version 14", "Sec-WebSocket-Version: 14", 426, ""},
		{"4.4", "version 0", "Sec-WebSocket-Version: 0", 426, ""},
		{"4.4", "a list of versions", "Sec-WebSocket-Version: 13, 8", 426, ""},
		{"11.3.5", "two versions", two("Sec-WebSocket-Version", "13", "13"), 400, ""},
		{"4.2.1", "no Origin, and what else there may be", "Cookie: a=b\r\nAuthorization: Basic eDp5\r\nX-Unknown: ?", accepted, ""},
		{"4.2.2", "Origin of the same host", "Origin: http://" + addr, accepted, ""},
		{"10.2", "Origin of the same host, another port", "Origin: http://127.0.0.1:1", 403, ""},
		{"4.2.1", "a body", "Transfer-Encoding: chunked", 400, ""},

		{"9.1", "the browsers' extension", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", accepted, ""},
		{"9.1", "extensions on two lines", two("Sec-WebSocket-Extensions", `foo; bar="1"`, "baz"), accepted, ""},
		{"9.1", "a malformed extension", "Sec-WebSocket-Extensions: ;", 400, ""},
		{"9.1", "a malformed parameter", "Sec-WebSocket-Extensions: permessage-deflate; =10", 400, ""},
		{"9.1", "a malformed value", `Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits="1 0"`, 400, ""},

		{"4.2.2", "our subprotocol", "Sec-WebSocket-Protocol: roulette.v1", accepted, "roulette.v1"},
		{"4.2.2", "our subprotocol as the last of a list", "Sec-WebSocket-Protocol: chat, mqtt ,roulette.v1", accepted, "roulette.v1"},
		{"11.3.4", "our subprotocol on the second line", two("Sec-WebSocket-Protocol", "chat", "roulette.v1"), accepted, "roulette.v1"},
		{"4.2.2", "subprotocols that are not ours", "Sec-WebSocket-Protocol: chat, mqtt", accepted, ""},
		{"4.2.2", "subprotocols are case-sensitive", "Sec-WebSocket-Protocol: Roulette.v1", accepted, ""},
		{"4.2.2", "a subprotocol that begins like ours", "Sec-WebSocket-Protocol: roulette.v10", accepted, ""},
		{"4.1", "a subprotocol that is no token", "Sec-WebSocket-Protocol: roulette.v1, a b", 400, ""},
		{"4.1", "a subprotocol with a parameter", "Sec-WebSocket-Protocol: roulette.v1;q=1", 400, ""},
	} {
		for _, path := range []string{"/ws", "/echo"} {
			t.Run(tc.section+" "+tc.name+path, func(t *testing.T) {
				c := servertest.Connect(t, addr)
				c.Write([]byte(servertest.Request(addr, path, tc.header)))
				if tc.status != accepted {
					r := refused(t, c, "GET", tc.status)
					if tc.status == 426 && (r.Header.Get("Sec-WebSocket-Version") != "13" || r.Header.Get("Upgrade") != "websocket") {
						t.Errorf("426 does not say to what: %v", r.Header)
					}
					return
				}
				key := servertest.Key
				if name, value, _ := strings.Cut(tc.header, ":"); name == "Sec-WebSocket-Key" {
					key = strings.TrimSpace(value)
				}
				subprotocol := tc.subprotocol
				if path == "/echo" {
					subprotocol = ""
				}
				switches(t, c, key, subprotocol)
				c.TCP.Close()
			})
		}
	}
	for _, version := range []string{"HTTP/1.1", "HTTP/1.2"} {
		t.Run("4.2.1 "+version, func(t *testing.T) {
			c := servertest.Connect(t, addr)
			c.Write([]byte(strings.Replace(servertest.Request(addr, "/echo"), "HTTP/1.1", version, 1)))
			switches(t, c, servertest.Key, "")
			c.Leave()
		})
	}
	t.Run("4.2.1 absolute target", func(t *testing.T) {
		c := servertest.Connect(t, addr)
		c.Write([]byte(servertest.Request(addr, "http://"+addr+"/echo")))
		switches(t, c, servertest.Key, "")
		c.Leave()
	})
	awaitNobody(t, s)
}

// switches reads the response that section 4.2.2 wants, and nothing that is not
// allowed in it.
func switches(t *testing.T, c *servertest.Conn, key, subprotocol string) {
	t.Helper()
	r, err := c.Response("GET")
	if err != nil {
		t.Fatal(err)
	}
	hash := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	want := http.Header{
		"Upgrade":              {"websocket"},
		"Connection":           {"Upgrade"},
		"Sec-Websocket-Accept": {base64.StdEncoding.EncodeToString(hash[:])},
	}
	if subprotocol != "" {
		want["Sec-Websocket-Protocol"] = []string{subprotocol}
	}
	if r.Status != "101 Switching Protocols" || r.Proto != "HTTP/1.1" || len(r.Header) != len(want) {
		t.Fatalf("%s %s %v, want %v", r.Proto, r.Status, r.Header, want)
	}
	for name, value := range want {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != value[0] {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}
