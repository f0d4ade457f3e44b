package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/resume"
	"roulette/frame/record"
	"roulette/metrics"
)

// talker is a client that resumes: it says so many numbered messages, whatever
// happens to its connections, and checks that it hears its partner's in order.
type talker struct {
	resume.Ledger
	name    string
	partner string // heard so far of whom, to be the same always
	total   int
	cuts    int // still to come
	random  *rand.Rand

	conn  *websocket.Conn
	token string
	try   uint32
	pair  uint32
	ready bool // what it says is relayed
	done  func() bool
}

// window is how many messages may be on their way.
const window = 20

var errCut = errors.New("cut")

func (k *talker) put(ctx context.Context, payload []byte) error {
	return k.conn.Write(ctx, websocket.MessageText, payload)
}

func (k *talker) command(ctx context.Context, cmd record.Command) error {
	return k.put(ctx, record.AppendCommand(nil, &cmd))
}

// live is one connection, from the handshake to its end.
func (k *talker) live(ctx context.Context, addr string) error {
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/ws", &websocket.DialOptions{Subprotocols: []string{record.Subprotocol}})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	k.conn, k.ready = conn, false
	if err := k.command(ctx, record.Command{Kind: record.Hello, Can: record.CanResume}); err != nil {
		return err
	}
	if k.token == "" {
		err = k.command(ctx, record.Command{Kind: record.Next})
	} else {
		k.try++
		err = k.command(ctx, record.Command{Kind: record.Resume, Token: k.token, N: k.Have(), Try: k.try})
	}
	if err != nil {
		return err
	}
	for reads := 0; !k.done(); reads++ {
		if k.cuts > 0 && k.token != "" && k.random.IntN(25) == 0 {
			k.cuts--
			return errCut
		}
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if record.IsControl(data) {
			err = k.told(ctx, data)
		} else {
			err = k.heard(ctx, string(data))
		}
		if err != nil {
			return err
		}
		if err := k.speak(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wrong is a mistake of the server, which no reconnecting mends.
type wrong struct{ error }

func (k *talker) heard(ctx context.Context, text string) error {
	var from string
	var n uint64
	if _, err := fmt.Sscanf(text, "%s %d", &from, &n); err != nil {
		return wrong{err}
	}
	if k.partner == "" {
		k.partner = from
	}
	k.Showed()
	shown := k.Have()
	if from != k.partner || n != shown {
		return wrong{fmt.Errorf("%s heard %q where message %d of %s is due", k.name, text, shown, k.partner)}
	}
	return k.command(ctx, record.Command{Kind: record.Have, Pair: k.pair, N: shown})
}

func (k *talker) told(ctx context.Context, data []byte) error {
	events, err := record.ParseEvents(data)
	if err != nil {
		return wrong{err}
	}
	for _, e := range events {
		switch e.Type {
		case record.TypePaired:
			k.token, k.pair, k.ready = e.Token, e.Pair, true
			if e.Token == "" {
				return wrong{errors.New("no token")}
			}
		case record.TypeResumed:
			k.token, k.pair = e.Token, e.Pair
		case record.TypeAway, record.TypeSync:
			k.ready = false
			if e.Type == record.TypeSync {
				err = k.command(ctx, record.Command{Kind: record.Have, Pair: k.pair, Generation: e.Generation, N: k.Have()})
			}
		case record.TypeBack:
			err = k.again(ctx, e)
		case record.TypeHave:
			err = k.Delivered(e.N)
		case record.TypeResend:
			if e.Lost != 0 {
				return wrong{fmt.Errorf("%d lost", e.Lost)}
			}
			err = k.Replayed(e.From, e.Lost)
		case record.TypeLeft, record.TypeError:
			return wrong{fmt.Errorf("%s is told %+v", k.name, e)}
		}
		if errors.Is(err, resume.ErrCount) {
			err = wrong{fmt.Errorf("%s: %w at %+v", k.name, err, e)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// again says again what the partner has not shown.
func (k *talker) again(ctx context.Context, e record.Event) error {
	from, lost, messages, err := k.Replay(e.Have)
	if err != nil {
		return err
	}
	if err := k.command(ctx, record.Command{Kind: record.Resend, Generation: e.Generation, From: from, Lost: lost}); err != nil {
		return err
	}
	for _, m := range messages {
		if err := k.put(ctx, m.Payload); err != nil {
			return err
		}
	}
	k.ready = true
	return nil
}

// speak says more while little is on its way. What it cannot say now stands in its
// ring.
func (k *talker) speak(ctx context.Context) error {
	for {
		delivered, sent := k.Open()
		if k.token == "" || int(sent) == k.total || sent-delivered >= window {
			return nil
		}
		if !k.ready && k.random.IntN(3) != 0 {
			return nil
		}
		m := fmt.Appendf(nil, "%s %d", k.name, sent+1)
		k.Sent(resume.Message{Payload: m})
		if k.ready {
			if err := k.put(ctx, m); err != nil {
				return err
			}
		}
	}
}

// TestEveryMessageOnceThroughCuts: pairs talk while their connections are cut, each
// by its own chance, and each message is heard once and in order.
func TestEveryMessageOnceThroughCuts(t *testing.T) {
	const people, messages, cuts = 40, 200, 12
	settings := returning
	settings.MaxAway, settings.ResumeGrace = people, time.Hour
	s, addr := start(t, Config{Settings: settings})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	var mu sync.Mutex
	finished := map[string]bool{} // who has said and heard everything
	var all sync.WaitGroup
	for i := range people {
		k := &talker{name: fmt.Sprintf("p%d", i), total: messages, cuts: cuts, random: rand.New(rand.NewPCG(seed, uint64(i)))}
		k.done = func() bool {
			delivered, _ := k.Open()
			mu.Lock()
			defer mu.Unlock()
			if int(delivered) == messages && int(k.Have()) == messages {
				finished[k.name] = true
			}
			return finished[k.name] && finished[k.partner]
		}
		all.Go(func() {
			for !k.done() {
				err := k.live(ctx, addr)
				var bad wrong
				if errors.As(err, &bad) || ctx.Err() != nil {
					t.Error(err, ctx.Err())
					cancel()
					return
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for _, k := range finished {
		if !k {
			t.Error("somebody is not through")
		}
	}
	t.Logf("%d breaks", total(t, s, func(c *metrics.Counters) uint64 { return c.Breaks }))
}
