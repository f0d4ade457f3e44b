package web

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestAppeal: whoever is banned reads, in each language, where they can write to; what
// is no address is refused, and none is a page without one.
func TestAppeal(t *testing.T) {
	for text, link := range map[string]string{
		"mailto:appeals@example.org":          `<a href="mailto:appeals@example.org"><bdi>appeals@example.org</bdi></a>`,
		"https://example.org/a?b=c&d='e'":     `<a href="https://example.org/a?b=c&amp;d=&#39;e&#39;"><bdi>https://example.org/a?b=c&amp;d=&#39;e&#39;</bdi></a>`,
		"mailto:a@b.example?subject=appeal&c": `<a href="mailto:a@b.example?subject=appeal&amp;c"><bdi>a@b.example</bdi></a>`,
	} {
		to, err := ParseAppeal(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for language := range refusalPages().pages[Banned] {
			whole := AppendBanned(nil, language, 60, to, true)
			answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(whole)), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			if err != nil || int64(len(body)) != answer.ContentLength || len(whole) > MaxRefusal {
				t.Errorf("%s: %d bytes, Content-Length %d, %v", language, len(body), answer.ContentLength, err)
			}
			if strings.Count(string(body), link) != 1 || strings.Contains(string(body), "{address}") {
				t.Errorf("%s: no %s in %s", language, link, body)
			}
		}
	}
	if none, err := ParseAppeal(""); err != nil || !bytes.Equal(AppendBanned(nil, "de", 60, none, true), Banned.AppendTo(nil, "de", 60, true)) {
		t.Errorf("without an address: %v", err)
	}
	for _, wrong := range []string{
		"appeals@example.org", "javascript:alert(1)", "http://example.org/", "https://", "mailto:", "mailto:nobody", "data:text/html,x",
		`mailto:a@b"><script>`, "mailto:a@b c", "https://example.org/\r\nX: y", "https://example.org/" + strings.Repeat("a", maxAppeal),
	} {
		if _, err := ParseAppeal(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
