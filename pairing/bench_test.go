package pairing

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkMatch is a client that comes into a pool in which so many wait, is
// matched, and a new one that takes the place of who was taken.
func BenchmarkMatch(b *testing.B) {
	for _, waiting := range []int{1_000, 100_000, 1_000_000} {
		for _, test := range []struct {
			name      string
			interests func(i uint32) []string
		}{
			{"open", func(uint32) []string { return nil }},
			{"interests", func(i uint32) []string {
				if i%2 == 0 {
					return nil
				}
				return topicNames[i%uint32(len(topicNames))]
			}},
		} {
			b.Run(fmt.Sprintf("waiting=%d/%s", waiting, test.name), func(b *testing.B) {
				benchmarkMatch(b, waiting, test.interests)
			})
		}
	}
}

// topicNames are interests of which each waiting client has two.
var topicNames = func() (names [][]string) {
	for i := range 999 {
		names = append(names, []string{fmt.Sprintf("topic %d", i), fmt.Sprintf("topic %d", (i+1)%999)})
	}
	return names
}()

func benchmarkMatch(b *testing.B, waitingClients int, interests func(uint32) []string) {
	table := New(Config{IDs: waitingClients + 1<<16})
	for id := range uint32(waitingClients) {
		table.Enter(id, false)
		await(table, id, interests(id))
	}
	var workers atomic.Uint32
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		me := uint32(waitingClients) + workers.Add(1)*64
		for i := me; pb.Next(); i++ {
			table.Enter(me, false)
			c := table.Seek(me, 0, interests(i))
			table.Leave(me, 0)
			for _, m := range c.Matches() {
				if m.B >= uint32(waitingClients) {
					continue // the other loop's, which takes care of itself
				}
				table.Stop(m.B, 0)
				await(table, m.B, interests(m.B))
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "matches/s")
}

// await makes a client wait without looking for a partner, so that a pool can
// fill with clients who would take each other.
func await(table *Table, id uint32, interests []string) {
	e, s := table.entry(id), table.shardOf(id)
	var k *seeker
	if len(interests) > 0 {
		k = &seeker{id: id, interests: interests}
		table.post(k)
	}
	s.mu.Lock()
	if k != nil {
		s.keep(k)
	}
	if e.state == idle {
		s.await(table, id, e, k != nil, 0)
	}
	s.mu.Unlock()
}

func BenchmarkPartner(b *testing.B) {
	const clients = 1 << 20
	table := New(Config{IDs: clients})
	for id := range uint32(clients) {
		enter(table, id, 0)
	}
	id := uint32(0)
	for b.Loop() {
		if _, ok := table.Partner(id); !ok {
			b.Fatal("no partner")
		}
		id = (id + 4099) % clients
	}
}
