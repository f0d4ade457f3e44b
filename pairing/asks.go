package pairing

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
