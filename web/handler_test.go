package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"roulette/web"
)

// response is what came back over a real socket, untouched by the client.
type response struct {
	status int
	header http.Header
	body   string
}

// ask sends one request to server. header holds pairs of name and value.
func ask(t *testing.T, server *httptest.Server, method, path string, header ...string) response {
	t.Helper()
	request, err := http.NewRequest(method, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
			continue
		}
		request.Header.Add(header[i], header[i+1])
	}
	client := server.Client()
	client.Transport.(*http.Transport).DisableCompression = true
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{answer.StatusCode, answer.Header, string(content)}
}

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(web.Handler())
	t.Cleanup(server.Close)
	return server
}

var assets = []struct {
	path        string
	contentType string
	contains    string
}{
	{"/", "text/html; charset=utf-8", `role="log"`},
	{"/index.html", "text/html; charset=utf-8", `role="log"`},
	{"/style.css", "text/css; charset=utf-8", "prefers-color-scheme"},
	{"/header.css", "text/css; charset=utf-8", ".mark"},
	{"/middle.css", "text/css; charset=utf-8", "forced-colors"},
	{"/small.css", "text/css; charset=utf-8", "max-width"},
	{"/log.css", "text/css; charset=utf-8", ".bubble"},
	{"/bar.css", "text/css; charset=utf-8", "#go"},
	{"/app.js", "text/javascript; charset=utf-8", "import"},
	{"/attention.js", "text/javascript; charset=utf-8", "AudioContext"},
	{"/composer.js", "text/javascript; charset=utf-8", "isComposing"},
	{"/hide.js", "text/javascript; charset=utf-8", "Shift"},
	{"/interests.js", "text/javascript; charset=utf-8", "interest"},
	{"/links.js", "text/javascript; charset=utf-8", "noreferrer"},
	{"/old.js", "text/javascript; charset=utf-8", "too old"},
	{"/memory.js", "text/javascript; charset=utf-8", "localStorage"},
	{"/picture.js", "text/javascript; charset=utf-8", "createImageBitmap"},
	{"/popover.js", "text/javascript; charset=utf-8", "popovertarget"},
	{"/pieces.js", "text/javascript; charset=utf-8", "pieceEnd"},
	{"/saved.js", "text/javascript; charset=utf-8", "asText"},
	{"/roulette.js", "text/javascript; charset=utf-8", "export class Roulette"},
	{"/transcript.js", "text/javascript; charset=utf-8", "textContent"},
	{"/controls.js", "text/javascript; charset=utf-8", "GRACE"},
	{"/former.js", "text/javascript; charset=utf-8", "aria-expanded"},
	{"/large.js", "text/javascript; charset=utf-8", "canvas"},
	{"/lobby.js", "text/javascript; charset=utf-8", "table"},
	{"/lobby.css", "text/css; charset=utf-8", ".lobby"},
	{"/notice.js", "text/javascript; charset=utf-8", "countdown"},
	{"/qr.js", "text/javascript; charset=utf-8", "ISO/IEC 18004"},
	{"/spoken.js", "text/javascript; charset=utf-8", "DisplayNames"},
	{"/heartbeat.js", "text/javascript; charset=utf-8", "ping"},
	{"/presence.js", "text/javascript; charset=utf-8", "visibilitychange"},
	{"/retry.js", "text/javascript; charset=utf-8", "RULES"},
	{"/words.js", "text/javascript; charset=utf-8", "PluralRules"},
	{"/words/en.json", "application/json", "Stranger"},
	{"/favicon.svg", "image/svg+xml; charset=utf-8", "<svg"},
	{"/favicon.ico", "image/x-icon", "PNG"},
	{"/icon-192.png", "image/png", "PNG"},
	{"/icon-512.png", "image/png", "PNG"},
	{"/apple-touch-icon.png", "image/png", "PNG"},
	{"/manifest.webmanifest", "application/manifest+json", "icon-192.png"},
	{"/robots.txt", "text/plain; charset=utf-8", "User-agent"},
}

func TestAssets(t *testing.T) {
	server := serve(t)
	for _, asset := range assets {
		got := ask(t, server, "GET", asset.path)
		if got.status != 200 {
			t.Errorf("GET %s: status %d", asset.path, got.status)
		}
		if ct := got.header.Get("Content-Type"); ct != asset.contentType {
			t.Errorf("GET %s: Content-Type %q, want %q", asset.path, ct, asset.contentType)
		}
		if !strings.Contains(got.body, asset.contains) {
			t.Errorf("GET %s: body lacks %q", asset.path, asset.contains)
		}
		if cc := got.header.Get("Cache-Control"); cc != "no-cache" {
			t.Errorf("GET %s: Cache-Control %q", asset.path, cc)
		}
		checkSecurityHeaders(t, got)
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	server := serve(t)
	for _, path := range []string{"/", "/style.css", "/nowhere"} {
		for _, encoding := range []string{"identity", "gzip"} {
			get := ask(t, server, "GET", path, "Accept-Encoding", encoding)
			head := ask(t, server, "HEAD", path, "Accept-Encoding", encoding)
			if head.body != "" {
				t.Errorf("HEAD %s: %d bytes of body", path, len(head.body))
			}
			get.header.Del("Date")
			head.header.Del("Date")
			for name := range get.header {
				if g, h := get.header.Get(name), head.header.Get(name); g != h {
					t.Errorf("%s %s: %s is %q for GET and %q for HEAD", path, encoding, name, g, h)
				}
			}
			if length := head.header.Get("Content-Length"); length != strconv.Itoa(len(get.body)) {
				t.Errorf("HEAD %s: Content-Length %q, want %d", path, length, len(get.body))
			}
		}
	}
}

func TestOtherMethods(t *testing.T) {
	server := serve(t)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
		got := ask(t, server, method, "/")
		if got.status != 405 {
			t.Errorf("%s /: status %d, want 405", method, got.status)
		}
		if allow := got.header.Get("Allow"); allow != "GET, HEAD" {
			t.Errorf("%s /: Allow %q", method, allow)
		}
		checkSecurityHeaders(t, got)
	}
}

func TestUnknownPaths(t *testing.T) {
	server := serve(t)
	for _, path := range []string{
		"/nowhere", "/404.html", "/static/", "/static/index.html", "/style.css/", "//",
		"/../handler.go", "/%2e%2e/handler.go", "/index.html%00", "/STYLE.CSS", "/favicon.gif",
	} {
		got := ask(t, server, "GET", path)
		if got.status != 404 {
			t.Errorf("GET %s: status %d, want 404", path, got.status)
		}
		if ct := got.header.Get("Content-Type"); ct != "text/html; charset=utf-8" {
			t.Errorf("GET %s: Content-Type %q", path, ct)
		}
		if !strings.Contains(got.body, "no page at this address") {
			t.Errorf("GET %s: not the page for it: %.80q", path, got.body)
		}
		if etag := got.header.Get("Etag"); etag != "" {
			t.Errorf("GET %s: ETag %s", path, etag)
		}
		checkSecurityHeaders(t, got)
	}
}

func TestNotModified(t *testing.T) {
	server := serve(t)
	for _, asset := range assets {
		for _, encoding := range []string{"identity", "gzip"} {
			first := ask(t, server, "GET", asset.path, "Accept-Encoding", encoding)
			etag := first.header.Get("Etag")
			if len(etag) < 10 || etag[0] != '"' {
				t.Fatalf("GET %s: ETag %q is not a strong one", asset.path, etag)
			}
			for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
				got := ask(t, server, "GET", asset.path, "Accept-Encoding", encoding, "If-None-Match", match)
				if got.status != 304 || got.body != "" {
					t.Errorf("GET %s, If-None-Match %s: status %d, %d bytes", asset.path, match, got.status, len(got.body))
				}
				for _, name := range []string{"Etag", "Cache-Control", "Vary"} { // RFC 9110, 15.4.5
					if g, w := got.header.Get(name), first.header.Get(name); g != w {
						t.Errorf("GET %s: %s is %q in the 304, %q in the 200", asset.path, name, g, w)
					}
				}
				checkSecurityHeaders(t, got)
			}
			got := ask(t, server, "GET", asset.path, "Accept-Encoding", encoding, "If-None-Match", `"other"`)
			if got.status != 200 || got.body != first.body {
				t.Errorf("GET %s with another ETag: status %d", asset.path, got.status)
			}
		}
	}
}

func TestGzip(t *testing.T) {
	server := serve(t)
	for _, asset := range assets {
		plain := ask(t, server, "GET", asset.path)
		packed := ask(t, server, "GET", asset.path, "Accept-Encoding", "gzip, deflate, br, zstd")
		if plain.header.Get("Content-Encoding") != "" {
			t.Errorf("GET %s: encoded without being asked", asset.path)
		}
		if packed.header.Get("Content-Encoding") == "" { // too small to pay
			if len(plain.body) > 1000 && !strings.HasPrefix(asset.contentType, "image/") {
				t.Errorf("GET %s: %d bytes not compressed", asset.path, len(plain.body))
			}
			continue
		}
		for _, got := range []response{plain, packed} {
			if vary := got.header.Get("Vary"); !strings.HasSuffix(vary, "Accept-Encoding") {
				t.Errorf("GET %s: Vary %q", asset.path, vary)
			}
		}
		if plain.header.Get("Etag") == packed.header.Get("Etag") {
			t.Errorf("GET %s: one ETag for two encodings", asset.path)
		}
		reader, err := gzip.NewReader(strings.NewReader(packed.body))
		if err != nil {
			t.Fatalf("GET %s: %v", asset.path, err)
		}
		unpacked, err := io.ReadAll(reader)
		if err != nil || string(unpacked) != plain.body {
			t.Errorf("GET %s: gzip holds something else (%v)", asset.path, err)
		}
		if len(packed.body) >= len(plain.body) {
			t.Errorf("GET %s: %d bytes packed, %d plain", asset.path, len(packed.body), len(plain.body))
		}
		if length := packed.header.Get("Content-Length"); length != strconv.Itoa(len(packed.body)) {
			t.Errorf("GET %s: Content-Length %q, want %d", asset.path, length, len(packed.body))
		}
		refused := ask(t, server, "GET", asset.path, "Accept-Encoding", "gzip;q=0")
		if refused.body != plain.body {
			t.Errorf("GET %s: gzip;q=0 got something else than the plain bytes", asset.path)
		}
	}
}

func TestRange(t *testing.T) {
	server := serve(t)
	whole := ask(t, server, "GET", "/style.css")
	part := ask(t, server, "GET", "/style.css", "Range", "bytes=10-19")
	if part.status != 206 || part.body != whole.body[10:20] {
		t.Errorf("bytes 10 to 19: status %d, %q", part.status, part.body)
	}
	beyond := ask(t, server, "GET", "/style.css", "Range", "bytes=99999999-")
	if beyond.status != 416 {
		t.Errorf("a range beyond the end: status %d", beyond.status)
	}
	checkSecurityHeaders(t, beyond)
}

// TestPageNeedsOnlyWhatIsServed follows every reference of the page: all of them
// lead to an asset of this handler or a page of the house, none to another host.
func TestPageNeedsOnlyWhatIsServed(t *testing.T) {
	house := &web.House{Base: "/", Facts: func() web.Facts { return web.Facts{} }}
	server := httptest.NewServer(house.Wrap(web.Handler()))
	t.Cleanup(server.Close)
	page := markup(ask(t, server, "GET", "/").body + ask(t, server, "GET", "/nowhere").body)
	for _, attribute := range []string{` src="`, ` href="`} {
		for rest := page; ; {
			_, after, found := strings.Cut(rest, attribute)
			if !found {
				break
			}
			path, tail, _ := strings.Cut(after, `"`)
			rest = tail
			if got := ask(t, server, "GET", "/"+strings.TrimPrefix(path, "/")); got.status != 200 {
				t.Errorf("%s: status %d", path, got.status)
			}
		}
	}
	for _, inline := range []string{" style=", " onclick=", " onload=", "<link rel=\"stylesheet\"", "modulepreload", "http://", "https://"} {
		if strings.Contains(page, inline) {
			t.Errorf("the page contains %s", inline)
		}
	}
}

// markup is page without what stands in its scripts and styles.
func markup(page string) string {
	return regexp.MustCompile(`(?s)(<(?:script|style)[^>]*>).*?(</(?:script|style)>)`).ReplaceAllString(page, "$1$2")
}
