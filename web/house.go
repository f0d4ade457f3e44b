package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed house
var houseFiles embed.FS

// House is what people can read about a place: who runs it, its rules, and what is true
// of its server. It adds to a [Handler] the pages
//
//	/terms     the operator's terms, and what the server does about it
//	/privacy   who is responsible, and what the server knows, keeps and logs
//	/          the rules, and whether somebody keeps them: with Entry, until they say so
//
// What the server does is written from Facts, as they are when the page is asked for, in
// English; what the operator says is in the operator's languages.
type House struct {
	Base                  string // path that the site is below, such as "/"
	Entry, Terms, Privacy Texts
	Age                   int // that whoever enters says to have at least; 0: not asked
	Facts                 func() Facts
}

// EntryCookie is the name of the cookie that says that somebody has entered, and
// EntryLasts for how long a browser keeps it. Its value depends on what was agreed to:
// after a change it is asked again.
const (
	EntryCookie = "roulette-entered"
	EntryLasts  = 180 * 24 * time.Hour
)

// houseWords is what the pages themselves say in one language.
type houseWords struct {
	Heading, Agree, Enter, Terms, Privacy string
	OldEnough                             string `json:"old_enough"`
}

// houseSite is what all pages have in common, made when it is first asked for.
type houseSite struct {
	words                map[string]houseWords
	page, terms, privacy *template.Template
	style                template.CSS
	script               template.JS
	policy               string
}

var houseSites = sync.OnceValue(func() *houseSite {
	read := func(name string) string {
		content, err := houseFiles.ReadFile("house/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		return string(content)
	}
	s := &houseSite{
		style:  template.CSS(stripStyle([]byte(refusalFile("page.css") + read("page.css")))),
		script: template.JS(stripScript(read("enter.js"))),
	}
	if err := json.Unmarshal([]byte(read("words.json")), &s.words); err != nil {
		panic(err) // a test reads it
	}
	parse := func(name string) *template.Template {
		return template.Must(template.New(name).Funcs(inWords).Parse(read(name)))
	}
	s.page, s.terms, s.privacy = parse("page.html"), parse("terms.html"), parse("privacy.html")
	s.policy = "default-src 'none'; script-src " + sourceHash(string(s.script)) + "; style-src " + sourceHash(string(s.style)) +
		"; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	return s
})

// Wrap is next, a handler of the page, with the pages of the house.
func (h *House) Wrap(next http.Handler) http.Handler {
	agreed := h.agreed()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, below := strings.CutPrefix(r.URL.Path, h.Base)
		switch {
		case !below:
			next.ServeHTTP(w, r)
		case path == "terms":
			h.serve(w, r, func(s *houseSite, words houseWords) (title string, operator Texts, facts *template.Template) {
				return words.Terms, h.Terms, s.terms
			})
		case path == "privacy":
			h.serve(w, r, func(s *houseSite, words houseWords) (title string, operator Texts, facts *template.Template) {
				return words.Privacy, h.Privacy, s.privacy
			})
		case path == "enter" && h.Entry != nil:
			h.enter(w, r, agreed)
		case (path == "" || path == indexFile) && h.Entry != nil:
			w.Header().Add("Vary", "Cookie")
			if entered(r, agreed) {
				next.ServeHTTP(w, r)
				return
			}
			h.serve(w, r, nil)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// agreed is the value of the cookie of whoever has agreed to what is asked now.
func (h *House) agreed() string {
	hash := sha256.New()
	fmt.Fprintln(hash, h.Age)
	_ = json.NewEncoder(hash).Encode(h.Entry.plain()) // sorts its keys, and cannot fail
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:9])
}

// plain is t as what it says.
func (t Texts) plain() map[string]string {
	all := make(map[string]string, len(t))
	for language, text := range t {
		all[language] = string(text.html)
	}
	return all
}

func entered(r *http.Request, agreed string) bool {
	for _, c := range r.CookiesNamed(EntryCookie) {
		if c.Value == agreed {
			return true
		}
	}
	return false
}

// enter takes what the form of the entry page brings, and leads on to the chat. A table
// that the address names stays in it: the answer has no fragment of its own (RFC 9110,
// 10.2.2).
func (h *House) enter(w http.ResponseWriter, r *http.Request, agreed string) {
	if r.Method != http.MethodPost {
		refuseMethod(w, "POST")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	if r.FormValue("agree") == "yes" {
		http.SetCookie(w, &http.Cookie{
			Name: EntryCookie, Value: agreed, Path: h.Base, MaxAge: int(EntryLasts / time.Second),
			HttpOnly: true, SameSite: http.SameSiteLaxMode, // an invitation on another site leads in
		})
	}
	w.Header().Set("Location", h.Base)
	w.WriteHeader(http.StatusSeeOther)
}

// serve sends a page: the one that choose names, or the entry page.
func (h *House) serve(w http.ResponseWriter, r *http.Request, choose func(*houseSite, houseWords) (string, Texts, *template.Template)) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuseMethod(w, "GET, HEAD")
		return
	}
	s := houseSites()
	accept := r.Header.Values("Accept-Language")
	language := prefer(accept, func(language string) bool { return s.words[language].Heading != "" })
	words := s.words[language]
	page := housePage{Language: language, Direction: directionOf(language), Style: s.style}
	facts := h.Facts()
	if h.Entry != nil {
		facts.EntryCookie, facts.EntryLasts, facts.Age = EntryCookie, EntryLasts, h.Age
	}
	operator, about := h.Entry, (*template.Template)(nil)
	links := []houseLink{{h.Base + "terms", words.Terms}, {h.Base + "privacy", words.Privacy}}
	if choose == nil {
		page.Title, page.Entry = words.Heading, &houseEntry{Action: h.Base + "enter", Agree: words.Agree, Enter: words.Enter, Script: s.script}
		if h.Age > 0 {
			page.Entry.Agree = strings.ReplaceAll(words.OldEnough, "{n}", strconv.Itoa(h.Age))
		}
	} else {
		page.Title, operator, about = choose(s, words)
		links = append([]houseLink{{h.Base, "Roulette"}}, links...)
	}
	page.Links = links
	text, _ := operator.in(accept)
	page.Operator = text.html
	var body bytes.Buffer
	err := error(nil)
	if about != nil {
		if err = about.Execute(&body, facts); err == nil {
			page.Facts = template.HTML(body.String()) // html/template has made it
			body.Reset()
		}
	}
	if err == nil {
		err = s.page.Execute(&body, page)
	}
	if err != nil {
		panic(err) // a test executes them with all facts; net/http ends the connection
	}
	header := w.Header()
	setSecurityHeaders(header, r.Host, nil)
	header.Set("Content-Security-Policy", s.policy)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", language)
	header.Set("Cache-Control", "no-store")
	header.Add("Vary", "Accept-Language")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, &body) // the reader is gone if this fails
	}
}

// housePage is what the template of a page is filled with.
type housePage struct {
	Language, Direction, Title string
	Style                      template.CSS
	Operator, Facts            template.HTML
	Entry                      *houseEntry
	Links                      []houseLink
}

type houseEntry struct {
	Action, Agree, Enter string
	Script               template.JS
}

type houseLink struct{ At, Name string }
