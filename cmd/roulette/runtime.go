package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"
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

// Handshakes of TLS make garbage, some 60 KB each. While there are many, collecting
// it as early as gcPercent says costs 12 % of their time, so the heap may grow more.
const (
	gcPercentShaking = 100
	manyHandshakes   = 50 // a second
)

// collectLess does so for the times that need it, unless the environment says how
// much the heap may grow. It returns at once then, and else never.
func (s *secure) collectLess() {
	if os.Getenv("GOGC") != "" {
		return
	}
	last, percent := s.front.Begun(), gcPercent
	for range time.Tick(time.Second) {
		now, want := s.front.Begun(), gcPercent
		if now-last >= manyHandshakes {
			want = gcPercentShaking
		}
		if last = now; want != percent {
			percent = want
			debug.SetGCPercent(percent)
		}
	}
}
