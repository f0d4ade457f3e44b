package pairing

import (
	"container/list"
	"hash/maphash"
	"math/bits"
	"sync"
)

// seeker is the part of a client that has wishes: while it waits those it named,
// while it is paired what it has in common with its partner. One that is idle has
// a seeker only if it wants its last partner back. Guarded by the client's shard;
// postings by the topics' stripes, which ones there are never changes.
type seeker struct {
	id       uint32
	needs    needs
	class    Class // in which its client waits
	again    bool  // it wants its last partner back
	wishes   *Wishes
	postings []posting
	choosy   *list.Element // its place among the shard's choosy; nil: it is none
}

// topic is what a seeker takes anyone for who stands there too: an interest, a
// language, an interest in a language, or a table. It is a hash of that. Two
// that collide do no harm: fit looks at the wishes themselves.
type topic uint64

// posting is one seeker's place under one topic.
type posting struct {
	seeker *seeker
	topic  topic
	place  int // under the topic
}

// topicStripes is how many locks the topics share.
const topicStripes = 64

type topics struct {
	mu sync.Mutex
	// Guarded by mu, and so are the postings' places.
	seekers  map[topic][]*posting
	removals uint64
}

func (t *Table) stripe(topic topic) *topics { return &t.topics[topic%topicStripes] }

// newSeeker makes a seeker for a client that waits in a class and insists on n, and posts it under all
// topics at which it takes anyone. The topics stand in the order in which it
// looks at them: whoever shares more comes first. No other lock is held.
func (t *Table) newSeeker(id uint32, class Class, w *Wishes, n needs) *seeker {
	k := &seeker{id: id, class: class, wishes: w, needs: n}
	if w.Table != "" {
		k.postings = t.shuffled(k, k.postings, topic(t.hash('t', Ordinary, w.Table)))
	} else {
		k.postings = t.wanted(k)
	}
	for i := range k.postings {
		t.post(&k.postings[i])
	}
	return k
}

// wanted are the places of a seeker that sits at no table. Those who insist on
// something stand only where everybody has it, so that nobody looks at many in
// vain: all who stand under a topic take each other.
func (t *Table) wanted(k *seeker) []posting {
	var ( // on the stack, unless there are more
		interestHashes, languageHashes [16]uint64
		topics                         [64]topic
	)
	interests := t.hashes(interestHashes[:0], 'i', k.class, k.wishes.Interests)
	languages := t.hashes(languageHashes[:0], 'l', k.class, k.wishes.Languages)
	all := make([]posting, 0, t.places(k, len(interests), len(languages)))
	group := topics[:0]
	for _, i := range interests {
		for _, l := range languages {
			group = append(group, topic(i^bits.RotateLeft64(l, 32)))
		}
	}
	all = t.shuffled(k, all, group...)
	if k.needs&needInterest == 0 {
		group = group[:0]
		for _, l := range languages {
			group = append(group, topic(l))
		}
		all = t.shuffled(k, all, group...)
	}
	if k.needs&needLanguage == 0 {
		group = group[:0]
		for _, i := range interests {
			group = append(group, topic(i))
		}
		all = t.shuffled(k, all, group...)
	}
	return all
}

// places is how many places a seeker has.
func (t *Table) places(k *seeker, interests, languages int) int {
	n := interests * languages
	if k.needs&needInterest == 0 {
		n += languages
	}
	if k.needs&needLanguage == 0 {
		n += interests
	}
	return n
}

// shuffled appends places under topics, beginning with a random one.
func (t *Table) shuffled(k *seeker, to []posting, topics ...topic) []posting {
	if len(topics) == 0 {
		return to
	}
	first := int(t.rand(uint32(len(topics))))
	for i := range topics {
		to = append(to, posting{seeker: k, topic: topics[(first+i)%len(topics)]})
	}
	return to
}

func (t *Table) hashes(to []uint64, kind byte, class Class, texts []string) []uint64 {
	for _, text := range texts {
		to = append(to, t.hash(kind, class, text))
	}
	return to
}

func (t *Table) hash(kind byte, class Class, text string) uint64 {
	return maphash.String(t.seed, text) ^ uint64(class)<<8 ^ uint64(kind)
}

func (t *Table) post(p *posting) {
	stripe := t.stripe(p.topic)
	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	if stripe.seekers == nil {
		stripe.seekers = make(map[topic][]*posting)
	}
	list := stripe.seekers[p.topic]
	p.place = len(list)
	stripe.seekers[p.topic] = append(list, p)
}

// forget takes a seeker, whose client waits no more or with another one, from
// under its topics. No other lock is held. k may be nil.
func (t *Table) forget(k *seeker) {
	if k == nil {
		return
	}
	for i := range k.postings {
		p := &k.postings[i]
		stripe := t.stripe(p.topic)
		stripe.mu.Lock()
		list := stripe.seekers[p.topic]
		last := len(list) - 1
		list[p.place] = list[last]
		list[p.place].place = p.place
		list[last] = nil
		switch list = list[:last]; {
		case last == 0:
			delete(stripe.seekers, p.topic)
			if len(stripe.seekers) == 0 {
				stripe.seekers = nil // a map never shrinks
			}
		case cap(list) > 1024 && last < cap(list)/4:
			stripe.seekers[p.topic] = append(make([]*posting, 0, cap(list)/2), list...)
		default:
			stripe.seekers[p.topic] = list
		}
		stripe.removals++
		stripe.mu.Unlock()
	}
}

// matchTopics pairs id with a random waiting client that shares as much as there
// is to share.
func (t *Table) matchTopics(id, now uint32) (Match, verdict) {
	s := t.shardOf(id)
	s.mu.Lock()
	k := s.seekers[id]
	s.mu.Unlock()
	if k == nil {
		return Match{}, nobodyHere
	}
	for i := range k.postings {
		if m, verdict := t.matchTopic(k, k.postings[i].topic, now); verdict != nobodyHere {
			return m, verdict
		}
	}
	return Match{}, nobodyHere
}

// matchTopic looks through those under one topic, from a random place on. A
// removal may move one that was not looked at yet to where the look has been; so
// only a look without any counts as a whole one. (Each removal is somebody
// else's match, so that all of them together get on.)
func (t *Table) matchTopic(k *seeker, topic topic, now uint32) (Match, verdict) {
	stripe := t.stripe(topic)
	for {
		stripe.mu.Lock()
		n, removals := len(stripe.seekers[topic]), stripe.removals
		stripe.mu.Unlock()
		if n == 0 {
			return Match{}, nobodyHere
		}
		first := int(t.rand(uint32(n)))
		for i := range n {
			stripe.mu.Lock()
			list := stripe.seekers[topic]
			var candidate *seeker
			if place := (first + i) % n; place < len(list) {
				candidate = list[place].seeker
			}
			stripe.mu.Unlock()
			if candidate == nil || candidate.id == k.id {
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
	case sb.seekers[b.id] != b || eb.state != waiting || !fit(a, b) || t.avoids(a.id, ea, b.id, eb, now):
		unlockBoth(sa, sb)
		return Match{}, nobodyHere
	}
	return t.pair(sa, a.id, ea, sb, b.id, eb, now), matched
}

// keep remembers a seeker in its client's shard, which is locked.
func (s *shard) keep(k *seeker) {
	if s.seekers == nil {
		s.seekers = make(map[uint32]*seeker)
	}
	s.seekers[k.id] = k
}

// insist puts a waiting client that insists on something behind the others of
// that kind in its shard, which is locked.
func (s *shard) insist(k *seeker) { k.choosy = s.choosy.PushBack(k) }

// openUp ends that.
func (s *shard) openUp(k *seeker) {
	if k.choosy != nil {
		s.choosy.Remove(k.choosy)
		k.choosy = nil
	}
}

// drop forgets a client's seeker.
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
