package server

import (
	"net/http"
	"time"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/host"
	"roulette/metrics"
)

// AdminHandler serves what is for operators alone, never on the public port.
func (s *Server) AdminHandler() http.Handler {
	return admin.NewHandler(admin.Config{
		Unresponsive: s.Unresponsive,
		NotReady:     s.NotReady,
		Report:       s.report,
		Metrics:      metrics.Handler(s.registry),
		Log:          s.config.Log,
		Hosts:        s.config.AdminHosts,
	})
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
	case s.poller.Count() >= s.rules.Load().MaxConnections:
		return "full"
	case s.pressure.Short():
		return "memory"
	case !host.DescriptorLeft():
		return "descriptors"
	}
	return ""
}
