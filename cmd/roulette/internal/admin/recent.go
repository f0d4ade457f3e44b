package admin

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// RecentLog is a [slog.Handler] that passes everything on, and remembers the last
// warnings and errors for the operator's page.
type RecentLog struct {
	next   slog.Handler
	text   slog.Handler // writes to memory
	memory *recentLines
}

// NewRecentLog wraps a handler.
func NewRecentLog(next slog.Handler) *RecentLog {
	memory := &recentLines{}
	return &RecentLog{next, slog.NewTextHandler(memory, &slog.HandlerOptions{Level: slog.LevelWarn}), memory}
}

// Enabled implements [slog.Handler].
func (l *RecentLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.next.Enabled(ctx, level) || l.text.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (l *RecentLog) Handle(ctx context.Context, r slog.Record) error {
	if l.text.Enabled(ctx, r.Level) {
		_ = l.text.Handle(ctx, r) // writing to memory never fails
	}
	if !l.next.Enabled(ctx, r.Level) {
		return nil
	}
	return l.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (l *RecentLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &RecentLog{l.next.WithAttrs(attrs), l.text.WithAttrs(attrs), l.memory}
}

// WithGroup implements [slog.Handler].
func (l *RecentLog) WithGroup(name string) slog.Handler {
	return &RecentLog{l.next.WithGroup(name), l.text.WithGroup(name), l.memory}
}

// Lines are the last warnings and errors, the newest first.
func (l *RecentLog) Lines() []string {
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	lines := slices.Clone(l.memory.lines)
	slices.Reverse(lines)
	return lines
}

// Bounds of what is remembered (I4).
const (
	recentCount = 20
	recentBytes = 500 // of each
)

// recentLines keeps the last lines that were written to it.
type recentLines struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

// Write implements [io.Writer]: a line.
func (m *recentLines) Write(b []byte) (int, error) {
	line := strings.TrimSuffix(string(b), "\n")
	if len(line) > recentBytes {
		line = strings.ToValidUTF8(line[:recentBytes], "") + "…"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.lines) == recentCount {
		m.lines = append(m.lines[:0], m.lines[1:]...)
	}
	m.lines = append(m.lines, line)
	return len(b), nil
}
