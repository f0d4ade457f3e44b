package server

import (
	"net/http"
	"net/http/pprof"
)

// AdminHandler serves what is for operators alone, never on the public port:
// /metrics, /healthz, /readyz, /statusz, /loglevel and /debug/pprof/.
func (s *Server) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.MetricsHandler())
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /statusz", s.statusz)
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
