package admin

import (
	"embed"
	"html/template"
	"io"
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
	Report       func() *Report // but for what is filled in here
	Metrics      http.Handler
	Log          *Log  // nil: the level cannot be changed, and nothing is remembered
	Bans         Bans  // nil: nobody can be banned
	Inbox        Inbox // nil: there are no moderators
	Announce     func(code string, in time.Duration) error
	Hosts        []string // names of the admin side besides those that guard knows
}

// handler has a method for each page.
type handler struct{ Config }

// NewHandler serves what is for operators alone, never on the public port.
func NewHandler(config Config) http.Handler {
	h := handler{config}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.index)
	mux.HandleFunc("GET /statusz", h.statusPage)
	mux.HandleFunc("GET /statusz.json", h.statusJSON)
	mux.Handle("GET /admin.css", asset("admin.css", "text/css; charset=utf-8"))
	mux.Handle("GET /admin.js", asset("admin.js", "text/javascript; charset=utf-8"))
	mux.Handle("GET /metrics", h.Metrics)
	mux.HandleFunc("GET /healthz", h.healthz)
	mux.HandleFunc("GET /readyz", h.readyz)
	if h.Log != nil {
		mux.HandleFunc("GET /loglevel", h.getLogLevel)
		mux.HandleFunc("PUT /loglevel", h.putLogLevel)
		mux.HandleFunc("POST /loglevel", h.postLogLevel)
	}
	if h.Bans != nil {
		mux.HandleFunc("GET /bans", h.getBans)
		mux.HandleFunc("POST /ban", h.postBan)
		mux.HandleFunc("POST /unban", h.postUnban)
		mux.HandleFunc("POST /notice", h.postNotice)
		mux.HandleFunc("GET /people", h.getPeople)
		mux.HandleFunc("POST /decide", h.postDecide)
	}
	if h.Inbox != nil {
		mux.HandleFunc("GET /reports", h.getReports)
		mux.HandleFunc("GET /reports/{id}", h.getReport)
	}
	mux.Handle("/debug/pprof/", h.profile(pprof.Index))
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.Handle("/debug/pprof/profile", h.profile(pprof.Profile))
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.Handle("/debug/pprof/trace", h.profile(pprof.Trace))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusNotFound, "no such page; / has a list of them")
	})
	return h.guard(mux)
}

//go:embed assets
var assets embed.FS

var pages = template.Must(template.New("").Funcs(inTemplates).ParseFS(assets, "assets/*.html"))

// asset serves a file that is part of the program.
func asset(name, contentType string) http.Handler {
	body, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // the program was built without it
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(body) // who asked is gone if this fails
	})
}

// answer writes a line of text.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // likewise
}
