package admin

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// newLog logs as text to b.
func newLog(b *strings.Builder, level slog.Level) *Log {
	return NewLog(level, func(l slog.Leveler) slog.Handler {
		return slog.NewTextHandler(b, &slog.HandlerOptions{Level: l})
	})
}

func TestRecentLines(t *testing.T) {
	var next strings.Builder
	l := newLog(&next, slog.LevelError)
	l.Info("nothing")
	l.With("who", "me").WithGroup("g").Warn("first", "n", 1)
	if lines := l.recent.newestFirst(); len(lines) != 1 || !strings.Contains(lines[0], "level=WARN msg=first who=me g.n=1") {
		t.Errorf("%q", lines)
	}
	if next.String() != "" {
		t.Errorf("passed on below its level: %s", next.String())
	}
	l.Error(strings.Repeat("é", recentBytes))
	if lines := l.recent.newestFirst(); len(lines) != 2 || !strings.HasSuffix(lines[0], "é…") || len(lines[0]) > recentBytes+len("…") {
		t.Errorf("%q", lines)
	}
	if !strings.Contains(next.String(), "éé\n") {
		t.Errorf("passed on: %.80q", next.String())
	}
	for i := range 3 * recentCount {
		l.Warn("many", "i", i)
	}
	if lines := l.recent.newestFirst(); len(lines) != recentCount || !strings.HasSuffix(lines[0], "i=59") || !strings.HasSuffix(lines[recentCount-1], "i=40") {
		t.Errorf("%q", lines)
	}
}

// TestSetLevel: the line about it is logged whichever way it goes, and once.
func TestSetLevel(t *testing.T) {
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	for _, from := range levels {
		for _, to := range levels {
			var out strings.Builder
			l := newLog(&out, from)
			l.SetLevel(to, "me")
			want := 0
			if from != to {
				want = 1
			}
			line := fmt.Sprintf(`msg="log level changed" from=%v to=%v by=me`, from, to)
			if got := strings.Count(out.String(), line); got != want || strings.Count(out.String(), "\n") != want || l.Level() != to {
				t.Errorf("from %v to %v: level %v, logged %s", from, to, l.Level(), out.String())
			}
			if n := len(l.actions.newestFirst()); n != want {
				t.Errorf("from %v to %v: %d actions", from, to, n)
			}
		}
	}
}

func TestActions(t *testing.T) {
	var out strings.Builder
	l := newLog(&out, slog.LevelInfo)
	l.Act("SIGHUP", "settings read again", "changed", 2, "file", "a b")
	for range 3 {
		l.act(slog.LevelInfo, slog.LevelDebug, "10.0.0.1", "profile taken", "profile", "heap")
	}
	l.Act("10.0.0.2", "profile taken", "profile", "heap")
	got := l.actions.newestFirst()
	for i, want := range []Action{
		{By: "10.0.0.2", What: "profile taken profile=heap", Times: 1},
		{By: "10.0.0.1", What: "profile taken profile=heap", Times: 3},
		{By: "SIGHUP", What: "settings read again changed=2 file=a b", Times: 1},
	} {
		if i >= len(got) || got[i].By != want.By || got[i].What != want.What || got[i].Times != want.Times || got[i].At.IsZero() {
			t.Errorf("number %d of %v, want %v", i, got, want)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want one for each that is another:\n%s", n, out.String())
	}
	for i := range 2 * actionCount {
		l.Act("me", strings.Repeat("x", 2*recentBytes), "i", i)
		l.Act("you", "something", "i", i)
	}
	if got := l.actions.newestFirst(); len(got) != actionCount || got[0].What != "something i=99" || len(got[1].What) > recentBytes+len("…") {
		t.Errorf("%d, the first %v", len(got), got[0])
	}
}
