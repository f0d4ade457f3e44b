package pairing

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func check(t *testing.T, table *Table) {
	t.Helper()
	if err := table.ConsistencyCheck(); err != nil {
		t.Fatal(err)
	}
}

func TestTwoMeetAndPart(t *testing.T) {
	table := New(Config{IDs: 100})
	if _, ok := table.Enter(7, 1000); ok {
		t.Fatal("paired with nobody")
	}
	if p, ok := table.Partner(7); ok {
		t.Fatalf("waits and has partner %d", p)
	}
	m, ok := table.Enter(9, 1500)
	if !ok || m != (Match{A: 9, B: 7, WaitA: 0, WaitB: 500}) {
		t.Fatalf("got %+v, %v", m, ok)
	}
	for _, pair := range [][2]uint32{{7, 9}, {9, 7}} {
		if p, ok := table.Partner(pair[0]); !ok || p != pair[1] {
			t.Fatalf("partner of %d is %d, %v", pair[0], p, ok)
		}
	}
	check(t, table)

	p := table.Leave(7, 2500)
	if !p.Parted || p.Survivor != 9 || p.Lasted != 1000 || p.Matched {
		t.Fatalf("got %+v", p)
	}
	if _, ok := table.Partner(9); ok || table.Waiting() != 1 {
		t.Fatal("the survivor does not wait")
	}
	if m, ok := table.Enter(7, 2600); !ok || m.B != 9 || m.WaitB != 100 {
		t.Fatalf("the survivor was not paired again: %+v, %v", m, ok)
	}
	check(t, table)
}

func TestSurvivorsOfTwoPairsMeet(t *testing.T) {
	table := New(Config{IDs: 100})
	for id := range uint32(4) {
		table.Enter(id, 0)
	}
	a := uint32(0)
	b, _ := table.Partner(a)
	var c uint32
	for c == a || c == b {
		c++
	}
	d, _ := table.Partner(c)
	if p := table.Leave(a, 10); p.Matched {
		t.Fatalf("nobody waited, and yet %+v", p)
	}
	p := table.Leave(c, 20)
	if !p.Matched || p.Match != (Match{A: d, B: b, WaitA: 0, WaitB: 10}) {
		t.Fatalf("want %d and %d to meet, got %+v", d, b, p)
	}
	check(t, table)
}

func TestLeaveOfStrangersToTheTable(t *testing.T) {
	table := New(Config{IDs: 10_000})
	for _, id := range []uint32{0, 5, 9_999, 1 << 30} {
		if p := table.Leave(id, 0); p != (Parting{}) {
			t.Errorf("Leave(%d) of nobody = %+v", id, p)
		}
	}
	table.Enter(5, 0)
	table.Leave(5, 0)
	if p := table.Leave(5, 0); p != (Parting{}) {
		t.Errorf("second Leave = %+v", p)
	}
	for i := range table.chunks {
		if table.chunks[i].entries.Load() != nil || table.chunks[i].used != 0 {
			t.Errorf("chunk %d is kept for nobody", i)
		}
	}
}

// TestModel plays random steps against a model so simple that it is right.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const clients = 200
	table := New(Config{IDs: 4096, Shards: 8, Rand: r.Uint32N})
	in := map[uint32]bool{}
	partner := map[uint32]uint32{}
	pair := func(m Match) {
		for _, id := range []uint32{m.A, m.B} {
			if !in[id] {
				t.Fatalf("%d was paired and is not there", id)
			}
			if _, has := partner[id]; has {
				t.Fatalf("%d was paired twice", id)
			}
		}
		if m.A == m.B {
			t.Fatalf("%d was paired with itself", m.A)
		}
		partner[m.A], partner[m.B] = m.B, m.A
	}
	for step := range uint32(20_000) {
		id := r.Uint32N(clients) * 17 % 4096
		if !in[id] {
			in[id] = true
			if m, ok := table.Enter(id, step); ok {
				pair(m)
			}
		} else {
			p := table.Leave(id, step)
			other, had := partner[id]
			if p.Parted != had || had && p.Survivor != other {
				t.Fatalf("step %d: %d left %d (%v), got %+v", step, id, other, had, p)
			}
			delete(in, id)
			if had {
				delete(partner, id)
				delete(partner, other)
			}
			if p.Matched {
				pair(p.Match)
			}
		}
		check(t, table)
		waiting := 0
		for id := range in {
			got, ok := table.Partner(id)
			if want, has := partner[id]; ok != has || got != want {
				t.Fatalf("step %d: partner of %d is %d (%v), want %d (%v)", step, id, got, ok, want, has)
			}
			if !ok {
				waiting++
			}
		}
		if waiting > 1 || table.Waiting() != waiting {
			t.Fatalf("step %d: %d wait side by side, Waiting() = %d", step, waiting, table.Waiting())
		}
	}
}

// TestConcurrent lets many goroutines come and go, and looks at what is left.
func TestConcurrent(t *testing.T) {
	table := New(Config{IDs: 8 * 1024, Shards: 16})
	var wg sync.WaitGroup
	for g := range uint32(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for step := range uint32(20_000) {
				id := g*1024 + r.Uint32N(50)
				if step%2 == 0 {
					id = g*1024 + 100 // one that comes and goes all the time
				}
				table.Enter(id, step)
				if p, ok := table.Partner(id); ok && p == id {
					t.Errorf("%d is its own partner", id)
				}
				table.Leave(id, step)
			}
			for id := range uint32(51) { // an odd number stays
				table.Enter(g*1024+id, 0)
			}
		})
	}
	wg.Wait()
	check(t, table)
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
		// Put them into the pool by hand: Enter would pair them.
		for id := range uint32(others) {
			e := table.create(id * 3)
			table.shardOf(id*3).insert(id*3, e)
		}
		m, ok := table.Enter(400, 0)
		if !ok {
			t.Fatal("nobody found")
		}
		hits[m.B/3]++
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
	table.Enter(1, 0)
	table.Enter(300, 0)
	if n := testing.AllocsPerRun(1000, func() {
		table.Leave(1, 0)
		table.Enter(1, 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkMatch is one Leave and one Enter, with one match, in a table that
// holds a million pairs' halves.
func BenchmarkMatch(b *testing.B) {
	const clients = 1 << 20
	table := New(Config{IDs: clients})
	for id := range uint32(clients) {
		table.Enter(id, 0)
	}
	b.ReportAllocs()
	var g sync.Mutex
	next := uint32(0)
	b.RunParallel(func(pb *testing.PB) {
		g.Lock()
		id := next
		next += 1 << 16
		g.Unlock()
		for pb.Next() {
			table.Leave(id, 0)
			table.Enter(id, 0)
			id = (id + 4) % clients
		}
	})
}

func BenchmarkPartner(b *testing.B) {
	const clients = 1 << 20
	table := New(Config{IDs: clients})
	for id := range uint32(clients) {
		table.Enter(id, 0)
	}
	id := uint32(0)
	for b.Loop() {
		if _, ok := table.Partner(id); !ok {
			b.Fatal("no partner")
		}
		id = (id + 4099) % clients
	}
}
