package host

import (
	"runtime/debug"
	"sync"
)

// collector is how many want the garbage collector to wait, and what it is set to else.
var collector struct {
	sync.Mutex
	waits   int
	percent int
}

// HoldCollector has the garbage collector wait until letGo is called, once, for as long
// as the memory limit is not reached: in a moment in which nobody is served it would
// take a part of the processors.
func HoldCollector() (letGo func()) {
	c := &collector
	c.Lock()
	defer c.Unlock()
	if c.waits++; c.waits == 1 {
		c.percent = debug.SetGCPercent(-1)
	}
	return func() {
		c.Lock()
		defer c.Unlock()
		if c.waits--; c.waits == 0 {
			debug.SetGCPercent(c.percent)
		}
	}
}

// SetCollector is [debug.SetGCPercent], but for a moment in which the collector waits:
// then it comes into force behind that.
func SetCollector(percent int) {
	c := &collector
	c.Lock()
	defer c.Unlock()
	if c.waits > 0 {
		c.percent = percent
		return
	}
	debug.SetGCPercent(percent)
}
