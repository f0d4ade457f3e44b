package pairing

import "fmt"

// ConsistencyCheck looks at the whole table with all shards locked and returns
// the first breach of an invariant that it finds. For tests.
func (t *Table) ConsistencyCheck() error {
	for i := range t.shards {
		t.shards[i].mu.Lock()
	}
	defer func() {
		for i := range t.shards {
			t.shards[i].mu.Unlock()
		}
	}()
	clients := 0
	for c := range t.chunks {
		entries := t.chunks[c].entries.Load()
		if entries == nil {
			continue
		}
		for i := range entries {
			id := uint32(c<<chunkBits + i)
			if err := t.checkEntry(id, &entries[i]); err != nil {
				return err
			}
			if entries[i].state == waiting {
				clients++
			}
		}
	}
	for i := range t.shards {
		clients -= len(t.shards[i].pool)
	}
	if clients != 0 {
		return fmt.Errorf("%d more clients wait than stand in the pools", clients)
	}
	return nil
}

func (t *Table) checkEntry(id uint32, e *entry) error {
	link := e.link.Load()
	switch e.state {
	case absent:
		if link != 0 {
			return fmt.Errorf("client %d is absent and linked to %#x", id, link)
		}
	case waiting:
		pool := t.shardOf(id).pool
		place := link &^ waitingBit
		if link&waitingBit == 0 || int(place) >= len(pool) || pool[place] != id {
			return fmt.Errorf("client %d waits, but not at its place %#x", id, link)
		}
	case paired:
		if link == 0 || link&waitingBit != 0 || link-1 == id {
			return fmt.Errorf("client %d is paired with %#x", id, link)
		}
		other := t.entry(link - 1)
		if other == nil || other.state != paired || other.link.Load() != id+1 {
			return fmt.Errorf("client %d is paired with %d, which does not point back", id, link-1) // I5
		}
	}
	return nil
}
