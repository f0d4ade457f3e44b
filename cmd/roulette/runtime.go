package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// gcPercent: the byte path allocates nothing, so the collector has little to do
// and may run early; the memory that it would otherwise let grow to twice what
// is in use is worth more.
const gcPercent = 25

// tuneRuntime sets what the environment has not. One processor of the Go
// scheduler more than there are workers stays idle: without it, its monitor
// takes the processor away from a worker that waits in the kernel for more than
// 20 µs, and keeps waking up to look for the next occasion, which costs some 4 %.
func tuneRuntime(workers int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(workers + 1)
	}
}
