package pairing

// Waiter is somebody who has waited for a while.
type Waiter struct {
	ID      uint32
	Life    Life
	Waited  uint32 // the age of its place, in milliseconds
	Insists bool   // on some of its wishes
	Wishes  *Wishes
}

func (t *Table) isGuest(id uint32) bool { return id >= t.guests }

// looks bounds how many of those who wait at tables one look into a shard passes.
const looks = 64

// Waiters are, of those who wait in the class Ordinary, at most n of those below the number of all guests and of before who
// have waited for so many milliseconds: those who take anybody, then those who have
// waited longest of the choosy, then any of those at tables.
func (t *Table) Waiters(now, least, before uint32, n int) (list []Waiter) {
	add := func(id uint32, k *seeker) (old bool) {
		e := t.entry(id)
		if old = e.waited(now) >= least; old && id < before && len(list) < n {
			w := Waiter{ID: id, Life: e.life, Waited: e.age(now)}
			if k != nil {
				w.Wishes, w.Insists = k.wishes, k.needs != 0
			}
			list = append(list, w)
		}
		return old
	}
	if t.waiting.Load() == 0 {
		return nil
	}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, id := range s.open[Ordinary] {
			add(id, s.seekers[id])
		}
		for at := s.choosy.Front(); at != nil && len(list) < n; at = at.Next() {
			k := at.Value.(*seeker)
			if k.class == Ordinary && !add(k.id, k) {
				break
			}
		}
		look := 0
		for id, k := range s.seekers {
			if look++; look > looks {
				break
			}
			if k.table() != "" && t.entry(id).state == waiting {
				add(id, k)
			}
		}
		s.mu.Unlock()
	}
	return list
}

// Ask looks for somebody for a guest, which is idle and whose place, at home, has the
// age waited. Whoever is found is held for it. False: nobody is.
func (t *Table) Ask(guest, now, waited uint32, w *Wishes) (found Waiter, ok bool) {
	e, s := t.entry(guest), t.shardOf(guest)
	var k *seeker
	if w.any() {
		k = t.newSeeker(guest, Ordinary, w, t.needsAt(w, waited))
	}
	s.mu.Lock()
	e.state, e.since = waiting, now-waited
	switch {
	case k == nil:
		s.insert(guest, e)
	default:
		s.keep(k)
		if k.table() == "" && k.needs != 0 {
			s.insistInOrder(t, k, now)
		} else if k.table() == "" {
			s.insert(guest, e)
		}
	}
	s.mu.Unlock()
	t.match(guest, now)
	// Whoever has found it meanwhile will do as well.
	s.mu.Lock()
	if e.state == held {
		place := e.link.Load()&^heldBit - 1
		s.mu.Unlock()
		return t.heldAt(place, now)
	}
	k = s.withdraw(t, guest, e)
	e.state = idle
	s.mu.Unlock()
	t.forget(k)
	return Waiter{}, false
}

// heldAt describes somebody who is held; false if they have gone, just now.
func (t *Table) heldAt(id, now uint32) (w Waiter, ok bool) {
	s := t.shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := t.entry(id)
	if e == nil || e.state != held {
		return w, false
	}
	w = Waiter{ID: id, Life: e.life, Waited: e.age(now)}
	if k := s.seekers[id]; k != nil {
		w.Wishes = k.wishes
	}
	return w, true
}

// Claim holds one who waits, in that life, for a guest that has found them at home,
// if they still suit each other. False: nobody is held.
func (t *Table) Claim(guest, id uint32, life Life, now, waited uint32, w *Wishes) bool {
	e, s := t.entry(id), t.shardOf(id)
	g, own := t.entry(guest), t.shardOf(guest)
	if e == nil {
		return false
	}
	k := &seeker{id: guest, wishes: w, needs: t.needsAt(w, waited)}
	lockBoth(s, own)
	g.since = now - waited
	if e.state != waiting || e.life != life || !fit(k, s.seekers[id]) || t.avoids(guest, g, id, e, now) {
		unlockBoth(s, own)
		return false
	}
	own.keep(k)
	t.hold(own, guest, g, s, id, e)
	return true
}

// hold keeps two for each other, of whom one is a guest, and unlocks their shards.
func (t *Table) hold(sa *shard, a uint32, ea *entry, sb *shard, b uint32, eb *entry) Match {
	ka, kb := t.keepFor(sa, a, ea, b), t.keepFor(sb, b, eb, a)
	unlockBoth(sa, sb)
	t.forget(ka)
	t.forget(kb)
	return Match{held: true}
}

// keepFor makes a client of a shard, which is locked, one that is held for another,
// and returns the seeker that is to be forgotten.
func (t *Table) keepFor(s *shard, id uint32, e *entry, other uint32) *seeker {
	k, kept := s.withdraw(t, id, e), &seeker{id: id}
	if k != nil {
		kept.wishes, kept.again = k.wishes, k.again
	}
	s.keep(kept)
	e.state = held
	e.link.Store(heldBit | (other + 1))
	return k
}

// Settle makes a guest and who is held for it a pair. False: nobody is.
func (t *Table) Settle(guest, now uint32) (Match, bool) {
	g, own := t.entry(guest), t.shardOf(guest)
	for {
		own.mu.Lock()
		link := g.link.Load()
		is := g.state == held
		own.mu.Unlock()
		if !is {
			return Match{}, false
		}
		id := link&^heldBit - 1
		s := t.shardOf(id)
		lockBoth(s, own)
		if g.state != held || g.link.Load() != link { // just now
			unlockBoth(s, own)
			continue
		}
		e := t.entry(id)
		m := t.join(s, id, e, s.drop(id), own, guest, g, own.drop(guest), now)
		m.Guest = true
		unlockBoth(s, own)
		return m, true
	}
}

// letGo ends that a client, whose link was heldBit and another's number, is held;
// the client becomes idle or absent. Who was held for a guest waits on. False: it
// was so no more.
func (t *Table) letGo(id uint32, e *entry, link uint32, become state, now uint32, c *Change) bool {
	s, theirs, place := t.shardOf(id), t.shardOf(id), link&^heldBit-1
	if link != 0 { // else it is about to wait on
		theirs = t.shardOf(place)
	}
	lockBoth(s, theirs)
	if e.state != held || e.link.Load() != link {
		unlockBoth(s, theirs)
		return false
	}
	c.Own = e.number.Load()
	s.drop(id)
	e.link.Store(0)
	e.state = become
	if !t.isGuest(id) {
		e.credit = 0
		t.waiting.Add(-1)
	}
	var kept *seeker
	if link != 0 {
		other := t.entry(place)
		other.link.Store(0)
		if t.isGuest(place) {
			theirs.drop(place)
			other.state = idle
		} else {
			kept = theirs.seekers[place]
		}
	}
	unlockBoth(s, theirs)
	if kept != nil {
		c.add(t.putBack(place, kept, now))
	}
	return true
}

// putBack has one wait on who was held, and is kept no more.
func (t *Table) putBack(id uint32, kept *seeker, now uint32) (Match, bool) {
	e, s := t.entry(id), t.shardOf(id)
	if e == nil {
		return Match{}, false
	}
	var k *seeker
	if kept.wishes.any() {
		s.mu.Lock()
		n, class := t.needsAt(kept.wishes, e.age(now)), e.manner.stands()
		s.mu.Unlock()
		k = t.newSeeker(id, class, kept.wishes, n) // before it can be found
	}
	s.mu.Lock()
	if s.seekers[id] != kept || e.state != held || e.link.Load() != 0 { // it has gone, just now
		s.mu.Unlock()
		t.forget(k)
		return Match{}, false
	}
	s.drop(id)
	switch {
	case k != nil:
		k.again = kept.again
		s.keep(k)
	case kept.again:
		s.keep(kept)
	}
	s.waitOn(t, id, e, k, now)
	s.mu.Unlock()
	return t.match(id, now)
}
