package pairing

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"
)

// Person tells who sits in a client's place from others, over clients and over time.
type Person [16]byte

// Bounds of what is known of people.
const (
	MaxBlocked = 64 // by one person; one more takes the place of the oldest
	MaxAbsent  = 1 << 17

	recentPartners = 3

	// ownTab is how long both of one person's clients wait before they take each
	// other, recentlyMet how long a client avoids the partners before its last one,
	// in milliseconds.
	ownTab      = 30_000
	recentlyMet = 1_000

	// For how long people without a client are known: those who have blocked
	// somebody, and the others.
	blocksLast = 24 * time.Hour
	metLast    = 10 * time.Minute
)

// people are those who sit in the clients' places, and who did lately. A table that
// knows nobody has none.
type people struct {
	mu sync.Mutex
	// Guarded by mu, which is taken with no other lock.
	known  map[Person]*somebody
	absent [2]list.List // of *somebody, in the order in which they left: those who have blocked nobody, the others
}

// somebody is a person.
type somebody struct {
	// Immutable.
	key    Person
	shared bool // they may be many

	// Guarded by people.mu.
	clients int
	left    uint32 // when the last client did
	queue   *list.List
	element *list.Element

	mu sync.Mutex
	// Guarded by mu, the innermost of all locks.
	blocked []Person // the oldest first
	recent  [recentPartners]Person
}

// persons are the people in the places of a chunk. Guarded by the shards' locks, as
// the entries are.
type persons [chunkSize]*somebody

// Identify says who sits in the place of a client, which is idle. Shared: they may be
// many people, who are all meant by a block, and nothing else. A table without
// Config.People forgets it.
func (t *Table) Identify(id uint32, p Person, shared bool, now uint32) {
	if t.people == nil || t.entry(id) == nil {
		return
	}
	var who *somebody
	if p != (Person{}) {
		who = t.people.come(p, shared)
	}
	s := t.shardOf(id)
	s.mu.Lock()
	persons := t.chunks[id>>chunkBits].persons.Load()
	was := persons[id&(chunkSize-1)]
	persons[id&(chunkSize-1)] = who
	s.mu.Unlock()
	t.people.leave(was, now)
}

// whoIs is the person of a client whose shard is locked, nil if there is none.
func (t *Table) whoIs(id uint32) *somebody {
	if t.people == nil {
		return nil
	}
	if persons := t.chunks[id>>chunkBits].persons.Load(); persons != nil {
		return persons[id&(chunkSize-1)]
	}
	return nil
}

// take takes the person out of a client's place, and returns them. Its shard is
// locked.
func (t *Table) take(id uint32) *somebody {
	who := t.whoIs(id)
	if who != nil {
		t.chunks[id>>chunkBits].persons.Load()[id&(chunkSize-1)] = nil
	}
	return who
}

// Who is the person of a client; the zero Person if that is not known.
func (t *Table) Who(id uint32) (p Person, shared bool) {
	if t.people == nil || t.entry(id) == nil {
		return p, false
	}
	s := t.shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if who := t.whoIs(id); who != nil {
		return who.key, who.shared
	}
	return p, false
}

// Block keeps the person of a client from ever being matched with somebody, as long as
// both are known here. False: that is not possible, as one of them is not known or
// both are the same.
func (t *Table) Block(id uint32, other Person) bool {
	if t.people == nil || t.entry(id) == nil || other == (Person{}) {
		return false
	}
	s := t.shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	who := t.whoIs(id)
	if who == nil || who.key == other {
		return false
	}
	who.block(other)
	return true
}

func (who *somebody) block(other Person) {
	who.mu.Lock()
	defer who.mu.Unlock()
	if slices.Contains(who.blocked, other) {
		return
	}
	if len(who.blocked) == MaxBlocked {
		who.blocked = slices.Delete(who.blocked, 0, 1)
	}
	who.blocked = append(who.blocked, other)
}

// knows tells whether who has blocked somebody, and how many partners ago they have
// met, from 1 on; 0: not lately.
func (who *somebody) knows(other *somebody) (blocks bool, ago int) {
	who.mu.Lock()
	defer who.mu.Unlock()
	if !other.shared && !who.shared {
		ago = slices.Index(who.recent[:], other.key) + 1
	}
	return slices.Contains(who.blocked, other.key), ago
}

// estranged tells whether two waiting clients are not to meet for who they are: one has
// blocked the other, both are one person, who finds somebody else if anybody is there,
// or they have met lately. Their shards are locked.
func (t *Table) estranged(a uint32, ea *entry, b uint32, eb *entry, now uint32) bool {
	pa, pb := t.whoIs(a), t.whoIs(b)
	if pa == nil || pb == nil {
		return false
	}
	if pa == pb {
		return !pa.shared && min(ea.waited(now), eb.waited(now)) < ownTab && !t.sits(a)
	}
	blocks, ago := pa.knows(pb)
	blocked, backAgo := pb.knows(pa)
	return blocks || blocked || ea.waited(now) < t.shuns(ago) || eb.waited(now) < t.shuns(backAgo)
}

// shuns is for how long of its wait a client avoids whom its person met so many
// partners ago.
func (t *Table) shuns(ago int) uint32 {
	switch ago {
	case 0:
		return 0
	case 1:
		return t.patience
	}
	return min(recentlyMet, t.patience)
}

// sits tells whether a client waits at a table. Its shard is locked.
func (t *Table) sits(id uint32) bool { return t.shardOf(id).seekers[id].table() != "" }

// haveBlocked tells whether one of two clients has blocked the other. Their shards are
// locked.
func (t *Table) haveBlocked(a, b uint32) bool {
	pa, pb := t.whoIs(a), t.whoIs(b)
	if pa == nil || pb == nil || pa == pb {
		return false
	}
	blocks, _ := pa.knows(pb)
	blocked, _ := pb.knows(pa)
	return blocks || blocked
}

// met notes that two clients are a pair. Their shards are locked.
func (t *Table) met(a, b uint32) {
	pa, pb := t.whoIs(a), t.whoIs(b)
	if pa == nil || pb == nil || pa == pb || pa.shared || pb.shared {
		return
	}
	pa.meet(pb.key)
	pb.meet(pa.key)
}

func (who *somebody) meet(other Person) {
	who.mu.Lock()
	defer who.mu.Unlock()
	i := slices.Index(who.recent[:], other)
	if i < 0 {
		i = recentPartners - 1
	}
	copy(who.recent[1:i+1], who.recent[:i])
	who.recent[0] = other
}

// moment is when a client that has waited for so long is to be looked at because of its
// person: in how many milliseconds; 0: not any more. Its shard is locked.
func (t *Table) moment(id uint32, waited uint32) uint32 {
	who := t.whoIs(id)
	if who == nil || who.shared {
		return 0
	}
	for _, moment := range [...]uint32{min(recentlyMet, t.patience), t.patience, ownTab} {
		if waited < moment {
			return min(moment-waited, uint32(maxPatience/time.Millisecond))
		}
	}
	return 0
}

// come notes one more client of a person.
func (p *people) come(key Person, shared bool) *somebody {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := p.known[key]
	if who == nil {
		who = &somebody{key: key, shared: shared}
		p.known[key] = who
	}
	if who.element != nil {
		who.queue.Remove(who.element)
		who.queue, who.element = nil, nil
	}
	who.clients++
	return who
}

// leave notes one client less. who may be nil.
func (p *people) leave(who *somebody, now uint32) {
	if who == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if who.clients--; who.clients > 0 {
		return
	}
	p.rest(who, now)
}

// rest notes that somebody who is known has no client, since now. The lock is held.
func (p *people) rest(who *somebody, now uint32) {
	who.mu.Lock()
	blocks, nothing := len(who.blocked) > 0, len(who.blocked) == 0 && who.recent == [recentPartners]Person{}
	who.mu.Unlock()
	if nothing {
		delete(p.known, who.key)
		return
	}
	who.left, who.queue = now, &p.absent[0]
	if blocks {
		who.queue = &p.absent[1]
	}
	who.element = who.queue.PushBack(who)
	if p.absent[0].Len()+p.absent[1].Len() > MaxAbsent { // first those who lose least
		if p.absent[0].Len() > 0 {
			p.forget(&p.absent[0])
		} else {
			p.forget(&p.absent[1])
		}
	}
}

// forget forgets the first in a queue. The lock is held.
func (p *people) forget(queue *list.List) {
	who := queue.Remove(queue.Front()).(*somebody)
	who.queue, who.element = nil, nil
	delete(p.known, who.key)
}

// forgetAtOnce bounds how many people are forgotten in one look.
const forgetAtOnce = 1000

// expire forgets those who have been gone for long, a few at a time.
func (p *people) expire(now uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, lasts := range [...]time.Duration{metLast, blocksLast} {
		for range forgetAtOnce {
			front := p.absent[i].Front()
			if front == nil || elapsed(front.Value.(*somebody).left, now) < uint32(lasts/time.Millisecond) {
				break
			}
			p.forget(&p.absent[i])
		}
	}
}

// Acquaintance is what a table knows of a person, for another table.
type Acquaintance struct {
	Person  Person
	Shared  bool
	Clients []uint32 // their numbers
	Left    uint32   // how long they have had none, in milliseconds
	Blocked []Person // the oldest first
	Recent  []Person // the latest first
}

// Acquaintances are the people that the table knows. Nothing else may be under way.
func (t *Table) Acquaintances(now uint32) (all []Acquaintance) {
	if t.people == nil {
		return nil
	}
	at := make(map[*somebody]int)
	t.people.mu.Lock()
	defer t.people.mu.Unlock()
	for _, who := range t.people.known {
		a := Acquaintance{Person: who.key, Shared: who.shared, Blocked: slices.Clone(who.blocked)}
		for _, p := range who.recent {
			if p != (Person{}) {
				a.Recent = append(a.Recent, p)
			}
		}
		if who.element != nil {
			a.Left = elapsed(who.left, now)
		}
		at[who] = len(all)
		all = append(all, a)
	}
	for c := range t.chunks {
		persons := t.chunks[c].persons.Load()
		if persons == nil {
			continue
		}
		for i, who := range persons {
			if who != nil {
				all[at[who]].Clients = append(all[at[who]].Clients, uint32(c<<chunkBits+i))
			}
		}
	}
	// In the order in which they left, so that those who do not fit are the first.
	slices.SortFunc(all, func(a, b Acquaintance) int { return cmp.Compare(b.Left, a.Left) })
	return all
}

// Acquaint brings what another table knew of somebody into this one. Their clients have
// been restored before, and have the numbers of this table.
func (t *Table) Acquaint(a Acquaintance, now uint32) {
	if t.people == nil || a.Person == (Person{}) {
		return
	}
	who := t.people.come(a.Person, a.Shared)
	who.mu.Lock()
	who.blocked = slices.Clone(a.Blocked[:min(len(a.Blocked), MaxBlocked)])
	copy(who.recent[:], a.Recent)
	who.mu.Unlock()
	for _, id := range a.Clients {
		t.Identify(id, a.Person, a.Shared, now)
	}
	t.people.leave(who, now-a.Left)
}

// People is how many people the table knows at this moment, those who have left lately
// included.
func (t *Table) People() int {
	if t.people == nil {
		return 0
	}
	t.people.mu.Lock()
	defer t.people.mu.Unlock()
	return len(t.people.known)
}
