package main

import "slices"

// tickNode lets a node beat, and offer those who have waited to others.
func (w *world) tickNode(index int) {
	n := &w.nodes[index]
	// Those at the front have waited longest; many have found somebody.
	n.old = slices.DeleteFunc(n.old, func(i int32) bool {
		p := &w.people[i]
		return p.state == chatting || int(p.node) != index
	})
	var now beat
	var due []int32
	for _, i := range n.old {
		p := &w.people[i]
		if w.now-p.since < offerAfter {
			break
		}
		if p.state != waiting || len(due) == maxOffers {
			continue
		}
		due = append(due, i)
		now.open = now.open || !p.choosy
		for _, like := range p.likes {
			if like != 0 && len(now.tags) < maxTags && !slices.Contains(now.tags, like) {
				now.tags = append(now.tags, like)
			}
		}
	}
	changed := now.open != n.said.open || !slices.Equal(now.tags, n.said.tags)
	if since := w.now - n.beatAt; since >= beatEvery || changed && since >= beatSoon {
		n.before, n.said, n.beatAt = n.said, now, w.now
		w.count(1)
	}
	for _, i := range due {
		p := &w.people[i]
		if w.now-p.offered < tryAgain/4 || n.pending >= maxOffers {
			continue
		}
		if to := w.choose(index, p); to >= 0 {
			p.offered = w.now
			n.pending++
			w.count(1)
			w.at(w.latency, event{kind: offerArrives, a: i, b: int32(to)})
		}
	}
}

// choose returns a node whose beat, as far as it has arrived, fits p; -1 if none.
func (w *world) choose(self int, p *person) int {
	fits := func(n *node) bool {
		b := &n.said
		if w.now-n.beatAt < w.latency {
			b = &n.before
		}
		if !p.choosy && b.open {
			return true
		}
		return slices.ContainsFunc(b.tags, func(tag uint16) bool { return slices.Contains(p.likes[:], tag) })
	}
	found, seen := -1, 0
	for i := range w.nodes {
		if i != self && fits(&w.nodes[i]) {
			if seen++; w.random.IntN(seen) == 0 {
				found = i
			}
		}
	}
	return found
}

// meshEvent is a step of an offer: whether it is of use depends on what has
// happened meanwhile to the two.
func (w *world) meshEvent(e event, p *person) {
	home := &w.nodes[p.node]
	switch e.kind {
	case offerArrives:
		w.count(1) // accept or decline
		other := int32(-1)
		if p.since == e.made {
			other = w.find(uint16(e.b), p, e.a)
		}
		// Of two that offer to each other the lower node leads.
		if other >= 0 && e.b < int32(p.node) && w.now-w.people[other].offered < w.latency {
			other = -1
		}
		if other >= 0 {
			w.withdraw(other)
			w.people[other].state = reserved
		}
		w.at(w.latency, event{kind: answerArrives, a: e.a, b: other})
	case answerArrives:
		home.pending--
		if e.b < 0 {
			return
		}
		w.count(2) // commit or abort, confirm
		if p.state != waiting || p.since != e.made {
			w.at(w.latency, event{kind: bothKnow, a: e.b, b: -1})
			return
		}
		w.withdraw(e.a)
		p.state = reserved
		w.at(2*w.latency, event{kind: bothKnow, a: e.a, b: e.b})
	case bothKnow:
		if e.b >= 0 {
			w.pair(e.a, e.b, 0)
			return
		}
		w.lookAgain(e.a) // with the age of their place
	}
}
