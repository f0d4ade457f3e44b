package pairing

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// TestMoveOfPaired: both ends of a pair move, at the same time and again and
// again, and stay each other's partners (I5).
func TestMoveOfPaired(t *testing.T) {
	table := New(Config{IDs: 8 * 1024, Shards: 16})
	enter(table, 0, 0)
	enter(table, 1, 0)
	var wg sync.WaitGroup
	var last [2]uint32
	for end := range uint32(2) {
		wg.Go(func() {
			id := end
			defer func() { last[end] = id }()
			for step := range uint32(20_000) {
				// Now into the partner's shard, now into its own, now elsewhere.
				to := (id + 2*(1+step%9)) % 512
				if life, _ := table.Move(id, to, step); life == 0 {
					t.Errorf("step %d: %d is not in the table", step, id)
					return
				}
				id = to
				p, ok := table.Partner(id)
				if !ok || p%2 == end {
					t.Errorf("step %d: partner of %d is %d, %v", step, id, p, ok)
					return
				}
			}
		})
	}
	wg.Wait()
	if p, ok := table.Partner(last[0]); !ok || p != last[1] || table.Pairs() != 1 {
		t.Errorf("partner of %d is %d, %v; want %d", last[0], p, ok, last[1])
	}
	check(t, table, 20_000)
	table.Leave(last[0], 20_000)
	table.Leave(last[1], 20_000)
	if table.Pairs() != 0 || table.Waiting() != 0 {
		t.Errorf("%d pairs, %d wait", table.Pairs(), table.Waiting())
	}
	empty(t, table)
}

// TestConcurrentMoves lets clients move, seek, wish each other back and go, all at once, and
// looks at what is left.
func TestConcurrentMoves(t *testing.T) {
	table := New(Config{IDs: 8 * 1024, Shards: 16})
	wishes := someWishes
	var wg sync.WaitGroup
	for g := range uint32(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for step := range uint32(5_000) {
				id := g*1024 + r.Uint32N(50)
				table.Enter(id, step%3 == 0)
				table.Seek(id, step, wishes[r.IntN(len(wishes))])
				table.Again(id, step, wishes[r.IntN(len(wishes))])
				to := g*1024 + 50 + r.Uint32N(50)
				if life, _ := table.Move(id, to, step); life == 0 {
					t.Errorf("step %d: %d is not in the table", step, id)
				}
				if p, ok := table.Partner(to); ok && p == to {
					t.Errorf("step %d: %d is its own partner", step, to)
				}
				if r.IntN(2) == 0 {
					table.Stop(to, step)
				}
				if step%64 == 0 {
					table.Relax(step, func(Match) {})
				}
				if step%2 == 0 { // half of them back
					table.Move(to, id, step)
					to = id
				}
				table.Leave(to, step)
			}
		})
	}
	wg.Wait()
	check(t, table, 5_000)
	empty(t, table)
}

func TestMoveOfNobody(t *testing.T) {
	table := New(Config{IDs: 2048})
	if life, _ := table.Move(3, 4, 0); life != 0 {
		t.Error("nobody moved")
	}
	empty(t, table)
}

// TestSeekAfterAnotherPairing: who was left in another pairing than the one it names does
// not wait, for it does not know of that yet.
func TestSeekAfterAnotherPairing(t *testing.T) {
	table := New(Config{IDs: 1024})
	for id := range uint32(2) {
		table.Enter(id, false)
		table.Seek(id, 0, nil)
	}
	table.Stop(1, 0)
	if c, ok := table.SeekAfter(0, 0, 0, nil); ok || len(c.Matches()) > 0 || table.Waiting() != 0 {
		t.Errorf("it waits: %+v", c)
	}
	if _, ok := table.SeekAfter(0, 1, 0, nil); !ok || table.Waiting() != 1 {
		t.Error("it does not wait")
	}
	check(t, table, 0)
}

// TestSeekOfWhoHasMoved: the place that a client has left is nobody's, whoever asks for
// a partner there: its old connection may have something to say still.
func TestSeekOfWhoHasMoved(t *testing.T) {
	for _, w := range []*Wishes{nil, {Interests: []string{"go"}}, {Table: "kitchen"}} {
		table := New(Config{IDs: 1024})
		enter(table, 0, 0)
		enter(table, 1, 0)
		enter(table, 2, 0) // so that the places of 0 and 3 stay
		if life, _ := table.Move(0, 3, 0); life == 0 {
			t.Fatal("0 has not moved")
		}
		if c := table.Seek(0, 0, w); c.Parted || len(c.Matches()) > 0 {
			t.Errorf("%+v", c)
		}
		if c, ok := table.SeekAfter(0, 1, 0, w); !ok || c.Parted || len(c.Matches()) > 0 {
			t.Errorf("%+v, %v", c, ok)
		}
		check(t, table, 0)
		for id := range uint32(4) {
			table.Leave(id, 0)
		}
		empty(t, table)
	}
}
