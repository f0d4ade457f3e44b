package server

import (
	"io"
	"net/http"
	"net/http/pprof"
)

// AdminHandler serves what is for operators alone, never on the public port:
// /metrics, /healthz, /readyz and /debug/pprof/.
func (s *Server) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.MetricsHandler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := s.notReady(); why != "" {
			answer(w, http.StatusServiceUnavailable, why)
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	if s.config.LogLevel != nil {
		mux.HandleFunc("GET /loglevel", s.getLogLevel)
		mux.HandleFunc("PUT /loglevel", s.putLogLevel)
	}
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// notReady says in a word why new clients are not welcome; empty if they are.
func (s *Server) notReady() string {
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
