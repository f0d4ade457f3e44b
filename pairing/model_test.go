package pairing

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// model is the matching rules in so simple a form that they are right. It plays
// a script on a table and looks at everything the table does.
type model struct {
	t     *testing.T
	table *Table
	now   uint32
	in    map[uint32]*person
	at    map[byte]uint32 // of those that Move has renamed: the number they have now
	known []human         // who may sit in the clients' places; none: nobody is known

	classes bool // some clients are not Ordinary
}

// person is a client; the next with its number is another one.
type person struct {
	id         uint32
	auto       bool
	class      Class
	stands     Class // in which it began to wait
	waits      bool
	wishes     Wishes
	again      bool   // it wants its last partner back
	since      uint32 // when the wait began
	earned     uint32 // how long it has waited before, at most
	partner    *person
	number     uint32
	last       *person
	lastNumber uint32 // the number of last, who may be gone
	who        *human // nil: it is not known
}

const (
	patience         = 5000
	languagePatience = 7500
)

func newModel(t *testing.T, now uint32, random func(uint32) uint32) *model {
	return &model{t: t, table: New(Config{
		IDs: 4096, Shards: 8, Rand: random, LanguagePatience: languagePatience * time.Millisecond,
	}), now: now, in: map[uint32]*person{}, at: map[byte]uint32{}}
}

var allInterests, allLanguages = []string{"go", "music", "chess", "tea"}, []string{"de", "en"}

// wishesOf reads a byte: a bit for each interest and language, and a table if the
// two highest are set.
func wishesOf(b byte) (w Wishes) {
	for i, interest := range allInterests {
		if b>>i&1 != 0 {
			w.Interests = append(w.Interests, interest)
		}
	}
	for i, language := range allLanguages {
		if b>>4>>i&1 != 0 {
			w.Languages = append(w.Languages, language)
		}
	}
	if b>>6 == 3 {
		w.Table = []string{"A", "B"}[b&1]
	}
	return w
}

// play takes three bytes for a step: what and how much later, who, and with which
// wishes.
func (m *model) play(script []byte) {
	for step := range slices.Chunk(script, 3) {
		if len(step) == 3 {
			m.step(step[0], step[1], step[2])
		}
	}
	for id, p := range m.in {
		m.goes(p)
		m.table.Leave(id, m.now)
	}
	empty(m.t, m.table)
}

func (m *model) step(what, who, with byte) {
	m.now += uint32(what>>3) * (longestStep / 31)
	who %= 60
	id := m.idOf(who)
	p, had := m.in[id], (*person)(nil)
	if p != nil {
		had = p.partner
	}
	var c Change
	waited, gaveUp := p != nil && p.waits, false
	switch what &= 7; {
	case p == nil:
		p = &person{id: id, auto: what%2 == 0}
		m.in[id] = p
		m.table.Enter(id, p.auto)
		m.identify(p, with)
		if p.auto {
			m.waits(p, Wishes{})
			c = m.table.Seek(id, m.now, nil)
		}
	case what < 2:
		m.abandon(p)
		delete(m.in, id)
		delete(m.at, who)
		gaveUp = waited
		m.goes(p)
		c = m.table.Leave(id, m.now)
	case what == 3 && len(m.known) > 0:
		had = nil
		m.block(p, with)
	case what == 5 && m.classes && with&1 != 0:
		had = nil
		p.class = Class(with >> 1 & 3)
		m.table.Classify(id, p.class)
	case what == 7:
		had = nil
		c = m.move(p, who)
	case what == 6:
		had = nil
		m.again(p)
	case p.auto: // only time passes
		had = nil
	case what < 4:
		m.abandon(p)
		gaveUp = waited
		c = m.table.Stop(id, m.now)
	default:
		m.abandon(p)
		mine := wishesOf(with)
		m.waits(p, mine)
		c = m.table.Seek(id, m.now, &mine)
	}
	if c.GaveUp != gaveUp {
		m.t.Fatalf("%+v gave up: %v", p, c.GaveUp)
	}
	if c.Parted != (had != nil) || c.Parted && (c.Survivor != had.id || c.Number != had.number) {
		m.t.Fatalf("%+v had %+v, got %+v", p, had, c)
	}
	for _, match := range c.Matches() {
		m.matched(match)
	}
	m.table.Relax(m.now, m.matched)
	m.expire()
	m.compare()
}

// idOf is the number that the client has whom a script calls who.
func (m *model) idOf(who byte) uint32 {
	if id, moved := m.at[who]; moved {
		return id
	}
	return uint32(who) * 67
}

// move renames p, which waits anew if it waits.
func (m *model) move(p *person, who byte) Change {
	from, to := p.id, p.id+1
	if p.id%67 == 66 {
		to = p.id - 66
	}
	delete(m.in, from)
	p.id, m.in[to], m.at[who] = to, p, to
	if p.waits {
		p.earned += m.waited(p)
		m.waits(p, p.wishes)
	}
	p.again = false
	life, c := m.table.Move(from, to, m.now)
	if _, linked := m.table.Partner(from); linked || life == 0 {
		m.t.Fatalf("%+v moved: life %d, the old number has a partner: %v", p, life, linked)
	}
	if n := m.table.Number(to); n != p.number+uint32(len(c.Matches())) {
		m.t.Fatalf("%+v moved: number %d", p, n)
	}
	if again, c := m.table.Move(from, to+100, m.now); again != 0 || c.Parted || len(c.Matches()) > 0 {
		m.t.Fatalf("%d, which is absent, moved: %+v", from, c)
	}
	return c
}

// again has p want its last partner back.
func (m *model) again(p *person) {
	other := p.last
	possible := other != nil && m.in[other.id] == other && p.partner == nil && other.partner == nil &&
		other.last == p && p.lastNumber == other.id && other.lastNumber == p.id &&
		(!other.waits && !other.again || other.wishes.Table == p.wishes.Table) && !haveBlocked(p.who, other.who)
	r := m.table.Again(p.id, m.now, &p.wishes)
	if r.Possible != possible || possible && (r.Partner != other.id || r.News == p.again || r.Met != other.again) {
		m.t.Fatalf("%+v wants %+v again: %+v, want %v", p, other, r, possible)
	}
	if !possible {
		return
	}
	p.again = true
	if r.Met {
		if !r.Match.Arranged {
			m.t.Fatalf("%+v looks like chance", r.Match)
		}
		m.pairUp(r.Match, p, other)
	}
}

func (m *model) waits(p *person, w Wishes) {
	p.waits, p.wishes, p.since, p.stands = true, w, m.now, p.class
	if w.Table != "" {
		p.stands = Ordinary
	}
}

const (
	slowPatience = 10_000
	longestStep  = 31 * 32 // milliseconds
)

// inClass is the class in which p waits; sure: not only from about now on.
func (m *model) inClass(p *person) (c Class, sure bool) {
	if waited := m.waited(p); p.stands == Slow && waited >= slowPatience {
		const late = longestStep + 1<<slotBits // the table is asked to relax at the end of a step
		return Ordinary, waited >= slowPatience+late
	}
	return p.stands, true
}

// ofOneClass tells whether two wait in one class; sure, as above.
func (m *model) ofOneClass(a, b *person) (one, sure bool) {
	ca, sureA := m.inClass(a)
	cb, sureB := m.inClass(b)
	return ca == cb, sureA && sureB
}

// abandon has p leave of its own will whatever it is in.
func (m *model) abandon(p *person) {
	if p.waits || p.partner != nil {
		p.earned = 0
	}
	p.waits, p.again = false, false
	if other := p.partner; other != nil {
		p.partner, other.partner = nil, nil
		p.last, p.lastNumber, other.last, other.lastNumber = other, other.id, p, p.id
		if other.auto {
			m.waits(other, Wishes{})
		}
	}
}

func (m *model) waited(p *person) uint32 { return m.now - p.since }

// avoids tells whether a does not want b yet, who was its last partner or has the
// number of that.
func (m *model) avoids(a, b *person) bool {
	return a.last != nil && a.lastNumber == b.id && m.waited(a) < patience
}

func sharedBy(a, b []string) (common []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			common = append(common, s)
		}
	}
	return common
}

// sharing is how much two share who sit at no table.
func sharing(a, b *person) (n int) {
	if a.wishes.Table != "" {
		return 0
	}
	if len(sharedBy(a.wishes.Interests, b.wishes.Interests)) > 0 {
		n++
	}
	if len(sharedBy(a.wishes.Languages, b.wishes.Languages)) > 0 {
		n += 2
	}
	return n
}

// content tells whether two may meet if they still insist on their interests
// (interests) and on their languages.
func content(a, b *person, interests, languages bool) bool {
	if a.wishes.Table != "" || b.wishes.Table != "" {
		return a.wishes.Table == b.wishes.Table
	}
	n := sharing(a, b)
	return (n&1 != 0 || !interests || len(a.wishes.Interests)+len(b.wishes.Interests) == 0) &&
		(n&2 != 0 || !languages || len(a.wishes.Languages)+len(b.wishes.Languages) == 0)
}

// matched is called for every pair that the table makes; A has looked for B.
func (m *model) matched(match Match) {
	t, a, b := m.t, m.in[match.A], m.in[match.B]
	if a == nil || b == nil || a == b || !a.waits || !b.waits {
		t.Fatalf("%+v: %+v and %+v", match, a, b)
	}
	if match.WaitA != m.waited(a) || match.WaitB != m.waited(b) {
		t.Fatalf("%+v: they have waited %d and %d", match, m.waited(a), m.waited(b))
	}
	if a.last == b && m.avoids(a, b) || b.last == a && m.avoids(b, a) {
		t.Fatalf("%+v: the same two meet again: %+v and %+v", match, a, b)
	}
	if m.estranged(a, b) {
		t.Fatalf("%+v: %+v and %+v are not to meet: %+v and %+v", match, a, b, a.who, b.who)
	}
	if one, sure := m.ofOneClass(a, b); sure && !one {
		t.Fatalf("%+v: %+v and %+v are of two classes", match, a, b)
	}
	for _, p := range []*person{a, b} {
		o, age := a, m.waited(p)+p.earned
		if p == a {
			o = b
		}
		if len(p.wishes.Interests) > 0 && age < patience && !content(p, o, true, false) ||
			len(p.wishes.Languages) > 0 && age < languagePatience && !content(p, o, false, true) || !content(p, o, false, false) {
			t.Fatalf("%+v: %+v does not want %+v", match, p, o)
		}
	}
	for _, p := range m.in {
		if one, sure := m.ofOneClass(a, p); !one || !sure {
			continue
		}
		if p != a && p.waits && !m.avoids(a, p) && !m.avoids(p, a) && !m.estranged(a, p) && content(a, p, true, true) && sharing(a, p) > sharing(a, b) {
			t.Fatalf("%+v: %+v was there to share more with %+v", match, p, a)
		}
	}
	if match.Arranged != (a.wishes.Table != "") {
		t.Fatalf("%+v: at the table %q", match, a.wishes.Table)
	}
	m.pairUp(match, a, b)
}

// pairUp makes a pair of two, and looks whether the table did.
func (m *model) pairUp(match Match, a, b *person) {
	t := m.t
	interests, languages := sharedBy(a.wishes.Interests, b.wishes.Interests), sharedBy(a.wishes.Languages, b.wishes.Languages)
	for _, p := range []*person{a, b} {
		if p.waits {
			p.earned += m.waited(p)
		}
		p.waits, p.again = false, false
		p.number++
		gotInterests, gotLanguages := m.table.Common(p.id)
		if !sameSet(gotInterests, interests) || !sameSet(gotLanguages, languages) || (gotLanguages == nil) != (len(p.wishes.Languages) == 0) {
			t.Fatalf("%+v: %+v has %q and %q in common, want %q and %q", match, p, gotInterests, gotLanguages, interests, languages)
		}
		if i, l := m.table.Common(p.id); i != nil || l != nil {
			t.Fatalf("%+v: what is in common is told twice", match)
		}
	}
	a.partner, b.partner = b, a
	met(a.who, b.who)
	if n, k := m.table.Number(a.id), m.table.Number(b.id); n != a.number || k != b.number {
		t.Fatalf("%+v: numbers %d and %d, want %d and %d", match, n, k, a.number, b.number)
	}
}

func sameSet(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// compare looks at the whole table.
func (m *model) compare() {
	check(m.t, m.table, m.now)
	pairs, waits, atRandom, longest, sure := 0, 0, 0, uint32(0), true
	for id, p := range m.in {
		got, ok := m.table.Partner(id)
		if ok != (p.partner != nil) || ok && got != p.partner.id {
			m.t.Fatalf("partner of %+v is %d (%v)", p, got, ok)
		}
		if p.partner != nil {
			pairs++
		}
		if !p.waits {
			continue
		}
		waits++
		class, known := m.inClass(p)
		sure = sure && known
		if p.wishes.Table == "" && class == Ordinary {
			atRandom++
			longest = max(longest, m.waited(p))
		}
		for _, o := range m.in {
			if o == p || !o.waits || p.last != nil && p.lastNumber == o.id || o.last != nil && o.lastNumber == p.id || mayAvoid(p.who, o.who) || mayHaveAvoided(p.who, o.who) && min(m.waited(p), m.waited(o)) < patience+512 {
				continue
			}
			if one, sure := m.ofOneClass(p, o); one && sure && content(p, o, true, true) {
				m.t.Fatalf("%+v and %+v wait side by side", p, o)
			}
		}
	}
	if m.table.Clients() != len(m.in) {
		m.t.Fatalf("%d clients, want %d", m.table.Clients(), len(m.in))
	}
	if m.table.Pairs() != pairs/2 || m.table.Waiting() != waits {
		m.t.Fatalf("%d pairs, %d wait; want %d and %d", m.table.Pairs(), m.table.Waiting(), pairs/2, waits)
	}
	if waited, ok := m.table.LongestWait(m.now); sure && waited != longest || sure && ok != (atRandom > 0) {
		m.t.Fatalf("the longest wait is %d (%v), want %d; %d wait", waited, ok, longest, atRandom)
	}
}

func TestModel(t *testing.T) {
	for i := range 4 {
		seed := rand.Uint64()
		t.Logf("seed %d, with classes: %v", seed, i%2 == 1)
		r := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 3*3000)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		m := newModel(t, r.Uint32(), r.Uint32N) // the clock wraps in some runs
		m.classes = i%2 == 1
		m.play(script)
	}
}

// FuzzTable: whatever clients do, the table does what the model demands.
func FuzzTable(f *testing.F) {
	const next, stop, leave, again, move, second = 4, 2, 0, 6, 7, 31 << 3 // and a step that passes a second
	f.Add(uint32(0), uint64(1), []byte{0, 1, 0, 0, 2, 0, leave, 1, 0, leave, 2, 0})
	f.Add(uint32(0), uint64(1), []byte{1, 1, 0, 1, 2, 0, next, 1, 1, next, 2, 3, next, 1, 1, next, 2, 1, stop, 1, 0})
	f.Add(^uint32(0)-3000, uint64(1), []byte{1, 1, 0, 1, 2, 0, next, 1, 1, next, 2, 2, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0})
	f.Add(uint32(0), uint64(2), []byte{0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, leave, 1, 0, leave, 2, 0, leave, 3, 0, leave, 4, 0})
	f.Add(uint32(0), uint64(3), []byte{1, 1, 0, 1, 2, 0, next, 1, 1, next, 2, 1, stop, 1, 0, again, 1, 0, again, 2, 0, move, 1, 0, move, 2, 0, next, 1, 0})
	f.Add(uint32(0), uint64(3), []byte{1, 1, 0, next, 1, 1, move, 1, 0, second, 1, 0, 1, 2, 0, next, 2, 1, leave, 1, 0, move, 2, 0})
	const de, both, ada = 1 << 4, 1<<4 | 1, 3 << 6
	f.Add(uint32(0), uint64(4), []byte{1, 1, 0, 1, 2, 0, next, 1, de, next, 2, 2 * de, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0})
	f.Add(uint32(0), uint64(4), []byte{1, 1, 0, 1, 2, 0, 1, 3, 0, next, 1, both, next, 2, de, second, 3, 0, second, 3, 0, second, 3, 0, second, 3, 0, second, 3, 0, second, 3, 0, next, 3, 1})
	f.Add(uint32(0), uint64(4), []byte{1, 1, 0, 1, 2, 0, 1, 3, 0, next, 1, ada, next, 2, ada | 1, next, 3, ada, next, 1, ada, again, 1, 0, again, 3, 0, next, 2, ada})
	f.Fuzz(func(t *testing.T, now uint32, seed uint64, script []byte) {
		r := rand.New(rand.NewPCG(seed, 0))
		newModel(t, now, r.Uint32N).play(script[:min(len(script), 600)])
	})
}
