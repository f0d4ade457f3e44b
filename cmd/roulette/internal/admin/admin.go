package admin

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"
)

// AnswerTime is how long a worker may take to answer and be called alive. It has
// an occasion every few milliseconds, however busy it is.
const AnswerTime = time.Second

// Config says whom the pages are about. All functions are called from any
// goroutine, for each request anew.
type Config struct {
	Unresponsive func() []int   // the workers that do not answer within AnswerTime
	NotReady     func() string  // in a word, why new clients are not welcome; empty if they are
	Report       func() *Report // its LastLines are filled in here
	Metrics      http.Handler
	Logger       *slog.Logger
	LogLevel     *slog.LevelVar // the Logger's; nil: it cannot be changed
	Recent       *RecentLog     // the Logger's handler, if it is one
}

// handler has a method for each page.
type handler struct{ Config }

// NewHandler serves what is for operators alone, never on the public port.
func NewHandler(config Config) http.Handler {
	h := handler{config}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h.Metrics)
	mux.HandleFunc("GET /healthz", h.healthz)
	mux.HandleFunc("GET /readyz", h.readyz)
	mux.HandleFunc("GET /statusz", h.statusPage)
	mux.HandleFunc("GET /statusz.json", h.statusJSON)
	if h.LogLevel != nil {
		mux.HandleFunc("GET /loglevel", h.getLogLevel)
		mux.HandleFunc("PUT /loglevel", h.putLogLevel)
	}
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// answer writes a line of text.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // who asked is gone if this fails
}
