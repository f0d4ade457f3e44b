package handshake

import (
	"strings"
	"testing"
)

// TestLikeness: one program looks like itself whoever uses it and whatever is between, and
// unlike another.
func TestLikeness(t *testing.T) {
	const chromium = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUser-Agent: Chromium\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nAccept-Language: de\r\nSec-WebSocket-Key: AAAA\r\n\r\n"
	for _, c := range []struct {
		what string
		head string
		same bool
	}{
		{"another key, language, host and path", strings.NewReplacer("AAAA", "BBBB", ": de", ": en", ": a", ": b", "/ws", "/x/ws").Replace(chromium), true},
		{"a cookie, and proxies", strings.Replace(chromium, "\r\n\r\n", "\r\nCookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\nVia: 1.1 p\r\nForwarded: for=1.2.3.4\r\n\r\n", 1), true},
		{"loaded again with the cache left out", strings.Replace(chromium, "\r\nUpgrade", "\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade", 1), true},
		{"another version", strings.Replace(chromium, "Chromium", "Chromium/2", 1), false},
		{"another case", strings.Replace(chromium, "User-Agent", "user-agent", 1), false},
		{"another order", strings.Replace(chromium, "Host: a\r\nConnection: Upgrade", "Connection: Upgrade\r\nHost: a", 1), false},
		{"a field less", strings.Replace(chromium, "Accept-Language: de\r\n", "", 1), false},
		{"no fields", "GET / HTTP/1.1\r\n\r\n", false},
	} {
		if got, want := Likeness([]byte(c.head)), Likeness([]byte(chromium)); (got == want) != c.same || got == 0 {
			t.Errorf("%s: %#x and %#x", c.what, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Likeness([]byte(chromium)) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}
