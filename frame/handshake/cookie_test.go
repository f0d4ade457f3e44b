package handshake

import (
	"net/http"
	"strings"
	"testing"
)

func TestCookie(t *testing.T) {
	for _, tc := range []struct{ cookies, name, want string }{
		{"a=1", "a", "1"},
		{"a=1; b=2", "b", "2"},
		{"a=1;b=2 ;\tb=3", "b", "2"},
		{"ab=1; a=2", "a", "2"},
		{"a=", "a", ""},
		{"a=x=y", "a", "x=y"},
		{"a; =; ; b=1;", "b", "1"},
		{"A=1", "a", "none"},
		{"", "a", "none"},
		{`a="1"`, "a", `"1"`},
	} {
		got := Cookie([]byte(tc.cookies), tc.name)
		if tc.want == "none" {
			if got != nil {
				t.Errorf("%q: %q is %q", tc.cookies, tc.name, got)
			}
		} else if got == nil || string(got) != tc.want {
			t.Errorf("%q: %q is %q, want %q", tc.cookies, tc.name, got, tc.want)
		}
	}
}

// TestCookiesOfRequest: they are found wherever they stand in a head, and the response
// can be given one.
func TestCookiesOfRequest(t *testing.T) {
	u, err := New(Config{Endpoints: []Endpoint{{Path: "/ws"}}})
	if err != nil {
		t.Fatal(err)
	}
	const rest = "Host: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	for _, tc := range []struct{ fields, cookies, origin string }{
		{"", "", ""},
		{"cookie: a=1; b=2\r\n", "a=1; b=2", ""},
		{"Cookie: a=1\r\nOrigin: http://example.org\r\nCOOKIE:b=2\r\n", "a=1; b=2", "http://example.org"},
	} {
		for _, head := range []string{tc.fields + rest, rest + tc.fields} {
			response, req, res := u.Upgrade(nil, []byte("GET /ws HTTP/1.1\r\n"+head+"\r\n"))
			if res != OK || string(req.Cookies) != tc.cookies || string(req.Origin) != tc.origin {
				t.Errorf("%q: %q, %q, %v", head, req.Cookies, req.Origin, res)
			}
			if got := string(InsertField(response, "Set-Cookie: ", "a=1")); !strings.HasSuffix(got, "\r\nSet-Cookie: a=1\r\n\r\n") || strings.Count(got, "\r\n\r\n") != 1 {
				t.Errorf("%q", got)
			}
		}
	}
}

// FuzzCookie: what is found stands behind its name, up to the next semicolon; and what
// net/http writes is found.
func FuzzCookie(f *testing.F) {
	f.Add("a=1; b=2", "b", "x")
	f.Add("a=; b", "a", "")
	f.Fuzz(func(t *testing.T, cookies, name, value string) {
		if got := Cookie([]byte(cookies), name); got != nil && (!strings.Contains(cookies, name+"="+string(got)) || strings.Contains(string(got), ";")) {
			t.Fatalf("%q: %q is %q", cookies, name, got)
		}
		c := http.Cookie{Name: name, Value: value}
		if c.Valid() != nil {
			return
		}
		r := http.Request{Header: make(http.Header)}
		r.AddCookie(&http.Cookie{Name: "other" + name, Value: "1"})
		r.AddCookie(&c)
		if written := r.Header.Get("Cookie"); string(Cookie([]byte(written), name)) != strings.TrimPrefix(written, "other"+name+"=1; "+name+"=") {
			t.Fatalf("%q is not found in %q", name, written)
		}
	})
}
