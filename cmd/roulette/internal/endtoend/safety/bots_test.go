//go:build long

package safety

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/frame/record"
)

var (
	botsFlag  = flag.Int("bots", 1000, "bots, and as many people")
	lastsFlag = flag.Duration("bots.lasts", 150*time.Second, "how long bots are among people")
)

const (
	canChat = record.CanPeople | record.CanBlock | record.CanProof
	line    = "hi im lonely, come to my page http://example.com/?id=7731"
	window  = 10 * time.Second
	settled = 2 * time.Minute // when bots are to be found out
)

var agents = []string{
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}

// among is people, and bots among them.
type among struct {
	addr     string
	bots     browser // what all bots are, but for their addresses
	stay     bool    // they chat on one connection; else on a new one each time, without a cookie
	began    time.Time
	computer chan struct{} // one at a time works on a proof

	// Atomic. Chats of people, by when they began.
	people, withBots []atomic.Int64
	proofs, gone     atomic.Int64 // people who were asked for one, who lost their connection
}

// TestBots: bots that say the same line to everybody at once are as many as people. Share
// of people's chats that are with a bot.
func TestBots(t *testing.T) {
	known := browser{agent: agents[0], can: canChat}
	for _, k := range []struct {
		name, safety string
		bots         browser
		stay         bool
		most         float64 // share once they are found out; 1: they are not
	}{
		{"off", "off", known, true, 1},
		{"on, bots that stay", "on", known, true, 0.05},
		{"on, bots that come anew", "on", browser{agent: "python-websockets/15"}, false, 0.05},
		{"on, bots that come anew and look like people", "on", browser{agent: agents[0]}, false, 0.05},
	} {
		t.Run(k.name, func(t *testing.T) {
			p := program.Launch{Descriptors: 20_000, Args: []string{"--safety", k.safety}}.Serve(t)
			a := &among{addr: p.Addr, bots: k.bots, stay: k.stay, computer: make(chan struct{}, 1)}
			lasts := *lastsFlag
			if k.most == 1 {
				lasts = min(lasts, 40*time.Second)
			}
			share := a.run(t, lasts)
			for name, n := range p.Metrics(t) {
				if n > 0 && (strings.HasPrefix(name, "roulette_safety_rules") || strings.HasPrefix(name, "roulette_safety_proof")) {
					t.Logf("%s %.0f", name, n)
				}
			}
			t.Logf("%d proofs of people, %d of them lost their connection", a.proofs.Load(), a.gone.Load())
			switch {
			case k.most == 1 && share < 0.2:
				t.Errorf("only %.1f %% with nothing done about it: these are no bots", 100*share)
			case k.most < 1 && lasts > settled && share > k.most:
				t.Errorf("%.1f %% of chats are with a bot, want at most %.0f", 100*share, 100*k.most)
			}
		})
	}
}

// run lets all chat for so long, and returns the share of bots in the end.
func (a *among) run(t *testing.T, lasts time.Duration) float64 {
	seed := program.Seed(t)
	a.began = time.Now()
	a.people, a.withBots = make([]atomic.Int64, lasts/window+1), make([]atomic.Int64, lasts/window+1)
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var all sync.WaitGroup
	for i := range 2 * *botsFlag {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		from := net.IPv4(127, 0, byte(1+i/250), byte(1+i%250))
		all.Go(func() {
			waits(ctx, between(r, 0, window))
			for ctx.Err() == nil {
				var err error
				if i%2 == 0 {
					err = a.person(ctx, r, browser{from: from, agent: agents[r.IntN(len(agents))], can: canChat})
				} else {
					bot := a.bots
					bot.from = from
					err = a.bot(ctx, r, bot)
				}
				if err != nil && ctx.Err() == nil {
					if i%2 == 0 {
						a.gone.Add(1)
					}
					waits(ctx, between(r, time.Second, 3*time.Second))
				}
			}
		})
	}
	all.Wait()
	var bots, chats int64 // once bots are to be found out, or from half of the time on
	var lines strings.Builder
	for i := range a.people {
		with, all := a.withBots[i].Load(), a.withBots[i].Load()+a.people[i].Load()
		if all == 0 {
			continue
		}
		at := time.Duration(i) * window
		fmt.Fprintf(&lines, "\n%4.0f s  %5d chats  %5.1f %%", at.Seconds(), all, 100*float64(with)/float64(all))
		if at >= min(settled, lasts/2) {
			bots, chats = bots+with, chats+all
		}
	}
	t.Logf("share of people's chats that are with a bot:%s", lines.String())
	return float64(bots) / float64(max(chats, 1))
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// person chats: says something after a while, goes on from a bot when its line is read, and
// from others after a chat.
func (a *among) person(ctx context.Context, r *rand.Rand, b browser) error {
	c, err := b.dial(ctx, a.addr)
	if err != nil {
		return err
	}
	defer c.conn.CloseNow()
	for {
		if err := a.meets(ctx, c); err != nil {
			return err
		}
		began := time.Now()
		isBot, err := a.chats(ctx, r, c)
		if i := int(began.Sub(a.began) / window); isBot {
			a.withBots[i].Add(1)
		} else {
			a.people[i].Add(1)
		}
		if err != nil {
			return err
		}
	}
}

// chats is a person's chat from its beginning to its end.
func (a *among) chats(ctx context.Context, r *rand.Rand, c *client) (isBot bool, err error) {
	timer := time.NewTimer(between(r, 2*time.Second, 5*time.Second))
	defer timer.Stop()
	for said := false; ; {
		text, events, err := c.hears(ctx, timer.C)
		switch {
		case err != nil:
			return isBot, err
		case events != nil:
			if slices.ContainsFunc(events, func(e record.Event) bool { return e.Type == record.TypeLeft }) {
				return isBot, nil
			}
		case text == line:
			isBot = true
			timer.Reset(between(r, 1500*time.Millisecond, 3*time.Second))
		case text != "":
		case isBot || said:
			return isBot, nil
		default:
			if err := c.say(ctx, "hello, where are you from?"); err != nil {
				return isBot, err
			}
			said = true
			timer.Reset(between(r, 10*time.Second, 60*time.Second))
		}
	}
}

// meets goes on to the next partner.
func (a *among) meets(ctx context.Context, c *client) error {
	if err := c.next(ctx); err != nil {
		return err
	}
	for before := c.pair; ; {
		_, events, err := c.hears(ctx, nil)
		if err != nil {
			return err
		}
		for _, e := range events {
			switch {
			case e.Type == record.TypeProof:
				a.proofs.Add(1)
				if err := c.prove(ctx, e, a.computer); err != nil {
					return err
				}
			case e.Type == record.TypeError: // of a proof that has been late
				if err := c.next(ctx); err != nil {
					return err
				}
			}
		}
		if c.pair != before {
			return nil
		}
	}
}

// bot says its line to everybody it meets, and goes on soon after.
func (a *among) bot(ctx context.Context, r *rand.Rand, b browser) error {
	c, err := b.dial(ctx, a.addr)
	if err != nil {
		return err
	}
	defer c.leave()
	for {
		if err := a.meets(ctx, c); err != nil {
			return err
		}
		if err := c.say(ctx, line); err != nil {
			return err
		}
		timer := time.NewTimer(between(r, time.Second, 2*time.Second))
		for over := false; !over; {
			text, events, err := c.hears(ctx, timer.C)
			if err != nil {
				return err
			}
			over = text == "" && events == nil || slices.ContainsFunc(events, func(e record.Event) bool { return e.Type == record.TypeLeft })
		}
		if !a.stay {
			return nil
		}
	}
}
