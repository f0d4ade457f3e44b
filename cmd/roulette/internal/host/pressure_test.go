package host

import (
	"bytes"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// TestPressure: short above the share, after the garbage was collected, until
// there is room again.
func TestPressure(t *testing.T) {
	var inUse, now uint32
	var log bytes.Buffer
	p := NewPressure(func() (uint64, uint64) { return 1_000_000, uint64(inUse) }, slog.New(slog.NewTextHandler(&log, nil)))
	look := func(use uint32, share int) {
		t.Helper()
		inUse = use
		now += lookEvery
		p.Look(now, share)
		for p.collecting.Load() {
			runtime.Gosched()
		}
	}
	for _, step := range []struct {
		desc  string
		use   uint32
		short bool
		dire  bool
	}{
		{"below", 900_000, false, false},
		{"above: collect first", 900_001, false, false},
		{"that has helped", 850_000, false, false},
		{"above again", 950_000, false, false},
		{"and still", 950_000, true, false},
		{"at the share", 900_000, true, false},
		{"not much less", 843_750, true, false},
		{"room", 843_749, false, false},
		{"the share does not matter while there is room", 899_999, false, false},
		{"above: collect first, again", 990_000, false, false},
		{"short", 990_000, true, true},
		{"not that short", 950_000, true, false},
		{"and again", 950_001, true, true},
	} {
		if look(step.use, 90); p.Short() != step.short || p.Dire() != step.dire {
			t.Errorf("%s: short is %v, dire %v", step.desc, p.Short(), p.Dire())
		}
	}
	if short, over := strings.Count(log.String(), "memory is short"), strings.Count(log.String(), "no longer short"); short != 2 || over != 1 {
		t.Errorf("logged %s", log.String())
	}
	// Looked at as long as it lasts.
	before := p.collected
	for range 11 {
		look(990_000, 90)
	}
	if p.collected == before {
		t.Error("the garbage is not collected any more")
	}
	if look(990_000, 0); p.Short() {
		t.Error("short though that is switched off")
	}
}

// TestGoMemory: what is measured is what the limit is about.
func TestGoMemory(t *testing.T) {
	limit, before := GoMemory()
	if limit != uint64(debug.SetMemoryLimit(-1)) {
		t.Errorf("limit %d", limit)
	}
	big := make([]byte, 64<<20)
	for i := range big {
		big[i] = 1
	}
	_, with := GoMemory()
	if with < before+32<<20 {
		t.Errorf("%d, and %d with 64 MiB more", before, with)
	}
	if big[len(big)-1] != 1 {
		t.Error("gone")
	}
	big = nil
	debug.FreeOSMemory()
	if _, after := GoMemory(); after > with-32<<20 {
		t.Errorf("%d, and %d when 64 MiB were given back", with, after)
	}
}
