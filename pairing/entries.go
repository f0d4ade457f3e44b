package pairing

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// chunkRef is one place in the directory of chunks.
type chunkRef struct {
	entries atomic.Pointer[[chunkSize]entry]
	persons atomic.Pointer[persons] // nil: of nobody, or the table knows nobody
	mu      sync.Mutex
	used    int32         // guarded by mu: clients in the chunk; it goes with the last
	made    atomic.Uint32 // how often the chunk was
}

const (
	chunkBits = 9
	chunkSize = 1 << chunkBits
)

// entry is one client. Guarded by its shard's lock; what is atomic may be read
// without.
type entry struct {
	link   atomic.Uint32 // paired: the partner's id + 1; held: heldBit | that; in a pool: openBit | its place there; else 0
	number atomic.Uint32 // of its pairings so far
	since  uint32        // milliseconds: when the wait or the pair began
	last   uint32        // the last partner: id<<8 | its Life; 0: none
	state  state
	manner manner
	life   Life  // of the client that has the id, or had it last; never 0
	credit uint8 // the age of its place before this wait began, in creditUnits
}

// waited is how long this wait has lasted.
func (e *entry) waited(now uint32) uint32 { return elapsed(e.since, now) }

// age is that of the client's place: earlier waits count too, if what ended
// them was not its own doing.
func (e *entry) age(now uint32) uint32 { return e.waited(now) + e.earned() }

// earned is the age of its place when this wait began.
func (e *entry) earned() uint32 { return uint32(e.credit) * creditUnit }

const (
	openBit = 1 << 31
	heldBit = 1 << 30
)

// Life tells one client from the next that gets its number. It wraps after 255.
type Life uint8

// creditUnit is how coarsely the age of a place is kept, in milliseconds.
const creditUnit = 64

// maxPatience is the highest age that is kept.
const maxPatience = 255 * creditUnit * time.Millisecond

type state uint8

const (
	absent state = iota
	idle
	waiting
	paired
	held // waits, but is kept for a guest, or is a guest for whom somebody is kept
)

type shard struct {
	mu sync.Mutex
	// Guarded by mu.
	open    [Classes][]uint32  // ids of the waiting who take anybody of their class, in no order
	seekers map[uint32]*seeker // of those who have one
	choosy  list.List          // of *seeker: the waiting who insist on something, by age
	due     wheel              // who is to be looked at again by Relax

	// Atomic: the lengths of open.
	size [Classes]atomic.Int32
	_    [64]byte // so that no two shards share a cache line
}

// elapsed is the time between two readings of coarse clocks that may be of
// different goroutines, and so run behind each other a little.
func elapsed(since, now uint32) uint32 { return uint32(max(int32(now-since), 0)) }

func (t *Table) shardOf(id uint32) *shard {
	// Neighbours share cache lines, so they share a shard.
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
		// An entry elsewhere may still name one of these ids as its last
		// partner, and mean a client of an earlier chunk. A random Life makes
		// it unlikely that it avoids the wrong one.
		life := Life(t.rand(256))
		for i := range entries {
			entries[i].life = life
		}
		if t.people != nil {
			ref.persons.Store(new(persons))
		}
		ref.made.Add(1)
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
		ref.persons.Store(nil)
	}
}
