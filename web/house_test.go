package web

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseText(t *testing.T) {
	for source, want := range map[string]string{
		"one":                            "<p>one</p>\n",
		"one\ntwo\n\nthree":              "<p>one<br>\ntwo</p>\n<p>three</p>\n",
		"# A\none\n- x\n- y\n\n- z\nend": "<h3>A</h3>\n<p>one</p>\n<ul>\n<li>x</li>\n<li>y</li>\n</ul>\n<ul>\n<li>z</li>\n</ul>\n<p>end</p>\n",
		"\ufeff<b onclick=x>&\r\n":       "<p>&lt;b onclick=x&gt;&amp;</p>\n",
		"#no heading\n-no item":          "<p>#no heading<br>\n-no item</p>\n",
	} {
		if got, err := ParseText([]byte(source)); err != nil || string(got.html) != want {
			t.Errorf("%q: %q, %v; want %q", source, got.html, err, want)
		}
	}
	for _, bad := range []string{"", " \n\t\n", "a\x00b", "a\x1b[31m", "\xff\xfe", strings.Repeat("x", MaxText+1)} {
		if _, err := ParseText([]byte(bad)); err == nil {
			t.Errorf("%.20q is a text", bad)
		}
	}
}

// TestHouseWords: all languages of the page are languages of the house, and say all.
func TestHouseWords(t *testing.T) {
	words := houseSites().words
	for language := range embedded().index {
		w := words[language]
		for _, text := range []string{w.Heading, w.Agree, w.Enter, w.Terms, w.Privacy} {
			if text == "" {
				t.Errorf("%s: %+v", language, w)
			}
		}
		if strings.Count(w.OldEnough, "{n}") != 1 {
			t.Errorf("%s: %q", language, w.OldEnough)
		}
	}
	if len(words) != len(embedded().index) {
		t.Errorf("%d languages of %d", len(words), len(embedded().index))
	}
}

func someTexts(t *testing.T, byLanguage map[string]string) Texts {
	t.Helper()
	texts := make(Texts)
	for language, source := range byLanguage {
		text, err := ParseText([]byte(source))
		if err != nil {
			t.Fatal(err)
		}
		texts[language] = text
	}
	return texts
}

// TestEntry: with rules, the page is behind them; until somebody agrees, and again when
// they have changed.
func TestEntry(t *testing.T) {
	for _, base := range []string{"/", "/chat/"} {
		house := &House{Base: base, Age: 16, Facts: func() Facts { return Facts{} },
			Entry: someTexts(t, map[string]string{"": "Be kind.", "de": "Sei freundlich."})}
		h := house.Wrap(HandlerBelow(base))
		ask := func(method, path, language, body string, cookies ...*http.Cookie) *http.Response {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Accept-Language", language)
			if body != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			for _, c := range cookies {
				r.AddCookie(c)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Result()
		}
		page := func(r *http.Response) string {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		isChat := func(text string) bool { return strings.Contains(text, `id="scroller"`) }

		for language, want := range map[string][]string{
			"en-GB,en": {`lang="en" dir="ltr"`, "Be kind.", "I am 16 years old"},
			"de":       {`lang="de" dir="ltr"`, "Sei freundlich.", "mindestens 16 Jahre"},
			"ar":       {`lang="ar" dir="rtl"`, "Be kind.", "16"},
		} {
			r := ask("GET", base, language, "")
			text := page(r)
			for _, part := range append(want, `action="`+base+`enter"`, `href="`+base+`privacy"`) {
				if !strings.Contains(text, part) {
					t.Errorf("%s in %s: no %q in %s", base, language, part, text)
				}
			}
			if isChat(text) || r.Header.Get("Cache-Control") != "no-store" || !slices.Contains(r.Header.Values("Vary"), "Cookie") {
				t.Errorf("%s: %v", base, r.Header)
			}
			if strings.Count(text, "<style>") != 1 || !strings.Contains(r.Header.Get("Content-Security-Policy"), "form-action 'self'") {
				t.Error(r.Header)
			}
		}
		if text := page(ask("GET", base+"index.html", "en", "")); isChat(text) {
			t.Error("the page by its own name is not behind the rules")
		}
		if r := ask("HEAD", base, "en", ""); page(r) != "" || r.ContentLength < 1000 {
			t.Errorf("HEAD: %d", r.ContentLength)
		}
		if r := ask("PUT", base, "en", ""); r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("PUT: %d", r.StatusCode)
		}
		if r := ask("GET", base+"enter", "en", ""); r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET enter: %d", r.StatusCode)
		}
		for _, body := range []string{"agree=no", "x=y", url.Values{"agree": {"yes"}, "x": {strings.Repeat("x", 4<<10)}}.Encode()} {
			if r := ask("POST", base+"enter", "en", body); r.StatusCode != http.StatusSeeOther || len(r.Cookies()) != 0 {
				t.Errorf("%.20s: %d %v", body, r.StatusCode, r.Cookies())
			}
		}
		r := ask("POST", base+"enter", "en", "agree=yes")
		if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != base || len(r.Cookies()) != 1 {
			t.Fatalf("%d %v", r.StatusCode, r.Header)
		}
		agreed := r.Cookies()[0]
		r = ask("GET", base, "en", "", agreed)
		if text := page(r); !isChat(text) || !strings.HasPrefix(r.Header.Get("Vary"), "Cookie, ") {
			t.Errorf("whoever has agreed gets %.300s", text)
		}
		if text := page(ask("GET", base, "en", "", &http.Cookie{Name: EntryCookie, Value: "x"})); isChat(text) {
			t.Error("any cookie lets in")
		}
		house.Entry[""] = someTexts(t, map[string]string{"": "Be kinder."})[""]
		h = house.Wrap(HandlerBelow(base))
		if text := page(ask("GET", base, "en", "", agreed)); isChat(text) {
			t.Error("the rules have changed, and it is not asked again")
		}
	}
}

// TestFactsAreSaid: each fact changes what /terms or /privacy says, and no combination
// of them is without words.
func TestFactsAreSaid(t *testing.T) {
	appeal, err := ParseAppeal("mailto:a@example.org")
	if err != nil {
		t.Fatal(err)
	}
	switches := []func(*Facts){
		func(f *Facts) { f.Cluster = true },
		func(f *Facts) { f.ProxyAddress = true },
		func(f *Facts) { f.MessageRate = 20 },
		func(f *Facts) { f.Away, f.AwayHidden = 45*time.Second, 5*time.Minute },
		func(f *Facts) { f.Safety, f.HalfLife, f.LongHalfLife = true, 10*time.Minute, 24*time.Hour },
		func(f *Facts) { f.Safety, f.Observe = true, true },
		func(f *Facts) {
			f.Cookie, f.SecureCookie, f.CookieLasts = "roulette", "__Host-roulette", 30*24*time.Hour
		},
		func(f *Facts) { f.Reports, f.ReportLines, f.ReportsKept = true, 32, 30*24*time.Hour },
		func(f *Facts) { f.Written = true },
		func(f *Facts) { f.AddressLogged = true },
		func(f *Facts) { f.Appeal = appeal },
	}
	var facts Facts
	house := &House{Base: "/", Facts: func() Facts { return facts }}
	read := func() (said string) {
		for _, path := range []string{"/terms", "/privacy"} {
			w := httptest.NewRecorder()
			house.Wrap(Handler()).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if w.Code != http.StatusOK {
				t.Fatal(w.Code)
			}
			said += w.Body.String()
		}
		for _, bad := range []string{"{{", "<nil>", "ZgotmplZ", "%!", " 0 day", " 0 second"} {
			if strings.Contains(said, bad) {
				t.Errorf("%+v: %q in %s", facts, bad, said)
			}
		}
		return said
	}
	basis := func() { facts = Facts{MaxMessage: 64 << 10, LongestBan: 366 * 24 * time.Hour} }
	for mask := range 1 << len(switches) {
		basis()
		for i, set := range switches {
			if mask>>i&1 != 0 {
				set(&facts)
			}
		}
		said := read()
		if mask&(mask-1) != 0 {
			continue
		}
		if basis(); mask != 0 && said == read() {
			t.Errorf("fact %b is not said", mask)
		}
	}
}

// TestHouseText: what the operator says stands above the facts, in the reader's language.
func TestHouseText(t *testing.T) {
	house := &House{Base: "/", Facts: func() Facts { return Facts{} },
		Privacy: someTexts(t, map[string]string{"": "We are Example Ltd.", "fr": "Nous sommes Exemple SARL."})}
	for language, want := range map[string]string{"fr-CA": "Nous sommes", "ja": "We are Example"} {
		r := httptest.NewRequest("GET", "/privacy", nil)
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		house.Wrap(Handler()).ServeHTTP(w, r)
		said := w.Body.String()
		if i, j := strings.Index(said, want), strings.Index(said, "What you say"); i < 0 || j < i {
			t.Errorf("%s: %s", language, said)
		}
	}
	var words map[string]any
	content, err := houseFiles.ReadFile("house/words.json")
	if err != nil || json.Unmarshal(content, &words) != nil {
		t.Error("the words cannot be read")
	}
}
