package web

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Handler returns the handler of the browser client: the page at "/" and its
// assets beside it, for GET and HEAD. Any other path is answered with 404 and a
// page, any other method with 405.
//
// The handler keeps no state. It may be called more than once; all handlers
// share the same bytes.
func Handler() http.Handler {
	return handler{embedded(), ""}
}

// HandlerBelow is Handler for a site that lies below base, such as "/chat/": the page is
// there, and who leaves the last slash out is sent there. Nothing is found beside it.
func HandlerBelow(base string) http.Handler { return HandlerFiltered(base, Filter{}) }

// HandlerFiltered is HandlerBelow with a page that blurs what filter names.
func HandlerFiltered(base string, filter Filter) http.Handler {
	if base == "/" && filter.entries == nil {
		return Handler()
	}
	return handler{embeddedBelow(base, filter), strings.TrimSuffix(base, "/")}
}

type handler struct {
	site   site
	prefix string // of all paths: base without its last slash
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, below := strings.CutPrefix(r.URL.Path, h.prefix)
	if below && path == "" && h.prefix != "" {
		w.Header().Set("Location", h.prefix+"/")
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	var a *asset
	if below {
		a = h.site.find(path, r.Header.Values("Accept-Language"))
	}
	if a == nil {
		setSecurityHeaders(w.Header(), r.Host, h.site.notFound)
		serveNotFound(w, r, h.site.notFound)
		return
	}
	setSecurityHeaders(w.Header(), r.Host, a)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuseMethod(w, "GET, HEAD")
		return
	}
	b := choose(w.Header(), r, a)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Etag", b.etag)
	// No modification time: the hash says more than the clock of whoever built this.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.bytes))
}

// refuseMethod answers a request whose method is none of allow.
func refuseMethod(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
}

// serveNotFound sends page with status 404. It has no ETag and may not be kept:
// the path may exist in the next build.
func serveNotFound(w http.ResponseWriter, r *http.Request, page *asset) {
	b := choose(w.Header(), r, page)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.bytes) // the reader is gone if this fails; nobody is left to tell
	}
}

// choose picks the encoding of a for r and writes the headers that describe it.
func choose(header http.Header, r *http.Request, a *asset) body {
	b := a.plain
	header.Set("Content-Type", a.contentType)
	vary := header.Values("Vary")
	if a.language != "" {
		header.Set("Content-Language", a.language)
		vary = append(vary, "Accept-Language")
	}
	if a.gzip != nil {
		vary = append(vary, "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			b = *a.gzip
			header.Set("Content-Encoding", "gzip")
		}
	}
	if len(vary) > 0 {
		header.Set("Vary", strings.Join(vary, ", "))
	}
	// ServeContent leaves the length out where there is a Content-Encoding.
	header.Set("Content-Length", strconv.Itoa(len(b.bytes)))
	return b
}
