package terminal

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestBanned: whoever is banned reads until when, and where they can write to, with what
// could move the cursor made visible.
func TestBanned(t *testing.T) {
	for body, want := range map[string]string{
		"banned\n":                                 "",
		"banned\nmailto:appeals@example.org\n":     "; if this is a mistake, write to mailto:appeals@example.org",
		"banned\nhttps://example.org\x1b[2J\nmore": "; if this is a mistake, write to https://example.org<U+001B>[2J",
	} {
		err := explain(t.Context(), &http.Response{
			StatusCode: http.StatusForbidden, Status: "403 Forbidden",
			Header: http.Header{"Retry-After": {"3600"}}, Body: io.NopCloser(strings.NewReader(body)),
		}, errors.New("no upgrade"))
		says := err.Error()
		const date = "2006-01-02 15:04"
		start := "you are banned until "
		if !strings.HasPrefix(says, start) || says[len(start)+len(date):] != want {
			t.Errorf("%q: %q", body, says)
		}
	}
}
