package browsertest

import (
	"context"
	"flag"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// Main runs the tests of a package that use [Shared], from its TestMain. Twice as many
// of them as there are processors run side by side, unless the flag -parallel says
// otherwise: they wait for their browser most of the time.
func Main(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))) // the flag is there, and takes numbers
	}
	code := m.Run()
	shared.end()
	if foxes.end != nil {
		foxes.end()
	}
	os.Exit(code)
}

// Shared opens a tab for somebody, as [NewPerson] does, in a browser that all tests of
// the package share: one of its own costs more than most tests do.
func Shared(t testing.TB) context.Context {
	t.Helper()
	return NewPerson(t, shared.start(t))
}

// Ready starts that browser, where it does not run: for tests that count goroutines, or
// descriptors, from later on.
func Ready(t testing.TB) {
	t.Helper()
	shared.start(t)
}

// shared is the one browser, and how it ends.
var shared lasting

// lasting is a test that lasts as long as the process: what it starts ends with that.
type lasting struct {
	testing.TB // the test that started it, for as long as it does so

	// Guarded by mu.
	mu       sync.Mutex
	browser  context.Context
	cleanups []func()
}

// start starts the browser, if it does not run.
func (l *lasting) start(t testing.TB) context.Context {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.browser == nil {
		l.TB = t
		l.browser = Start(l)
	}
	return l.browser
}

// Cleanup keeps f for the end. Only start calls it, by way of Start.
func (l *lasting) Cleanup(f func()) { l.cleanups = append(l.cleanups, f) }

func (l *lasting) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.cleanups) - 1; i >= 0; i-- {
		l.cleanups[i]()
	}
	l.cleanups, l.browser = nil, nil
}
