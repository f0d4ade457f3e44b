package pairing

import (
	"container/list"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Config says how a Table works. Zero values mean the defaults.
type Config struct {
	// IDs is the exclusive upper bound of all client numbers, at most MaxIDs;
	// default 1<<20.
	IDs int
	// Guests is the lowest number of guests: people of another table, for whom
	// somebody is looked for here. Default: there are none.
	Guests uint32
	// People: the table knows who sits in a client's place, see Table.Identify.
	People bool
	// Shards: how many locks; rounded up to a power of two; default four for
	// each processor, at most 64.
	Shards int
	// Patience is how long a client insists on its interests, and avoids its
	// last partner; default 5 s, at most 16 s.
	Patience time.Duration
	// LanguagePatience is how long it insists on its languages; default 8 s, at
	// least Patience and at most 16 s.
	LanguagePatience time.Duration
	// SlowPatience is how long those of class Slow take only each other; default
	// 10 s, at most 16 s.
	SlowPatience time.Duration
	// Rand returns a random number in [0, n); default math/rand/v2.
	Rand func(n uint32) uint32
}

// MaxIDs is the most that Config.IDs can be.
const MaxIDs = 1 << 24

// Table is the pairing table. See the package comment for its shape.
type Table struct {
	// Immutable after New.
	rand             func(n uint32) uint32
	guests           uint32 // their lowest number
	patience         uint32 // milliseconds, likewise
	languagePatience uint32
	slowPatience     uint32
	seed             maphash.Seed
	chunks           []chunkRef
	shards           []shard
	shardMask        uint32
	topics           [topicStripes]topics
	people           *people // nil: it knows nobody; locked inside

	// Atomic.
	clients atomic.Int64
	pairs   atomic.Int64
	waiting atomic.Int64
}

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

// New makes an empty table.
func New(config Config) *Table {
	if config.IDs <= 0 {
		config.IDs = 1 << 20
	}
	config.IDs = min(config.IDs, MaxIDs)
	if config.Guests == 0 {
		config.Guests = MaxIDs
	}
	if config.Shards <= 0 {
		config.Shards = min(4*runtime.GOMAXPROCS(0), 64)
	}
	if config.Patience <= 0 {
		config.Patience = 5 * time.Second
	}
	if config.Rand == nil {
		config.Rand = rand.Uint32N
	}
	shards := 1
	for shards < config.Shards {
		shards *= 2
	}
	if config.LanguagePatience <= 0 {
		config.LanguagePatience = 8 * time.Second
	}
	if config.SlowPatience <= 0 {
		config.SlowPatience = 10 * time.Second
	}
	patience := min(config.Patience, maxPatience)
	t := &Table{
		rand:             config.Rand,
		guests:           config.Guests,
		patience:         uint32(patience / time.Millisecond),
		languagePatience: uint32(min(max(config.LanguagePatience, patience), maxPatience) / time.Millisecond),
		slowPatience:     uint32(min(config.SlowPatience, maxPatience) / time.Millisecond),
		seed:             maphash.MakeSeed(),
		chunks:           make([]chunkRef, (config.IDs+chunkSize-1)/chunkSize),
		shards:           make([]shard, shards),
		shardMask:        uint32(shards - 1),
	}
	if config.People {
		t.people = &people{known: make(map[Person]*somebody)}
	}
	return t
}

// Match is a pair that has just come to be.
type Match struct {
	A, B         uint32
	WaitA, WaitB uint32 // how long each has waited for it, in milliseconds
	Arranged     bool   // by the two, at a table or again, and not by chance
	Guest        bool   // B is a guest, whose wait is its own table's

	held bool // nobody is paired yet
}

// Change is what a call has changed. The caller's own client comes first.
type Change struct {
	// Survivor is the client that was left, when Parted, in its Life; Number
	// how many pairings it has had, this one included; Lasted how long the pair
	// did, in milliseconds.
	Parted   bool
	Survivor uint32
	Life     Life
	Number   uint32
	Lasted   uint32

	// GaveUp: the client had waited, and by Stop or Leave waits no longer.
	GaveUp bool

	// Own is how many pairings the caller's client has had when it was alone.
	Own uint32

	found   int
	matches [2]Match
}

// Matches are the pairs that came to be: at most one of the caller's client, and
// one of the survivor, if that looks for a partner by itself. The slice is c's.
func (c *Change) Matches() []Match { return c.matches[:c.found] }

func (c *Change) add(m Match, ok bool) {
	if ok {
		c.matches[c.found] = m
		c.found++
	}
}

// Enter brings a client into the table, idle. auto says that it looks for a
// partner by itself whenever it is left by one.
func (t *Table) Enter(id uint32, auto bool) Life {
	e := t.create(id)
	s := t.shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.isGuest(id) {
		t.clients.Add(1)
	}
	e.state, e.manner = idle, mannerOf(auto, Ordinary, Ordinary)
	e.number.Store(0)
	e.last, e.credit = 0, 0
	if e.life++; e.life == 0 {
		e.life = 1
	}
	return e.life
}

// Seek has a client leave its partner, if it has one, and look for a new one.
// The table keeps the wishes. now is in milliseconds of any clock; it may wrap.
func (t *Table) Seek(id, now uint32, w *Wishes) (c Change) {
	e := t.entry(id)
	if e == nil {
		return c
	}
	t.abandon(id, e, idle, now, &c)
	c.add(t.wait(id, e, now, w))
	t.reseat(&c, now)
	return c
}

// Stop has a client leave its partner or the pool.
func (t *Table) Stop(id, now uint32) (c Change) {
	if e := t.entry(id); e != nil {
		c.GaveUp = t.abandon(id, e, idle, now, &c) == waiting
		t.reseat(&c, now)
	}
	return c
}

// Leave takes a client out of the table, whatever it was doing.
func (t *Table) Leave(id, now uint32) (c Change) {
	e := t.entry(id)
	if e == nil {
		return c
	}
	was := t.abandon(id, e, absent, now, &c)
	if was == absent {
		return c
	}
	c.GaveUp = was == waiting
	if !t.isGuest(id) {
		t.clients.Add(-1)
	}
	if t.people != nil {
		t.Identify(id, Person{}, false, now)
	}
	t.release(id)
	t.reseat(&c, now)
	return c
}

// reseat finds the survivor a new partner, if it was put back into the pool.
func (t *Table) reseat(c *Change, now uint32) {
	if c.Parted {
		c.add(t.match(c.Survivor, now))
	}
}

// abandon makes a client idle or absent, and tells what it was.
func (t *Table) abandon(id uint32, e *entry, become state, now uint32, c *Change) (was state) {
	s := t.shardOf(id)
	for {
		partner, isPaired := t.Partner(id)
		if !isPaired {
			s.mu.Lock()
			if was = e.state; was == paired { // just now
				s.mu.Unlock()
				continue
			}
			if was == absent {
				s.mu.Unlock()
				return was
			}
			if was == held {
				link := e.link.Load()
				s.mu.Unlock()
				switch done := t.letGo(id, e, link, become, now, c); {
				case !done:
					continue
				case t.isGuest(id):
					return idle
				}
				return waiting
			}
			if was == waiting {
				e.credit = 0
				t.waiting.Add(-1)
			}
			c.Own = e.number.Load()
			k := s.withdraw(t, id, e)
			e.state = become
			s.mu.Unlock()
			t.forget(k)
			return was
		}
		theirs := t.shardOf(partner)
		lockBoth(s, theirs)
		if e.link.Load() != partner+1 { // just now
			unlockBoth(s, theirs)
			continue
		}
		// I5: both ends change while both shards are locked.
		other := t.entry(partner)
		c.Parted, c.Survivor = true, partner
		c.Life, c.Number, c.Own = other.life, other.number.Load(), e.number.Load()
		c.Lasted = e.waited(now) // since is when the pair began
		t.pairs.Add(-1)
		e.link.Store(0)
		other.link.Store(0)
		e.last, other.last = partner<<8|uint32(other.life), id<<8|uint32(e.life)
		s.drop(id)
		theirs.drop(partner)
		e.state, e.credit = become, 0
		other.state = idle
		if other.manner.auto() {
			theirs.await(t, partner, other, nil, now)
		}
		unlockBoth(s, theirs)
		return paired
	}
}

// Partner returns the client that id is paired with. It takes no lock.
func (t *Table) Partner(id uint32) (partner uint32, ok bool) {
	e := t.entry(id)
	if e == nil {
		return 0, false
	}
	link := e.link.Load()
	if link == 0 || link&(openBit|heldBit) != 0 {
		return 0, false
	}
	return link - 1, true
}

// Lasts is for how many milliseconds a client has had its partner. False: it has none.
func (t *Table) Lasts(id, now uint32) (milliseconds uint32, ok bool) {
	e := t.entry(id)
	if e == nil {
		return 0, false
	}
	s := t.shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.waited(now), e.state == paired // since is when the pair began
}

// Number is how many pairings a client has had, the present one included. It
// takes no lock.
func (t *Table) Number(id uint32) uint32 {
	if e := t.entry(id); e != nil {
		return e.number.Load()
	}
	return 0
}

// Name tells the pair of a client from all others that this table has had: both
// clients get the same, until either is moved. low is the lower of the two. False:
// it has no partner.
func (t *Table) Name(id uint32) (name uint64, low uint32, ok bool) {
	for {
		partner, ok := t.Partner(id)
		e, other := t.entry(id), t.entry(partner)
		if !ok || e == nil || other == nil {
			return 0, 0, false
		}
		s, theirs := t.shardOf(id), t.shardOf(partner)
		lockBoth(s, theirs)
		still := e.link.Load() == partner+1
		if low = id; partner < id {
			low, e = partner, other
		}
		// A client's number is given again, but not so often at one moment that
		// its life comes round. Of the pairs of one life each has another number:
		// the moment does not tell them apart, as the callers' clocks are coarse and
		// of several workers. (The multiplication is one to one.)
		name = (uint64(e.since)<<32 | uint64(e.number.Load())) * 0x9e3779b97f4a7c15
		// A life begins anew, at random, when a chunk does.
		name ^= uint64(t.chunks[low>>chunkBits].made.Load())<<40 | uint64(low)<<8 | uint64(e.life)
		unlockBoth(s, theirs)
		if still {
			return name, low, true
		}
	}
}

// Clients is how many clients there are at this moment.
func (t *Table) Clients() int { return int(t.clients.Load()) }

// Waiting is how many clients wait at this moment, those at tables included.
func (t *Table) Waiting() int { return int(t.waiting.Load()) }

// LongestWait is for how many milliseconds the client has waited that has waited
// longest, of those who wait in the class Ordinary; false if nobody does. Those at tables do not count, as they wait for
// somebody in particular. It looks at each shard for a moment: at the first of
// the choosy and at the open, who are never many, for they take each other.
func (t *Table) LongestWait(now uint32) (waited uint32, ok bool) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for at := s.choosy.Front(); at != nil; at = at.Next() {
			if first := at.Value.(*seeker); first.class == Ordinary {
				waited, ok = max(waited, t.entry(first.id).waited(now)), true
				break
			}
		}
		for _, id := range s.open[Ordinary] {
			if t.isGuest(id) {
				continue
			}
			waited, ok = max(waited, t.entry(id).waited(now)), true
		}
		s.mu.Unlock()
	}
	return waited, ok
}

// Pairs is how many pairs there are at this moment.
func (t *Table) Pairs() int { return int(t.pairs.Load()) }

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
