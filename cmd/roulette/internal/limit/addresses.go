package limit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Seed makes the keys of IPv6 addresses unpredictable for those who do not know
// it, so that nobody can choose addresses whose keys collide. Processes that
// share it give an address the same key.
type Seed [16]byte

// NewSeed returns a random Seed.
func NewSeed() (s Seed) {
	_, _ = rand.Read(s[:]) // never fails
	return s
}

// Addresses counts the connections and the handshakes of each address: an IPv4
// address, or an IPv6 /64. An address is kept as a 32-bit key, so that a
// connection has room for it: IPv4 as it is, IPv6 as a keyed hash; two that
// collide share their limits. Any goroutine.
type Addresses struct {
	// Immutable once an address is known.
	seed Seed

	// Atomic.
	limits atomic.Pointer[addressLimits]

	shards [64]addressShard
}

// addressLimits are what one address may do.
type addressLimits struct {
	conns      int32 // at once; 0: no limit
	handshakes Rate
}

type addressShard struct {
	mu    sync.Mutex
	known map[uint32]addressEntry // guarded by mu
}

type addressEntry struct {
	conns   int32
	tat     uint32 // handshakes: theoretical arrival time
	network Network
}

// NewAddresses makes an empty table; see SetLimits.
func NewAddresses(seed Seed, maxConns, handshakesPerSecond int) *Addresses {
	a := &Addresses{seed: seed}
	a.SetLimits(maxConns, handshakesPerSecond)
	return a
}

// SetLimits sets the limits for those who come from now on: how many
// connections an address may have at once, and how many handshakes a second it
// may make, with a burst of four seconds' worth. 0: no limit.
func (a *Addresses) SetLimits(maxConns, handshakesPerSecond int) {
	a.limits.Store(&addressLimits{int32(maxConns), NewRate(handshakesPerSecond, 4*handshakesPerSecond)})
}

// Key is the key of an address. ok is false for those that are not counted: the
// machine's own.
func (a *Addresses) Key(addr netip.Addr) (key uint32, ok bool) {
	addr = addr.Unmap()
	if !addr.IsValid() || addr.IsLoopback() {
		return 0, false
	}
	if addr.Is4() {
		b := addr.As4()
		return binary.BigEndian.Uint32(b[:]), true
	}
	b := addr.As16()
	var seeded [len(a.seed) + 8]byte
	copy(seeded[:], a.seed[:])
	copy(seeded[len(a.seed):], b[:8])
	sum := sha256.Sum256(seeded[:])
	return binary.BigEndian.Uint32(sum[:]), true
}

// Seed is what the keys are made with.
func (a *Addresses) Seed() Seed { return a.seed }

// Inherit makes the keys those of another process, while no address is known and
// no other call is under way.
func (a *Addresses) Inherit(seed Seed) { a.seed = seed }

func (a *Addresses) shard(key uint32) *addressShard { return &a.shards[key*2654435761>>26] }

// Enter counts a connection, from an address of network, if there may be another.
func (a *Addresses) Enter(key uint32, network Network) bool {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known[key]
	if most := a.limits.Load().conns; most > 0 && e.conns >= most {
		return false
	}
	e.add(network)
	if s.known == nil {
		s.known = make(map[uint32]addressEntry)
	}
	s.known[key] = e
	return true
}

// add counts a connection.
func (e *addressEntry) add(network Network) {
	e.conns++
	switch e.network {
	case 0:
		e.network = network
	case network:
	default:
		e.network = severalNetworks
	}
}

// Readmit counts a connection that another process has admitted, whatever the
// limit.
func (a *Addresses) Readmit(key uint32, network Network) {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[uint32]addressEntry)
	}
	e := s.known[key]
	e.add(network)
	s.known[key] = e
}

// Release gives back what Enter has counted, once (I6). An address nobody is
// connected from is forgotten, its handshake rate with it when that has
// recovered.
func (a *Addresses) Release(key, now uint32) {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known[key]
	e.conns--
	if e.conns <= 0 && recovered(e.tat, now) {
		delete(s.known, key)
		if len(s.known) == 0 {
			s.known = nil // a map never shrinks
		}
		return
	}
	s.known[key] = e
}

// Handshake counts a handshake, if there may be another now.
func (a *Addresses) Handshake(key, now uint32) bool {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known[key]
	ok := a.limits.Load().handshakes.Take(&e.tat, now, 1) == Within
	if ok {
		s.known[key] = e
	}
	return ok
}

// MayShake tells whether Handshake would say yes, and counts nothing.
func (a *Addresses) MayShake(key, now uint32) bool {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	tat := s.known[key].tat
	return a.limits.Load().handshakes.Take(&tat, now, 1) == Within
}

// Sweep forgets, in one shard, the addresses whose handshake rate has recovered
// and from which nobody is connected. Any number is a shard's.
func (a *Addresses) Sweep(shard int, now uint32) {
	s := &a.shards[shard%len(a.shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range s.known {
		if e.conns <= 0 && recovered(e.tat, now) {
			delete(s.known, key)
		}
	}
	if len(s.known) == 0 {
		s.known = nil
	}
}

// Known is how many addresses there are entries of (I4: no more than there are
// connections, and handshakes that were too fast).
func (a *Addresses) Known() (n int) {
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.Lock()
		n += len(s.known)
		s.mu.Unlock()
	}
	return n
}

// Connections is how many are counted for a key.
func (a *Addresses) Connections(key uint32) int {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.known[key].conns)
}

// Network is where those are whom a key is counted for; 0 if nobody is.
func (a *Addresses) Network(key uint32) Network {
	s := a.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[key].network
}

// Each calls f for each key that is known, and where those are whom it is counted
// for. Keys that several networks share are left out. f may not call a.
func (a *Addresses) Each(f func(key uint32, network netip.Prefix)) {
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.Lock()
		for key, e := range s.known {
			if network, ok := e.network.Prefix(); ok {
				f(key, network)
			}
		}
		s.mu.Unlock()
	}
}
