package admin

import (
	"log/slog"
	"strings"
	"testing"
)

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
