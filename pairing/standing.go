package pairing

// Standing is all that a table knows of one client, for another table, in another
// process perhaps, in which clients have other numbers: whoever moves them maps
// Partner and Last.
type Standing struct {
	Auto   bool
	Class  Class
	Stands Class // in which it waits
	Life   Life
	Number uint32 // of its pairings so far

	// At most one of both.
	Waiting, Paired bool
	Since           uint32  // how long it has waited or been paired, in milliseconds
	Wishes          *Wishes // that it waits with, or has in common with its partner
	Insists         uint8   // on which kinds of them; it insists on less when Relax has looked at it
	Again           bool    // it wants its last partner back
	Partner         uint32

	// Last is its last partner, in that Life; 0: there was none, or it is known to
	// be gone. Credit is what Change and Match do not tell: the age of its place
	// before this wait or pair, in units of 64 ms.
	Last     uint32
	LastLife Life
	Credit   uint8
}

// Standing returns what the table knows of a client; false if it is not in it. The
// wishes are the table's.
func (t *Table) Standing(id, now uint32) (s Standing, ok bool) {
	e := t.entry(id)
	if e == nil {
		return s, false
	}
	shard := t.shardOf(id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if e.state == absent {
		return s, false
	}
	s = Standing{
		Auto: e.manner.auto(), Class: e.manner.class(), Stands: e.manner.stands(), Life: e.life, Number: e.number.Load(),
		Waiting: e.state == waiting || e.state == held, Paired: e.state == paired,
		Last: e.last >> 8, LastLife: Life(e.last), Credit: e.credit,
	}
	if s.Waiting || s.Paired {
		s.Since = e.waited(now)
	}
	if s.Paired {
		s.Partner = e.link.Load() - 1
	}
	if k := shard.seekers[id]; k != nil {
		s.Wishes, s.Insists, s.Again = k.wishes, uint8(k.needs), k.again
	}
	return s, true
}

// Restore brings a client into the table as it stood in another one. Nobody is
// looked for: who waits here waited there beside the others. The client's partner
// must be restored before any of the two does anything (I5). The table keeps the
// wishes. now is of this table's clock.
func (t *Table) Restore(id uint32, s Standing, now uint32) {
	e := t.create(id)
	var k *seeker
	switch {
	case s.Waiting && s.Wishes.any():
		k = t.newSeeker(id, s.Stands, s.Wishes, needs(s.Insists)&t.needsAt(s.Wishes, 0))
	case s.Again || s.Paired && s.Wishes != nil:
		k = &seeker{id: id, wishes: s.Wishes}
	}
	shard := t.shardOf(id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if !t.isGuest(id) {
		t.clients.Add(1)
	}
	e.state, e.manner, e.life, e.credit, e.last = idle, mannerOf(s.Auto, s.Class, s.Stands), max(s.Life, 1), s.Credit, 0
	if s.LastLife != 0 {
		e.last = s.Last<<8 | uint32(s.LastLife)
	}
	e.number.Store(s.Number)
	e.since = now - s.Since
	if k != nil {
		k.again = s.Again
		shard.keep(k)
	}
	switch {
	case s.Paired:
		e.state = paired
		if id < s.Partner { // one of both counts it
			t.pairs.Add(1)
		}
		e.link.Store(s.Partner + 1)
	case s.Waiting:
		t.waiting.Add(1)
		shard.waitOn(t, id, e, k, now)
	}
}

// waitOn puts a client of a shard, which is locked, back among the waiting, where it
// has waited since e.since. k may be nil.
func (s *shard) waitOn(t *Table, id uint32, e *entry, k *seeker, now uint32) {
	e.state = waiting
	switch {
	case k.table() != "":
	case k != nil && k.needs != 0:
		s.insistInOrder(t, k, now)
	default:
		s.insert(id, e)
	}
	s.appoint(t, id, e, k, now)
	if k != nil && k.needs != 0 && e.age(now) >= t.patienceOf(k.needs) { // it was about to be looked at
		s.due.add(appointment{id, e.since}, now)
	}
}

// insistInOrder is insist for a client that may have waited longer than those who
// stand there.
func (s *shard) insistInOrder(t *Table, k *seeker, now uint32) {
	waited := t.entry(k.id).waited(now)
	for at := s.choosy.Back(); at != nil; at = at.Prev() {
		if t.entry(at.Value.(*seeker).id).waited(now) >= waited {
			k.choosy = s.choosy.InsertAfter(k, at)
			return
		}
	}
	k.choosy = s.choosy.PushFront(k)
}
