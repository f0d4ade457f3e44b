package upgrade

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	resuming "roulette/cmd/roulette/internal/servertest/talker"
)

// TestBreaksAfterUpgrade: a chat of two nodes, of which one has been upgraded, outlives a
// connection that is cut, at the one node and at the other; and so does one of which
// somebody is away while their node is upgraded, or the other.
func TestBreaksAfterUpgrade(t *testing.T) {
	t.Parallel()
	bus := program.StartBus(t).URL()
	key := filepath.Join(t.TempDir(), "key")
	nodes := []*served{serve(t, "--cluster", bus, "--resume-key", key), serve(t, "--cluster", bus, "--resume-key", key)}
	for _, s := range nodes {
		servertest.Await(t, "the nodes to know each other", func() bool { return s.metric("roulette_cluster_nodes") == 2 })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	over := make(chan struct{})
	var met, all sync.WaitGroup
	var cuts [2]atomic.Bool   // the next message that one hears is the last of its connection
	var doors [2]sync.RWMutex // held: one cannot come back
	var people [2]*resuming.Talker
	for i, s := range nodes {
		met.Add(1)
		people[i] = &resuming.Talker{
			Name: []string{"a", "b"}[i], Table: "one", Total: 1 << 30, Pace: 5 * time.Millisecond, Over: over, Met: met.Done,
			Where: func() string {
				doors[i].RLock()
				defer doors[i].RUnlock()
				return s.plain
			},
			Cut: func() bool { return cuts[i].CompareAndSwap(true, false) },
		}
		all.Go(func() {
			if err := people[i].Run(ctx); err != nil {
				t.Error(err)
				cancel()
			}
		})
	}
	met.Wait()
	goesOn := func() {
		t.Helper()
		const news = resuming.Window + 1 // what is on its way may come in any case
		for _, k := range people {
			least := k.Heard.Load() + news
			servertest.Await(t, k.Name+" to hear more", func() bool { return k.Heard.Load() >= least || ctx.Err() != nil })
		}
	}
	cut := func(i int) {
		t.Helper()
		cuts[i].Store(true)
		servertest.Await(t, "a connection to be cut", func() bool { return !cuts[i].Load() || ctx.Err() != nil })
	}
	upgrade := func(s *served) {
		t.Helper()
		if out, err := s.upgrade(nil); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	goesOn()
	upgrade(nodes[0])
	for i := range people {
		cut(i)
		goesOn()
	}
	for i, s := range nodes {
		doors[0].Lock()
		cut(0)
		upgrade(s)
		doors[0].Unlock()
		if goesOn(); t.Failed() {
			t.Fatalf("with node %d upgraded", i)
		}
	}
	close(over)
	all.Wait()
	for _, k := range people {
		if k.Lost != 0 {
			t.Errorf("%s: %d lost", k.Name, k.Lost)
		}
		t.Logf("%s has heard %d messages, with %d breaks", k.Name, k.Heard.Load(), k.Breaks)
	}
}
