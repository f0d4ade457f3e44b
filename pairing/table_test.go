package pairing

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func check(t *testing.T, table *Table, now uint32) {
	t.Helper()
	if err := table.ConsistencyCheck(now); err != nil {
		t.Fatal(err)
	}
}

// likes are wishes for nothing but these interests.
func likes(interests ...string) *Wishes { return &Wishes{Interests: interests} }

// someWishes are for tests in which it matters little what is wished for.
var someWishes = []*Wishes{
	nil, likes("go"), likes("music", "go"), likes("chess"), {Languages: []string{"de"}},
	{Interests: []string{"go"}, Languages: []string{"de", "en"}}, {Table: "Ada's"},
}

// enter brings a plain client in, as the server does.
func enter(table *Table, id, now uint32) []Match {
	table.Enter(id, true)
	c := table.Seek(id, now, nil)
	return c.Matches()
}

func TestTwoMeetAndPart(t *testing.T) {
	table := New(Config{IDs: 100})
	if m := enter(table, 7, 1000); len(m) != 0 {
		t.Fatal("paired with nobody")
	}
	if p, ok := table.Partner(7); ok {
		t.Fatalf("waits and has partner %d", p)
	}
	m := enter(table, 9, 1500)
	if len(m) != 1 || m[0] != (Match{A: 9, B: 7, WaitA: 0, WaitB: 500}) {
		t.Fatalf("got %+v", m)
	}
	for _, pair := range [][2]uint32{{7, 9}, {9, 7}} {
		if p, ok := table.Partner(pair[0]); !ok || p != pair[1] {
			t.Fatalf("partner of %d is %d, %v", pair[0], p, ok)
		}
	}
	check(t, table, 1500)

	c := table.Leave(7, 2500)
	if !c.Parted || c.Survivor != 9 || c.Number != 1 || c.Lasted != 1000 || len(c.Matches()) != 0 {
		t.Fatalf("got %+v", c)
	}
	if _, ok := table.Partner(9); ok || table.Waiting() != 1 {
		t.Fatal("the survivor does not wait")
	}
	// The number 7 is somebody else now, so nobody to avoid.
	if m := enter(table, 7, 2600); len(m) != 1 || m[0].B != 9 || m[0].WaitB != 100 || table.Number(9) != 2 {
		t.Fatalf("the survivor was not paired again: %+v", m)
	}
	check(t, table, 2600)
}

func TestSurvivorsOfTwoPairsMeet(t *testing.T) {
	table := New(Config{IDs: 100})
	for id := range uint32(4) {
		enter(table, id, 0)
	}
	a := uint32(0)
	b, _ := table.Partner(a)
	var c uint32
	for c == a || c == b {
		c++
	}
	d, _ := table.Partner(c)
	if p := table.Leave(a, 10); len(p.Matches()) != 0 {
		t.Fatalf("nobody waited, and yet %+v", p)
	}
	p := table.Leave(c, 20)
	if m := p.Matches(); len(m) != 1 || m[0].A != d || m[0].B != b || m[0].WaitB != 10 {
		t.Fatalf("want %d and %d to meet, got %+v", d, b, p)
	}
	check(t, table, 20)
}

func TestSurvivorThatDoesNotSeek(t *testing.T) {
	table := New(Config{IDs: 100})
	table.Enter(1, false)
	table.Enter(2, false)
	table.Seek(1, 0, nil)
	if c := table.Seek(2, 0, nil); len(c.Matches()) != 1 {
		t.Fatal("not paired")
	}
	c := table.Seek(1, 100, nil)
	if !c.Parted || c.Survivor != 2 || len(c.Matches()) != 0 {
		t.Fatalf("got %+v", c)
	}
	if table.Waiting() != 1 {
		t.Fatal("who was left waits without having asked for it")
	}
	check(t, table, 100)
}

func TestLastPartnerIsAvoided(t *testing.T) {
	table := New(Config{IDs: 100, Patience: 5 * time.Second})
	for id := range uint32(2) {
		table.Enter(id, false)
		table.Seek(id, 0, nil)
	}
	table.Seek(0, 1000, nil)
	if c := table.Seek(1, 1000, nil); len(c.Matches()) != 0 {
		t.Fatal("the same two met again at once")
	}
	check(t, table, 1000)
	table.Relax(5000, func(m Match) { t.Errorf("the same two met too soon: %+v", m) })

	t.Run("anybody else is taken", func(t *testing.T) {
		table.Enter(2, false)
		if c := table.Seek(2, 5500, nil); len(c.Matches()) != 1 {
			t.Fatal("nobody met")
		}
		table.Leave(2, 5600)
		table.Seek(0, 5600, nil) // one of both waits already, the other anew
		table.Seek(1, 5600, nil)
	})
	var met []Match
	for now := uint32(5600); now < 20_000; now += 250 {
		table.Relax(now, func(m Match) { met = append(met, m) })
		check(t, table, now)
	}
	if len(met) > 1 || table.Waiting() != 0 {
		t.Fatalf("two lone people do meet again, but %+v, %d wait", met, table.Waiting())
	}
}

func TestInterests(t *testing.T) {
	goMusic, chess := []string{"go", "music"}, []string{"chess"}
	for _, test := range []struct {
		desc         string
		first, then  []string
		at           uint32 // when the second comes
		paired       bool
		common       []string
		pairedLaterB bool // by patience of both
	}{
		{desc: "one in common", first: goMusic, then: []string{"music", "tea"}, paired: true, common: []string{"music"}},
		{desc: "two in common", first: goMusic, then: []string{"music", "go"}, paired: true, common: goMusic},
		{desc: "nothing in common", first: goMusic, then: chess, pairedLaterB: true},
		{desc: "the first has none", first: nil, then: chess, pairedLaterB: true},
		{desc: "the second has none", first: chess, then: nil, pairedLaterB: true},
		{desc: "the second has none, the first has waited", first: chess, then: nil, at: 6000, paired: true},
		{desc: "nobody has any", paired: true},
	} {
		t.Run(test.desc, func(t *testing.T) {
			table := New(Config{IDs: 100, Patience: 5 * time.Second})
			table.Enter(1, false)
			table.Enter(2, false)
			table.Seek(1, 0, likes(test.first...))
			for now := uint32(250); now <= test.at; now += 250 {
				table.Relax(now, func(m Match) { t.Fatalf("%+v", m) })
			}
			c := table.Seek(2, test.at, likes(test.then...))
			if got := len(c.Matches()) == 1; got != test.paired {
				t.Fatalf("paired: %v", got)
			}
			check(t, table, test.at)
			later := false
			for now := test.at; now <= test.at+6000; now += 250 {
				table.Relax(now, func(Match) { later = true })
				check(t, table, now)
				if later && now < 5000 {
					t.Fatal("paired before the patience was over")
				}
			}
			if later != test.pairedLaterB {
				t.Fatalf("paired later: %v", later)
			}
			for _, id := range []uint32{1, 2} {
				common, languages := table.Common(id)
				if languages != nil {
					t.Errorf("client %d has languages %q in common, and has named none", id, languages)
				}
				slices.Sort(common)
				if !slices.Equal(common, test.common) {
					t.Errorf("client %d has in common %q, want %q", id, common, test.common)
				}
			}
			table.Leave(1, 9000)
			table.Leave(2, 9000)
			empty(t, table)
		})
	}
}

// empty checks that a table without clients holds nothing.
func empty(t *testing.T, table *Table) {
	t.Helper()
	for i := range table.chunks {
		if table.chunks[i].entries.Load() != nil || table.chunks[i].used != 0 {
			t.Errorf("chunk %d is kept for nobody", i)
		}
	}
	for i := range table.shards {
		if s := &table.shards[i]; len(slices.Concat(s.open[:]...)) != 0 || s.seekers != nil {
			t.Errorf("shard %d keeps %v, %v", i, s.open, s.seekers)
		}
	}
	for i := range table.topics {
		if table.topics[i].seekers != nil {
			t.Errorf("stripe %d keeps %v", i, table.topics[i].seekers)
		}
	}
	if table.Pairs() != 0 || table.Waiting() != 0 || table.Clients() != 0 {
		t.Errorf("%d pairs of nobody, %d nobodies wait, %d clients", table.Pairs(), table.Waiting(), table.Clients())
	}
}

func TestSharedInterestIsPreferred(t *testing.T) {
	for range 50 {
		table := New(Config{IDs: 2000})
		table.Enter(1, false)
		table.Seek(1, 0, likes("chess"))
		table.Relax(10_000, func(Match) {}) // takes anybody now
		// Many others wait too, who met nobody by hand.
		for id := uint32(100); id < 600; id++ {
			table.Enter(id, false)
			e := table.entry(id)
			e.state = waiting
			table.waiting.Add(1)
			table.shardOf(id).insert(id, e)
		}
		table.Enter(2, false)
		c := table.Seek(2, 10_000, likes("chess"))
		if m := c.Matches(); len(m) != 1 || m[0].B != 1 {
			t.Fatalf("got %+v", m)
		}
	}
}

func TestWhoWasLeftKeepsItsAge(t *testing.T) {
	table := New(Config{IDs: 100, Patience: 5 * time.Second})
	for id := range uint32(3) {
		table.Enter(id, false)
	}
	table.Seek(0, 0, likes("chess"))
	for now := uint32(0); now < 6000; now += 250 {
		table.Relax(now, func(Match) {})
	}
	table.Seek(1, 6000, nil)
	table.Leave(1, 7000) // 0 has waited 6 s for somebody who left
	table.Seek(0, 7100, likes("chess"))
	if c := table.Seek(2, 7200, nil); len(c.Matches()) != 1 {
		t.Fatal("who was left began all over again")
	}
	table.Seek(0, 8000, likes("chess")) // leaves by itself: a new place
	if c := table.Seek(2, 8000, nil); len(c.Matches()) != 0 {
		t.Fatal("who left kept its place")
	}
	check(t, table, 8000)
}

func TestLeaveOfStrangersToTheTable(t *testing.T) {
	table := New(Config{IDs: 10_000})
	for _, id := range []uint32{0, 5, 9_999, 1 << 30} {
		if c := table.Leave(id, 0); c.Parted || len(c.Matches()) != 0 {
			t.Errorf("Leave(%d) of nobody = %+v", id, c)
		}
	}
	enter(table, 5, 0)
	table.Leave(5, 0)
	if c := table.Leave(5, 0); c.Parted {
		t.Errorf("second Leave = %+v", c)
	}
	empty(t, table)
}

// TestConcurrent lets many goroutines come, seek and go, and looks at what is
// left.
func TestConcurrent(t *testing.T) {
	table := New(Config{IDs: 8 * 1024, Shards: 16})
	wishes := someWishes
	var wg sync.WaitGroup
	for g := range uint32(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for step := range uint32(10_000) {
				id := g*1024 + r.Uint32N(50)
				if step%2 == 0 {
					id = g*1024 + 100 // one that comes and goes all the time
				}
				table.Enter(id, step%3 == 0)
				table.Seek(id, step, wishes[r.IntN(len(wishes))])
				if p, ok := table.Partner(id); ok && p == id {
					t.Errorf("%d is its own partner", id)
				}
				if r.IntN(2) == 0 {
					table.Seek(id, step, nil)
				}
				if step%64 == 0 {
					table.Relax(step, func(Match) {})
				}
				table.Leave(id, step)
			}
		})
	}
	wg.Wait()
	check(t, table, 10_000)
	empty(t, table)
	for g := range uint32(8) {
		wg.Go(func() {
			for id := range uint32(51) {
				enter(table, g*1024+id, 0)
			}
		})
	}
	wg.Wait()
	check(t, table, 0)
	if n := table.Waiting(); n != 0 { // 8·51 is even, and no two may wait
		t.Errorf("%d clients wait for each other", n)
	}
}

func TestTheChoiceIsUniform(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const others, rounds = 16, 32_000
	var hits [others]float64
	for range rounds {
		table := New(Config{IDs: 512, Shards: 8, Rand: r.Uint32N})
		// Put them into the pool by hand: Seek would pair them.
		for id := range uint32(others) {
			table.Enter(id*3, true)
			e := table.entry(id * 3)
			e.state = waiting
			table.waiting.Add(1)
			table.shardOf(id*3).insert(id*3, e)
		}
		m := enter(table, 400, 0)
		if len(m) != 1 {
			t.Fatal("nobody found")
		}
		hits[m[0].B/3]++
	}
	chi := 0.0
	for _, n := range hits {
		d := n - rounds/others
		chi += d * d / (rounds / others)
	}
	if chi > 44.3 { // 15 degrees of freedom, p = 0.0001
		t.Errorf("χ² = %.1f, hits %v", chi, hits)
	}
}

func TestNoAllocationPerMatch(t *testing.T) {
	table := New(Config{IDs: 512})
	enter(table, 1, 0)
	enter(table, 300, 0)
	if n := testing.AllocsPerRun(1000, func() {
		table.Leave(1, 0)
		table.Enter(1, true)
		table.Seek(1, 0, nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestClocksThatDiffer: who waits by a clock that runs behind the one of Relax is
// not forgotten.
func TestClocksThatDiffer(t *testing.T) {
	table := New(Config{IDs: 8, Patience: 5 * time.Second})
	for id := range uint32(2) {
		table.Enter(id, false)
	}
	table.Relax(20_000, func(Match) {})
	table.Seek(0, 10_000, likes("go"))
	table.Seek(1, 10_000, likes("chess"))
	met := false
	table.Relax(20_512, func(Match) { met = true })
	if !met {
		t.Error("two who have waited for ten seconds do not meet")
	}
}

// TestAppointmentsKeptTooEarly: two who avoid each other meet when they may, also
// if the first look at them came before.
func TestAppointmentsKeptTooEarly(t *testing.T) {
	for name, relaxed := range map[string][]uint32{
		"the first look of all": {100_250},
		"after a pause":         {10_000, 100_250},
	} {
		t.Run(name, func(t *testing.T) {
			table := New(Config{IDs: 8, Patience: 5 * time.Second})
			for id := range uint32(2) {
				table.Enter(id, false)
				table.Seek(id, 99_000, nil)
			}
			if len(relaxed) > 1 {
				table.Relax(relaxed[0], func(Match) {})
			}
			table.Seek(0, 100_000, nil)
			table.Seek(1, 100_000, nil)
			table.Relax(relaxed[len(relaxed)-1], func(m Match) { t.Errorf("the same two met too soon: %+v", m) })
			met := false
			table.Relax(105_512, func(Match) { met = true })
			if !met {
				t.Error("two lone people do not meet again")
			}
		})
	}
}
