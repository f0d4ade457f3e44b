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
			name   string
			wishes func(i uint32) *Wishes
		}{
			{"open", func(uint32) *Wishes { return nil }},
			{"interests", func(i uint32) *Wishes {
				if i%2 == 0 {
					return nil
				}
				return topicNames[i%uint32(len(topicNames))]
			}},
			{"languages", func(i uint32) *Wishes { return languageNames[i%uint32(len(languageNames))] }},
			{"both", func(i uint32) *Wishes { return speakersOf[i%uint32(len(speakersOf))] }},
		} {
			b.Run(fmt.Sprintf("waiting=%d/%s", waiting, test.name), func(b *testing.B) {
				benchmarkMatch(b, waiting, test.wishes)
			})
		}
	}
}

// topicNames are interests of which each waiting client has two; languageNames
// are languages, likewise; speakersOf have both.
var topicNames, languageNames, speakersOf = func() (topics, languages, both []*Wishes) {
	for i := range 999 {
		w := Wishes{
			Interests: []string{fmt.Sprintf("topic %d", i), fmt.Sprintf("topic %d", (i+1)%999)},
			Languages: []string{fmt.Sprintf("l%d", i%37), fmt.Sprintf("l%d", (i+1)%37)},
		}
		topics = append(topics, &Wishes{Interests: w.Interests})
		languages = append(languages, &Wishes{Languages: w.Languages})
		both = append(both, &w)
	}
	return topics, languages, both
}()

func benchmarkMatch(b *testing.B, waitingClients int, wishes func(uint32) *Wishes) {
	table := New(Config{IDs: waitingClients + 1<<16})
	for id := range uint32(waitingClients) {
		table.Enter(id, false)
		await(table, id, wishes(id))
	}
	var workers atomic.Uint32
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		me := uint32(waitingClients) + workers.Add(1)*64
		for i := me; pb.Next(); i++ {
			table.Enter(me, false)
			c := table.Seek(me, 0, wishes(i))
			table.Leave(me, 0)
			for _, m := range c.Matches() {
				if m.B >= uint32(waitingClients) {
					continue // the other loop's, which takes care of itself
				}
				table.Stop(m.B, 0)
				await(table, m.B, wishes(m.B))
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "matches/s")
}

// await makes a client wait without looking for a partner, so that a pool can
// fill with clients who would take each other.
func await(table *Table, id uint32, w *Wishes) {
	e, s := table.entry(id), table.shardOf(id)
	var k *seeker
	if w.any() {
		k = table.newSeeker(id, Ordinary, w, table.needsAt(w, 0))
	}
	s.mu.Lock()
	if k != nil {
		s.keep(k)
	}
	if e.state == idle {
		s.await(table, id, e, k, 0)
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

// BenchmarkMatchOfPeople is BenchmarkMatch with open clients, whose table knows who
// they are, and who have each blocked somebody.
func BenchmarkMatchOfPeople(b *testing.B) {
	for _, known := range []bool{false, true} {
		b.Run(fmt.Sprintf("known=%t", known), func(b *testing.B) {
			table := New(Config{IDs: 1 << 12, People: known})
			for id := range uint32(2000) {
				p := Person{1, byte(id), byte(id >> 8)}
				table.Enter(id, false)
				table.Identify(id, p, false, 0)
				p[0] = 2
				table.Block(id, p)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				table.Seek(uint32(i%2000), uint32(i), nil)
			}
		})
	}
}
