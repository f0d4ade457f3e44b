package pairing

import "testing"

// TestNamesAtOneMoment: pairs of one client that follow each other within a tick of
// the caller's clock have names of their own, as tokens are made of them.
func TestNamesAtOneMoment(t *testing.T) {
	table := New(Config{IDs: 2048})
	names := make(map[uint64]bool)
	for id := range uint32(20) {
		table.Enter(id, false)
		table.Seek(id, 1000, nil)
		if id == 0 {
			continue
		}
		name, low, ok := table.Name(0)
		other, otherLow, otherOK := table.Name(id)
		if !ok || !otherOK || name != other || low != 0 || otherLow != 0 {
			t.Fatalf("client 0 has the name %d %d %v, client %d %d %d %v", name, low, ok, id, other, otherLow, otherOK)
		}
		if names[name] {
			t.Fatalf("the pair of 0 and %d has the name of an earlier one", id)
		}
		names[name] = true
		table.Leave(id, 1000)
		table.Seek(0, 1000, nil)
	}
}

// TestNameOfAnotherChunk: a table that was empty in between begins its lives anew, and
// may begin with the same; the pairs of before have other names all the same.
func TestNameOfAnotherChunk(t *testing.T) {
	table := New(Config{IDs: 512, Rand: func(n uint32) uint32 { return 7 % n }})
	names := make(map[uint64]bool)
	for range 10 {
		for id := range uint32(2) {
			table.Enter(id, false)
			table.Seek(id, 1000, nil)
		}
		name, _, ok := table.Name(0)
		if !ok || names[name] {
			t.Fatalf("pair %d has the name %x: %v, known: %v", len(names), name, ok, names[name])
		}
		names[name] = true
		table.Leave(0, 1000)
		table.Leave(1, 1000)
	}
}
