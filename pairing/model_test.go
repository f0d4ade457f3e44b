package pairing

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the matching rules in so simple a form that they are right. It plays
// a script on a table and looks at everything the table does.
type model struct {
	t     *testing.T
	table *Table
	now   uint32
	in    map[uint32]*person
	at    map[byte]uint32 // of those that Move has renamed: the number they have now
}

// person is a client; the next with its number is another one.
type person struct {
	id         uint32
	auto       bool
	waits      bool
	interests  []string
	since      uint32 // when the wait began
	earned     uint32 // how long it has waited before, at most
	partner    *person
	number     uint32
	last       *person
	lastNumber uint32 // the number of last, who may be gone
}

const patience = 5000

func newModel(t *testing.T, now uint32, random func(uint32) uint32) *model {
	return &model{t: t, table: New(Config{IDs: 4096, Shards: 8, Rand: random}), now: now, in: map[uint32]*person{}, at: map[byte]uint32{}}
}

var allInterests = []string{"go", "music", "chess", "tea"}

// play takes three bytes for a step: what and how much later, who, and with which
// interests.
func (m *model) play(script []byte) {
	for step := range slices.Chunk(script, 3) {
		if len(step) == 3 {
			m.step(step[0], step[1], step[2])
		}
	}
	for id := range m.in {
		m.table.Leave(id, m.now)
	}
	empty(m.t, m.table)
}

func (m *model) step(what, who, with byte) {
	m.now += uint32(what>>3) * 32
	who %= 60
	id := m.idOf(who)
	p, had := m.in[id], (*person)(nil)
	if p != nil {
		had = p.partner
	}
	var c Change
	switch what &= 7; {
	case p == nil:
		p = &person{id: id, auto: what%2 == 0}
		m.in[id] = p
		m.table.Enter(id, p.auto)
		if p.auto {
			m.waits(p, nil)
			c = m.table.Seek(id, m.now, nil)
		}
	case what < 2:
		m.abandon(p)
		delete(m.in, id)
		delete(m.at, who)
		c = m.table.Leave(id, m.now)
	case what == 7:
		had = nil
		c = m.move(p, who)
	case what == 6:
		had = nil
		m.join(p, m.idOf(with%60))
	case p.auto: // only time passes
		had = nil
	case what < 4:
		m.abandon(p)
		c = m.table.Stop(id, m.now)
	default:
		m.abandon(p)
		var mine []string
		for i, interest := range allInterests {
			if with>>i&1 != 0 {
				mine = append(mine, interest)
			}
		}
		m.waits(p, mine)
		c = m.table.Seek(id, m.now, mine)
	}
	if c.Parted != (had != nil) || c.Parted && (c.Survivor != had.id || c.Number != had.number) {
		m.t.Fatalf("%+v had %+v, got %+v", p, had, c)
	}
	for _, match := range c.Matches() {
		m.matched(match)
	}
	m.table.Relax(m.now, m.matched)
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
		m.waits(p, p.interests)
	}
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

// join pairs p with the client that has the number id, if both wait.
func (m *model) join(p *person, id uint32) {
	other := m.in[id]
	want := other != nil && other != p && p.waits && other.waits
	match, ok := m.table.Join(p.id, id, m.now)
	if ok != want {
		m.t.Fatalf("%+v joins %+v: %v", p, other, ok)
	}
	if ok {
		m.pairUp(match, p, other)
	}
}

func (m *model) waits(p *person, interests []string) {
	p.waits, p.interests, p.since = true, interests, m.now
}

// abandon has p leave of its own will whatever it is in.
func (m *model) abandon(p *person) {
	if p.waits || p.partner != nil {
		p.earned = 0
	}
	p.waits = false
	if other := p.partner; other != nil {
		p.partner, other.partner = nil, nil
		p.last, p.lastNumber, other.last, other.lastNumber = other, other.id, p, p.id
		if other.auto {
			m.waits(other, nil)
		}
	}
}

func (m *model) waited(p *person) uint32 { return m.now - p.since }

// avoids tells whether a does not want b yet, who was its last partner or has the
// number of that.
func (m *model) avoids(a, b *person) bool {
	return a.last != nil && a.lastNumber == b.id && m.waited(a) < patience
}

func sharedBy(a, b *person) (common []string) {
	for _, interest := range a.interests {
		if slices.Contains(b.interests, interest) {
			common = append(common, interest)
		}
	}
	return common
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
	common := sharedBy(a, b)
	if len(common) == 0 {
		for _, p := range []*person{a, b} {
			if len(p.interests) > 0 && m.waited(p)+p.earned < patience {
				t.Fatalf("%+v: %+v has to share something", match, p)
			}
		}
		for _, p := range m.in {
			if p != a && p.waits && !m.avoids(a, p) && !m.avoids(p, a) && len(sharedBy(a, p)) > 0 {
				t.Fatalf("%+v: %+v was there to share something with %+v", match, p, a)
			}
		}
	}
	m.pairUp(match, a, b)
}

// pairUp makes a pair of two who waited, and looks whether the table did.
func (m *model) pairUp(match Match, a, b *person) {
	t, common := m.t, sharedBy(a, b)
	for _, p := range []*person{a, b} {
		p.waits = false
		p.earned += m.waited(p)
		p.number++
		got := slices.Clone(m.table.Common(p.id))
		slices.Sort(got)
		slices.Sort(common)
		if !slices.Equal(got, common) {
			t.Fatalf("%+v: %q in common, want %q", match, got, common)
		}
	}
	a.partner, b.partner = b, a
	if n, k := m.table.Number(a.id), m.table.Number(b.id); n != a.number || k != b.number {
		t.Fatalf("%+v: numbers %d and %d, want %d and %d", match, n, k, a.number, b.number)
	}
}

// compare looks at the whole table.
func (m *model) compare() {
	check(m.t, m.table, m.now)
	pairs, waits, longest := 0, 0, uint32(0)
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
		longest = max(longest, m.waited(p))
		for _, o := range m.in {
			if o == p || !o.waits || p.last != nil && p.lastNumber == o.id || o.last != nil && o.lastNumber == p.id {
				continue
			}
			if len(sharedBy(p, o)) > 0 || len(p.interests) == 0 && len(o.interests) == 0 {
				m.t.Fatalf("%+v and %+v wait side by side", p, o)
			}
		}
	}
	if m.table.Pairs() != pairs/2 || m.table.Waiting() != waits {
		m.t.Fatalf("%d pairs, %d wait; want %d and %d", m.table.Pairs(), m.table.Waiting(), pairs/2, waits)
	}
	if waited, ok := m.table.LongestWait(m.now); waited != longest || ok != (waits > 0) {
		m.t.Fatalf("the longest wait is %d (%v), want %d; %d wait", waited, ok, longest, waits)
	}
}

func TestModel(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 3*3000)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		newModel(t, r.Uint32(), r.Uint32N).play(script) // the clock wraps in some runs
	}
}

// FuzzTable: whatever clients do, the table does what the model demands.
func FuzzTable(f *testing.F) {
	const next, stop, leave, join, move, second = 4, 2, 0, 6, 7, 31 << 3 // and a step that passes a second
	f.Add(uint32(0), uint64(1), []byte{0, 1, 0, 0, 2, 0, leave, 1, 0, leave, 2, 0})
	f.Add(uint32(0), uint64(1), []byte{1, 1, 0, 1, 2, 0, next, 1, 1, next, 2, 3, next, 1, 1, next, 2, 1, stop, 1, 0})
	f.Add(^uint32(0)-3000, uint64(1), []byte{1, 1, 0, 1, 2, 0, next, 1, 1, next, 2, 2, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0, second, 9, 0})
	f.Add(uint32(0), uint64(2), []byte{0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, leave, 1, 0, leave, 2, 0, leave, 3, 0, leave, 4, 0})
	f.Add(uint32(0), uint64(3), []byte{1, 1, 0, 1, 2, 0, next, 1, 1, next, 2, 2, join, 1, 2, move, 1, 0, move, 2, 0, next, 1, 0})
	f.Add(uint32(0), uint64(3), []byte{1, 1, 0, next, 1, 1, move, 1, 0, second, 1, 0, 1, 2, 0, next, 2, 1, leave, 1, 0, move, 2, 0})
	f.Fuzz(func(t *testing.T, now uint32, seed uint64, script []byte) {
		r := rand.New(rand.NewPCG(seed, 0))
		newModel(t, now, r.Uint32N).play(script[:min(len(script), 600)])
	})
}
