package host

import (
	"log/slog"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// Pressure tells when memory is short: when what the process has in use is above
// a share of its limit, GOMEMLIMIT, although the garbage has been collected.
// Without it the runtime would collect ever more often, and at last the kernel
// end the process, and with it everybody's chat.
type Pressure struct {
	// Immutable.
	memory Memory
	log    *slog.Logger

	// Owned by the goroutine that calls Look.
	looked    uint32 // when Look looked last
	collected uint32 // when it began to collect the garbage
	judged    bool   // the garbage was collected since the use went above the share

	// Atomic.
	isShort    atomic.Bool
	isDire     atomic.Bool
	collecting atomic.Bool
}

// Memory is where Pressure looks: the limit in bytes, and how much of it is in
// use.
type Memory func() (limit, inUse uint64)

// NewPressure looks at memory, nil for [GoMemory], and logs what it finds.
func NewPressure(memory Memory, log *slog.Logger) *Pressure {
	if memory == nil {
		memory = GoMemory
	}
	return &Pressure{memory: memory, log: log}
}

const (
	lookEvery    = 1_000  // milliseconds
	collectEvery = 10_000 // milliseconds, at most
)

// Short tells whether new chats are to be refused. Any goroutine.
func (p *Pressure) Short() bool { return p.isShort.Load() }

// Dire tells whether memory is so short that what is in use has to become less:
// half of what was left above the share is gone as well. Any goroutine.
func (p *Pressure) Dire() bool { return p.isDire.Load() }

// Look looks once a second whether more than share percent of the limit are in
// use; 0 is never. When it was short it is so until there is some room again.
// now is a
// clock in milliseconds; call it often, and from one goroutine.
func (p *Pressure) Look(now uint32, share int) {
	if now-p.looked < lookEvery || p.collecting.Load() || share == 0 && !p.Short() {
		return
	}
	p.looked = now
	limit, inUse := p.memory()
	high := limit / 100 * uint64(share)
	switch {
	case share == 0, inUse < high/16*15:
		if p.Short() {
			p.isShort.Store(false)
			p.log.Info("memory is no longer short", "in_use", inUse, "limit", limit)
		}
		p.judged = false
	case inUse <= high:
		p.judged = p.Short()
	case p.judged && !p.Short():
		p.isShort.Store(true)
		p.log.Warn("memory is short, new chats are refused", "in_use", inUse, "limit", limit)
	case !p.judged || now-p.collected >= collectEvery:
		// Much of it may be garbage, or free and not given back yet.
		p.judged, p.collected = true, now
		p.collecting.Store(true)
		go func() {
			debug.FreeOSMemory()
			p.collecting.Store(false)
		}()
	}
	p.isDire.Store(p.Short() && inUse > high+(limit-high)/2)
}

// GoMemory is the Go runtime's, as runtime/debug.SetMemoryLimit counts it.
func GoMemory() (limit, inUse uint64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	return uint64(debug.SetMemoryLimit(-1)), samples[0].Value.Uint64() - samples[1].Value.Uint64()
}
