package resume

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest/talker"
)

// spread is how long a client waits that has failed so many times in a row: the page's
// returnDelay.
func spread(attempts int) time.Duration {
	return 100*time.Millisecond + rand.N(900*time.Millisecond<<min(max(0, attempts-8), 5))
}

// pairOf has two talkers chat, each over its way, until each has said and heard all. met
// is called when the first of them has its token.
func pairOf(t *testing.T, ctx context.Context, table string, total int, addrs [2]string, met func()) [2]*talker.Talker {
	t.Helper()
	var people [2]*talker.Talker
	for i := range people {
		people[i] = &talker.Talker{
			Name: fmt.Sprintf("%s/%d", table, i), Table: table, Addr: addrs[i], Total: total, Pace: 200 * time.Microsecond,
			Wait: func(int) time.Duration { return time.Millisecond },
		}
	}
	people[0].Met = met
	if err := talker.Talk(ctx, people[0], people[1]); err != nil {
		t.Error(err)
	}
	for _, k := range people {
		if k.Lost != 0 || !k.Finished {
			t.Errorf("%s: %d lost, finished %t", k.Name, k.Lost, k.Finished)
		}
	}
	return people
}

// TestCutAtEveryByte: a chat's connection is cut behind each byte of it, in both
// directions, and the next one at some byte of the return; every message is heard once.
func TestCutAtEveryByte(t *testing.T) {
	p := program.Serve(t, "--message-rate=0")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	const messages = 12
	// So many bytes go up and down from the token to the end of the chat.
	const up, down = 300, 300
	seed := program.Seed(t)
	random := rand.New(rand.NewPCG(seed, 1))
	var cuts []cut
	for n := 1; n <= up; n++ {
		cuts = append(cuts, cut{up: true, after: n})
	}
	for n := 1; n <= down; n++ {
		cuts = append(cuts, cut{after: n})
	}
	if testing.Short() {
		random.Shuffle(len(cuts), func(i, j int) { cuts[i], cuts[j] = cuts[j], cuts[i] })
		cuts = cuts[:100]
	}
	var all sync.WaitGroup
	var breaks atomic.Int64
	slots := make(chan struct{}, 8)
	for i, first := range cuts {
		second := cut{up: random.IntN(2) == 0, after: 300 + random.IntN(900)}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			met := make(chan struct{})
			first.from = met
			way := newCutter(t, p.Addr, first, second)
			people := pairOf(t, ctx, fmt.Sprintf("t%d", i), messages, [2]string{way.addr, p.Addr}, func() { close(met) })
			breaks.Add(int64(people[0].Breaks))
			if people[0].Breaks == 0 && first.after == 1 {
				t.Errorf("nothing was cut at %+v", first)
			}
			if t.Failed() {
				t.Logf("cut at %+v, then %+v", first, second)
			}
		})
		if t.Failed() {
			break
		}
	}
	all.Wait()
	t.Logf("%d chats, %d breaks in them", len(cuts), breaks.Load())
	if int(breaks.Load()) < len(cuts)*9/10 {
		t.Error("few chats were cut")
	}
}
