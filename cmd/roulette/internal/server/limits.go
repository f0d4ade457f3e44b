package server

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
)

// rateUnit is the resolution of the two rate limits below, in parts of a
// millisecond. A reading wraps after 74 hours, which looks like a fresh bucket.
const rateUnit = 16

// rate is a limit of so many a second with a burst, as the generic cell rate
// algorithm (ATM Forum TM 4.0, 4.4.2) has it: all the state there is for one
// client is one number, the theoretical arrival time.
type rate struct {
	interval uint32 // between two at the steady rate, in 1/rateUnit ms; 0: no limit
	burst    uint32 // in intervals, the same unit
	grace    uint32 // how far beyond burst one may go before it is too much
}

func newRate(perSecond, burst int) rate {
	if perSecond <= 0 {
		return rate{}
	}
	interval := max(uint32(1000*rateUnit/perSecond), 1)
	n := uint32(min(max(burst, 1), 1<<30/int(interval))) // what the arithmetic below has room for
	return rate{interval: interval, burst: interval * n, grace: interval * (n/2 + 1)}
}

type rateVerdict uint8

const (
	within  rateVerdict = iota
	over                // beyond the burst, to be warned of
	tooMuch             // and the grace is used up
)

// take counts n at the time now, in milliseconds, against the arrival time that
// *tat holds.
func (r rate) take(tat *uint32, now uint32, n int) rateVerdict {
	if r.interval == 0 {
		return within
	}
	next := r.ahead(*tat, now) + uint32(n)*r.interval
	*tat = now*rateUnit + next
	switch {
	case next <= r.burst:
		return within
	case next <= r.burst+r.grace:
		return over
	}
	return tooMuch
}

// ahead is how far the arrival time is ahead of now, in 1/rateUnit ms.
func (r rate) ahead(tat, now uint32) uint32 {
	ahead := int32(tat - now*rateUnit)
	if ahead < 0 || uint32(ahead) > r.burst+r.grace+r.interval { // long ago, or so long that it wrapped
		return 0
	}
	return uint32(ahead)
}

// allowance is how many more there may be now before it is too much.
func (r rate) allowance(tat, now uint32) int {
	if r.interval == 0 {
		return math.MaxInt
	}
	ahead := r.ahead(tat, now)
	if ahead > r.burst+r.grace {
		return 0
	}
	return int((r.burst + r.grace - ahead) / r.interval)
}

// addresses counts the connections and the handshakes of each address: an IPv4
// address, or an IPv6 /64. An address is kept as a 32-bit number, so that a
// connection has room for it: IPv4 as it is, IPv6 as a keyed hash; two that
// collide share their limits.
type addresses struct {
	// Immutable.
	seed maphash.Seed

	// Atomic.
	limits atomic.Pointer[addressLimits]

	shards [64]addressShard
}

// addressLimits are what one address may do.
type addressLimits struct {
	conns      int32 // at once; 0: no limit
	handshakes rate
}

type addressShard struct {
	mu    sync.Mutex
	known map[uint32]addressEntry // guarded by mu
}

type addressEntry struct {
	conns int32
	tat   uint32 // handshakes: theoretical arrival time
}

func newAddresses(maxConns, handshakesPerSecond int) *addresses {
	a := &addresses{seed: maphash.MakeSeed()}
	a.limit(maxConns, handshakesPerSecond)
	return a
}

// limit sets the limits for who comes from now on.
func (a *addresses) limit(maxConns, handshakesPerSecond int) {
	a.limits.Store(&addressLimits{int32(maxConns), newRate(handshakesPerSecond, 4*handshakesPerSecond)})
}

// key is the number of an address; ok is false for those that are not counted.
func (a *addresses) key(addr netip.Addr) (key uint32, ok bool) {
	addr = addr.Unmap()
	l := a.limits.Load()
	if l.conns == 0 && l.handshakes.interval == 0 || !addr.IsValid() || addr.IsLoopback() {
		return 0, false
	}
	if addr.Is4() {
		b := addr.As4()
		return binary.BigEndian.Uint32(b[:]), true
	}
	b := addr.As16()
	return uint32(maphash.Bytes(a.seed, b[:8])), true
}

func (a *addresses) shard(key uint32) *addressShard { return &a.shards[key*2654435761>>26] }

// enter counts a connection, if there may be another.
func (a *addresses) enter(key uint32) bool {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known[key]
	if most := a.limits.Load().conns; most > 0 && e.conns >= most {
		return false
	}
	e.conns++
	if s.known == nil {
		s.known = make(map[uint32]addressEntry)
	}
	s.known[key] = e
	return true
}

// leave uncounts a connection. An address nobody is connected from is
// forgotten, its handshake rate with it when that has recovered.
func (a *addresses) leave(key, now uint32) {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known[key]
	e.conns--
	if e.conns <= 0 && a.recovered(e, now) {
		delete(s.known, key)
		if len(s.known) == 0 {
			s.known = nil // a map never shrinks
		}
		return
	}
	s.known[key] = e
}

// handshake counts a handshake, if there may be another now.
func (a *addresses) handshake(key, now uint32) bool {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known[key]
	ok := a.limits.Load().handshakes.take(&e.tat, now, 1) == within
	if ok {
		s.known[key] = e
	}
	return ok
}

func (a *addresses) recovered(e addressEntry, now uint32) bool {
	return int32(e.tat-now*rateUnit) <= 0
}

// sweep forgets, in one shard, the addresses whose handshake rate has recovered
// and from which nobody is connected.
func (a *addresses) sweep(shard int, now uint32) {
	s := &a.shards[shard%len(a.shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range s.known {
		if e.conns <= 0 && a.recovered(e, now) {
			delete(s.known, key)
		}
	}
	if len(s.known) == 0 {
		s.known = nil
	}
}
