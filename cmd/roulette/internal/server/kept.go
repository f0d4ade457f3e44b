package server

import (
	"hash/maphash"

	"roulette/cmd/roulette/internal/resume"
	"roulette/pairing"
)

// kept is a pair that has had a break, from its first one to its own end. Guarded
// by the lock of its breaks. Who is away costs memory while nobody is served for it,
// so it is packed: what is said of a side comes by [breaks.sideOf].
type kept struct {
	id       resume.ID
	exchange resume.Exchange
	places   [2]seat   // of the two, now
	holders  [2]uint64 // of their tokens; 0: not known here, whoever has a genuine one
	more     *more     // nil: nothing
	next     *kept     // in its bucket of keptPairs
}

// more is what is kept of few pairs only.
type more struct {
	wishes [2]*pairing.Wishes // theirs, as they were when last seen
	abroad
}

// abroad is what is kept of a pair of which one may be on another node, for reading.
func (k *kept) abroad() abroad {
	if k.more == nil {
		return abroad{}
	}
	return k.more.abroad
}

// moreOf is what is kept of few pairs, for writing.
func (k *kept) moreOf() *more {
	if k.more == nil {
		k.more = new(more)
	}
	return k.more
}

// clone is a pair with the same in it, in no table.
func (k *kept) clone() *kept {
	c := *k
	c.next = nil
	if k.more != nil {
		m := *k.more
		c.more = &m
	}
	return &c
}

// over tells whether the pair is.
func (k *kept) over() bool { return k.exchange.Over() }

// keptSide is what is kept of one of the two.
type keptSide struct {
	place  seat
	holder uint64
	wishes *pairing.Wishes
	away   *absence // nil: they are here, or on another node
}

// put notes what is known of a side, whose absence, if there is one, stands in its place.
func (k *kept) put(side int, s keptSide) {
	k.places[side], k.holders[side] = s.place, s.holder
	if s.wishes != nil || k.more != nil {
		k.moreOf().wishes[side] = s.wishes
	}
}

// wishes are those of a side, as they were when last seen; nil: none.
func (k *kept) wishes(side int) *pairing.Wishes {
	if k.more == nil {
		return nil
	}
	return k.more.wishes[side]
}

// sideAt is whose place that is; -1: neither's.
func (k *kept) sideAt(place seat) int {
	for side, at := range k.places {
		if at == place {
			return side
		}
	}
	return -1
}

// sideOf is what is kept of a side. The lock is held.
func (r *breaks) sideOf(k *kept, side int) keptSide {
	return keptSide{place: k.places[side], holder: k.holders[side], wishes: k.wishes(side), away: r.awayOf(k, side)}
}

// awayOf is the one of a side, if they are away: whoever stands in for them. The lock is
// held.
func (r *breaks) awayOf(k *kept, side int) *absence {
	a := r.server.standIns.of(k.places[side])
	if a == nil || a.pair != k || a.manner == cameHome {
		return nil
	}
	return a
}

// keptPairs are kept pairs by their names: buckets of lists that go through the pairs
// themselves, as a map of them would take half as much again as what it is for. The zero
// value is empty.
type keptPairs struct {
	buckets []*kept // a power of two
	n       int
	seed    maphash.Seed
}

// pairsABucket is how many pairs there are to a bucket at most, on average, and
// fewestBuckets how many buckets at least.
const (
	pairsABucket  = 2
	fewestBuckets = 16
)

func (p *keptPairs) bucket(id resume.ID) **kept {
	return &p.buckets[maphash.Comparable(p.seed, id)&uint64(len(p.buckets)-1)]
}

// of is the pair of a name, nil if there is none.
func (p *keptPairs) of(id resume.ID) *kept {
	if p.n == 0 {
		return nil
	}
	for k := *p.bucket(id); k != nil; k = k.next {
		if k.id == id {
			return k
		}
	}
	return nil
}

// add has k be among them, if it is not.
func (p *keptPairs) add(k *kept) {
	if p.of(k.id) == k {
		return
	}
	if p.n >= pairsABucket*len(p.buckets) {
		p.grow()
	}
	p.n++
	at := p.bucket(k.id)
	k.next, *at = *at, k
}

// grow doubles the buckets.
func (p *keptPairs) grow() {
	if p.buckets == nil {
		p.seed = maphash.MakeSeed()
	}
	last := p.buckets
	p.buckets = make([]*kept, max(2*len(last), fewestBuckets))
	for _, k := range last {
		for k != nil {
			next, at := k.next, p.bucket(k.id)
			k.next, *at = *at, k
			k = next
		}
	}
}

// remove takes k out, which is among them.
func (p *keptPairs) remove(k *kept) {
	for at := p.bucket(k.id); *at != nil; at = &(*at).next {
		if *at == k {
			*at, k.next = k.next, nil
			p.n--
			return
		}
	}
}

// all goes through them, in no order; the one that it is at may be removed.
func (p *keptPairs) all(yield func(*kept) bool) {
	for _, k := range p.buckets {
		for k != nil {
			next := k.next
			if !yield(k) {
				return
			}
			k = next
		}
	}
}
