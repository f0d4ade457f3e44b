package server

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/servertest"
)

// TestStatusz: what it says is so, in both forms.
func TestStatusz(t *testing.T) {
	log := admin.NewLog(slog.LevelInfo, func(slog.Leveler) slog.Handler { return slog.NewTextHandler(io.Discard, nil) })
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Workers: 2, Version: "v1.2.3", Revision: "abc", Logger: log.Logger, Log: log})
	k.advance(t, s, time.Second)
	for range 3 {
		servertest.Dial(t, addr, "/ws")
	}
	servertest.Dial(t, addr, "/echo")
	servertest.Await(t, "all to be there", func() bool { return s.pairs.Pairs() == 1 && s.pairs.Waiting() == 1 && chats(t, s) == 4 })
	k.advance(t, s, 12*time.Second) // into the next period of the history
	s.log.Warn("a <warning>", "answer", 42)
	s.log.Info("no warning")

	w := page(s, "/statusz.json")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	var st admin.Report
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
		"waits":       st.Waits.Waiting == 1 && st.Waits.Oldest >= 11.9 && st.Waits.Oldest < 12.1 && st.Waits.Ended == 2 && st.Waits.P95 > 0,
		"history":     len(st.History) == 1 && st.History[0].Connections == 4 && st.History[0].Pairs == 1 && st.History[0].Waiting == 1 && st.History[0].Accepted == 0.4,
		"descriptors": st.Descriptors > 8 && st.Descriptors < st.DescriptorsLimit,
		"memory":      st.Memory.RSS > 1<<20 && st.Memory.Heap > 1<<10,
		"settings":    len(st.Settings) > 10,
		"last lines":  len(st.LastLines) == 1 && strings.Contains(st.LastLines[0], `msg="a <warning>" answer=42`),
	} {
		if !ok {
			t.Errorf("%s: %s", what, w.Body)
		}
	}

	w = page(s, "/statusz")
	for _, want := range []string{"Roulette is <span>ready</span>", "v1.2.3", "oldest 12 s", "a &lt;warning&gt;", "max-message-size"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in the page:\n%s", want, w.Body)
		}
	}
	if w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v", w.Header())
	}
}

// TestStatuszOfAStuckWorker: the page comes all the same, and says so.
func TestStatuszOfAStuckWorker(t *testing.T) {
	servertest.Parallel(t)
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
