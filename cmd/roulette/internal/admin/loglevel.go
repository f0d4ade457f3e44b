package admin

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// levels are those that can be asked for.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// maxLevelBody is more than any of their names needs.
const maxLevelBody = 64

func (h handler) getLogLevel(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, strings.ToLower(h.LogLevel.Level().String()))
}

// putLogLevel changes the level until the next start, or until the configured
// one changes.
func (h handler) putLogLevel(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevelBody))
	level, ok := levels[strings.ToLower(strings.TrimSpace(string(body)))]
	if err != nil || !ok {
		answer(w, http.StatusBadRequest, fmt.Sprintf("%.20q is not one of debug, info, warn, error", body))
		return
	}
	last := h.LogLevel.Level()
	lower := min(last, level) // at which the change itself is logged
	h.LogLevel.Set(lower)
	h.Logger.Log(r.Context(), max(lower, slog.LevelInfo), "log level changed", "from", last, "to", level)
	h.LogLevel.Set(level)
	h.getLogLevel(w, r)
}
