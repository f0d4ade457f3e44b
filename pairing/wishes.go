package pairing

import "slices"

// Wishes are what a client wants of a partner. Nil stands for none. They are
// compared as they are, and the table keeps them: do not change them any more.
type Wishes struct {
	Interests []string
	Languages []string
	// Table, if not empty, is the only one at which the client meets anybody;
	// then the others only say what it shares with whom it meets.
	Table string
}

// any tells whether there are any.
func (w *Wishes) any() bool {
	return w != nil && (len(w.Interests) > 0 || len(w.Languages) > 0 || w.Table != "")
}

func (w *Wishes) table() string {
	if w == nil {
		return ""
	}
	return w.Table
}

// needs are what a client insists on for the time being.
type needs uint8

const (
	needInterest needs = 1 << iota
	needLanguage
)

// needsAt is what a client insists on whose place has this age.
func (t *Table) needsAt(w *Wishes, age uint32) (n needs) {
	if w == nil || w.Table != "" {
		return 0
	}
	if len(w.Interests) > 0 && age < t.patience {
		n |= needInterest
	}
	if len(w.Languages) > 0 && age < t.languagePatience {
		n |= needLanguage
	}
	return n
}

// patienceOf is the age at which a client that insists on n insists on less.
func (t *Table) patienceOf(n needs) uint32 {
	if n&needInterest != 0 {
		return t.patience
	}
	return t.languagePatience
}

// table is where a seeker sits, which may be nil.
func (k *seeker) table() string {
	if k == nil {
		return ""
	}
	return k.wishes.table()
}

// fit tells whether two may meet. Either seeker may be nil.
func fit(a, b *seeker) bool {
	if a.table() != b.table() {
		return false
	}
	var n needs
	for _, k := range []*seeker{a, b} {
		if k != nil {
			n |= k.needs
		}
	}
	switch {
	case n == 0:
		return true
	case a == nil || b == nil || a.wishes == nil || b.wishes == nil: // one of them wants only its last partner
		return false
	}
	return (n&needInterest == 0 || overlap(a.wishes.Interests, b.wishes.Interests)) &&
		(n&needLanguage == 0 || overlap(a.wishes.Languages, b.wishes.Languages))
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// common are the wishes that two seekers share, in the order of the first's; its
// languages are nil only if it has named none, so nil altogether if there is
// nothing to tell it. Either may be nil.
func common(a, b *seeker) *Wishes {
	if a == nil || a.wishes == nil {
		return nil
	}
	of := &Wishes{}
	if b != nil && b.wishes != nil {
		of = b.wishes
	}
	c := Wishes{Interests: both(a.wishes.Interests, of.Interests), Languages: both(a.wishes.Languages, of.Languages)}
	if len(a.wishes.Languages) > 0 && c.Languages == nil {
		c.Languages = []string{}
	}
	if c.Interests == nil && c.Languages == nil {
		return nil
	}
	return &c
}

func both(a, b []string) (common []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			common = append(common, s)
		}
	}
	return common
}

// Common returns what a paired client has in common with its partner; languages
// are nil if it has named none. It is told once: the table forgets it.
func (t *Table) Common(id uint32) (interests, languages []string) {
	s := t.shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := t.entry(id)
	if k := s.seekers[id]; k != nil && e.state == paired {
		s.drop(id)
		return k.wishes.Interests, k.wishes.Languages
	}
	return nil, nil
}

// Reunited tells whether a paired client's partner is the one it had before.
func (t *Table) Reunited(id uint32) bool {
	e, s := t.entry(id), t.shardOf(id)
	if e == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.state != paired || e.last == 0 {
		return false
	}
	partner := e.link.Load() - 1
	other := t.entry(partner) // is there while the shard is locked: it leaves under both locks
	return e.last == partner<<8|uint32(other.life)
}

// Patience is in how many milliseconds a client that waits takes anybody.
func (t *Table) Patience(id, now uint32) (milliseconds uint32) {
	e, s := t.entry(id), t.shardOf(id)
	if e == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.seekers[id]
	if e.state != waiting || k == nil {
		return 0
	}
	until := uint32(0)
	for n := k.needs; n != 0; n = t.needsAt(k.wishes, until) {
		until = t.patienceOf(n)
	}
	return elapsed(min(e.age(now), until), until)
}
