package pairing

import (
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
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

	// Only the pairing of this number may end, if it is named.
	named bool
	name  uint32
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

// SeekAfter is Seek, unless the client has a partner in another than its n-th pairing, or
// was left in another and does not wait: then it stays so, and ok is false.
func (t *Table) SeekAfter(id, n, now uint32, w *Wishes) (c Change, ok bool) {
	e := t.entry(id)
	if e == nil {
		return c, true
	}
	c.named, c.name = true, n
	if was := t.abandon(id, e, idle, now, &c); was == paired && !c.Parted || was == idle && e.number.Load() != n {
		return c, false
	}
	c.add(t.wait(id, e, now, w))
	t.reseat(&c, now)
	return c, true
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
		if c.named && e.number.Load() != c.name {
			unlockBoth(s, theirs)
			return paired
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
