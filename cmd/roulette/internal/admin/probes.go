package admin

import (
	"fmt"
	"net/http"
)

// healthz tells whether the process does what it is there for.
func (h handler) healthz(w http.ResponseWriter, _ *http.Request) {
	if silent := h.Unresponsive(); len(silent) > 0 {
		answer(w, http.StatusServiceUnavailable, fmt.Sprintf("no answer from workers %d within %v", silent, AnswerTime))
		return
	}
	answer(w, http.StatusOK, "ok")
}

// readyz tells whether new clients are welcome.
func (h handler) readyz(w http.ResponseWriter, _ *http.Request) {
	if why := h.NotReady(); why != "" {
		answer(w, http.StatusServiceUnavailable, why)
		return
	}
	answer(w, http.StatusOK, "ready")
}
