package safety

import (
	"slices"
	"sync/atomic"
	"time"
)

// people is what is decided about people, and about reports. Guarded by the lock of the
// Bans.
type people struct {
	banned, shadowed map[Person]*decision // the latest about each
	reports          map[string]*decision // the latest about each, for as long as it may be there

	// Atomic.
	banning, shadowing atomic.Int64
}

// of are those that a decision of a kind is kept in; nil: none.
func (p *people) of(do string) *map[Person]*decision {
	switch do {
	case doBan:
		return &p.banned
	case doShadow:
		return &p.shadowed
	}
	return nil
}

func (p *people) all() []*map[Person]*decision {
	return []*map[Person]*decision{&p.banned, &p.shadowed}
}

func (p *people) enter(d *decision) {
	if in := p.of(d.Do); in != nil && len(d.People) > 0 {
		if *in == nil {
			*in = make(map[Person]*decision)
		}
		for _, who := range d.People {
			(*in)[who] = d
		}
	}
	if d.Do == doLift {
		for _, who := range d.People {
			for _, in := range p.all() {
				delete(*in, who)
			}
		}
	}
	if d.Report != "" && d.Do != doUndo {
		if p.reports == nil {
			p.reports = make(map[string]*decision)
		}
		p.reports[d.Report] = d
	}
	p.count()
}

// forget forgets a decision that has ended; what was decided later stays.
func (p *people) forget(d *decision) {
	if in := p.of(d.Do); in != nil {
		for _, who := range d.People {
			if (*in)[who] == d {
				delete(*in, who)
			}
		}
	}
	p.count()
}

func (p *people) count() {
	for i, n := range []*atomic.Int64{&p.banning, &p.shadowing} {
		in := p.all()[i]
		if n.Store(int64(len(*in))); len(*in) == 0 {
			*in = nil // a map never shrinks
		}
	}
}

// decisions are those that would put in force again what is decided about people.
func (p *people) decisions(now time.Time) (all []*decision) {
	of := make(map[*decision]*decision)
	for _, in := range p.all() {
		for who, d := range *in {
			if !d.inForce(now) {
				continue
			}
			rest := of[d]
			if rest == nil {
				copied := *d
				rest = &copied
				rest.Who, rest.People = nil, nil
				of[d] = rest
				all = append(all, rest)
			}
			rest.People = append(rest.People, who)
		}
	}
	return all
}

// undo takes back what was decided about a report. b is locked.
func (b *Bans) undo(report string) {
	d := b.people.reports[report]
	if d == nil {
		return
	}
	delete(b.people.reports, report)
	b.people.forget(d)
}

// Verdict is what a moderator decides about a report, or an operator about people.
type Verdict struct {
	Report string // may be empty
	Do     string // absolve, false, ban, shadow; undo: what was decided about Report; lift: all about People
	People []Person
	Lasts  time.Duration // of ban and shadow
	Reason string
	By     string
}

// Decide puts a verdict in force; it is on the disk when it returns. After an error
// nothing is decided.
func (b *Bans) Decide(v Verdict, now time.Time) error {
	d := decision{At: now.UTC().Round(0), By: v.By, Do: v.Do, Report: v.Report, Reason: v.Reason, People: v.People}
	switch v.Do {
	case doBan, doShadow:
		d.Until = d.At.Add(v.Lasts)
	case doAbsolve, doUndo, doFalse:
		if v.Do != doFalse {
			d.People = nil
		}
		if v.Report == "" {
			return ErrNobody
		}
	case doLift:
		d.Report = "" // whatever it was about
	default:
		return ErrNobody
	}
	switch {
	case len(d.People) == 0 && v.Do != doAbsolve && v.Do != doUndo:
		return ErrNobody
	case len(d.People) > MaxPeople:
		return ErrTooMany
	case (v.Do == doBan || v.Do == doShadow) && slices.ContainsFunc(d.People, Person.Shared):
		return ErrShared
	}
	if err := d.check(); err != nil {
		return err
	}
	all := []*decision{&d}
	if len(d.People) > perDecision {
		all = nil
		for chunk := range slices.Chunk(d.People, perDecision) {
			part := d
			part.People = slices.Clone(chunk)
			all = append(all, &part)
		}
	} else {
		d.People = slices.Clone(d.People)
	}
	return b.record(all, d.Do, len(d.People))
}

// PersonBan is a person about whom something is decided.
type PersonBan struct {
	Person Person    `json:"person"`
	Do     string    `json:"do"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Report string    `json:"report,omitempty"`
}

// FindPerson is the ban of a person. False: they may come in.
func (b *Bans) FindPerson(p Person, now time.Time) (until time.Time, banned bool) {
	return b.find(&b.people.banning, &b.people.banned, p, now)
}

// Shadowed is until when a person is to meet only others who are so.
func (b *Bans) Shadowed(p Person, now time.Time) (until time.Time, is bool) {
	return b.find(&b.people.shadowing, &b.people.shadowed, p, now)
}

func (b *Bans) find(n *atomic.Int64, in *map[Person]*decision, p Person, now time.Time) (time.Time, bool) {
	if n.Load() == 0 || !p.Known() {
		return time.Time{}, false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if d := (*in)[p]; d != nil && d.inForce(now) {
		return d.Until, true
	}
	return time.Time{}, false
}

// People are those about whom something is decided and goes on.
func (b *Bans) People(now time.Time) (all []PersonBan) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, in := range b.people.all() {
		for p, d := range *in {
			if d.inForce(now) {
				all = append(all, PersonBan{p, d.Do, d.Until, d.Reason, d.By, d.At, d.Report})
			}
		}
	}
	slices.SortFunc(all, func(x, y PersonBan) int { return slices.Compare(x.Person[:], y.Person[:]) })
	return all
}

// PeopleBanned and PeopleShadowed are how many.
func (b *Bans) PeopleBanned() int   { return int(b.people.banning.Load()) }
func (b *Bans) PeopleShadowed() int { return int(b.people.shadowing.Load()) }

// Decided is what was decided about a report, as its word; empty: nothing yet.
func (b *Bans) Decided(report string) string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if d := b.people.reports[report]; d != nil {
		return d.Do
	}
	return ""
}

// ForgetReports forgets what was decided about reports that are gone.
func (b *Bans) ForgetReports(has func(id string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.people.reports {
		if !has(id) {
			delete(b.people.reports, id)
		}
	}
}
