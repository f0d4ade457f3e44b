package pairing

import (
	"container/list"
	"hash/maphash"
	"slices"
	"sync"
)

// seeker is the part of a client that has interests: while it waits those it
// named, while it is paired those it has in common with its partner. Guarded by
// the client's shard, wishes by the topics' stripes.
type seeker struct {
	id        uint32
	interests []string
	wishes    []wish
	choosy    *list.Element // its place among the shard's choosy; nil: it is none
}

// wish is one seeker's place under one interest.
type wish struct {
	seeker *seeker
	place  int // under the interest
}

// topicStripes is how many locks the interests share.
const topicStripes = 64

type topics struct {
	mu sync.Mutex
	// Guarded by mu, and so are the wishes' places.
	wishers  map[string][]*wish
	removals uint64
}

func (t *Table) topicsOf(interest string) *topics {
	return &t.topics[maphash.String(t.seed, interest)%topicStripes]
}

// keep remembers a client's interests in its shard, which is locked.
func (s *shard) keep(k *seeker) {
	if s.seekers == nil {
		s.seekers = make(map[uint32]*seeker)
	}
	s.seekers[k.id] = k
}

// insist puts a waiting client that takes nobody but those who share an interest
// behind the others of that kind in its shard, which is locked.
func (s *shard) insist(id uint32) {
	k := s.seekers[id]
	k.choosy = s.choosy.PushBack(k)
}

// openUp ends that.
func (s *shard) openUp(k *seeker) {
	if k.choosy != nil {
		s.choosy.Remove(k.choosy)
		k.choosy = nil
	}
}

// drop forgets them.
func (s *shard) drop(id uint32) *seeker {
	k := s.seekers[id]
	if k != nil {
		s.openUp(k)
		delete(s.seekers, id)
		if len(s.seekers) == 0 {
			s.seekers = nil // a map never shrinks
		}
	}
	return k
}

// post puts a seeker, whose client does not wait yet, under each of its
// interests. No other lock is held.
func (t *Table) post(k *seeker) {
	k.wishes = make([]wish, len(k.interests))
	for i, interest := range k.interests {
		w := &k.wishes[i]
		w.seeker = k
		stripe := t.topicsOf(interest)
		stripe.mu.Lock()
		if stripe.wishers == nil {
			stripe.wishers = make(map[string][]*wish)
		}
		list := stripe.wishers[interest]
		w.place = len(list)
		stripe.wishers[interest] = append(list, w)
		stripe.mu.Unlock()
	}
}

// forget takes a seeker, whose client waits no more, from under its interests.
// No other lock is held. k may be nil.
func (t *Table) forget(k *seeker) {
	if k == nil {
		return
	}
	for i, interest := range k.interests {
		if i >= len(k.wishes) { // of one that was paired there are none
			return
		}
		stripe := t.topicsOf(interest)
		stripe.mu.Lock()
		list := stripe.wishers[interest]
		place, last := k.wishes[i].place, len(list)-1
		list[place] = list[last]
		list[place].place = place
		list[last] = nil
		switch list = list[:last]; {
		case last == 0:
			delete(stripe.wishers, interest)
			if len(stripe.wishers) == 0 {
				stripe.wishers = nil
			}
		case cap(list) > 1024 && last < cap(list)/4:
			stripe.wishers[interest] = append(make([]*wish, 0, cap(list)/2), list...)
		default:
			stripe.wishers[interest] = list
		}
		stripe.removals++
		stripe.mu.Unlock()
	}
}

// matchTopics pairs id with a random waiting client that shares an interest.
func (t *Table) matchTopics(id, now uint32) (Match, verdict) {
	s := t.shardOf(id)
	s.mu.Lock()
	k := s.seekers[id]
	s.mu.Unlock()
	if k == nil || len(k.wishes) == 0 {
		return Match{}, nobodyHere
	}
	first := int(t.rand(uint32(len(k.interests))))
	for i := range k.interests {
		interest := k.interests[(first+i)%len(k.interests)]
		if m, verdict := t.matchTopic(k, interest, now); verdict != nobodyHere {
			return m, verdict
		}
	}
	return Match{}, nobodyHere
}

// matchTopic looks through those under one interest, from a random place on. A
// removal may move one that was not looked at yet to where the look has been; so
// only a look without any counts as a whole one. (Each removal is somebody
// else's match, so that all of them together get on.)
func (t *Table) matchTopic(k *seeker, interest string, now uint32) (Match, verdict) {
	stripe := t.topicsOf(interest)
	for {
		stripe.mu.Lock()
		n, removals := len(stripe.wishers[interest]), stripe.removals
		stripe.mu.Unlock()
		if n == 0 {
			return Match{}, nobodyHere
		}
		first := int(t.rand(uint32(n)))
		for i := range n {
			stripe.mu.Lock()
			list := stripe.wishers[interest]
			var candidate *seeker
			if place := (first + i) % n; place < len(list) {
				candidate = list[place].seeker
			}
			stripe.mu.Unlock()
			if candidate == nil || candidate == k {
				continue
			}
			if m, verdict := t.matchWith(k, candidate, now); verdict != nobodyHere {
				return m, verdict
			}
		}
		stripe.mu.Lock()
		whole := stripe.removals == removals
		stripe.mu.Unlock()
		if whole {
			return Match{}, nobodyHere
		}
	}
}

// matchWith pairs two seekers if both still wait and neither avoids the other.
func (t *Table) matchWith(a, b *seeker, now uint32) (Match, verdict) {
	sa, sb := t.shardOf(a.id), t.shardOf(b.id)
	lockBoth(sa, sb)
	ea, eb := t.entry(a.id), t.entry(b.id)
	switch {
	case sa.seekers[a.id] != a || ea.state != waiting:
		unlockBoth(sa, sb)
		return Match{}, notLooking
	case sb.seekers[b.id] != b || eb.state != waiting || t.avoids(a.id, ea, b.id, eb, now):
		unlockBoth(sa, sb)
		return Match{}, nobodyHere
	}
	return t.pair(sa, a.id, ea, sb, b.id, eb, now), matched
}

// shared returns the interests that two seekers have in common, in the order of
// the first's. Either may be nil.
func shared(a, b *seeker) (common []string) {
	if a == nil || b == nil {
		return nil
	}
	for _, interest := range a.interests {
		if slices.Contains(b.interests, interest) {
			common = append(common, interest)
		}
	}
	return common
}

// Common returns the interests that a paired client shares with its partner. The
// slice is the table's: read it only.
func (t *Table) Common(id uint32) []string {
	s := t.shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.seekers[id]; k != nil && len(k.wishes) == 0 {
		return k.interests
	}
	return nil
}
