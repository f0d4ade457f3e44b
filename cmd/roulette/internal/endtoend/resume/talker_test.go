package resume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/resume"
	"roulette/frame/record"
)

// talker is a client that resumes, with a checker: it says numbered messages to its
// partner, whatever happens to its connections, and each that it hears has to be the
// next.
type talker struct {
	resume.Ledger
	name    string
	table   string // where the two meet
	addr    string
	total   int // messages to say, and to hear
	pace    time.Duration
	finish  func(*talker) // is called once, when all was said, confirmed and heard
	over    <-chan struct{}
	partner string
	met     func() // is called when the chat begins

	conn     *websocket.Conn
	token    string
	try      uint32
	pair     uint32
	ready    bool // what it says is relayed
	lost     uint64
	finished bool
	breaks   int

	talks atomic.Int64 // UnixNano of when it could talk last after a break
}

// strict is a way to the server on which a frame that is cut behind its header is an
// error; the library would take io.EOF there for the end of an empty message.
var strict = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	return noEnd{conn}, err
}}}

type noEnd struct{ net.Conn }

func (c noEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// wrong is a mistake of the server, which no reconnecting mends.
type wrong struct{ error }

func (k *talker) put(ctx context.Context, payload []byte) error {
	return k.conn.Write(ctx, websocket.MessageText, payload)
}

func (k *talker) command(ctx context.Context, cmd record.Command) error {
	return k.put(ctx, record.AppendCommand(nil, &cmd))
}

// run lives until it is over, on as many connections as that takes. The first attempt
// is made at once, the others after a wait that is spread, as the page's are.
func (k *talker) run(ctx context.Context, wait func(attempts int) time.Duration) error {
	for attempts := 0; ; attempts++ {
		err := k.live(ctx)
		if err == nil {
			return nil
		}
		var bad wrong
		if errors.As(err, &bad) || ctx.Err() != nil {
			return err
		}
		if k.token != "" {
			k.breaks++
		}
		if k.ready {
			attempts = 0
		}
		k.ready = false
		if attempts > 0 {
			select {
			case <-time.After(wait(attempts)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// live is one connection, from the handshake to its end; nil when all is over.
func (k *talker) live(ctx context.Context) error {
	conn, _, err := websocket.Dial(ctx, "ws://"+k.addr+"/ws", &websocket.DialOptions{Subprotocols: []string{record.Subprotocol}, HTTPClient: strict})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	k.conn = conn
	hello := record.AppendCommand(nil, &record.Command{Kind: record.Hello, Can: record.CanResume | record.CanTables})
	if err := k.put(ctx, hello); err != nil {
		return err
	}
	if k.token == "" {
		err = k.command(ctx, record.Command{Kind: record.Next, HasTable: true, Table: k.table})
	} else {
		k.try++
		err = k.command(ctx, record.Command{Kind: record.Resume, Token: k.token, N: k.Have(), Try: k.try})
	}
	if err != nil {
		return err
	}
	in := make(chan []byte)
	broken := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			_, data, err := conn.Read(ctx)
			if err != nil {
				broken <- err
				return
			}
			select {
			case in <- data:
			case <-ctx.Done():
				return
			}
		}
	}()
	tick := time.NewTicker(k.pace)
	defer tick.Stop()
	for {
		select {
		case <-k.over:
			return nil
		case err := <-broken:
			return err
		case data := <-in:
			if record.IsControl(data) {
				err = k.told(ctx, data)
			} else {
				err = k.heard(ctx, string(data))
			}
		case <-tick.C:
			err = k.speak(ctx)
		}
		if err != nil {
			return err
		}
		if delivered, _ := k.Open(); !k.finished && int(delivered) == k.total && int(k.Have()) == k.total {
			k.finished = true
			k.finish(k)
		}
	}
}

func (k *talker) heard(ctx context.Context, text string) error {
	var from string
	var n uint64
	if _, err := fmt.Sscanf(text, "%s %d", &from, &n); err != nil {
		return wrong{fmt.Errorf("%s heard %q: %w", k.name, text, err)}
	}
	if k.partner == "" {
		k.partner = from
	}
	due := k.Showed()
	shown := k.Have()
	if from != k.partner || n != shown {
		return wrong{fmt.Errorf("%s heard %q where message %d of %s is due", k.name, text, shown, k.partner)}
	}
	if due || shown%4 == 0 || int(shown) == k.total {
		return k.command(ctx, record.Command{Kind: record.Have, Pair: k.pair, N: shown})
	}
	return nil
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
			k.met()
		case record.TypeResumed:
			k.token, k.pair = e.Token, e.Pair
		case record.TypeAway:
			k.ready = false
		case record.TypeSync:
			k.ready = false
			err = k.command(ctx, record.Command{Kind: record.Have, Pair: k.pair, Generation: e.Generation, N: k.Have()})
		case record.TypeBack:
			err = k.again(ctx, e)
		case record.TypeHave:
			err = k.Delivered(e.N)
		case record.TypeResend:
			k.lost += e.Lost
			if err = k.Replayed(e.From, e.Lost); err == nil && k.ready {
				k.talks.Store(time.Now().UnixNano())
			}
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

// speak says one more while few are on their way. What it cannot say now stands in its
// ring.
func (k *talker) speak(ctx context.Context) error {
	delivered, sent := k.Open()
	if k.token == "" || int(sent) == k.total || sent-delivered >= 20 {
		return nil
	}
	m := fmt.Appendf(nil, "%s %d", k.name, sent+1)
	k.Sent(resume.Message{Payload: m})
	if !k.ready {
		return nil
	}
	return k.put(ctx, m)
}
