package pairing

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Config says how a Table works. Zero values mean the defaults.
type Config struct {
	// IDs is the exclusive upper bound of all client numbers; default 1<<20.
	IDs int
	// Shards: how many locks; rounded up to a power of two; default four for
	// each processor, at most 64.
	Shards int
	// Rand returns a random number in [0, n); default math/rand/v2.
	Rand func(n uint32) uint32
}

// Table is the pairing table. See the package comment for its shape.
type Table struct {
	// Immutable after New.
	rand      func(n uint32) uint32
	chunks    []chunkRef
	shards    []shard
	shardMask uint32

	// Atomic.
	pairs atomic.Int64
}

// chunkRef is one place in the directory of chunks.
type chunkRef struct {
	entries atomic.Pointer[[chunkSize]entry]
	mu      sync.Mutex
	used    int // guarded by mu: clients in the chunk; it goes with the last
}

const (
	chunkBits = 9
	chunkSize = 1 << chunkBits
)

// entry is one client. Guarded by its shard's lock; link may be read without.
type entry struct {
	link  atomic.Uint32 // paired: the partner's id + 1; waiting: waitingBit | place in the pool; else 0
	since uint32        // milliseconds: when the wait or the pair began
	_     uint32        // room for the last partner
	state state
	_     [3]byte
}

const waitingBit = 1 << 31

type state uint8

const (
	absent state = iota
	waiting
	paired
)

type shard struct {
	mu sync.Mutex
	// Guarded by mu.
	pool []uint32 // ids of the waiting, in no order
	// Atomic: len(pool).
	size atomic.Int32
	_    [64 - 36]byte // a cache line each
}

// New makes an empty table.
func New(config Config) *Table {
	if config.IDs <= 0 {
		config.IDs = 1 << 20
	}
	if config.Shards <= 0 {
		config.Shards = min(4*runtime.GOMAXPROCS(0), 64)
	}
	if config.Rand == nil {
		config.Rand = rand.Uint32N
	}
	shards := 1
	for shards < config.Shards {
		shards *= 2
	}
	return &Table{
		rand:      config.Rand,
		chunks:    make([]chunkRef, (config.IDs+chunkSize-1)/chunkSize),
		shards:    make([]shard, shards),
		shardMask: uint32(shards - 1),
	}
}

// Match is a pair that has just come to be, and how long each has waited for
// it, in milliseconds.
type Match struct {
	A, B         uint32
	WaitA, WaitB uint32
}

// Parting is what Leave has changed.
type Parting struct {
	// Survivor is who was left, when Parted; Lasted how long that pair was one,
	// in milliseconds.
	Survivor uint32
	Parted   bool
	Lasted   uint32
	// Match is the survivor's next pair, when Matched.
	Match   Match
	Matched bool
}

// Enter brings a client into the pool and pairs it at once if anybody waits.
// now is in milliseconds of any clock; it may wrap.
func (t *Table) Enter(id, now uint32) (m Match, ok bool) {
	e := t.create(id)
	s := t.shardOf(id)
	s.mu.Lock()
	e.since = now
	s.insert(id, e)
	s.mu.Unlock()
	return t.match(id, now)
}

// Leave takes a client out of the table, whatever it was doing. A partner that
// it leaves behind goes back to the pool, and may be paired anew at once.
func (t *Table) Leave(id, now uint32) (p Parting) {
	e := t.entry(id)
	if e == nil {
		return Parting{}
	}
	p, was := t.leave(id, e, now)
	if was == absent {
		return p
	}
	t.release(id)
	if p.Parted {
		p.Match, p.Matched = t.match(p.Survivor, now)
	}
	return p
}

func (t *Table) leave(id uint32, e *entry, now uint32) (p Parting, was state) {
	s := t.shardOf(id)
	for {
		partner, wasPaired := t.Partner(id)
		if !wasPaired {
			s.mu.Lock()
			if was = e.state; was == paired { // just now
				s.mu.Unlock()
				continue
			}
			if was == waiting {
				t.remove(s, e)
			}
			e.state = absent
			s.mu.Unlock()
			return Parting{}, was
		}
		theirs := t.shardOf(partner)
		lockBoth(s, theirs)
		if e.link.Load() != partner+1 { // just now
			unlockBoth(s, theirs)
			continue
		}
		// I5: both ends change while both shards are locked.
		p = Parting{Survivor: partner, Parted: true, Lasted: elapsed(e.since, now)}
		e.link.Store(0)
		e.state = absent
		t.pairs.Add(-1)
		other := t.entry(partner)
		other.since = now
		theirs.insert(partner, other)
		unlockBoth(s, theirs)
		return p, paired
	}
}

// Partner returns the client that id is paired with. It takes no lock.
func (t *Table) Partner(id uint32) (partner uint32, ok bool) {
	e := t.entry(id)
	if e == nil {
		return 0, false
	}
	link := e.link.Load()
	if link == 0 || link&waitingBit != 0 {
		return 0, false
	}
	return link - 1, true
}

// Waiting is how many clients wait at this moment.
func (t *Table) Waiting() (n int) {
	for i := range t.shards {
		n += int(t.shards[i].size.Load())
	}
	return n
}

// Pairs is how many pairs there are at this moment.
func (t *Table) Pairs() int { return int(t.pairs.Load()) }

// elapsed is the time between two readings of coarse clocks that may be of
// different goroutines, and so run behind each other a little.
func elapsed(since, now uint32) uint32 { return uint32(max(int32(now-since), 0)) }

// match looks for a partner for a client that is among the waiting. One round
// without a candidate is the end: who comes after the look sees this client.
func (t *Table) match(id, now uint32) (Match, bool) {
	others := t.Waiting() - 1
	if others <= 0 {
		return Match{}, false
	}
	// A uniform draw among the others says in which shard to begin.
	mine := t.shardOf(id)
	first, draw := 0, int32(t.rand(uint32(others)))
	for ; first < len(t.shards)-1; first++ {
		s := &t.shards[first]
		draw -= s.size.Load()
		if s == mine {
			draw++
		}
		if draw < 0 {
			break
		}
	}
	for n := range t.shards {
		s := &t.shards[(first+n)&int(t.shardMask)]
		if s.size.Load() == 0 {
			continue
		}
		switch m, verdict := t.matchIn(id, mine, s, now); verdict {
		case matched:
			return m, true
		case nobodyLooking:
			return Match{}, false
		}
	}
	return Match{}, false
}

type verdict uint8

const (
	nobodyHere    verdict = iota
	nobodyLooking         // the client itself waits no longer
	matched
)

// matchIn pairs id with a random client of the pool of s.
func (t *Table) matchIn(id uint32, mine, s *shard, now uint32) (Match, verdict) {
	lockBoth(mine, s)
	defer unlockBoth(mine, s)
	e := t.entry(id)
	if e == nil || e.state != waiting {
		return Match{}, nobodyLooking
	}
	others := uint32(len(s.pool))
	if mine == s {
		others-- // it stands there itself
	}
	if others == 0 {
		return Match{}, nobodyHere
	}
	place := t.rand(others)
	if mine == s && place >= e.link.Load()&^waitingBit {
		place++
	}
	other := s.pool[place]
	o := t.entry(other)
	m := Match{A: id, B: other, WaitA: elapsed(e.since, now), WaitB: elapsed(o.since, now)}
	t.remove(mine, e)
	t.remove(s, o)
	e.state, o.state = paired, paired
	e.since, o.since = now, now
	// I5, and for those who read without a lock: neither is seen to have a
	// partner that is still in the pool.
	t.pairs.Add(1)
	e.link.Store(other + 1)
	o.link.Store(id + 1)
	return m, matched
}

// insert puts a client among the waiting of its shard, which is locked.
func (s *shard) insert(id uint32, e *entry) {
	e.state = waiting
	e.link.Store(waitingBit | uint32(len(s.pool)))
	s.pool = append(s.pool, id)
	s.size.Store(int32(len(s.pool)))
}

// remove takes a client from the waiting of its shard, which is locked.
func (t *Table) remove(s *shard, e *entry) {
	place := e.link.Load() &^ waitingBit
	last := len(s.pool) - 1
	if moved := s.pool[last]; int(place) != last {
		s.pool[place] = moved
		t.entry(moved).link.Store(waitingBit | place)
	}
	s.pool = s.pool[:last]
	if cap(s.pool) > 1024 && len(s.pool) < cap(s.pool)/4 {
		s.pool = append(make([]uint32, 0, cap(s.pool)/2), s.pool...)
	}
	s.size.Store(int32(last))
	e.link.Store(0)
}

func (t *Table) shardOf(id uint32) *shard {
	// Four entries share a cache line, so they share a shard.
	return &t.shards[id>>2&t.shardMask]
}

// lockBoth locks one or two shards in the order of their indices, which is that
// of their addresses.
func lockBoth(a, b *shard) {
	if uintptr(unsafe.Pointer(a)) > uintptr(unsafe.Pointer(b)) {
		a, b = b, a
	}
	a.mu.Lock()
	if b != a {
		b.mu.Lock()
	}
}

func unlockBoth(a, b *shard) {
	a.mu.Unlock()
	if b != a {
		b.mu.Unlock()
	}
}

func (t *Table) entry(id uint32) *entry {
	if int(id>>chunkBits) >= len(t.chunks) {
		return nil
	}
	entries := t.chunks[id>>chunkBits].entries.Load()
	if entries == nil {
		return nil
	}
	return &entries[id&(chunkSize-1)]
}

// create makes sure that id's chunk exists and stays.
func (t *Table) create(id uint32) *entry {
	ref := &t.chunks[id>>chunkBits]
	ref.mu.Lock()
	defer ref.mu.Unlock()
	entries := ref.entries.Load()
	if entries == nil {
		entries = new([chunkSize]entry)
		ref.entries.Store(entries)
	}
	ref.used++
	return &entries[id&(chunkSize-1)]
}

// release lets go of id's chunk.
func (t *Table) release(id uint32) {
	ref := &t.chunks[id>>chunkBits]
	ref.mu.Lock()
	defer ref.mu.Unlock()
	if ref.used--; ref.used == 0 {
		ref.entries.Store(nil)
	}
}
