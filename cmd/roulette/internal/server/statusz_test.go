package server

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
)

func TestNegotiate(t *testing.T) {
	const html, jsn = "text/html", "application/json"
	for _, tc := range []struct{ accept, want string }{
		{"", html},
		{"*/*", html},
		{"application/json", jsn},
		{"Application/JSON; charset=utf-8", jsn},
		{"application/*", jsn},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", html},
		{"text/html;q=0.5, application/json", jsn},
		{"text/html;q=0.5, application/json;q=0.4", html},
		{"text/html;q=0, */*", jsn},
		{"application/json;q=0, */*;q=0.1", html},
		{"*/*;q=0.1, application/json;q=0.2", jsn},
		{"text/html;level=1;q=0.3, application/json;q=0.4", jsn},
		{"application/json;q=2, text/html;q=0.1", html},
		{"text/plain", ""},
		{"*/*;q=0", ""},
		{"nonsense;;=, application/json", jsn},
	} {
		if got := negotiate([]string{tc.accept}, html, jsn); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.accept, got, tc.want)
		}
	}
	if got := negotiate([]string{"text/html;q=0.1", jsn}, html, jsn); got != jsn {
		t.Errorf("two headers: %q", got)
	}
}

// TestStatusz: what it says is so, in both forms.
func TestStatusz(t *testing.T) {
	recent := NewRecentLog(slog.NewTextHandler(io.Discard, nil))
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Workers: 2, Version: "v1.2.3", Revision: "abc", Logger: slog.New(recent), Recent: recent})
	for range 3 {
		servertest.Dial(t, addr, "/ws")
	}
	servertest.Dial(t, addr, "/echo")
	servertest.Await(t, "all to be there", func() bool { return s.pairs.Pairs() == 1 && s.pairs.Waiting() == 1 && chats(t, s) == 4 })
	k.advance(t, s, 3*time.Second)
	s.log.Warn("a <warning>", "answer", 42)
	s.log.Info("no warning")

	w := page(s, "/statusz", "Accept: application/json")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	var st status
	if err := json.Unmarshal(w.Body.Bytes(), &st); err != nil {
		t.Fatal(err)
	}
	connections := 0
	for _, worker := range st.Workers {
		connections += worker.Connections
		if !worker.Answers {
			t.Errorf("worker %d does not answer", worker.Index)
		}
	}
	for what, ok := range map[string]bool{
		"version":     st.Version == "v1.2.3" && st.Revision == "abc" && st.PID > 0 && strings.HasPrefix(st.Go, "go"),
		"state":       st.State == "ready" && st.Drain == nil,
		"connections": st.Connections == 4 && connections == 4 && st.ConnectionsLimit == s.Settings().MaxConnections,
		"states":      st.ByState["paired"] == 2 && st.ByState["waiting"] == 1 && st.ByState["idle"] == 1 && st.ByState["closing"] == 0,
		"pairs":       st.Pairs == 1,
		"waits":       st.Waits.Waiting == 1 && st.Waits.Oldest >= 2.9 && st.Waits.Oldest < 3.1 && st.Waits.P95 > 0,
		"descriptors": st.Descriptors > 8 && st.Descriptors < st.DescriptorsLimit,
		"memory":      st.Memory.RSS > 1<<20 && st.Memory.Heap > 1<<10,
		"settings":    len(st.Settings) > 10,
		"last lines":  len(st.LastLines) == 1 && strings.Contains(st.LastLines[0], `msg="a <warning>" answer=42`),
	} {
		if !ok {
			t.Errorf("%s: %s", what, w.Body)
		}
	}

	w = page(s, "/statusz", "Accept: text/html")
	for _, want := range []string{"roulette is <span>ready</span>", "v1.2.3", "the oldest for 3s", "a &lt;warning&gt;", "max-message-size"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in the page:\n%s", want, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "<script") || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v", w.Header())
	}
	if w := page(s, "/statusz", "Accept: image/png"); w.Code != http.StatusNotAcceptable {
		t.Errorf("as a picture: %d", w.Code)
	}
}

// TestStatuszOfAStuckWorker: the page comes all the same, and says so.
func TestStatuszOfAStuckWorker(t *testing.T) {
	s, _ := start(t, Config{Workers: 2})
	stuck := make(chan struct{})
	defer close(stuck)
	if err := s.poller.Workers()[1].Ask(func() { <-stuck }); err != nil {
		t.Fatal(err)
	}
	if w := page(s, "/statusz"); w.Code != http.StatusOK || strings.Count(w.Body.String(), "does not answer") != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestRecentLog(t *testing.T) {
	var next strings.Builder
	l := NewRecentLog(slog.NewTextHandler(&next, &slog.HandlerOptions{Level: slog.LevelError}))
	log := slog.New(l)
	log.Info("nothing")
	log.With("who", "me").WithGroup("g").Warn("first", "n", 1)
	if lines := l.Lines(); len(lines) != 1 || !strings.Contains(lines[0], "level=WARN msg=first who=me g.n=1") {
		t.Errorf("%q", lines)
	}
	if next.String() != "" {
		t.Errorf("passed on below its level: %s", next.String())
	}
	log.Error(strings.Repeat("é", recentBytes))
	if lines := l.Lines(); len(lines) != 2 || !strings.HasSuffix(lines[0], "é…") || len(lines[0]) > recentBytes+len("…") {
		t.Errorf("%q", lines)
	}
	if !strings.Contains(next.String(), "éé\n") {
		t.Errorf("passed on: %.80q", next.String())
	}
	for i := range 3 * recentCount {
		log.Warn("many", "i", i)
	}
	if lines := l.Lines(); len(lines) != recentCount || !strings.HasSuffix(lines[0], "i=59") || !strings.HasSuffix(lines[recentCount-1], "i=40") {
		t.Errorf("%q", lines)
	}
}

func TestBusyMinute(t *testing.T) {
	var b busyMinute
	if got := b.share(5, time.Second); got != 0 {
		t.Errorf("without samples %v", got)
	}
	busy := time.Duration(0)
	for now := uint32(0); now <= 200_000; now += 250 { // half busy, then not at all
		b.note(now, busy)
		if now < 100_000 {
			busy += 125 * time.Millisecond
		}
		want := 0.5
		if now > 100_000 {
			want = 0.5 * max(0, 160_000-float64(now)) / 60_000
		}
		if got := b.share(now, busy); now >= 5000 && (got < want-0.1 || got > want+0.1) {
			t.Errorf("after %d ms: %.2f, want %.2f", now, got, want)
		}
	}
}

func TestHuman(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0s", 0.0123: "12.3ms", 2.34: "2.3s", 61.7: "1m1s", 3661: "1h1m1s", 90000: "1 d 1h0m0s"} {
		if got := humanDuration(seconds); got != want {
			t.Errorf("%v s: %s, want %s", seconds, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 40: "5120.0 GiB"} {
		if got := humanBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
