package host

import (
	"runtime/debug"
	"testing"
)

// TestHoldCollector: it waits for all who want it to, and is then as it was.
func TestHoldCollector(t *testing.T) {
	was := debug.SetGCPercent(77)
	defer debug.SetGCPercent(was)
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	one, other := HoldCollector(), HoldCollector()
	if one(); percent() != -1 {
		t.Errorf("set to %d, and somebody wants it to wait", percent())
	}
	SetCollector(88)
	if percent() != -1 {
		t.Errorf("set to %d at once", percent())
	}
	if other(); percent() != 88 {
		t.Errorf("set to %d behind it", percent())
	}
}
