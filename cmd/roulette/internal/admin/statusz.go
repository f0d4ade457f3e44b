package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// report is the server's, with what is known here.
func (h handler) report() *Report {
	r := h.Report()
	r.Moderated = h.Inbox != nil
	if h.Log != nil {
		r.LogLevel = levelName(h.Log.Level())
		r.Actions = h.Log.actions.newestFirst()
		r.LastLines = h.Log.recent.newestFirst()
	}
	return r
}

// statusPage shows a person how the server is. Its script asks for it again and
// again, and replaces what has changed.
func (h handler) statusPage(w http.ResponseWriter, _ *http.Request) {
	page(w, "statusz.html", h.report())
}

// index is the list of pages.
func (h handler) index(w http.ResponseWriter, _ *http.Request) {
	page(w, "index.html", h.report())
}

// statusJSON tells a script.
func (h handler) statusJSON(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(h.report()) // who asked is gone if this fails
}

// page fills in a template.
func page(w http.ResponseWriter, name string, about *Report) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, about); err != nil {
		answer(w, http.StatusInternalServerError, err.Error())
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
		"img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	_, _ = body.WriteTo(w) // likewise
}
