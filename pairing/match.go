package pairing

// wait puts an idle client among the waiting and looks for a partner. One that has
// moved to another place, or is absent, does not wait here.
func (t *Table) wait(id uint32, e *entry, now uint32, w *Wishes) (Match, bool) {
	s := t.shardOf(id)
	var k *seeker
	if w.any() {
		s.mu.Lock()
		class := e.classAt(w)
		s.mu.Unlock()
		// Under its topics first: nobody takes it before it waits.
		k = t.newSeeker(id, class, w, t.needsAt(w, e.earned()))
	}
	s.mu.Lock()
	if e.state != idle {
		s.mu.Unlock()
		t.forget(k)
		return Match{}, false
	}
	if k != nil {
		s.keep(k)
	}
	s.await(t, id, e, k, now)
	s.mu.Unlock()
	return t.match(id, now)
}

// await makes an idle client of a shard, which is locked, a waiting one, and
// has Relax look at it when it has waited long enough to take others. k may be
// nil.
func (s *shard) await(t *Table, id uint32, e *entry, k *seeker, now uint32) {
	e.state = waiting
	if e.manner.stand(e.manner.class()); k != nil {
		e.manner.stand(k.class)
	}
	t.waiting.Add(1)
	e.since = now
	switch {
	case k.table() != "":
	case k != nil && k.needs != 0:
		s.insist(k)
	default:
		s.insert(id, e)
	}
	s.appoint(t, id, e, k, now)
}

// appoint has Relax look at a waiting client when it insists on less, or avoids
// its last partner no more, whichever comes first. There is one appointment for
// a wait at any time.
func (s *shard) appoint(t *Table, id uint32, e *entry, k *seeker, now uint32) {
	in := uint32(0)
	if k != nil && k.needs != 0 {
		in = elapsed(e.age(now), t.patienceOf(k.needs))
	}
	if waited := e.waited(now); e.last != 0 && waited < t.patience && (in == 0 || t.patience-waited < in) {
		in = t.patience - waited
	}
	if waited := e.waited(now); e.manner.stands() == Slow && waited < t.slowPatience && (in == 0 || t.slowPatience-waited < in) {
		in = t.slowPatience - waited
	}
	if t.people != nil {
		if moment := t.moment(id, e.waited(now)); moment != 0 && (in == 0 || moment < in) {
			in = moment
		}
	}
	if in > 0 {
		s.due.add(appointment{id, e.since}, now+in)
	}
}

// insert puts a waiting client into the pool of its shard, which is locked.
func (s *shard) insert(id uint32, e *entry) {
	class := e.manner.stands()
	e.link.Store(openBit | uint32(len(s.open[class])))
	s.open[class] = append(s.open[class], id)
	s.size[class].Store(int32(len(s.open[class])))
}

// withdraw takes a client from wherever it waits in its shard, which is locked.
// It returns what forget is to be called with when the lock is given back.
func (s *shard) withdraw(t *Table, id uint32, e *entry) *seeker {
	s.remove(t, e)
	return s.drop(id)
}

// remove takes a client out of the pool of its shard, which is locked, if it stands there.
func (s *shard) remove(t *Table, e *entry) {
	link := e.link.Load()
	if link&openBit == 0 {
		return
	}
	class := e.manner.stands()
	open := s.open[class]
	place, last := int(link&^openBit), len(open)-1
	if moved := open[last]; place != last {
		open[place] = moved
		t.entry(moved).link.Store(link)
	}
	open = open[:last]
	if cap(open) > 1024 && last < cap(open)/4 {
		open = append(make([]uint32, 0, cap(open)/2), open...)
	}
	s.open[class] = open
	s.size[class].Store(int32(last))
	e.link.Store(0)
}

// match looks for a partner for a client that waits. One round without a
// candidate is the end: who comes after the look sees this client.
func (t *Table) match(id, now uint32) (Match, bool) {
	if m, verdict := t.matchTopics(id, now); verdict != nobodyHere {
		return m, verdict == matched && !m.held
	}
	mine := t.shardOf(id)
	class, ok := t.poolOf(mine, id)
	others := -1
	for i := range t.shards {
		others += int(t.shards[i].size[class].Load())
	}
	if others < 0 || !ok {
		return Match{}, false
	}
	// A uniform draw among the others says in which shard to begin. (A choosy
	// client stands in none; counting one too few then does no harm.)
	first, draw := 0, int32(t.rand(uint32(max(others, 1))))
	for ; first < len(t.shards)-1; first++ {
		s := &t.shards[first]
		draw -= s.size[class].Load()
		if s == mine {
			draw++
		}
		if draw < 0 {
			break
		}
	}
	for n := range t.shards {
		s := &t.shards[(first+n)&int(t.shardMask)]
		if s.size[class].Load() == 0 {
			continue
		}
		switch m, verdict := t.matchIn(id, mine, s, class, now); verdict {
		case matched:
			return m, !m.held
		case notLooking:
			return Match{}, false
		}
	}
	return Match{}, false
}

// poolOf is the class in whose pool a client looks. False: it is not there any more.
func (t *Table) poolOf(s *shard, id uint32) (class Class, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := t.entry(id); e != nil {
		return e.manner.stands(), true
	}
	return Ordinary, false
}

type verdict uint8

const (
	nobodyHere verdict = iota
	notLooking         // the client itself does not wait, or takes none of these
	matched
)

// matchIn pairs id, if it is open, with a random compatible client of the pool of its
// class in s.
func (t *Table) matchIn(id uint32, mine, s *shard, class Class, now uint32) (Match, verdict) {
	lockBoth(mine, s)
	e := t.entry(id)
	if e == nil || e.state != waiting || e.link.Load()&openBit == 0 || e.manner.stands() != class {
		unlockBoth(mine, s)
		return Match{}, notLooking
	}
	open := s.open[class]
	n := len(open)
	if n == 0 {
		unlockBoth(mine, s)
		return Match{}, nobodyHere
	}
	place := t.draw(n, mine == s, e)
	for range n {
		other := open[place]
		if place++; place == n {
			place = 0
		}
		if other == id {
			continue
		}
		if o := t.entry(other); !t.avoids(id, e, other, o, now) {
			return t.pair(mine, id, e, s, other, o, now), matched
		}
	}
	unlockBoth(mine, s)
	return Match{}, nobodyHere
}

// draw returns a random place in a pool of n, but, if e stands there itself and
// is not alone, not its own.
func (t *Table) draw(n int, itself bool, e *entry) int {
	if !itself || n == 1 {
		return int(t.rand(uint32(n)))
	}
	place := int(t.rand(uint32(n - 1)))
	if place >= int(e.link.Load()&^openBit) {
		place++
	}
	return place
}

// avoids tells whether two waiting clients were each other's last and have not
// both waited long enough to forget it, wait in two classes, or are not to meet for who
// they are.
func (t *Table) avoids(a uint32, ea *entry, b uint32, eb *entry, now uint32) bool {
	return ea.manner.stands() != eb.manner.stands() ||
		t.isGuest(a) && t.isGuest(b) || // they may meet at home
		ea.last == b<<8|uint32(eb.life) && ea.waited(now) < t.patience ||
		eb.last == a<<8|uint32(ea.life) && eb.waited(now) < t.patience ||
		t.people != nil && t.estranged(a, ea, b, eb, now)
}

// pair makes a pair of two waiting clients and unlocks their shards.
func (t *Table) pair(sa *shard, a uint32, ea *entry, sb *shard, b uint32, eb *entry, now uint32) Match {
	if t.isGuest(a) || t.isGuest(b) {
		return t.hold(sa, a, ea, sb, b, eb)
	}
	ka, kb := sa.withdraw(t, a, ea), sb.withdraw(t, b, eb)
	m := t.join(sa, a, ea, ka, sb, b, eb, kb, now)
	unlockBoth(sa, sb)
	t.forget(ka)
	t.forget(kb)
	return m
}

// join makes a pair of two clients that wait for nobody any more, whose seekers were
// ka and kb. Their shards are locked.
func (t *Table) join(sa *shard, a uint32, ea *entry, ka *seeker, sb *shard, b uint32, eb *entry, kb *seeker, now uint32) Match {
	m := Match{A: a, B: b, WaitA: t.found(a, ea, now), WaitB: t.found(b, eb, now), Arranged: ka.table() != ""}
	if c := common(ka, kb); c != nil {
		sa.keep(&seeker{id: a, wishes: c})
	}
	if c := common(kb, ka); c != nil {
		sb.keep(&seeker{id: b, wishes: c})
	}
	if t.people != nil {
		t.met(a, b)
	}
	ea.number.Add(1)
	eb.number.Add(1)
	t.pairs.Add(1)
	// I5, and for those who read without a lock: the number is there before
	// the partner is.
	ea.link.Store(b + 1)
	eb.link.Store(a + 1)
	return m
}

// found makes a client, which waits or was asked for again, a paired one, and
// returns how long it has waited, unless it is a guest.
func (t *Table) found(id uint32, e *entry, now uint32) (waited uint32) {
	if (e.state == waiting || e.state == held) && !t.isGuest(id) {
		waited = e.waited(now)
		e.credit = uint8(min(e.age(now)/creditUnit, 255))
		t.waiting.Add(-1)
	}
	e.state, e.since = paired, now
	return waited
}

// Relax brings together those who have become compatible by waiting. Call it
// every now and then, four times within Config.Patience at least; f is called
// for each pair that came to be, with no lock held.
func (t *Table) Relax(now uint32, f func(Match)) {
	if t.people != nil {
		t.people.expire(now)
	}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		due := s.due.take(now)
		s.mu.Unlock()
		for _, a := range due {
			if t.relax(s, a, now) {
				if m, ok := t.match(a.id, now); ok {
					f(m)
				}
			}
		}
	}
}

// relax has a client that has waited long enough insist on less. It tells whether
// a look for a partner is worth while.
func (t *Table) relax(s *shard, a appointment, now uint32) bool {
	s.mu.Lock()
	e := t.entry(a.id)
	if e == nil || e.state != waiting || e.since != a.since {
		s.mu.Unlock()
		return false
	}
	k := s.seekers[a.id]
	speedsUp := e.manner.stands() == Slow && e.waited(now) >= t.slowPatience
	if speedsUp && (k == nil || !k.wishes.any()) {
		s.remove(t, e)
		e.manner.stand(Ordinary)
		s.insert(a.id, e)
		speedsUp = false
	}
	if !speedsUp && (k == nil || k.needs == 0 || k.needs == t.needsAt(k.wishes, e.age(now))) {
		s.appoint(t, a.id, e, k, now)
		s.mu.Unlock()
		return true
	}
	n := t.needsAt(k.wishes, e.age(now))
	if !speedsUp && (len(k.wishes.Interests) == 0 || len(k.wishes.Languages) == 0) {
		s.settleFor(t, k, n, e, now) // it stands under all its topics already
		s.mu.Unlock()
		return true
	}
	class := k.class
	if speedsUp {
		class = Ordinary
	}
	s.mu.Unlock()
	return t.repost(s, a.id, e, k, class, n, now)
}

// repost has another seeker, which stands under other topics, take the place of k, and the
// client insist on no more than n.
func (t *Table) repost(s *shard, id uint32, e *entry, k *seeker, class Class, n needs, now uint32) bool {
	more := t.newSeeker(id, class, k.wishes, n)
	s.mu.Lock()
	if s.seekers[id] != k || e.state != waiting {
		s.mu.Unlock()
		t.forget(more)
		return false
	}
	s.remove(t, e)
	e.manner.stand(class)
	if more.again, more.choosy = k.again, k.choosy; more.choosy != nil {
		more.choosy.Value = more
	}
	s.keep(more)
	s.settleFor(t, more, n, e, now)
	s.mu.Unlock()
	t.forget(k)
	return true
}

// settleFor has a waiting client of a shard, which is locked, insist on no more
// than n.
func (s *shard) settleFor(t *Table, k *seeker, n needs, e *entry, now uint32) {
	if k.needs = n; n == 0 {
		s.openUp(k)
		s.insert(k.id, e)
	}
	s.appoint(t, k.id, e, k, now)
}
