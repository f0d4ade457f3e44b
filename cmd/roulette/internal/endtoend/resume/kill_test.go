package resume

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest/talker"
)

// TestKilledUnderChats kills the server under chatting pairs, again and again, and
// starts it anew: nothing is lost or doubled, and how long it takes from the new
// server's first word until both of a pair can talk is told.
func TestKilledUnderChats(t *testing.T) {
	pairs, kills := crowd, deaths
	if testing.Short() {
		pairs, kills = 20, 2
	}
	program.RaiseDescriptors(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	state := filepath.Join(t.TempDir(), "state") // which the program makes for itself
	args := []string{"--listen", "127.0.0.1:" + program.FreePort(t), "--state-dir", state}
	launch := program.Launch{Args: args}
	p := launch.Run(t)
	addr := p.Await(t, program.Listening)

	over := make(chan struct{})
	var all sync.WaitGroup
	var nobody atomic.Bool // listens
	people := chatters(t, ctx, cancel, addr, pairs, &nobody, over, &all)

	var times []time.Duration
	for range kills {
		p.Kill(t)
		nobody.Store(true)
		p = launch.Run(t)
		p.Await(t, program.Listening)
		nobody.Store(false)
		up := time.Now()
		for _, two := range people {
			times = append(times, until(ctx, up, two))
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(over)
	all.Wait()
	var said, heard, breaks, lost uint64
	for _, two := range people {
		for side, k := range two {
			_, sent := k.Chat.Sent()
			said += sent
			heard += k.Chat.Shown()
			lost += k.Lost
			breaks += uint64(k.Breaks)
			if delivered, _ := k.Chat.Sent(); delivered > two[1-side].Chat.Shown() {
				t.Errorf("%s: %d are delivered, %d were heard", k.Name, delivered, two[1-side].Chat.Shown())
			}
		}
	}
	if heard == 0 {
		t.Error("nobody has said anything")
	}
	if lost != 0 {
		t.Errorf("%d messages were lost", lost)
	}
	slices.Sort(times)
	if n := len(times); n > 0 {
		t.Logf("%d pairs, %d kills, %d breaks: %d messages said, %d heard, each once; both could talk after p50 %v, p99 %v, at most %v",
			pairs, kills, breaks, said, heard, times[n/2].Round(time.Millisecond), times[n*99/100].Round(time.Millisecond), times[n-1].Round(time.Millisecond))
	}
}

const endless = 1 << 30

// until waits until both can talk again, and says how long after up that was.
func until(ctx context.Context, up time.Time, two [2]*talker.Talker) time.Duration {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		at := min(two[0].Talks.Load(), two[1].Talks.Load())
		if at > up.UnixNano() {
			return time.Unix(0, max(two[0].Talks.Load(), two[1].Talks.Load())).Sub(up)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0
		}
	}
}

// chatters are pairs who have met, and chat until over. While nobody listens, their attempts
// cost the machine nothing, as if it was not theirs, too.
func chatters(t *testing.T, ctx context.Context, cancel func(), addr string, pairs int, nobody *atomic.Bool, over <-chan struct{}, all *sync.WaitGroup) (people [][2]*talker.Talker) {
	t.Helper()
	var met sync.WaitGroup
	for i := range pairs {
		var two [2]*talker.Talker
		for side := range two {
			met.Add(1)
			two[side] = &talker.Talker{
				Name: fmt.Sprintf("%d/%d", i, side), Table: fmt.Sprint(i), Addr: addr, Total: endless, Pace: killedPace,
				Wait: spread, Idle: nobody.Load, Over: over, Met: met.Done,
			}
			all.Go(func() {
				if err := two[side].Run(ctx); err != nil {
					t.Error(err)
					cancel()
				}
			})
		}
		people = append(people, two)
	}
	met.Wait()
	return people
}

// TestDrainedUnderChats: a new version takes the place of the old one, which sends all
// its clients away when it is told to end. How long each chat was silent is told.
func TestDrainedUnderChats(t *testing.T) {
	pairs := drained
	if testing.Short() {
		pairs = 20
	}
	program.RaiseDescriptors(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	state := filepath.Join(t.TempDir(), "state") // which the program makes for itself
	launch := program.Launch{Args: []string{"--listen", "127.0.0.1:" + program.FreePort(t), "--state-dir", state, "--drain-time", drainTime}}
	p := launch.Run(t)
	addr := p.Await(t, program.Listening)
	over := make(chan struct{})
	var all sync.WaitGroup
	var nobody atomic.Bool // listens
	people := chatters(t, ctx, cancel, addr, pairs, &nobody, over, &all)
	told := time.Now()
	p.Signal(t, syscall.SIGTERM)
	if code := p.Exit(t); code != program.OK {
		t.Errorf("exit code %d", code)
	}
	ended := time.Now()
	nobody.Store(true)
	launch.Run(t).Await(t, program.Listening)
	nobody.Store(false)
	up := time.Now()
	t.Logf("the old process ended %v after it was told to, the new one listened %v later", ended.Sub(told).Round(time.Millisecond), up.Sub(ended).Round(time.Millisecond))
	var silent []time.Duration
	first := up // to be sent away
	for _, two := range people {
		talk := up.Add(until(ctx, up, two))
		broke := time.Unix(0, min(two[0].Broke.Load(), two[1].Broke.Load()))
		if broke.Before(first) {
			first = broke
		}
		silent = append(silent, talk.Sub(broke))
	}
	close(over)
	all.Wait()
	for _, two := range people {
		for _, k := range two {
			if k.Lost != 0 {
				t.Errorf("%s: %d messages were lost", k.Name, k.Lost)
			}
		}
	}
	slices.Sort(silent)
	n := len(silent)
	t.Logf("%d people, drained in %s, %v from the first sent away to the new version: a chat was silent for p50 %v, p99 %v, at most %v",
		2*pairs, drainTime, up.Sub(first).Round(time.Millisecond), silent[n/2].Round(time.Millisecond), silent[n*99/100].Round(time.Millisecond), silent[n-1].Round(time.Millisecond))
}
