package handshake

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// FuzzUpgrade: what is accepted here, net/http understands in the same way; what
// is refused gets a proper response; and HeadEnd finds a head where it ends,
// however it arrives.
func FuzzUpgrade(f *testing.F) {
	for _, c := range clients {
		f.Add([]byte(c.head))
	}
	for _, r := range refusals {
		f.Add([]byte(strings.Replace(good, r.old, r.new, 1)))
	}
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	u, std := newUpgrader(f), startNetHTTP(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		data = data[:min(len(data), 2000)]
		n := headEndByteByByte(t, data)
		if whole, err := HeadEnd(data, 0); err == nil && whole != n {
			t.Fatalf("HeadEnd of the whole is %d, byte by byte %d", whole, n)
		}
		if n == 0 {
			n = len(data) // the scan does not rely on HeadEnd
		}
		head := data[:n]
		resp, req, res := u.Upgrade(nil, bytes.Clone(head))

		switch res {
		case NotChat:
			if len(resp) > 0 {
				t.Fatalf("response %q for a request that is not a chat", resp)
			}
			return
		case OK:
		default:
			method := ""
			if bytes.HasPrefix(head, []byte("HEAD ")) {
				method = "HEAD"
			}
			checkRefusal(t, resp, method, res)
			return
		}

		// Both end the request at the same byte: there is nothing to smuggle.
		const behind = "\x81\x80\x00\x00\x00\x00GET /"
		seen := std.serve(append(bytes.Clone(head), behind...))
		theirs := seen.request
		if theirs == nil {
			if bytes.HasPrefix(seen.refusal, []byte("HTTP/1.1 417 ")) {
				return // RFC 9110, section 10.1.1: to ignore an Expect is as good
			}
			t.Fatalf("accepted, but net/http says %q\n%q", seen.refusal, head)
		}
		if string(seen.behind) != behind {
			t.Fatalf("accepted, but for net/http the request ends in front of %q\n%q", seen.behind, head)
		}
		list := func(name string) (elements []string) {
			for _, line := range theirs.Header.Values(name) {
				for e := range strings.SplitSeq(line, ",") {
					elements = append(elements, strings.ToLower(strings.Trim(e, " \t")))
				}
			}
			return elements
		}
		switch {
		case theirs.Method != "GET" || theirs.ProtoMajor != 1 || theirs.ProtoMinor < 1:
			t.Fatalf("accepted %s %s", theirs.Method, theirs.Proto)
		case theirs.URL.Path != u.endpoints[req.Endpoint].Path:
			t.Fatalf("accepted for %q, path is %q", u.endpoints[req.Endpoint].Path, theirs.URL.Path)
		case theirs.ContentLength != 0 || len(theirs.TransferEncoding) > 0:
			t.Fatalf("accepted a body of %d bytes, %v", theirs.ContentLength, theirs.TransferEncoding)
		case !slices.Contains(list("Upgrade"), "websocket") || !slices.Contains(list("Connection"), "upgrade"):
			t.Fatalf("accepted without an upgrade: %q", head)
		case !slices.Equal(theirs.Header.Values("Sec-WebSocket-Version"), []string{"13"}):
			t.Fatalf("accepted version %q", theirs.Header.Values("Sec-WebSocket-Version"))
		case len(theirs.Header.Values("Sec-WebSocket-Key")) != 1 || len(theirs.Header.Values("Origin")) > 1:
			t.Fatalf("accepted a field twice: %q", head)
		case req.Subprotocol != "" && !slices.Contains(list("Sec-WebSocket-Protocol"), req.Subprotocol):
			t.Fatalf("chose %q, which was not offered", req.Subprotocol)
		case string(req.ForwardedFor) != strings.Join(theirs.Header.Values("X-Forwarded-For"), ", "):
			t.Fatalf("X-Forwarded-For is %q", req.ForwardedFor)
		}
		if o := theirs.Header.Get("Origin"); o != "" {
			parsed, ok := parseOrigin([]byte(o))
			if !ok || !parsed.isOf([]byte(theirs.Host)) {
				t.Fatalf("accepted the page %q for %q", o, theirs.Host)
			}
		}
		answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(resp)), theirs)
		if err != nil || answer.StatusCode != 101 || answer.Header.Get("Sec-WebSocket-Protocol") != req.Subprotocol {
			t.Fatalf("response %q, %v", resp, err)
		}
		// Section 4.2.2.
		hash := sha1.Sum([]byte(theirs.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		if accept := answer.Header.Get("Sec-WebSocket-Accept"); accept != base64.StdEncoding.EncodeToString(hash[:]) {
			t.Fatalf("accepted the key %q with %q", theirs.Header.Get("Sec-WebSocket-Key"), accept)
		}

		again, req2, res2 := u.Upgrade(nil, HeadFromRequest(nil, theirs))
		if res2 != OK || !reflect.DeepEqual(req2, req) || !bytes.Equal(again, resp) {
			t.Fatalf("by way of net/http: %v %+v, want %+v\n%q", res2, req2, req, HeadFromRequest(nil, theirs))
		}
	})
}

// headEndByteByByte returns 0 if there is no head.
func headEndByteByByte(t *testing.T, data []byte) int {
	t.Helper()
	for i := range data {
		n, err := HeadEnd(data[:i+1], i)
		if fresh, freshErr := HeadEnd(data[:i+1], 0); fresh != n || freshErr != err {
			t.Fatalf("HeadEnd(%q) is %d, %v from the start, and %d, %v after all but one", data[:i+1], fresh, freshErr, n, err)
		}
		if err != nil {
			return 0
		}
		if n > 0 {
			if n != i+1 || !bytes.HasSuffix(data[:n], []byte("\r\n\r\n")) {
				t.Fatalf("head ends at %d of %q", n, data[:i+1])
			}
			return n
		}
	}
	return 0
}

// FuzzOrigin: an Origin is only taken for a place's own if net/url, too, sees
// that scheme, host and port in it, and none of the things that deceive.
func FuzzOrigin(f *testing.F) {
	f.Add("http://example.org", "example.org")
	f.Add("https://example.org:443", "EXAMPLE.org")
	f.Add("http://[::1]:8080", "[::1]:8080")
	f.Add("http://example.org@evil.net", "evil.net")
	f.Add("http://example.org/", "example.org")
	f.Add("http://example.org:080", "example.org")
	f.Add("chrome-extension://abc", "abc:")
	f.Fuzz(func(t *testing.T, from, host string) {
		o, ok := parseOrigin([]byte(from))
		if !ok || !o.isOf([]byte(host)) {
			return
		}
		page, err := url.Parse(from)
		if err != nil || page.User != nil || page.Path != "" || page.RawQuery != "" || page.ForceQuery || page.Fragment != "" {
			t.Fatalf("%q is the page of %q; net/url says %+v, %v", from, host, page, err)
		}
		place, err := url.Parse("//" + host)
		if err != nil || !strings.EqualFold(page.Hostname(), place.Hostname()) || portOf(page, page.Scheme) != portOf(place, page.Scheme) {
			t.Fatalf("%q is the page of %q; net/url says %+v and %+v, %v", from, host, page, place, err)
		}
	})
}

func portOf(u *url.URL, scheme string) int {
	if u.Port() == "" {
		return map[string]int{"http": 80, "https": 443}[scheme]
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		panic(err)
	}
	return n
}
