package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest/talker"
	"roulette/metrics"
)

// TestEveryMessageOnceThroughCuts: pairs talk while their connections are cut, each
// by its own chance, and each message is heard once and in order.
func TestEveryMessageOnceThroughCuts(t *testing.T) {
	const pairs, messages, cuts = 20, 200, 12
	settings := returning
	settings.MaxAway, settings.ResumeGrace = 2*pairs, time.Hour
	s, addr := start(t, Config{Settings: settings})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	var all sync.WaitGroup
	for i := range pairs {
		var two [2]*talker.Talker
		for side := range two {
			random, left := rand.New(rand.NewPCG(seed, uint64(2*i+side))), cuts
			two[side] = &talker.Talker{
				Name: fmt.Sprintf("p%d/%d", i, side), Table: fmt.Sprint(i), Addr: addr, Total: messages, Pace: 100 * time.Microsecond,
				Cut: func() bool {
					if left == 0 || random.IntN(25) != 0 {
						return false
					}
					left--
					return true
				},
			}
		}
		all.Go(func() {
			if err := talker.Talk(ctx, two[0], two[1]); err != nil {
				t.Error(err)
				cancel()
			}
			for _, k := range two {
				if k.Lost != 0 || !k.Finished && !t.Failed() {
					t.Errorf("%s: %d lost, finished %t", k.Name, k.Lost, k.Finished)
				}
			}
		})
	}
	all.Wait()
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Breaks }); n < pairs*cuts {
		t.Errorf("%d breaks, fewer than were cut", n)
	}
}
