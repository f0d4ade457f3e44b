package pairing

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

const firstGuest = 1000

func newGuestTable(random *rand.Rand) *Table {
	var r func(uint32) uint32
	if random != nil {
		r = random.Uint32N
	}
	return New(Config{IDs: 2000, Guests: firstGuest, Shards: 8, Rand: r})
}

func TestGuest(t *testing.T) {
	table := newGuestTable(nil)
	life := table.Enter(1, true)
	table.Seek(1, 0, nil)
	table.Enter(firstGuest, false)
	if w := table.Waiters(249, 250, firstGuest, 5); w != nil {
		t.Fatalf("%+v wait for so long", w)
	}
	if w := table.Waiters(250, 250, firstGuest, 5); len(w) != 1 || w[0].ID != 1 || w[0].Life != life {
		t.Fatalf("%+v wait", w)
	}
	found, ok := table.Ask(firstGuest, 300, 100, nil)
	if !ok || found.ID != 1 || found.Waited != 300 {
		t.Fatalf("got %+v, %v", found, ok)
	}
	if _, paired := table.Partner(1); paired || table.Number(1) != 0 || table.Waiting() != 1 || table.Clients() != 1 {
		t.Errorf("who is held knows of it: %d pairings, %d wait, %d clients", table.Number(1), table.Waiting(), table.Clients())
	}
	// Nobody else finds them.
	table.Enter(2, false)
	if c := table.Seek(2, 310, nil); len(c.Matches()) != 0 {
		t.Fatalf("who is held was found: %+v", c)
	}
	// The guest goes: those two find each other, and the wait was as long as it was.
	c := table.Leave(firstGuest, 320)
	if m := c.Matches(); len(m) != 1 || max(m[0].WaitA, m[0].WaitB) != 320 || c.Parted {
		t.Fatalf("got %+v", c)
	}
	table.Leave(2, 330) // 1 waits again by itself
	table.Enter(firstGuest, false)
	if !table.Claim(firstGuest, 1, life, 340, 0, nil) {
		t.Fatal("who waits is not to be had")
	}
	if m, ok := table.Settle(firstGuest, 350); !ok || m.A != 1 || m.B != firstGuest || !m.Guest || m.WaitA != 20 {
		t.Fatalf("got %+v, %v", m, ok)
	}
	if p, _ := table.Partner(1); p != firstGuest || table.Number(1) != 2 || table.Waiting() != 0 {
		t.Errorf("1 is paired with %d, for the %d-th time; %d wait", p, table.Number(1), table.Waiting())
	}
	// They do not meet again at once.
	table.Stop(firstGuest, 360)
	if _, ok := table.Ask(firstGuest, 400, 10, nil); ok || table.Claim(firstGuest, 1, life, 400, 10, nil) {
		t.Error("the last partner is met again")
	}
	if _, ok := table.Ask(firstGuest, 6000, 6000, nil); !ok {
		t.Error("the last partner is avoided for ever")
	}
	table.Leave(1, 6100)
	if _, ok := table.Settle(firstGuest, 6200); ok {
		t.Error("a pair with somebody who has gone")
	}
	table.Leave(firstGuest, 6300)
	empty(t, table)
}

func TestGuestWishes(t *testing.T) {
	table := newGuestTable(nil)
	table.Enter(1, false)
	table.Seek(1, 0, &Wishes{Interests: []string{"go", "tea"}})
	table.Enter(2, false)
	table.Seek(2, 0, &Wishes{Table: "T"})
	table.Enter(firstGuest, false)
	if w := table.Waiters(250, 250, firstGuest, 5); len(w) != 2 {
		t.Errorf("%+v wait", w)
	}
	if _, ok := table.Ask(firstGuest, 100, 0, &Wishes{Interests: []string{"chess"}}); ok {
		t.Error("interests are not insisted on")
	}
	if found, ok := table.Ask(firstGuest, 200, 0, &Wishes{Interests: []string{"chess", "tea"}}); !ok || found.ID != 1 {
		t.Errorf("got %+v, %v", found, ok)
	}
	table.Settle(firstGuest, 210)
	if got, _ := table.Common(1); !slices.Equal(got, []string{"tea"}) {
		t.Errorf("1 has %q in common", got)
	}
	table.Stop(firstGuest, 300)
	if found, ok := table.Ask(firstGuest, 400, 9000, &Wishes{Table: "T"}); !ok || found.ID != 2 {
		t.Errorf("got %+v, %v", found, ok)
	}
	for _, id := range []uint32{1, 2, firstGuest} {
		table.Leave(id, 500)
	}
	empty(t, table)
}

// TestGuestsAtRandom has people and guests do everything, and looks at the whole table
// after each step.
func TestGuestsAtRandom(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		table, now := newGuestTable(random), uint32(0)
		lives, numbers := map[uint32]Life{}, map[uint32]uint32{}
		note := func(matches []Match) {
			for _, m := range matches {
				if m.held || m.A >= firstGuest {
					t.Fatalf("seed %d: match %+v", seed, m)
				}
				numbers[m.A]++
				numbers[m.B]++
			}
		}
		for step := range 400 {
			now += random.Uint32N(400)
			id := random.Uint32N(12)
			guest := firstGuest + random.Uint32N(4)
			var w *Wishes
			switch random.IntN(4) {
			case 0:
				w = &Wishes{Interests: []string{[]string{"go", "tea"}[random.IntN(2)]}}
			case 1:
				w = &Wishes{Languages: []string{"de"}, Interests: []string{"go"}}
			case 2:
				w = &Wishes{Table: "T"}
			}
			var c Change
			switch what := random.IntN(9); {
			case lives[id] == 0:
				auto := random.IntN(2) == 0
				lives[id], numbers[id] = table.Enter(id, auto), 0
				c = table.Seek(id, now, w)
			case lives[guest] == 0:
				lives[guest], numbers[guest] = table.Enter(guest, false), 0
			case what == 0:
				c = table.Leave(id, now)
				lives[id] = 0
			case what == 1:
				c = table.Stop(id, now)
			case what == 2:
				c = table.Seek(id, now, w)
			case what == 3:
				c = table.Stop(guest, now)
			case what == 4:
				c = table.Leave(guest, now)
				lives[guest] = 0
			case what < 7:
				if m, ok := table.Settle(guest, now); ok {
					note([]Match{m})
				}
			default:
				if _, paired := table.Partner(guest); !paired {
					note(stopped(table, guest, now))
					if what == 7 {
						table.Ask(guest, now, random.Uint32N(9000), w)
					} else {
						table.Claim(guest, id, lives[id], now, random.Uint32N(9000), w)
					}
				}
			}
			note(c.Matches())
			table.Relax(now, func(m Match) { note([]Match{m}) })
			if err := table.ConsistencyCheck(now); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			for id := range lives {
				if lives[id] != 0 && table.Number(id) != numbers[id] {
					t.Fatalf("seed %d, step %d: client %d has had %d pairings, not %d", seed, step, id, table.Number(id), numbers[id])
				}
			}
		}
		for id := range lives {
			table.Leave(id, now)
		}
		empty(t, table)
	}
}

// stopped is Stop for its matches.
func stopped(t *Table, id, now uint32) []Match {
	c := t.Stop(id, now)
	return slices.Clone(c.Matches())
}

// TestGuestsAtOnce is for the race detector: people and guests come and go at the
// same time.
func TestGuestsAtOnce(t *testing.T) {
	table := newGuestTable(nil)
	var all sync.WaitGroup
	for i := range uint32(6) {
		all.Go(func() {
			for range 500 {
				table.Enter(i, i%2 == 0)
				table.Seek(i, 1, nil)
				table.Seek(i, 2, &Wishes{Interests: []string{"go"}})
				table.Stop(i, 3)
				table.Seek(i, 4, nil)
				table.Leave(i, 5)
			}
		})
		all.Go(func() {
			guest := firstGuest + i
			for n := range 500 {
				life := table.Enter(guest, false)
				if n%2 == 0 {
					table.Ask(guest, 3, 0, nil)
				} else {
					table.Claim(guest, i, life, 3, 0, nil)
				}
				if n%3 == 0 {
					table.Settle(guest, 4)
				}
				table.Waiters(5, 1, firstGuest, 3)
				table.Leave(guest, 5)
			}
		})
	}
	all.Wait()
	empty(t, table)
}
