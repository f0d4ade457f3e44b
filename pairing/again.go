package pairing

// Reunion is what has become of a client's wish to have its last partner back.
type Reunion struct {
	// Possible: the partner is there, in its Life, and neither of them has had
	// another one since.
	Possible bool
	Partner  uint32
	Life     Life
	Number   uint32 // how many pairings the partner has had
	News     bool   // the client has not wished for it before
	Met      bool   // both have: they are paired
	Match    Match  // then
}

// Again has a client, which is idle or waits, wish its last partner back; w is
// what it wants besides. Seek, Stop and a partner end the wish. When both wish
// it they are paired, whatever they wait for, if they sit at the same table or at
// none.
func (t *Table) Again(id, now uint32, w *Wishes) (r Reunion) {
	e, s := t.entry(id), t.shardOf(id)
	if e == nil {
		return r
	}
	s.mu.Lock()
	last := e.last
	s.mu.Unlock()
	r.Partner, r.Life = last>>8, Life(last)
	other, theirs := t.entry(r.Partner), t.shardOf(r.Partner)
	if last == 0 || other == nil {
		return Reunion{}
	}
	lockBoth(s, theirs)
	mine, partner := s.seekers[id], theirs.seekers[r.Partner]
	if e.last != last || other.life != r.Life || other.last != id<<8|uint32(e.life) ||
		!e.isAlone() || !other.isAlone() || t.haveBlocked(id, r.Partner) || partner.table() != w.table() && (partner != nil || other.state == waiting) {
		unlockBoth(s, theirs)
		return Reunion{}
	}
	if mine == nil {
		mine = &seeker{id: id, wishes: w}
		s.keep(mine)
	}
	r.Possible, r.News, mine.again = true, !mine.again, true
	r.Number = other.number.Load()
	if partner == nil || !partner.again {
		unlockBoth(s, theirs)
		return r
	}
	r.Met = true
	r.Match = t.pair(s, id, e, theirs, r.Partner, other, now)
	r.Match.Arranged = true
	return r
}

// isAlone tells whether a client is there and has no partner. Its shard is locked.
func (e *entry) isAlone() bool { return e.state == idle || e.state == waiting }
