package server

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// answerTime is how long a worker may take to answer and be called alive. It has
// an occasion every few milliseconds, however busy it is.
const answerTime = time.Second

// Unresponsive are the workers, by their indices, that do not answer in time:
// stuck, or out of processor.
func (s *Server) Unresponsive() (silent []int) {
	workers := s.poller.Workers()
	answers := make([]chan struct{}, len(workers))
	for i, w := range workers {
		answers[i] = make(chan struct{})
		// One that has ended has nothing to answer for.
		if w.Ask(func() { close(answers[i]) }) != nil {
			close(answers[i])
		}
	}
	timeout := time.NewTimer(answerTime)
	defer timeout.Stop()
	late := false
	for i := range workers {
		if !late {
			select {
			case <-answers[i]:
				continue
			case <-timeout.C:
				late = true
			}
		}
		select {
		case <-answers[i]:
		default:
			silent = append(silent, i)
		}
	}
	return silent
}

// healthz tells whether the process does what it is there for.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	if silent := s.Unresponsive(); len(silent) > 0 {
		answer(w, http.StatusServiceUnavailable, fmt.Sprintf("no answer from workers %d within %v", silent, answerTime))
		return
	}
	answer(w, http.StatusOK, "ok")
}

// readyz tells whether new clients are welcome.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if why := s.NotReady(); why != "" {
		answer(w, http.StatusServiceUnavailable, why)
		return
	}
	answer(w, http.StatusOK, "ready")
}

// NotReady says in a word why new clients are not welcome; empty if they are.
func (s *Server) NotReady() string {
	switch {
	case s.stageNow() == stageStarting:
		return "starting"
	case s.stageNow() >= stageGrace:
		return "draining"
	case s.poller.Count() >= s.rules.Load().MaxConnections:
		return "full"
	case s.pressure.short():
		return "memory"
	case !descriptorLeft():
		return "descriptors"
	}
	return ""
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // who asked is gone if this fails
}
