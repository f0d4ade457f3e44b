package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPages: what the report says stands on the pages, for a person.
func TestPages(t *testing.T) {
	var out strings.Builder
	log := newLog(&out, 0)
	report := Report{
		Version: "v1", Go: "go1", Started: time.Now(), Uptime: 90_000, State: "full",
		TookOver:    &TookOver{From: "1.4.0", At: time.Date(2026, 11, 25, 4, 5, 6, 0, time.UTC), Frozen: 0.0412},
		Drain:       &Drain{SentAway: 1234, Of: 5678, Spread: 7},
		Connections: 12_345, ConnectionsLimit: 1_000_000, Pairs: 6001, Away: 1010, Returned: 20_020,
		ByState: map[string]int64{"paired": 12_002, "idle": 343},
		Refused: []Refusal{{"origin", 2}, {"max_connections", 70_000}},
		Waits:   Waits{Waiting: 3, Oldest: 61, Ended: 40, P50: 0.0123, P95: 2.34},
		Backlog: Backlog{Connections: 2, Bytes: 3 << 20},
		Workers: []Worker{{Index: 0, Answers: true, Connections: 12_345, Busy: 0.25, Events: 9_999_999}, {Index: 1}},
		Memory:  Memory{RSS: 1536 << 10, Heap: 1023, Limit: 2 << 30}, Descriptors: 99, DescriptorsLimit: 100,
		Settings: []Setting{{"max-message-size", "<64 KiB>"}},
		History:  []Point{{Ago: 20, Messages: 5}, {Ago: 10, Messages: 10}, {Ago: 0, Messages: 2.5, Refused: 1}},
	}
	h := NewHandler(Config{Report: func() *Report { r := report; return &r }, Metrics: http.NotFoundHandler(), Log: log})
	log.Warn("a <warning>", "answer", 42)
	if w := ask(h, "POST", "http://localhost/loglevel?level=error", "Content-Type: application/x-www-form-urlencoded"); w.Code != http.StatusBadRequest {
		t.Errorf("a form without a level: %d", w.Code)
	}
	if w := ask(h, "PUT", "http://localhost/loglevel"); w.Code != http.StatusOK || w.Body.String() != "debug\n" {
		t.Errorf("PUT: %d %s", w.Code, w.Body)
	}
	for path, wants := range map[string][]string{
		"/": {"not ready: full", "12,345 connections", "6,001 pairs", "up for 1 d 1 h", `href="statusz"`, `href="debug/pprof/"`, "<dd>debug."},
		"/statusz": {"not ready: full", "Version v1", "It took over from 1.4.0 at <time>2026-11-25 04:05:06 UTC</time>, frozen 41.2 ms.", "1,234 of 5,678 sent away, over 7 s", "<b>12,345</b> of 1,000,000", "<b>3</b> oldest 1 min 1 s",
			"median 12.3 ms, 95th percentile 2.3 s, of 40", "3.0 MiB for 2 connections", "kept<td>1,010, 20,020 have come back", "origin 2, max_connections 70,000", "25 %<td>9,999,999",
			"does not answer", "1.5 MiB", "1023 B", "2.0 GiB", "&lt;64 KiB&gt;", "a &lt;warning&gt;", "log level changed from=INFO to=DEBUG", "192.0.2.1",
			`points="58.0,10.0 59.0,0.0 60.0,15.0"`, "<b>2.5</b> a second", `class="bad"><h2>Refused`, `class="bad"><h2>Descriptors`},
	} {
		w := ask(h, "GET", "http://localhost"+path)
		for _, want := range wants {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s has no %q:\n%s", path, want, w.Body)
			}
		}
		if policy := w.Header().Get("Content-Security-Policy"); w.Code != http.StatusOK || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: %d, policy %q", path, w.Code, policy)
		}
	}
	var got Report
	if err := json.Unmarshal(ask(h, "GET", "http://localhost/statusz.json").Body.Bytes(), &got); err != nil || got.Pairs != 6001 || len(got.Actions) != 1 || len(got.LastLines) != 1 || got.LogLevel != "debug" {
		t.Errorf("%v, %+v", err, got)
	}
	if w := ask(h, "GET", "http://localhost/nothing"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "/ has a list") {
		t.Errorf("no such page: %d %s", w.Code, w.Body)
	}
}

// TestEmptyReport: a server that has just begun has a page, too.
func TestEmptyReport(t *testing.T) {
	h := NewHandler(Config{Report: func() *Report { return &Report{State: "ready"} }, Metrics: http.NotFoundHandler()})
	w := ask(h, "GET", "http://localhost/statusz")
	if strings.Contains(w.Body.String(), "took over") {
		t.Error("it has taken over from nobody")
	}
	for _, want := range []string{"<span>ready</span>", "nobody has found one", "<td>nobody", "<p>None.</p>", "Nothing since the start", `points=""`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %q:\n%s", want, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "loglevel") {
		t.Error("a form for a level that cannot be changed")
	}
	if w := ask(h, "GET", "http://localhost/loglevel"); w.Code != http.StatusNotFound {
		t.Errorf("/loglevel: %d", w.Code)
	}
}

func TestTimesAndSizesForPeople(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0 s", 0.0004: "under 1 ms", 0.0123: "12.3 ms", 2.34: "2.3 s", 3: "3 s", 61.7: "1 min 1 s", 3661: "1 h 1 min", 90_000: "1 d 1 h",
	} {
		if got := humanDuration(seconds); got != want {
			t.Errorf("%v s: %s, want %s", seconds, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 40: "5120.0 GiB"} {
		if got := humanBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[any]string{0: "0", 999: "999", int64(1000): "1,000", uint64(1_234_567): "1,234,567", 2.5: "2.5", 12.5: "13", 1e6: "1,000,000"} {
		if got := humanCount(n); got != want {
			t.Errorf("%v: %s, want %s", n, got, want)
		}
	}
}
