package admin

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"time"
)

//go:embed statusz.html
var statusPage string

var statusTemplate = template.Must(template.New("statusz").Funcs(template.FuncMap{
	"duration": func(seconds float64) string { return humanDuration(seconds) },
	"bytes":    func(n any) string { return humanBytes(n) },
	"percent":  func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) },
}).Parse(statusPage))

// report is the server's, with what is known here.
func (h handler) report() *Report {
	r := h.Report()
	if h.Recent != nil {
		r.LastLines = h.Recent.Lines()
	}
	return r
}

// statusPage shows a person how the server is.
func (h handler) statusPage(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	var body bytes.Buffer
	if err := statusTemplate.Execute(&body, h.report()); err != nil {
		answer(w, http.StatusInternalServerError, err.Error())
		return
	}
	_, _ = body.WriteTo(w) // who asked is gone if this fails
}

// statusJSON tells a script.
func (h handler) statusJSON(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(h.report()) // likewise
}

// humanDuration is a time with as many digits as one wants to read.
func humanDuration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%d d %v", d/(24*time.Hour), (d % (24 * time.Hour)).Truncate(time.Minute))
	case d >= time.Minute:
		return d.Truncate(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}

// humanBytes is a size, of any type of integer.
func humanBytes(n any) string {
	var v float64
	switch n := n.(type) {
	case int64:
		v = float64(n)
	case uint64:
		v = float64(n)
	}
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if v < 1024 || unit == "GiB" {
			if unit == "B" {
				return fmt.Sprintf("%.0f B", v)
			}
			return fmt.Sprintf("%.1f %s", v, unit)
		}
		v /= 1024
	}
	return ""
}
