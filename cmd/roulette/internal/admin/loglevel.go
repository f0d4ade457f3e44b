package admin

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// levels are those that can be asked for.
var levels = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// maxLevelBody is more than any of their names needs.
const maxLevelBody = 64

func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

func (h handler) getLogLevel(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, levelName(h.Log.Level()))
}

// putLogLevel is for scripts: the body is the level's name.
func (h handler) putLogLevel(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevelBody))
	name := string(body)
	if err != nil {
		name += "…" // goes on, so it is no level's
	}
	if h.setLevel(w, r, name) {
		h.getLogLevel(w, r)
	}
}

// postLogLevel is for the form of the status page.
func (h handler) postLogLevel(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLevelBody)
	if h.setLevel(w, r, r.PostFormValue("level")) {
		http.Redirect(w, r, "statusz", http.StatusSeeOther)
	}
}

// setLevel changes the level until the next start, or until the settings are read
// again. False: there is no such level, and the request is answered.
func (h handler) setLevel(w http.ResponseWriter, r *http.Request, name string) bool {
	for _, level := range levels {
		if strings.EqualFold(strings.TrimSpace(name), level.String()) {
			h.Log.SetLevel(level, operator(r))
			return true
		}
	}
	answer(w, http.StatusBadRequest, fmt.Sprintf("%.20q is not one of debug, info, warn, error", name))
	return false
}

// profile notes that somebody takes a profile: that of the heap may hold messages
// that are under way.
func (h handler) profile(take http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := strings.TrimPrefix(r.URL.Path, "/debug/pprof/"); name != "" && h.Log != nil {
			h.Log.act(slog.LevelInfo, slog.LevelDebug, operator(r), "profile taken", "profile", name) // some profilers come every few seconds
		}
		take(w, r)
	})
}
