package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"roulette/cmd/roulette/internal/host"
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
		host.SetCollector(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(workers + 1)
	}
}

// Handshakes of TLS make garbage, some 60 KB each. While there are many, collecting
// it as early as gcPercent says costs 12 % of their time, so the heap may grow more; what
// that takes is given back when they are over.
const (
	gcPercentShaking = 100
	slackShaking     = 32 << 20 // bytes, if that is more
	manyHandshakes   = 50       // a second
)

// Otherwise what makes garbage are the pings to those who say nothing, 2.6 KB each time
// for the keys in both directions, at a rate that is in proportion to what they occupy.
// So the heap stands at its goal, always, and a share of slack is a share of every
// connection. As long as the heap is small it is an amount instead; to collect a large
// one as often would cost too much.
const (
	slack            = 1 << 20 // bytes
	gcPercentAtLeast = 10
	gcPercentAtMost  = 100
	largeHeap        = 64 << 20 // bytes: some 300,000 connections over TLS
)

// collectInTime sets how much the heap may grow, unless the environment says so. It
// returns at once then, and else never.
func (s *secure) collectInTime() {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	const looks = 4 // a second
	var begun [looks]uint64
	percent := gcPercent
	for i := 0; ; i = (i + 1) % looks {
		time.Sleep(time.Second / looks)
		now := s.front.Begun()
		metrics.Read(live)
		want := percentFor(live[0].Value.Uint64(), now-begun[i])
		// The world stops for it, so not for a little.
		if begun[i] = now; max(want-percent, percent-want) > 2 {
			over := percent >= gcPercentShaking && want < gcPercentShaking
			percent = want
			host.SetCollector(percent)
			if over { // what the handshakes have left
				debug.FreeOSMemory()
			}
		}
	}
}

// percentFor is how much a heap with so many bytes in use may grow while there are so
// many handshakes a second.
func percentFor(live, handshakes uint64) int {
	if handshakes >= manyHandshakes {
		return max(gcPercentShaking, slackShaking*100/int(max(live, 1<<20)))
	}
	if live >= largeHeap {
		return gcPercent
	}
	return min(max(slack*100/int(max(live, 1)), gcPercentAtLeast), gcPercentAtMost)
}
