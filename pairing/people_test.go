package pairing

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

// human is a person as the model has them.
type human struct {
	key     Person
	shared  bool
	clients int
	left    uint32
	blocked []*human
	recent  []*human
}

// newPeopledModel is a model whose table knows people: some in several places, some
// shared by many.
func newPeopledModel(t *testing.T, now uint32, random func(uint32) uint32) *model {
	m := newModel(t, now, random)
	m.table = New(Config{IDs: 4096, Shards: 8, Rand: random, LanguagePatience: languagePatience * time.Millisecond, People: true})
	m.known = make([]human, 24)
	for i := range m.known {
		m.known[i].key, m.known[i].shared = Person{byte(i + 1)}, i < 3
	}
	return m
}

func (m *model) human(b byte) *human { return &m.known[int(b)%len(m.known)] }

// identify says who p is; now and then nobody knows.
func (m *model) identify(p *person, with byte) {
	if len(m.known) == 0 || with >= 240 {
		return
	}
	p.who = m.human(with)
	p.who.clients++
	m.table.Identify(p.id, p.who.key, p.who.shared, m.now)
	if key, shared := m.table.Who(p.id); key != p.who.key || shared != p.who.shared {
		m.t.Fatalf("%+v is %v (%t)", p, key, shared)
	}
}

// goes notes that p's person has a client less.
func (m *model) goes(p *person) {
	if who := p.who; who != nil {
		if who.clients--; who.clients == 0 {
			who.left = m.now
		}
	}
}

func (m *model) block(p *person, with byte) {
	other := m.human(with)
	if p.partner != nil && p.partner.who != nil && with%2 == 0 {
		other = p.partner.who
	}
	possible := p.who != nil && p.who != other
	if got := m.table.Block(p.id, other.key); got != possible {
		m.t.Fatalf("%+v blocks %+v: %t", p, other, got)
	}
	if possible && !slices.Contains(p.who.blocked, other) {
		p.who.blocked = append(p.who.blocked, other)
	}
}

func (m *model) expire() {
	for i := range m.known {
		h := &m.known[i]
		lasts := metLast
		if len(h.blocked) > 0 {
			lasts = blocksLast
		}
		if h.clients == 0 && m.now-h.left >= uint32(lasts/time.Millisecond) {
			h.blocked, h.recent = nil, nil
		}
	}
}

func haveBlocked(a, b *human) bool {
	return a != nil && b != nil && a != b && (slices.Contains(a.blocked, b) || slices.Contains(b.blocked, a))
}

// mayAvoid tells whether two avoid each other now or for a while.
func mayAvoid(a, b *human) bool {
	return a != nil && b != nil && (a == b || haveBlocked(a, b) || slices.Contains(a.recent, b) || slices.Contains(b.recent, a))
}

// mayHaveAvoided: see the method of Table.
func mayHaveAvoided(a, b *human) bool {
	return a != nil && b != nil && (a.clients > 1 || b.clients > 1)
}

func (m *model) estranged(a, b *person) bool {
	if a.who == nil || b.who == nil {
		return false
	}
	if a.who == b.who {
		return !a.who.shared && a.wishes.Table == "" && (m.waited(a) < 30_000 || m.waited(b) < 30_000)
	}
	for _, p := range [...][2]*person{{a, b}, {b, a}} {
		for i, recent := range p[0].who.recent {
			if recent == p[1].who && (i == 0 && m.waited(p[0]) < patience || m.waited(p[0]) < 1000) {
				return true
			}
		}
	}
	return haveBlocked(a.who, b.who)
}

func met(a, b *human) {
	if a == nil || b == nil || a == b || a.shared || b.shared {
		return
	}
	for _, p := range [...][2]*human{{a, b}, {b, a}} {
		recent := slices.DeleteFunc(slices.Clone(p[0].recent), func(h *human) bool { return h == p[1] })
		recent = slices.Insert(recent, 0, p[1])
		p[0].recent = recent[:min(len(recent), 3)]
	}
}

// TestModelOfPeople: as TestModel, with a table that knows who they are.
func TestModelOfPeople(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 3*3000)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		newPeopledModel(t, r.Uint32(), r.Uint32N).play(script)
	}
}

// FuzzPeople: whoever they are, and whomever they block.
func FuzzPeople(f *testing.F) {
	const next, leave, block, again, move = 4, 0, 3, 6, 7
	f.Add(uint32(0), uint64(1), []byte{1, 1, 5, 1, 2, 6, next, 1, 0, next, 2, 0, block, 1, 6, next, 1, 0, next, 2, 0, again, 1, 0})
	f.Add(uint32(0), uint64(1), []byte{1, 1, 5, 1, 2, 5, next, 1, 0, next, 2, 0, 31<<3 | 5, 9, 0, move, 1, 0, leave, 2, 0, 1, 2, 5, next, 2, 0})
	f.Fuzz(func(t *testing.T, now uint32, seed uint64, script []byte) {
		r := rand.New(rand.NewPCG(seed, 0))
		newPeopledModel(t, now, r.Uint32N).play(script[:min(len(script), 600)])
	})
}

// TestOwnTab: two clients of one person meet when nobody else has been there for 30 s,
// and not before.
func TestOwnTab(t *testing.T) {
	table := New(Config{People: true})
	for id := range uint32(2) {
		table.Enter(id, false)
		table.Identify(id, Person{1}, false, 0)
		if c := table.Seek(id, 0, nil); len(c.Matches()) > 0 {
			t.Fatal("they met at once")
		}
	}
	var met uint32
	for now := uint32(0); now < 40_000 && met == 0; now += 250 {
		table.Relax(now, func(Match) { met = now })
	}
	if met < ownTab || met > ownTab+1000 {
		t.Errorf("they met after %d ms", met)
	}
}

// TestBlockedAmongMany: two who blocked each other never meet among fifty who all wait,
// whoever leaves, comes back and moves; and nobody waits because of them.
func TestBlockedAmongMany(t *testing.T) {
	table := New(Config{IDs: 4096, People: true})
	const many = 50
	now := uint32(1 << 31)
	enter := func(id uint32) {
		table.Enter(id, false)
		table.Identify(id, Person{byte(id%many) + 1}, false, now)
	}
	for id := range uint32(many) {
		enter(id)
	}
	if !table.Block(0, Person{2}) || table.Block(0, Person{1}) {
		t.Fatal("who can be blocked")
	}
	place := make([]uint32, many)
	for i := range place {
		place[i] = uint32(i)
	}
	chats := 0
	look := func(m Match) {
		chats++
		if a, b := m.A%many, m.B%many; a+b == 1 {
			t.Fatalf("%d and %d meet after %d chats", m.A, m.B, chats)
		}
	}
	for range 20_000 {
		now += uint32(rand.IntN(300))
		i := uint32(rand.IntN(many))
		if rand.IntN(3) == 0 {
			i %= 2
		}
		var c Change
		switch rand.IntN(8) {
		case 0:
			c = table.Leave(place[i], now)
			enter(place[i])
		case 1:
			to := (place[i] + many) % 4050
			if _, taken := table.Partner(to); !taken {
				_, c = table.Move(place[i], to, now)
				place[i] = to
			}
		default:
			c = table.Seek(place[i], now, nil)
		}
		for _, m := range c.Matches() {
			look(m)
		}
		table.Relax(now, look)
		check(t, table, now)
	}
	if chats < 5000 {
		t.Errorf("only %d chats", chats)
	}
}

// TestAcquaintances: another table, in which clients have other numbers, knows the same
// of people.
func TestAcquaintances(t *testing.T) {
	table := New(Config{People: true})
	for id := range uint32(6) {
		table.Enter(id, false)
		table.Identify(id, Person{byte(id/2) + 1}, id >= 4, 1000)
	}
	table.Block(0, Person{9})
	table.Block(0, Person{8})
	table.Block(2, Person{1})
	table.Seek(2, 1000, nil)
	table.Seek(0, 1000, nil)
	table.Leave(2, 2000)
	table.Leave(3, 2500)
	all := table.Acquaintances(3000)
	if len(all) != 3 {
		t.Fatalf("%+v", all)
	}
	next := New(Config{People: true})
	for _, id := range []uint32{0, 1, 4, 5} {
		next.Enter(id+100, false)
	}
	for _, a := range all {
		for i := range a.Clients {
			a.Clients[i] += 100
		}
		next.Acquaint(a, 77)
	}
	again := next.Acquaintances(77)
	byPerson := func(a, b Acquaintance) int { return int(a.Person[0]) - int(b.Person[0]) }
	slices.SortFunc(all, byPerson)
	slices.SortFunc(again, byPerson)
	if !reflect.DeepEqual(again, all) {
		t.Errorf("%+v, want %+v", again, all)
	}
	if all[0].Blocked[0] != (Person{9}) || all[1].Left != 500 || !all[2].Shared || len(all[0].Clients) != 2 {
		t.Errorf("%+v", all)
	}
}

// TestManyPeople: of those who have gone only so many are known, first of all those who
// have blocked somebody; and what one person can block is bounded.
func TestManyPeople(t *testing.T) {
	table := New(Config{People: true})
	table.Enter(0, false)
	table.Enter(1, false)
	key := func(i int) Person { return Person{0: 1, 1: byte(i), 2: byte(i >> 8), 3: byte(i >> 16)} }
	table.Identify(1, Person{7}, false, 0)
	const many = MaxAbsent + 5000
	for i := range many {
		table.Leave(0, 0)
		table.Enter(0, false)
		table.Identify(0, key(i), false, 0)
		if i%2 == 0 {
			table.Block(0, Person{9})
			continue
		}
		table.Seek(1, 0, &Wishes{Table: "t"})
		table.Seek(0, 0, &Wishes{Table: "t"})
		table.Stop(0, 0)
	}
	if n := table.People(); n != MaxAbsent+2 {
		t.Errorf("%d people are known", n)
	}
	table.Identify(0, key(0), false, 0)
	if a := table.acquaintance(key(0)); len(a.blocked) != 1 {
		t.Error("who has blocked somebody is forgotten before who has met somebody")
	}
	for i := range 2 * MaxBlocked {
		table.Block(0, Person{3, byte(i)})
	}
	if a := table.acquaintance(key(0)); len(a.blocked) != MaxBlocked || a.blocked[0] != (Person{3, MaxBlocked}) {
		t.Errorf("%d are blocked, the first is %v", len(a.blocked), a.blocked[0])
	}
	table.Leave(0, 0)
	table.Leave(1, 0)
	for now := uint32(0); now < uint32(blocksLast/time.Millisecond)+200*250; now += 600_000 {
		for range 200 {
			table.Relax(now, nil)
		}
	}
	if n := table.People(); n != 0 {
		t.Errorf("%d people are known after a day", n)
	}
}

func (t *Table) acquaintance(key Person) *somebody {
	t.people.mu.Lock()
	defer t.people.mu.Unlock()
	return t.people.known[key]
}

// TestPeopleAtOnce: many goroutines, some with one person; the race detector looks on.
func TestPeopleAtOnce(t *testing.T) {
	table := New(Config{IDs: 4096, Shards: 16, People: true})
	var wait sync.WaitGroup
	for g := range uint32(8) {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			enter := func(id, step uint32) {
				table.Enter(id, true)
				table.Identify(id, Person{byte(r.IntN(20))}, false, step)
			}
			for i := range uint32(40) {
				enter(g+8*i, 0)
			}
			for step := range uint32(3000) {
				id := g + 8*r.Uint32N(40)
				switch r.IntN(6) {
				case 0:
					table.Leave(id, step)
					enter(id, step)
				case 1:
					table.Block(id, Person{byte(r.IntN(20))})
				default:
					table.Seek(id, step, nil)
				}
				if g == 0 && step%50 == 0 {
					table.Relax(step, func(Match) {})
				}
			}
			for i := range uint32(40) {
				table.Leave(g+8*i, 3000)
			}
		})
	}
	wait.Wait()
	empty(t, table)
	for _, who := range table.people.known {
		if who.clients != 0 || who.element == nil {
			t.Errorf("%v has %d clients", who.key, who.clients)
		}
	}
}
