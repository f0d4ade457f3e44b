package web

import (
	"embed"
	"encoding/json"
	"html"
	"strconv"
	"strings"
	"sync"
)

//go:embed refusal
var refusalFiles embed.FS

// A Refusal is why a request for a page is turned away with a page: in the look of
// the place, in the reader's language. Such a page keeps its address, asks by itself
// whether there is room, and loads what was asked for when there is.
type Refusal uint8

const (
	Full     Refusal = iota // 503: there is no room
	Draining                // 503: the server is about to go
	TooMany                 // 429: from this address
	Banned                  // 403: until a time, and then the page asks again
)

var refusals = [...]struct{ status, words string }{
	Full:     {"503 Service Unavailable", "full"},
	Draining: {"503 Service Unavailable", "draining"},
	TooMany:  {"429 Too Many Requests", "too_many"},
	Banned:   {"403 Forbidden", "banned"},
}

// MaxRefusal is a size that no page for a refusal exceeds, in bytes with its head: it
// fits into a socket that was just opened.
const MaxRefusal = 12 << 10

// AppendTo appends a whole HTTP/1.1 response that ends the connection. acceptLanguage
// is the value of that header of the request, retryAfter is in seconds and at least 1;
// without body it is what answers a HEAD request.
//
// It allocates nothing if dst has room, and may be called by any goroutine.
func (r Refusal) AppendTo(dst []byte, acceptLanguage string, retryAfter int, body bool) []byte {
	return r.append(dst, acceptLanguage, retryAfter, Appeal{}, body)
}

// AppendBanned is AppendTo for [Banned], with where one can write to.
func AppendBanned(dst []byte, acceptLanguage string, retryAfter int, to Appeal, body bool) []byte {
	return Banned.append(dst, acceptLanguage, retryAfter, to, body)
}

func (r Refusal) append(dst []byte, acceptLanguage string, retryAfter int, to Appeal, body bool) []byte {
	p := refusalPages()
	page := p.pages[r][p.choose(acceptLanguage)]
	retryAfter = max(retryAfter, 1)
	digits := 1
	for n := retryAfter; n > 9; n /= 10 {
		digits++
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, refusals[r].status...)
	dst = append(dst, p.head...)
	dst = append(dst, page.language...)
	dst = append(dst, "\r\nRetry-After: "...)
	dst = strconv.AppendInt(dst, int64(retryAfter), 10)
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(page.open)+len(p.middle)+len(page.before)+digits+len(page.after)+to.size(page)+len(p.tail)), 10)
	dst = append(dst, "\r\n\r\n"...)
	if body {
		dst = append(dst, page.open...)
		dst = append(dst, p.middle...)
		dst = append(dst, page.before...)
		dst = strconv.AppendInt(dst, int64(retryAfter), 10)
		dst = append(dst, page.after...)
		dst = to.append(dst, page)
		dst = append(dst, p.tail...)
	}
	return dst
}

// AcceptsHTML says whether the Accept header of a request asks for HTML by its name,
// as browsers do where a person looks at the answer.
func AcceptsHTML(accept string) bool {
	for item := range strings.SplitSeq(accept, ",") {
		kind, parameters, _ := strings.Cut(item, ";")
		if strings.EqualFold(strings.TrimSpace(kind), "text/html") {
			return weight(parameters) > 0
		}
	}
	return false
}

// refusalWords is what the pages say in one language; full, draining, too_many and
// banned are a heading and a sentence. Until takes the place of again for who is banned.
type refusalWords struct {
	Full               [2]string
	Draining           [2]string
	TooMany            [2]string `json:"too_many"`
	Banned             [2]string
	Until, Appeal      string
	Again, Trying, Now string
}

// A refusalPage is what one page in one language has for itself: a page is open,
// middle, before, the number of seconds, after, tail.
type refusalPage struct {
	language, open, before, after string
	appeal                        [2]string // what is around the address that one can write to
}

type refusalSite struct {
	head         string // between the status and the language
	middle, tail string // of all pages
	pages        [len(refusals)]map[string]refusalPage
}

// refusalPages is made when it is first asked for.
var refusalPages = sync.OnceValue(func() *refusalSite {
	var words map[string]refusalWords
	if err := json.Unmarshal([]byte(refusalFile("words.json")), &words); err != nil {
		panic(err) // a test reads it
	}
	style := string(stripStyle([]byte(refusalFile("page.css"))))
	script := stripScript(refusalFile("page.js"))
	p := &refusalSite{head: "\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\nCache-Control: no-store" +
		"\r\nVary: Accept, Accept-Language\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer" +
		"\r\nContent-Security-Policy: default-src 'none'; script-src " + sourceHash(script) + "; style-src " + sourceHash(style) +
		"; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
		"\r\nContent-Language: "}
	open, rest, _ := strings.Cut(refusalFile("page.html"), "{style}")
	middle, rest, _ := strings.Cut(rest, "{heading}")
	before, rest, _ := strings.Cut(rest, "{after}")
	after, tail, _ := strings.Cut(rest, "</main>")
	before, p.middle, p.tail = "{heading}"+before, style+middle, strings.Replace("</main>"+tail, "{script}", script, 1)
	for r := range refusals {
		p.pages[r] = make(map[string]refusalPage, len(words))
		for language, w := range words {
			says := [...][2]string{Full: w.Full, Draining: w.Draining, TooMany: w.TooMany, Banned: w.Banned}[r]
			again := w.Again
			if Refusal(r) == Banned {
				again = w.Until
			}
			fill := strings.NewReplacer("{language}", language, "{direction}", directionOf(language),
				"{heading}", html.EscapeString(says[0]), "{text}", html.EscapeString(says[1]),
				"{again}", html.EscapeString(again), "{trying}", html.EscapeString(w.Trying), "{now}", html.EscapeString(w.Now))
			page := refusalPage{language: language, open: fill.Replace(open), before: fill.Replace(before), after: fill.Replace(after)}
			around, behind, _ := strings.Cut(html.EscapeString(w.Appeal), "{address}")
			page.appeal = [2]string{"<p>" + around, behind + "</p>\n"}
			p.pages[r][language] = page
		}
	}
	return p
})

func refusalFile(name string) string {
	content, err := refusalFiles.ReadFile("refusal/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(content)
}

// choose is the first language of an Accept-Language header that there are words for,
// in the order of their weights; English where there is none. Only the first part of a
// tag counts, as in the page (RFC 4647, 3.4).
func (p *refusalSite) choose(accept string) string {
	best, most := "en", 0
	for range 32 { // a header may be longer than any reader's list of languages
		var item string
		var more bool
		item, accept, more = strings.Cut(accept, ",")
		tag, parameters, _ := strings.Cut(item, ";")
		tag, _, _ = strings.Cut(strings.TrimSpace(tag), "-")
		if w := weight(parameters); w > most && len(tag) == 2 {
			lower := [2]byte{tag[0] | 0x20, tag[1] | 0x20}
			if page, ok := p.pages[Full][string(lower[:])]; ok {
				best, most = page.language, w
			}
		}
		if !more {
			break
		}
	}
	return best
}
