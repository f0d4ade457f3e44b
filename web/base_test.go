package web_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"roulette/web"
)

// TestBelow: a site below a path is all there, links to nothing beside it, and nothing
// is found there but below it.
func TestBelow(t *testing.T) {
	h := web.HandlerBelow("/chat/")
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	link := regexp.MustCompile(`(?:href|src)="(/[^"]*)"`)
	for path, status := range map[string]int{
		"/chat/": 200, "/chat/index.html": 200, "/chat/favicon.svg": 200, "/chat/words/de.json": 200, "/chat/nowhere": 404,
		"/": 404, "/favicon.svg": 404, "/chatter/": 404, "/chat/chat/": 404, "/nowhere": 404, "//chat/": 404,
	} {
		w := get(path)
		if w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		if !strings.Contains(w.Body.String(), `data-base="/chat/"`) {
			t.Errorf("%s: the document does not say where it is", path)
		}
		markup, _, _ := strings.Cut(w.Body.String(), "<script")
		for _, m := range link.FindAllStringSubmatch(markup, -1) {
			if !strings.HasPrefix(m[1], "/chat/") {
				t.Errorf("%s links to %s", path, m[1])
			}
		}
	}
	if w := get("/chat"); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "/chat/" {
		t.Errorf("/chat: %d, %v", w.Code, w.Header())
	}
	w := httptest.NewRecorder()
	web.HandlerBelow("/").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if strings.Contains(w.Body.String(), "data-base") {
		t.Error("a site at the root says where it is")
	}
}
