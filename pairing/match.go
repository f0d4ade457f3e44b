package pairing

// wait puts an idle client among the waiting and looks for a partner.
func (t *Table) wait(id uint32, e *entry, now uint32, interests []string) (Match, bool) {
	s := t.shardOf(id)
	choosy := len(interests) > 0
	if choosy {
		// Under its interests first: nobody takes it before it waits.
		k := &seeker{id: id, interests: interests}
		t.post(k)
		s.mu.Lock()
		s.keep(k)
	} else {
		s.mu.Lock()
	}
	s.await(t, id, e, choosy, now)
	s.mu.Unlock()
	return t.match(id, now)
}

// await makes an idle client of a shard, which is locked, a waiting one, and
// has Relax look at it when it has waited long enough to take others.
func (s *shard) await(t *Table, id uint32, e *entry, choosy bool, now uint32) {
	e.state = waiting
	t.waiting.Add(1)
	e.since = now
	age := e.age(now)
	switch {
	case choosy && age < t.patience:
		s.insist(id)
		s.due.add(id, now+t.patience-age)
		if age == 0 { // the appointment serves for the last partner too
			return
		}
	default:
		s.insert(id, e)
	}
	if e.last != 0 {
		s.due.add(id, now+t.patience)
	}
}

// insert puts a waiting client into the pool of its shard, which is locked.
func (s *shard) insert(id uint32, e *entry) {
	e.link.Store(openBit | uint32(len(s.open)))
	s.open = append(s.open, id)
	s.size.Store(int32(len(s.open)))
}

// withdraw takes a client from wherever it waits in its shard, which is locked.
// It returns what forget is to be called with when the lock is given back.
func (s *shard) withdraw(t *Table, id uint32, e *entry) *seeker {
	if link := e.link.Load(); link&openBit != 0 {
		place, last := int(link&^openBit), len(s.open)-1
		if moved := s.open[last]; place != last {
			s.open[place] = moved
			t.entry(moved).link.Store(link)
		}
		s.open = s.open[:last]
		if cap(s.open) > 1024 && last < cap(s.open)/4 {
			s.open = append(make([]uint32, 0, cap(s.open)/2), s.open...)
		}
		s.size.Store(int32(last))
		e.link.Store(0)
	}
	return s.drop(id)
}

// match looks for a partner for a client that waits. One round without a
// candidate is the end: who comes after the look sees this client.
func (t *Table) match(id, now uint32) (Match, bool) {
	if m, verdict := t.matchTopics(id, now); verdict != nobodyHere {
		return m, verdict == matched
	}
	others := -1
	for i := range t.shards {
		others += int(t.shards[i].size.Load())
	}
	if others < 0 {
		return Match{}, false
	}
	// A uniform draw among the others says in which shard to begin. (A choosy
	// client stands in none; counting one too few then does no harm.)
	mine := t.shardOf(id)
	first, draw := 0, int32(t.rand(uint32(max(others, 1))))
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
		case notLooking:
			return Match{}, false
		}
	}
	return Match{}, false
}

type verdict uint8

const (
	nobodyHere verdict = iota
	notLooking         // the client itself does not wait, or takes none of these
	matched
)

// matchIn pairs id, if it is open, with a random compatible client of the pool
// of s.
func (t *Table) matchIn(id uint32, mine, s *shard, now uint32) (Match, verdict) {
	lockBoth(mine, s)
	e := t.entry(id)
	if e == nil || e.state != waiting || e.link.Load()&openBit == 0 {
		unlockBoth(mine, s)
		return Match{}, notLooking
	}
	n := len(s.open)
	if n == 0 {
		unlockBoth(mine, s)
		return Match{}, nobodyHere
	}
	place := t.draw(n, mine == s, e)
	for range n {
		other := s.open[place]
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
// both waited long enough to forget it.
func (t *Table) avoids(a uint32, ea *entry, b uint32, eb *entry, now uint32) bool {
	return ea.last == b<<8|uint32(eb.life) && ea.waited(now) < t.patience ||
		eb.last == a<<8|uint32(ea.life) && eb.waited(now) < t.patience
}

// pair makes a pair of two waiting clients and unlocks their shards.
func (t *Table) pair(sa *shard, a uint32, ea *entry, sb *shard, b uint32, eb *entry, now uint32) Match {
	m := Match{A: a, B: b, WaitA: ea.waited(now), WaitB: eb.waited(now)}
	ka, kb := sa.withdraw(t, a, ea), sb.withdraw(t, b, eb)
	if common := shared(ka, kb); len(common) > 0 {
		sa.keep(&seeker{id: a, interests: common})
		sb.keep(&seeker{id: b, interests: common})
	}
	for _, e := range []*entry{ea, eb} {
		e.credit = uint8(min(e.age(now)/creditUnit, 255))
		e.state = paired
		e.since = now
	}
	ea.number.Add(1)
	eb.number.Add(1)
	t.pairs.Add(1)
	t.waiting.Add(-2)
	// I5, and for those who read without a lock: the number is there before
	// the partner is.
	ea.link.Store(b + 1)
	eb.link.Store(a + 1)
	unlockBoth(sa, sb)
	t.forget(ka)
	t.forget(kb)
	return m
}

// Relax brings together those who have become compatible by waiting. Call it
// every now and then, four times within Config.Patience at least; f is called
// for each pair that came to be, with no lock held.
func (t *Table) Relax(now uint32, f func(Match)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		due := s.due.take(now)
		s.mu.Unlock()
		for _, id := range due {
			if t.relax(s, id, now) {
				if m, ok := t.match(id, now); ok {
					f(m)
				}
			}
		}
	}
}

// relax opens a choosy client that has waited long enough. It tells whether a
// look for a partner is worth while.
func (t *Table) relax(s *shard, id, now uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := t.entry(id)
	if e == nil || e.state != waiting {
		return false
	}
	if e.link.Load()&openBit == 0 {
		if age := e.age(now); age < t.patience { // it waits anew since
			s.due.add(id, now+t.patience-age)
			return false
		}
		s.openUp(s.seekers[id])
		s.insert(id, e)
	}
	if waited := e.waited(now); e.last != 0 && waited < t.patience {
		// A wheel that begins to turn, or has stood still for long, keeps all
		// appointments at once.
		s.due.add(id, now+t.patience-waited)
	}
	return true
}
