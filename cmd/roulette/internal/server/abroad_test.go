package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/cmd/roulette/internal/servertest/talker"
	"roulette/metrics"
)

// startResuming is so many nodes whose tokens are good for each other.
func startResuming(t *testing.T, n int) (*localBus, []*Server, []string) {
	t.Helper()
	return startNodes(t, n, Config{Settings: Settings{MaxAway: 10_000, PingInterval: 4 * time.Second, PongTimeout: 2 * time.Second}, ResumeKeys: resume.NewKeys()})
}

// TestEveryMessageOnceAcrossNodes: pairs of three nodes talk while their connections are
// cut, and they come back to any node, sometimes before the old one has noticed; while
// the bus is lost now and then. Each message is heard once and in order.
func TestEveryMessageOnceAcrossNodes(t *testing.T) {
	servertest.Parallel(t)
	const pairs, messages, cuts, losses = 12, 150, 8, 6
	bus, servers, addrs := startResuming(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	var all sync.WaitGroup
	for i := range pairs {
		var two [2]*talker.Talker
		for side := range two {
			random, left := rand.New(rand.NewPCG(seed, uint64(2*i+side))), cuts
			two[side] = &talker.Talker{
				Name: fmt.Sprintf("p%d/%d", i, side), Table: fmt.Sprint(i), Total: messages, Pace: 100 * time.Microsecond,
				Where: func() string { return addrs[random.IntN(len(addrs))] },
				Cut: func() bool {
					if left == 0 || random.IntN(25) != 0 {
						return false
					}
					left--
					return true
				},
				Stays: random.IntN(3) == 0,
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
	over := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() {
		for range losses {
			for _, on := range []bool{true, false} {
				select {
				case <-over:
					return
				case <-time.After(300 * time.Millisecond):
				}
				bus.setCut(on)
			}
		}
	})
	all.Wait()
	close(over)
	cutter.Wait()
	for i, s := range servers {
		st := s.Mesh().Stats()
		t.Logf("node %d: %d breaks, %d met, %d joined", i, total(t, s, func(c *metrics.Counters) uint64 { return c.Breaks }), st.Meetings, st.Joins)
		if err := s.pairs.ConsistencyCheck(milliseconds(s.now())); err != nil {
			t.Error(err)
		}
	}
}
