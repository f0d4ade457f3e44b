package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestFilter: what is no list of words is refused, with the line; and all that is one is
// in the document as it is, in every language, and cannot be more than a list there.
func TestFilter(t *testing.T) {
	for source, want := range map[string][]string{
		"darn":                              {"darn"},
		"\ufeff# mild\n darn \r\n\nheck*\n": {"darn", "heck*"},
		"*arn*\nwhat the heck\n馬鹿\nc3po\n":  {"*arn*", "what the heck", "馬鹿", "c3po"},
		"</script><b>&\n":                   {"</script><b>&"},
		strings.Repeat("ä", maxEntry) + "*": {strings.Repeat("ä", maxEntry) + "*"},
	} {
		f, err := Filter{}.With([]byte(source))
		if err != nil || !slices.Equal(f.entries, want) {
			t.Errorf("%q: %q, %v", source, f.entries, err)
		}
	}
	for source, want := range map[string]string{
		"":                                  "has no words",
		"# darn\n\n":                        "has no words",
		"darn\nhe*ck":                       "line 2: a *",
		"darn\n\n**heck":                    "line 3: a *",
		"*":                                 "line 1 has no letter",
		"!!":                                "line 1 has no letter",
		"da\x00rn":                          "line 1 has control characters",
		"d\xffrn":                           "is not UTF-8",
		strings.Repeat("ä", maxEntry+1):     "line 1 has more than 64 characters",
		strings.Repeat("darn\n", 14_000):    "more than 64 KiB",
		strings.Repeat("d", MaxFilter) + "": "line 1 has more than 64",
	} {
		if _, err := (Filter{}).With([]byte(source)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", source, err, want)
		}
	}

	f, err := Filter{}.With([]byte("darn\n</script><script>alert(1)</script>\n"))
	if err == nil {
		f, err = f.With([]byte("heck*\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.With(bytes.Repeat([]byte("darn\n"), MaxFilter/5)); err == nil {
		t.Error("a second file makes it larger than it may be")
	}
	for _, base := range []string{"/", "/chat/"} {
		page := func(h http.Handler, language string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodGet, base, nil)
			r.Header.Set("Accept-Language", language)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		filtered, plain := HandlerFiltered(base, f), HandlerBelow(base)
		for _, language := range []string{"en", "ar", "zh"} {
			with, without := page(filtered, language), page(plain, language)
			element := `<script id="filter" type="application/json">["darn","\u003c/script\u003e\u003cscript\u003ealert(1)\u003c/script\u003e","heck*"]</script>` + "\n"
			if strings.Replace(with.Body.String(), element, "", 1) != without.Body.String() || with.Body.Len() == without.Body.Len() {
				t.Errorf("%s, %s: the document is not the one without a filter, with it", base, language)
			}
			if policy := "Content-Security-Policy"; with.Header().Get(policy) != without.Header().Get(policy) {
				t.Errorf("%s, %s: another policy", base, language)
			}
		}
	}
}
