package pairing

import (
	"cmp"
	"slices"
	"unsafe"
)

// Move renames a client: what from was, to is from now on, in a new life, with
// the same partner, the same number of pairings and the same last partner. (A
// client that had from as its last partner does not know to.) If it waits, it
// waits anew in the place of to, which keeps its age, and may be matched at once.
//
// To must be absent. The caller counts Move as the Leave of from and the Enter of
// to. Life 0: from was absent, and nothing has changed.
func (t *Table) Move(from, to, now uint32) (life Life, c Change) {
	source := t.entry(from)
	if source == nil {
		return 0, c
	}
	target := t.create(to)
	ss, st := t.shardOf(from), t.shardOf(to)
	shards, partner := t.lockWithPartner(from, source, st)
	if source.state == absent {
		unlockAll(shards)
		t.release(to)
		return 0, c
	}
	was := source.state
	k := ss.withdraw(t, from, source)
	target.state, target.manner, target.last = was, source.manner, source.last
	target.since, target.credit = source.since, source.credit
	target.number.Store(source.number.Load())
	if target.life++; target.life == 0 {
		target.life = 1
	}
	life = target.life
	switch was {
	case paired: // I5: three ends change while all shards are locked
		if k != nil {
			st.keep(&seeker{id: to, wishes: k.wishes})
		}
		target.link.Store(partner + 1)
		t.entry(partner).link.Store(to + 1)
		source.link.Store(0)
	case waiting:
		target.state = idle
		target.credit = uint8(min(source.age(now)/creditUnit, 255))
		t.waiting.Add(-1)
	}
	source.state = absent
	switch {
	case t.isGuest(from) && !t.isGuest(to):
		t.clients.Add(1)
	case !t.isGuest(from) && t.isGuest(to):
		t.clients.Add(-1)
	}
	if who := t.take(from); who != nil {
		t.chunks[to>>chunkBits].persons.Load()[to&(chunkSize-1)] = who
	}
	unlockAll(shards)
	t.release(from)
	if was == waiting {
		t.forget(k)
		var w *Wishes
		if k != nil {
			w = k.wishes
		}
		c.add(t.wait(to, target, now, w))
	}
	return life, c
}

// lockWithPartner locks a client's shard, its partner's if it has one, and
// another. It returns the partner too.
func (t *Table) lockWithPartner(id uint32, e *entry, another *shard) (locked []*shard, partner uint32) {
	for {
		partner, isPaired := t.Partner(id)
		shards := []*shard{t.shardOf(id), another}
		if isPaired {
			shards = append(shards, t.shardOf(partner))
		}
		lockAll(&shards)
		if isPaired == (e.state == paired) && (!isPaired || e.link.Load() == partner+1) {
			return shards, partner
		}
		unlockAll(shards) // it has changed just now
	}
}

// lockAll locks shards in the order of their indices, as lockBoth does, each
// once, and leaves in the slice those that it has locked.
func lockAll(shards *[]*shard) {
	slices.SortFunc(*shards, func(a, b *shard) int {
		return cmp.Compare(uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(b)))
	})
	*shards = slices.Compact(*shards)
	for _, s := range *shards {
		s.mu.Lock()
	}
}

func unlockAll(shards []*shard) {
	for _, s := range shards {
		s.mu.Unlock()
	}
}
