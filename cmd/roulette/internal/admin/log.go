package admin

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Log is the server's log as operators see and steer it: its level, its last
// warnings and errors, and what they themselves did. Any goroutine.
type Log struct {
	*slog.Logger

	level   *slog.LevelVar
	recent  *recentLines
	actions actions
}

// NewLog makes a log at a level. handler returns where its lines go, a handler
// with the level that it is given.
func NewLog(level slog.Level, handler func(slog.Leveler) slog.Handler) *Log {
	l := &Log{level: new(slog.LevelVar), recent: new(recentLines)}
	l.level.Set(level)
	l.Logger = slog.New(&recentHandler{
		handler(l.level),
		slog.NewTextHandler(l.recent, &slog.HandlerOptions{Level: slog.LevelWarn}),
	})
	return l
}

// Level is the one in force.
func (l *Log) Level() slog.Level { return l.level.Level() }

// SetLevel changes the level; by says who does it. The line about it is logged
// whatever both levels are.
func (l *Log) SetLevel(level slog.Level, by string) {
	last := l.Level()
	if level == last {
		return
	}
	lower := min(last, level)
	l.level.Set(lower)
	said := max(lower, slog.LevelInfo)
	l.act(said, said, by, "log level changed", "from", last, "to", level)
	l.level.Set(level)
}

// Act logs something that an operator did, and remembers it. by says who, as far
// as that is known: a signal, or an address of the admin side. what is constant,
// attrs are as for [slog.Logger.Info].
func (l *Log) Act(by, what string, attrs ...any) {
	l.act(slog.LevelInfo, slog.LevelInfo, by, what, attrs...)
}

// act is Act at a level of its own, and at another if it is the last action again.
func (l *Log) act(level, again slog.Level, by, what string, attrs ...any) {
	if !l.actions.note(time.Now(), by, what+inWords(attrs)) {
		level = again
	}
	l.Log(context.Background(), level, what, append(slices.Clip(attrs), "by", by)...)
}

// inWords are attributes for a person.
func inWords(attrs []any) string {
	var b strings.Builder
	r := slog.Record{}
	r.Add(attrs...)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	return b.String()
}

// Action is something that an operator did.
type Action struct {
	At    time.Time `json:"at"` // the last time
	By    string    `json:"by"`
	What  string    `json:"what"`
	Times int       `json:"times"` // in a row
}

// Bounds of what is remembered (I4).
const (
	actionCount = 50
	recentCount = 20
	recentBytes = 500 // of each line
)

// actions are the last ones, the newest last.
type actions struct {
	mu   sync.Mutex
	last []Action // guarded by mu
}

// note remembers an action, and reports whether it is another one than the last.
func (a *actions) note(at time.Time, by, what string) (another bool) {
	what = shorten(what)
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.last); n > 0 && a.last[n-1].By == by && a.last[n-1].What == what {
		a.last[n-1].At = at
		a.last[n-1].Times++
		return false
	}
	if len(a.last) == actionCount {
		a.last = append(a.last[:0], a.last[1:]...)
	}
	a.last = append(a.last, Action{at, by, what, 1})
	return true
}

// newestFirst is a copy.
func (a *actions) newestFirst() []Action {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.Clone(a.last)
	slices.Reverse(all)
	return all
}

// recentHandler passes everything on, and what is grave to memory as well.
type recentHandler struct {
	next   slog.Handler
	memory slog.Handler
}

// Enabled implements [slog.Handler].
func (h *recentHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level) || h.memory.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *recentHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.memory.Enabled(ctx, r.Level) {
		_ = h.memory.Handle(ctx, r) // writing to memory never fails
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *recentHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &recentHandler{h.next.WithAttrs(attrs), h.memory.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h *recentHandler) WithGroup(name string) slog.Handler {
	return &recentHandler{h.next.WithGroup(name), h.memory.WithGroup(name)}
}

// recentLines are the last warnings and errors.
type recentLines struct {
	mu    sync.Mutex
	lines []string // guarded by mu; the newest last
}

// Write implements [io.Writer]: a line.
func (m *recentLines) Write(b []byte) (int, error) {
	line := shorten(strings.TrimSuffix(string(b), "\n"))
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.lines) == recentCount {
		m.lines = append(m.lines[:0], m.lines[1:]...)
	}
	m.lines = append(m.lines, line)
	return len(b), nil
}

// newestFirst is a copy.
func (m *recentLines) newestFirst() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := slices.Clone(m.lines)
	slices.Reverse(lines)
	return lines
}

// shorten cuts what is too long to be remembered.
func shorten(line string) string {
	if len(line) <= recentBytes {
		return line
	}
	return strings.ToValidUTF8(line[:recentBytes], "") + "…"
}
