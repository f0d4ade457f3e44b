package server

import (
	"io"
	"net/http"
	"time"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/host"
	"roulette/metrics"
)

// AdminHandler serves what is for operators alone, never on the public port.
func (s *Server) AdminHandler() http.Handler {
	config := admin.Config{
		Unresponsive: s.Unresponsive,
		NotReady:     s.NotReady,
		Report:       s.report,
		Metrics:      metrics.Handler(s.registry),
		Log:          s.config.Log,
		Bans:         s,
		Announce:     s.announce,
		Hosts:        s.config.AdminHosts,
	}
	if s.config.Inbox != nil {
		config.Inbox = s.config.Inbox
	}
	return admin.NewHandler(config)
}

// publicHealth is for balancers, who look at the public port: 200 while new clients are
// welcome and 503 when not, to GET, HEAD and OPTIONS alike. Why not is for operators.
func (s *Server) publicHealth(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	status, text := http.StatusOK, "ok\n"
	if s.NotReady() != "" {
		status, text = http.StatusServiceUnavailable, "unavailable\n"
	}
	switch r.Method {
	case http.MethodGet:
	case http.MethodHead, http.MethodOptions:
		text = ""
	default:
		status, text = http.StatusMethodNotAllowed, "405 method not allowed\n"
	}
	if r.Method == http.MethodOptions || status == http.StatusMethodNotAllowed {
		header.Set("Allow", "GET, HEAD, OPTIONS")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the reader is gone if this fails
}

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
	timeout := time.NewTimer(admin.AnswerTime)
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

// NotReady says in a word why new clients are not welcome; empty if they are.
func (s *Server) NotReady() string {
	switch {
	case s.phaseNow() == phaseStarting:
		return "starting"
	case s.phaseNow() >= phaseGrace:
		return "draining"
	case int(s.chats.Load()) >= s.rules.Load().MaxConnections:
		return "full"
	case s.pressure.Short():
		return "memory"
	case !host.DescriptorLeft():
		return "descriptors"
	}
	return ""
}
