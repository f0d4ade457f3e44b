package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestRefusalPages(t *testing.T) {
	for r := range Refusal(len(refusals)) {
		for language := range refusalPages().pages[r] {
			for _, after := range []int{-1, 0, 1, 9, 10, 3600} {
				whole := r.AppendTo(nil, language, after, true)
				answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(whole)), nil)
				if err != nil {
					t.Fatalf("%d in %s: %v", r, language, err)
				}
				body, err := io.ReadAll(answer.Body)
				if err != nil || int64(len(body)) != answer.ContentLength || !bytes.HasSuffix(whole, []byte("</html>\n")) {
					t.Errorf("%d in %s: %d bytes, Content-Length %d, %v", r, language, len(body), answer.ContentLength, err)
				}
				if len(whole) > MaxRefusal {
					t.Errorf("%d in %s: %d bytes", r, language, len(whole))
				}
				seconds := strconv.Itoa(max(after, 1))
				if answer.Header.Get("Retry-After") != seconds || !bytes.Contains(body, []byte(`data-after="`+seconds+`"`)) {
					t.Errorf("%d in %s: not %s seconds", r, language, seconds)
				}
				if found := regexp.MustCompile(`\{[a-z]+\}"?<|\{(?:heading|text|again|trying|now|style|script|language|direction)\}`).Find(body); found != nil {
					t.Errorf("%d in %s: %s is left", r, language, found)
				}
				if !bytes.Contains(body, []byte(`<html lang="`+language+`"`)) || answer.Header.Get("Content-Language") != language {
					t.Errorf("%d in %s: another language", r, language)
				}
				if want := map[Refusal]int{Full: 503, Draining: 503, TooMany: 429, Banned: 403}[r]; answer.StatusCode != want {
					t.Errorf("%d: status %d", r, answer.StatusCode)
				}
				head := r.AppendTo(nil, language, after, false)
				if !bytes.HasPrefix(whole, head) || len(head)+len(body) != len(whole) {
					t.Errorf("%d in %s: HEAD is not GET without a body", r, language)
				}
			}
		}
	}
}

// TestRefusalsSayEverything in every language of the page, and each something of its own.
func TestRefusalsSayEverything(t *testing.T) {
	var words map[string]refusalWords
	decoder := json.NewDecoder(strings.NewReader(refusalFile("words.json")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&words); err != nil {
		t.Fatal(err)
	}
	for _, language := range pageLanguages(t) {
		if _, ok := words[language]; !ok {
			t.Errorf("no words in %s", language)
		}
	}
	for language, w := range words {
		if len(language) != 2 {
			t.Errorf("%q is not a language of two letters", language)
		}
		if v := reflect.ValueOf(w); v.IsZero() || !strings.Contains(w.Again, "{n}") || !strings.Contains(w.Until, "{time}") {
			t.Errorf("%s: %+v", language, w)
		}
		for _, text := range []string{w.Full[0], w.Full[1], w.Draining[0], w.Draining[1], w.TooMany[0], w.TooMany[1], w.Banned[0], w.Banned[1], w.Until, w.Trying, w.Now} {
			if text == "" || language != "en" && strings.Contains(refusalFile("words.json"), `"`+text+`"`) && strings.Count(refusalFile("words.json"), `"`+text+`"`) > 1 {
				t.Errorf("%s: %q is empty or said twice", language, text)
			}
		}
	}
}

func TestRefusalLanguage(t *testing.T) {
	for accept, want := range map[string]string{
		"":                               "en",
		"de":                             "de",
		"DE-at":                          "de",
		"xx, de;q=0.5, fr;q=0.9":         "fr",
		"de;q=0, fr;q=0.1":               "fr",
		"*":                              "en",
		"deu":                            "en",
		"zh-Hant-TW,en":                  "zh",
		"d\x00, \xff\xfe, de;q=x, tr":    "tr",
		strings.Repeat("xx,", 31) + "de": "de",
		strings.Repeat("xx,", 32) + "de": "en",
	} {
		if got := refusalPages().choose(accept); got != want {
			t.Errorf("%.40q: %s, want %s", accept, got, want)
		}
	}
}

func TestAcceptsHTML(t *testing.T) {
	for accept, want := range map[string]bool{
		"":          false,
		"*/*":       false,
		"text/html": true,
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8": true,
		"application/json, Text/HTML;q=0.3":                                          true,
		"text/html;q=0":                                                              false,
		"text/htmlx":                                                                 false,
	} {
		if got := AcceptsHTML(accept); got != want {
			t.Errorf("%q: %t", accept, got)
		}
	}
}

func TestRefusalAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, MaxRefusal)
	Full.AppendTo(dst, "", 5, true)
	if n := testing.AllocsPerRun(100, func() { Full.AppendTo(dst, "de-AT,de;q=0.9,en;q=0.8", 5, true) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
