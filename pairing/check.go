package pairing

import "fmt"

// ConsistencyCheck looks at the whole table with everything locked and returns
// the first breach of an invariant that it finds, liveness included when no call
// is under way: no two compatible clients wait. For tests.
func (t *Table) ConsistencyCheck(now uint32) error {
	for i := range t.shards {
		t.shards[i].mu.Lock()
		defer t.shards[i].mu.Unlock()
	}
	var waits []uint32
	open, choosy, interested, kept := 0, 0, 0, 0
	for c := range t.chunks {
		entries := t.chunks[c].entries.Load()
		if entries == nil {
			continue
		}
		for i := range entries {
			id, e := uint32(c<<chunkBits+i), &entries[i]
			if err := t.checkEntry(id, e); err != nil {
				return err
			}
			if e.state == waiting && !t.isGuest(id) {
				waits = append(waits, id)
			}
			if e.state == held && !t.isGuest(id) {
				kept++
			}
			if e.link.Load()&openBit != 0 {
				open++
			}
			if k := t.shardOf(id).seekers[id]; k != nil {
				interested++
				if k.choosy != nil {
					choosy++
				}
			}
		}
	}
	for i := range t.shards {
		for class := range t.shards[i].open {
			open -= len(t.shards[i].open[class])
		}
		choosy -= t.shards[i].choosy.Len()
		interested -= len(t.shards[i].seekers)
	}
	if open != 0 || choosy != 0 || interested != 0 {
		return fmt.Errorf("%d more clients are open than stand in the pools, %d more choosy than stand in line, %d more have seekers than are kept",
			open, choosy, interested)
	}
	if len(waits)+kept != t.Waiting() {
		return fmt.Errorf("%d clients wait and %d are kept, Waiting() is %d", len(waits), kept, t.Waiting())
	}
	return t.checkWaiting(waits, now)
}

func (t *Table) checkEntry(id uint32, e *entry) error {
	link, s := e.link.Load(), t.shardOf(id)
	k := s.seekers[id]
	switch e.state {
	case absent, idle:
		if link != 0 || k != nil && (e.state == absent || !k.again || len(k.postings) > 0) {
			return fmt.Errorf("client %d is in state %d, linked to %#x, with wishes %+v", id, e.state, link, k)
		}
	case waiting:
		if k != nil && (k.choosy != nil) != (k.needs != 0) {
			return fmt.Errorf("client %d insists on %b, and stands in line: %v", id, k.needs, k.choosy != nil)
		}
		if link == 0 && k != nil && (k.needs != 0 || k.table() != "") {
			break
		}
		place := link &^ openBit
		if link&openBit == 0 || int(place) >= len(s.open[e.manner.stands()]) || s.open[e.manner.stands()][place] != id {
			return fmt.Errorf("client %d waits, but not at its place %#x", id, link)
		}
	case held:
		if link == 0 && !t.isGuest(id) && k != nil {
			return nil // about to wait again
		}
		other := t.entry(link&^heldBit - 1)
		if link&heldBit == 0 || k == nil || len(k.postings) > 0 || other == nil || other.state != held || other.link.Load() != heldBit|(id+1) {
			return fmt.Errorf("client %d is held, linked to %#x, with wishes %+v", id, link, k)
		}
	case paired:
		if link == 0 || link&openBit != 0 || link-1 == id {
			return fmt.Errorf("client %d is paired with %#x", id, link)
		}
		other := t.entry(link - 1)
		if other == nil || other.state != paired || other.link.Load() != id+1 {
			return fmt.Errorf("client %d is paired with %d, which does not point back", id, link-1) // I5
		}
	}
	return nil
}

// checkWaiting looks for two who should have been paired. Whoever has an
// appointment that Relax has not kept yet is as it was before.
func (t *Table) checkWaiting(waits []uint32, now uint32) error {
	const late = 2 << slotBits
	appointed := t.appointed()
	for i, a := range waits {
		ea, ka := t.entry(a), t.shardOf(a).seekers[a]
		insists := ka != nil && ka.needs != 0
		if (insists || ea.last != 0 && ea.waited(now) < t.patience) && !appointed[appointment{a, ea.since}] {
			return fmt.Errorf("client %d waits for its time, and has no appointment", a)
		}
		if ea.manner.stands() == Slow && ea.waited(now-late) >= t.slowPatience {
			return fmt.Errorf("client %d is still slow", a)
		}
		if ka != nil && ka.class != ea.manner.stands() && ka.table() == "" && len(ka.postings) > 0 {
			return fmt.Errorf("client %d waits in class %d, and looks in class %d", a, ea.manner.stands(), ka.class)
		}
		if insists && ea.age(now-late) >= t.patienceOf(ka.needs) {
			return fmt.Errorf("client %d still insists on %b", a, ka.needs)
		}
		for _, b := range waits[i+1:] {
			eb := t.entry(b)
			if fit(ka, t.shardOf(b).seekers[b]) && !t.avoids(a, ea, b, eb, now-late) && !t.mayHaveAvoided(a, ea, b, eb, now-late) {
				return fmt.Errorf("clients %d and %d wait side by side", a, b)
			}
		}
	}
	return nil
}

// mayHaveAvoided tells whether two do not avoid each other only because another client
// of one of them has met somebody meanwhile: they are looked at when their time is
// over, as if it had not.
func (t *Table) mayHaveAvoided(a uint32, ea *entry, b uint32, eb *entry, now uint32) bool {
	pa, pb := t.whoIs(a), t.whoIs(b)
	if pa == nil || pb == nil || min(ea.waited(now), eb.waited(now)) >= t.patience {
		return false
	}
	t.people.mu.Lock()
	defer t.people.mu.Unlock()
	return pa.clients > 1 || pb.clients > 1
}

// appointed are the appointments that Relax will keep.
func (t *Table) appointed() map[appointment]bool {
	appointed := make(map[appointment]bool)
	for i := range t.shards {
		for _, slot := range t.shards[i].due.slots {
			for _, a := range slot {
				appointed[a] = true
			}
		}
	}
	return appointed
}
