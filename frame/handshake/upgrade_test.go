package handshake

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// For the key dGhlIHNhbXBsZSBub25jZQ== (RFC 6455, section 1.3).
const acceptKey = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

func newUpgrader(t testing.TB, origins ...string) *Upgrader {
	t.Helper()
	u, err := New(Config{
		Endpoints: []Endpoint{
			{"/ws", []string{"roulette.v1", "roulette.v2"}},
			{"/echo", []string{"roulette.v1", "roulette.v2"}},
		},
		AllowedOrigins: origins,
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestRequestsOfRealClients(t *testing.T) {
	u := newUpgrader(t)
	for _, tt := range clients {
		t.Run(tt.desc, func(t *testing.T) {
			head := []byte(tt.head)
			for i := range head {
				if n, err := HeadEnd(head[:i], 0); n != 0 || err != nil {
					t.Fatalf("HeadEnd of the first %d bytes: %d, %v", i, n, err)
				}
			}
			if n, err := HeadEnd(head, len(head)-1); n != len(head) || err != nil {
				t.Fatalf("HeadEnd: %d, %v", n, err)
			}
			resp, req, res := u.Upgrade([]byte("before"), head)
			if res != OK {
				t.Fatalf("refused: %v\n%s", res, resp)
			}
			if want := tt.wantAll(t); !reflect.DeepEqual(req, want) {
				t.Errorf("got %+v, want %+v", req, want)
			}
			want := "beforeHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Accept: " + acceptKey + "\r\n"
			if tt.want.Subprotocol != "" {
				want += "Sec-WebSocket-Protocol: " + tt.want.Subprotocol + "\r\n"
			}
			if want += "\r\n"; string(resp) != want {
				t.Errorf("got %q\nwant %q", resp, want)
			}
			if string(head) != tt.head {
				t.Error("the head was changed")
			}
		})
	}
}

// good is a request that is accepted; tests spoil it in one place each.
var good = lines(
	"GET /ws HTTP/1.1",
	"Host: example.org",
	"Upgrade: websocket",
	"Connection: Upgrade",
	"Sec-WebSocket-Version: 13",
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	"Origin: http://example.org",
)

var refusals = []struct {
	desc     string
	old, new string // what of good becomes what
	res      Result
	body     string
}{
	// The grammar of RFC 9112.
	{"bare LF", "Upgrade: websocket\r\n", "Upgrade: websocket\n", BadRequest, badLineEnd},
	{"bare LF between names and colons", "Upgrade: websocket\r\n", "Upgrade: websocket\r\na:\nb:\r\n", BadRequest, badLineEnd},
	{"bare CR", "Host: example.org", "Host: example.org\rX: y", BadRequest, badLineEnd},
	{"CR CR LF", "Host: example.org\r\n", "Host: example.org\r\r\n", BadRequest, badLineEnd},
	{"no blank line", "example.org\r\n\r\n", "example.org\r\n", BadRequest, badLineEnd},
	{"bytes behind", "example.org\r\n\r\n", "example.org\r\n\r\nmore", BadRequest, "bytes after the blank line"},
	{"folded line", "Upgrade: websocket", "Upgrade:\r\n websocket", BadRequest, badFold},
	{"folded with a tab", "Upgrade: websocket", "X: y\r\n\tz\r\nUpgrade: websocket", BadRequest, badFold},
	{"folded first line", "Host: example.org", " x: y\r\nHost: example.org", BadRequest, badFold},
	{"space before the colon", "Host: ", "Host : ", BadRequest, badName},
	{"no colon", "Host: ", "X\r\nHost: ", BadRequest, badName},
	{"no name", "Host: ", ": x\r\nHost: ", BadRequest, badName},
	{"name is not ASCII", "Host: ", "Höst: x\r\nHost: ", BadRequest, badName},
	{"NUL in a value", "Host: ", "X: a\x00b\r\nHost: ", BadRequest, badValue},
	{"DEL in a value", "Host: ", "X: a\x7f\r\nHost: ", BadRequest, badValue},
	{"escape in a value", "Host: ", "X: \x1b[2J\r\nHost: ", BadRequest, badValue},
	{"two spaces", "GET /ws", "GET  /ws", BadRequest, badRequestLine},
	{"space at the end", "HTTP/1.1", "HTTP/1.1 ", BadRequest, badRequestLine},
	{"space in the target", "/ws", "/ws x", BadRequest, badRequestLine},
	{"no version", " HTTP/1.1", "", BadRequest, badRequestLine},
	{"version with letters", "HTTP/1.1", "HTTP/1.x", BadRequest, badRequestLine},
	{"version of two digits", "HTTP/1.1", "HTTP/1.10", BadRequest, badRequestLine},
	{"version in lower case", "HTTP/1.1", "http/1.1", BadRequest, badRequestLine},
	{"method in lower case", "GET", "get", BadRequest, badRequestLine},
	{"target is not ASCII", "/ws", "/ws?ü", BadRequest, badTarget},
	{"user in the target", "/ws", "http://user@example.org/ws", BadRequest, badTarget},
	{"no host in the target", "/ws", "http:///ws", BadRequest, badTarget},
	{"HTTP/2", "HTTP/1.1", "HTTP/2.0", BadVersion, "this server speaks HTTP/1.1"},
	{"HTTP/0.9", "HTTP/1.1", "HTTP/0.9", BadVersion, "this server speaks HTTP/1.1"},

	// The handshake.
	{"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", UpgradeRequired, "this is a WebSocket endpoint"},
	{"HTTP/1.0 without a Host", "HTTP/1.1\r\nHost: example.org", "HTTP/1.0", UpgradeRequired, "this is a WebSocket endpoint"},
	{"POST", "GET", "POST", MethodNotAllowed, "use GET"},
	{"HEAD", "GET", "HEAD", MethodNotAllowed, ""},
	{"POST with a body", "GET /ws HTTP/1.1", "POST /ws HTTP/1.1\r\nContent-Length: 5", MethodNotAllowed, "use GET"},
	{"no Host", "Host: example.org\r\n", "", BadRequest, "one Host header is required"},
	{"two Hosts", "Host: example.org\r\n", "Host: example.org\r\nHost: example.org\r\n", BadRequest, "one Host header is required"},
	{"empty Host", "Host: example.org", "Host:", BadRequest, "malformed Host header"},
	{"Host with a path", "Host: example.org", "Host: example.org/x", BadRequest, "malformed Host header"},
	{"Host with a user", "Host: example.org", "Host: a@example.org", BadRequest, "malformed Host header"},
	{"Host with two ports", "Host: example.org", "Host: example.org:80:80", BadRequest, "malformed Host header"},
	{"Host with a long port", "Host: example.org", "Host: example.org:123456", BadRequest, "malformed Host header"},
	{"Host with an unfinished address", "Host: example.org", "Host: [::1", BadRequest, "malformed Host header"},
	{"Host with something after the address", "Host: example.org", "Host: [::1]x", BadRequest, "malformed Host header"},
	{"Host with an address of one colon", "Host: example.org", "Host: [:]", BadRequest, "malformed Host header"},
	{"Host with too long an address", "Host: example.org", "Host: [1:2:3:4:5:6:7:8:9]", BadRequest, "malformed Host header"},
	{"Host with an address and its zone", "Host: example.org", "Host: [fe80::1%eth0]", BadRequest, "malformed Host header"},
	{"Host with IPv4 in brackets", "Host: example.org", "Host: [192.0.2.1]", BadRequest, "malformed Host header"},
	{"target with an address of one colon", "/ws", "http://[:]/ws", BadRequest, badTarget},
	{"Host with a bad address", "Host: example.org", "Host: [x]", BadRequest, "malformed Host header"},
	{"bad Host with an absolute target", "/ws HTTP/1.1\r\nHost: example.org", "http://example.org/ws HTTP/1.1\r\nHost: a b", BadRequest, "malformed Host header"},
	{"body", "Host", "Content-Length: 5\r\nHost", BadRequest, "a handshake has no body"},
	{"body length twice", "Host", "Content-Length: 0\r\nContent-Length: 1\r\nHost", BadRequest, "a handshake has no body"},
	{"chunked body", "Host", "Transfer-Encoding: chunked\r\nHost", BadRequest, "a handshake has no body"},
	{"plain HTTP", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "", UpgradeRequired, "this is a WebSocket endpoint"},
	{"other upgrade", "Upgrade: websocket", "Upgrade: h2c", UpgradeRequired, "this is a WebSocket endpoint"},
	{"upgrade to something like it", "Upgrade: websocket", "Upgrade: websocket2, web", UpgradeRequired, "this is a WebSocket endpoint"},
	{"no Connection", "Connection: Upgrade\r\n", "", BadRequest, "Connection header without upgrade"},
	{"other Connection", "Connection: Upgrade", "Connection: keep-alive, upgraded", BadRequest, "Connection header without upgrade"},
	{"no version of WebSocket", "Sec-WebSocket-Version: 13\r\n", "", BadRequest, "one Sec-WebSocket-Version header is required"},
	{"empty version of WebSocket", "Version: 13", "Version:", BadRequest, "one Sec-WebSocket-Version header is required"},
	{"two versions of WebSocket", "Host", "Sec-WebSocket-Version: 13\r\nHost", BadRequest, "one Sec-WebSocket-Version header is required"},
	{"version 8 of WebSocket", "Version: 13", "Version: 8", UpgradeRequired, "this server speaks WebSocket version 13"},
	{"version list", "Version: 13", "Version: 13, 8", UpgradeRequired, "this server speaks WebSocket version 13"},
	{"no key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", BadRequest, badKey},
	{"two keys", "Host", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nHost", BadRequest, badKey},
	{"short key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", BadRequest, badKey},
	{"key of 17 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWU=", BadRequest, badKey},
	{"key is not base64", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j_-==", BadRequest, badKey},
	{"subprotocol is no token", "Host", "Sec-WebSocket-Protocol: roulette.v1, a b\r\nHost", BadRequest, "malformed Sec-WebSocket-Protocol header"},
	{"extension is no token", "Host", "Sec-WebSocket-Extensions: (x)\r\nHost", BadRequest, badExtensions},
	{"extension without a name", "Host", "Sec-WebSocket-Extensions: ; x\r\nHost", BadRequest, badExtensions},
	{"extension's parameter without a name", "Host", "Sec-WebSocket-Extensions: a; =1\r\nHost", BadRequest, badExtensions},
	{"extension's parameter is missing", "Host", "Sec-WebSocket-Extensions: a;\r\nHost", BadRequest, badExtensions},
	{"extension's value is missing", "Host", "Sec-WebSocket-Extensions: a; b=\r\nHost", BadRequest, badExtensions},
	{"extension's value does not end", "Host", "Sec-WebSocket-Extensions: a; b=\"c\r\nHost", BadRequest, badExtensions},
	{"extension's quoted value is no token", "Host", "Sec-WebSocket-Extensions: a; b=\"c d\"\r\nHost", BadRequest, badExtensions},
	{"extension's quoted value is empty", "Host", "Sec-WebSocket-Extensions: a; b=\"\"\r\nHost", BadRequest, badExtensions},
	{"two extensions without a comma", "Host", "Sec-WebSocket-Extensions: a b\r\nHost", BadRequest, badExtensions},
	{"second line of extensions", "Host", "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: ;\r\nHost", BadRequest, badExtensions},
	{"two Origins", "Host", "Origin: http://example.org\r\nHost", BadRequest, "more than one Origin header"},
	{"foreign Origin", "Origin: http://example.org", "Origin: http://example.com", BadOrigin, "this page may not connect here"},
	{"Origin null", "Origin: http://example.org", "Origin: null", BadOrigin, "this page may not connect here"},
	{"empty Origin", "Origin: http://example.org", "Origin:", BadOrigin, "this page may not connect here"},

	// Not ours, but well-formed.
	{"other path", "/ws", "/", NotChat, ""},
	{"longer path", "/ws", "/ws/", NotChat, ""},
	{"escaped path", "/ws", "/%77s", NotChat, ""},
	{"path in upper case", "/ws", "/WS", NotChat, ""},
	{"other path, HTTP/1.0", "/ws HTTP/1.1", "/ HTTP/1.0", NotChat, ""},
	{"other path with a body", "GET /ws HTTP/1.1", "POST /x HTTP/1.1\r\nContent-Length: 5", NotChat, ""},
	{"asterisk", "GET /ws", "OPTIONS *", NotChat, ""},
	{"authority", "GET /ws", "CONNECT example.org:80", NotChat, ""},
	{"other scheme", "/ws", "ftp://example.org/ws", NotChat, ""},
	{"absolute form without a path", "/ws", "http://example.org?/ws", NotChat, ""},
}

const badExtensions = "malformed Sec-WebSocket-Extensions header"

const badKey = "one Sec-WebSocket-Key header of 16 bytes in base64 is required"

func TestRefusals(t *testing.T) {
	u := newUpgrader(t)
	if resp, _, res := u.Upgrade(nil, []byte(good)); res != OK {
		t.Fatalf("the request that is spoiled is refused already: %s", resp)
	}
	for _, tt := range refusals {
		t.Run(tt.desc, func(t *testing.T) {
			head := strings.Replace(good, tt.old, tt.new, 1)
			if head == good {
				t.Fatal("nothing was replaced")
			}
			resp, req, res := u.Upgrade([]byte("before"), []byte(head))
			if res != tt.res {
				t.Fatalf("%v, want %v\n%s", res, tt.res, resp)
			}
			if req.Origin = nil; !reflect.DeepEqual(req, Request{Elsewhere: res == NotChat}) {
				t.Errorf("request is %+v", req)
			}
			resp = bytes.TrimPrefix(resp, []byte("before"))
			if res == NotChat {
				if len(resp) != 0 {
					t.Errorf("response %q", resp)
				}
				return
			}
			method, _, _ := strings.Cut(head, " ")
			if body := checkRefusal(t, resp, method, res); strings.TrimSuffix(body, "\n") != tt.body {
				t.Errorf("body %q, want %q", body, tt.body)
			}
		})
	}
}

// checkRefusal reads a refusal as an HTTP client does and returns its body.
func checkRefusal(t testing.TB, resp []byte, method string, res Result) string {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(resp))
	got, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("response %q: %v", resp, err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatalf("response %q: %v", resp, err)
	}
	if rest, _ := io.ReadAll(r); len(rest) != 0 {
		t.Errorf("%q after the response", rest)
	}
	if got.StatusCode != res.Status() || got.Status != res.String() {
		t.Errorf("status %q, want %q", got.Status, res)
	}
	if !got.Close || got.ContentLength <= 0 || got.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("not a whole text that ends the connection: %q", resp)
	}
	if is, want := got.Header.Get("Allow") == "GET", got.StatusCode == 405; is != want {
		t.Errorf("Allow: %q", got.Header.Get("Allow"))
	}
	if got.StatusCode == 426 &&
		(got.Header.Get("Upgrade") != "websocket" || got.Header.Get("Sec-WebSocket-Version") != "13" || !bytes.Contains(resp, []byte("\r\nConnection: close, Upgrade\r\n"))) {
		t.Errorf("426 does not tell what to upgrade to: %q", resp)
	}
	return string(body)
}

func TestAppendRefusal(t *testing.T) {
	got := string(AppendRefusal([]byte("before"), 503, "full", 30))
	want := "beforeHTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n" +
		"Connection: close\r\nRetry-After: 30\r\n\r\nfull\n"
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	for _, status := range []int{400, 403, 404, 405, 408, 426, 429, 431, 503, 505} {
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(AppendRefusal(nil, status, "no", 0))), nil)
		if err != nil || resp.StatusCode != status || resp.Status == strconv.Itoa(status)+" " || resp.Header.Get("Retry-After") != "" {
			t.Errorf("%d: %+v, %v", status, resp, err)
		}
	}
}

func TestResults(t *testing.T) {
	for r := OK; r <= BadVersion; r++ {
		if r == NotChat {
			continue
		}
		if http.StatusText(r.Status()) == "" || (r == OK) != (r.Status() == 101) {
			t.Errorf("%v has status %d", r, r.Status())
		}
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		desc   string
		config Config
	}{
		{"empty path", Config{Endpoints: []Endpoint{{Path: ""}}}},
		{"path without a slash", Config{Endpoints: []Endpoint{{Path: "ws"}}}},
		{"path with a query", Config{Endpoints: []Endpoint{{Path: "/ws?x"}}}},
		{"empty subprotocol", Config{Endpoints: []Endpoint{{"/ws", []string{""}}}}},
		{"subprotocol with a space", Config{Endpoints: []Endpoint{{"/ws", []string{"a b"}}}}},
		{"origin without a scheme", Config{AllowedOrigins: []string{"example.org"}}},
		{"origin with a path", Config{AllowedOrigins: []string{"https://example.org/"}}},
		{"empty origin", Config{AllowedOrigins: []string{""}}},
		{"second origin", Config{AllowedOrigins: []string{"*", "https://"}}},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			if _, err := New(tt.config); err == nil {
				t.Error("no error")
			}
		})
	}
}

// No subprotocol is chosen that was not configured.
func TestNoSubprotocols(t *testing.T) {
	u, err := New(Config{Endpoints: []Endpoint{{"/rich", []string{"roulette.v1"}}, {Path: "/ws"}}})
	if err != nil {
		t.Fatal(err)
	}
	head := strings.Replace(good, "Host", "Sec-WebSocket-Protocol: roulette.v1\r\nHost", 1)
	resp, req, res := u.Upgrade(nil, []byte(head))
	if res != OK || req.Endpoint != 1 || req.Subprotocol != "" || bytes.Contains(resp, []byte("Protocol:")) {
		t.Errorf("%v %+v %q", res, req, resp)
	}
	resp, req, res = u.Upgrade(nil, []byte(strings.Replace(head, "/ws", "/rich", 1)))
	if res != OK || req.Endpoint != 0 || req.Subprotocol != "roulette.v1" || !bytes.Contains(resp, []byte("Protocol: roulette.v1")) {
		t.Errorf("%v %+v %q", res, req, resp)
	}
}

// One Upgrader serves all workers.
func TestUpgradeConcurrently(t *testing.T) {
	u := newUpgrader(t)
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			for range 200 {
				resp, req, res := u.Upgrade(nil, []byte(c.head))
				if res != OK || !reflect.DeepEqual(req, c.wantAll(t)) || !bytes.Contains(resp, []byte(acceptKey)) {
					t.Errorf("%s: %v %+v %q", c.desc, res, req, resp)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A request for no endpoint is told from one that would have liked to chat.
func TestElsewhere(t *testing.T) {
	u := newUpgrader(t)
	for head, want := range map[string]bool{
		"GET /else HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n": true,
		"GET /else HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n":       false,
		"GET /else HTTP/1.1\r\nHost: a\r\n\r\n":                       false,
		"GET /ws/ HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n":  true,
	} {
		resp, req, res := u.Upgrade([]byte("before"), []byte(head))
		if res != NotChat || string(resp) != "before" || req.Elsewhere != want {
			t.Errorf("%q: %v %+v %q", head, res, req, resp)
		}
	}
}
