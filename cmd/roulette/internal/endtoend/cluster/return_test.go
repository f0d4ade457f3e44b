package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest/talker"
)

// world is three nodes whose tokens are good for each other, each with a way of its own
// to the bus, and couples who talk; each connection is to any node, as with a balancer.
type world struct {
	t    *testing.T
	bus  *program.Bus
	key  string
	ways []*way

	mu sync.Mutex
	// Guarded by mu.
	nodes []*program.Process
	names int

	people []*talker.Talker
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, bus: program.StartBus(t), key: filepath.Join(t.TempDir(), "key"), nodes: make([]*program.Process, 3)}
	for i := range w.nodes {
		w.ways = append(w.ways, newWay(t, w.bus.Addr))
		w.startNode(i)
	}
	awaitAll(t, w.nodes)
	return w
}

func (w *world) startNode(i int) {
	w.t.Helper()
	p := program.Serve(w.t, "--cluster=nats://"+w.ways[i].addr(), fmt.Sprintf("--node-name=node%d", w.names),
		"--resume-key="+w.key, "--message-rate=0", "--handshakes-per-address=0")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[i] = p
	w.names++
}

// any is the address of some node.
func (w *world) any() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[rand.IntN(len(w.nodes))].Addr
}

// lose loses something of a kind for a while.
func (w *world) lose(kind string) {
	w.t.Helper()
	i := rand.IntN(len(w.nodes))
	// How long a fault lasts is the fault itself, nothing is waited for: longer than a
	// node waits for the others, and for the bus.
	const noticed = 7 * time.Second
	switch kind {
	case "node killed":
		w.nodes[i].Kill(w.t)
		w.startNode(i)
	case "node stopped":
		w.nodes[i].Signal(w.t, syscall.SIGSTOP)
		<-time.After(noticed)
		w.nodes[i].Signal(w.t, syscall.SIGCONT)
	case "node cut off":
		w.ways[i].cut(true)
		<-time.After(noticed)
		w.ways[i].cut(false)
	case "bus killed":
		w.bus.Kill()
		w.bus.Start()
	case "bus stopped":
		w.bus.Signal(syscall.SIGSTOP)
		<-time.After(noticed)
		w.bus.Signal(syscall.SIGCONT)
	}
}

// goOn returns when each has heard something that was not said before.
func (w *world) goOn(ctx context.Context, kind string) {
	w.t.Helper()
	before := make([]int64, len(w.people))
	for i, k := range w.people {
		before[i] = k.Heard.Load()
	}
	began := time.Now()
	// What is on its way may still come, and no more than that.
	const news = talker.Window + 1
	for {
		waiting := slices.IndexFunc(w.people, func(k *talker.Talker) bool {
			i := slices.Index(w.people, k)
			return k.Heard.Load() < before[i]+news
		})
		if waiting < 0 {
			w.t.Logf("%s: all talk again %.1f s later", kind, time.Since(began).Seconds())
			return
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("%s: %s hears nothing any more", kind, w.people[waiting].Name)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestChatsOutliveNodesAndBus: couples on one node and on two talk while nodes and the bus
// are lost; whose connection that ends comes back to any node. Nothing is lost or doubled,
// and nobody is told that their chat is over.
func TestChatsOutliveNodesAndBus(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(losses*len(kinds)+1)*time.Minute)
	defer cancel()
	over := make(chan struct{})
	var met, all sync.WaitGroup
	for i := range couples {
		for side := range 2 {
			met.Add(1)
			k := &talker.Talker{
				Name: fmt.Sprintf("%d/%d", i, side), Table: fmt.Sprint(i), Where: w.any, Total: 1 << 30, Pace: 10 * time.Millisecond,
				Wait: func(attempts int) time.Duration {
					return time.Duration(rand.IntN(100*min(attempts, 10))) * time.Millisecond
				},
				Over: over, Met: met.Done,
			}
			w.people = append(w.people, k)
			all.Go(func() {
				if err := k.Run(ctx); err != nil {
					t.Error(err)
					cancel()
				}
			})
		}
	}
	met.Wait()
	for range losses {
		for _, kind := range kinds {
			w.lose(kind)
			w.goOn(ctx, kind)
		}
	}
	close(over)
	all.Wait()
	said, breaks := uint64(0), 0
	for _, k := range w.people {
		_, sent := k.Chat.Sent()
		said, breaks = said+sent, breaks+k.Breaks
		if k.Lost != 0 {
			t.Errorf("%s: %d lost", k.Name, k.Lost)
		}
	}
	t.Logf("%d couples, %d losses, %d broken connections and refused attempts: %d messages", couples, losses*len(kinds), breaks, said)
}
