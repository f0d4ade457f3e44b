package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"roulette/web"
)

func TestSecurityText(t *testing.T) {
	h := web.SecurityText("mailto:security@example.org")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/security.txt", nil))
	contact, expires, _ := strings.Cut(strings.TrimSpace(w.Body.String()), "\nExpires: ")
	if contact != "Contact: mailto:security@example.org" || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("it says %q as %q", w.Body, w.Header().Get("Content-Type"))
	}
	if until, err := time.Parse(time.RFC3339, expires); err != nil || time.Until(until) < 24*time.Hour || time.Until(until) > 366*24*time.Hour {
		t.Errorf("it expires at %q: %v", expires, err)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/.well-known/security.txt", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", w.Code)
	}
}
