package server

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"roulette/cmd/roulette/internal/resume"
)

// TestKeptPairs: they are what a map of them would be, whatever comes and goes.
func TestKeptPairs(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var pairs keptPairs
	model := make(map[resume.ID]*kept)
	idOf := func(n int) (id resume.ID) {
		binary.BigEndian.PutUint64(id[8:], uint64(n))
		return id
	}
	check := func() {
		seen := 0
		for k := range pairs.all {
			if model[k.id] != k {
				t.Fatalf("seed %d: a pair that was removed, or is there twice", seed)
			}
			seen++
		}
		if seen != len(model) || pairs.n != len(model) {
			t.Fatalf("seed %d: %d pairs, %d counted, want %d", seed, seen, pairs.n, len(model))
		}
	}
	for step := range 20_000 {
		id := idOf(random.IntN(600))
		switch k := model[id]; {
		case pairs.of(id) != k:
			t.Fatalf("seed %d, step %d: the wrong pair", seed, step)
		case k == nil:
			k = &kept{id: id}
			pairs.add(k)
			pairs.add(k) // once more changes nothing
			model[id] = k
		case random.IntN(2) == 0:
			pairs.remove(k)
			delete(model, id)
		}
		if step%1000 == 0 {
			check()
		}
	}
	for k := range pairs.all { // while it goes through them
		pairs.remove(k)
		delete(model, k.id)
	}
	check()
}
