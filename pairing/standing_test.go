package pairing

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestStandingMoves: a crowd moves to another table, with other numbers, other
// shards and another clock, in the middle of whatever it does; everybody stands
// there as before, and life goes on.
func TestStandingMoves(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		const clients = 60
		from := New(Config{IDs: clients, Shards: 1 + r.IntN(8), Rand: r.Uint32N})
		to := New(Config{IDs: 3 * clients, Shards: 1 + r.IntN(8), Rand: r.Uint32N})
		now := r.Uint32()
		act := func(table *Table, id uint32) {
			switch r.IntN(6) {
			case 0:
				table.Stop(id, now)
			case 1:
				table.Again(id, now, nil)
			case 2:
				w := &Wishes{Interests: []string{"go", "chess", "tea"}[:r.IntN(4)], Languages: []string{"en", "tr"}[:r.IntN(3)]}
				if r.IntN(4) == 0 {
					w.Table = "by the window"
				}
				table.Seek(id, now, w)
			default:
				table.Seek(id, now, nil)
			}
		}
		for id := range uint32(clients) {
			from.Enter(id, r.IntN(2) == 0)
		}
		for range r.IntN(400) {
			if now += r.Uint32N(600); r.IntN(3) == 0 {
				from.Relax(now, func(Match) {})
			}
			act(from, r.Uint32N(clients))
		}
		from.Relax(now, func(Match) {})
		if err := from.ConsistencyCheck(now); err != nil {
			t.Fatal(err)
		}
		place := r.Perm(3 * clients)
		later := now + r.Uint32() // what the other clock says
		standings := make([]Standing, clients)
		for _, id := range r.Perm(clients) {
			s, ok := from.Standing(uint32(id), now)
			if !ok {
				t.Fatalf("client %d is not in the table", id)
			}
			standings[id] = s
			s.Partner, s.Last = uint32(place[s.Partner]), uint32(place[s.Last])
			to.Restore(uint32(place[id]), s, later)
		}
		for id, want := range standings {
			got, ok := to.Standing(uint32(place[id]), later)
			if want.Paired {
				want.Partner = uint32(place[want.Partner])
			}
			if want.LastLife != 0 {
				want.Last = uint32(place[want.Last])
			}
			if !want.Paired {
				want.Partner = 0
			}
			if !ok || !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: client %d stands as %+v, stood as %+v", seed, id, got, want)
			}
		}
		if from.Pairs() != to.Pairs() || from.Waiting() != to.Waiting() {
			t.Errorf("seed %d: %d pairs and %d waiting, were %d and %d", seed, to.Pairs(), to.Waiting(), from.Pairs(), from.Waiting())
		}
		for i := range 200 {
			if err := to.ConsistencyCheck(later); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
			now, later = now+300, later+300
			to.Relax(later, func(Match) {})
			now, later = later, now // act looks at now
			act(to, uint32(place[r.IntN(clients)]))
			now, later = later, now
		}
	}
}
