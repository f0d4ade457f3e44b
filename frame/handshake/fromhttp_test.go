package handshake

import (
	"bufio"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func readRequest(t testing.TB, head string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHeadFromRequest(t *testing.T) {
	u := newUpgrader(t)
	for _, tt := range clients {
		t.Run(tt.desc, func(t *testing.T) {
			head := HeadFromRequest(nil, readRequest(t, tt.head))
			resp, req, res := u.Upgrade(nil, head)
			if want := tt.wantAll(t); res != OK || !reflect.DeepEqual(req, want) {
				t.Errorf("%v %+v, want %+v\n%s\n%s", res, req, want, resp, head)
			}
		})
	}
}

func TestHeadFromRequestBytes(t *testing.T) {
	r := readRequest(t, lines("POST /x?y HTTP/1.1", "transfer-encoding: chunked", "b: 1", "HOST: h", "B: 2", "a: \t3"))
	want := lines("POST /x?y HTTP/1.1", "Host: h", "A: 3", "B: 1", "B: 2", "Transfer-Encoding: chunked")
	if got := string(HeadFromRequest([]byte("before"), r)); got != "before"+want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestHeadFromRequestInjection(t *testing.T) {
	tests := []struct {
		desc  string
		spoil func(*http.Request)
	}{
		{"line in a value", func(r *http.Request) { r.Header.Set("X", "y\r\nOrigin: http://example.org") }},
		{"head in a value", func(r *http.Request) { r.Header.Set("X", "y\r\n\r\nGET / HTTP/1.1\r\n\r\n") }},
		{"LF in a value", func(r *http.Request) { r.Header.Set("X", "y\nz: 1") }},
		{"line in a name", func(r *http.Request) { r.Header["X: y\r\nZ"] = []string{"1"} }},
		{"colon in a name", func(r *http.Request) { r.Header["X:"] = []string{"1"} }},
		{"empty name", func(r *http.Request) { r.Header[""] = []string{"1"} }},
		{"line in Host", func(r *http.Request) { r.Host = "example.org\r\nX: y" }},
		{"line in the target", func(r *http.Request) { r.RequestURI = "/ws HTTP/1.1\r\nX: y\r\n" }},
		{"space in the target", func(r *http.Request) { r.RequestURI = "/ws HTTP/1.1 " }},
		{"no target", func(r *http.Request) { r.RequestURI = "" }},
		{"line in the method", func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\n\r\nGET" }},
		{"second Host", func(r *http.Request) { r.Header.Set("Host", "example.com") }},
	}
	u := newUpgrader(t)
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			r := readRequest(t, good)
			tt.spoil(r)
			head := HeadFromRequest(nil, r)
			if _, _, res := u.Upgrade(nil, head); res != BadRequest {
				t.Errorf("%v, want %v\n%q", res, BadRequest, head)
			}
			if n := strings.Count(string(head), "\r\n\r\n"); n != 1 {
				t.Errorf("%d blank lines in %q", n, head)
			}
		})
	}
}
