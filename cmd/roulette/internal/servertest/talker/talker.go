// Package talker is a client for tests that resumes its chat, with a checker in it: it
// says numbered messages to its partner, whatever happens to its connections, and each
// that it hears has to be the next.
package talker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/resume"
	"roulette/frame/record"
)

// Window is how many messages may be on their way.
const Window = 20

// ErrCut is what ends a connection that Cut has cut.
var ErrCut = errors.New("cut")

// Talker is one client. Its goroutine is that of Run.
type Talker struct {
	// Immutable. The functions may be nil.
	Name   string
	Table  string // where the two meet
	Addr   string
	Where  func() string // the address of each connection, in place of Addr
	Idle   func() bool   // nobody listens: an attempt is refused without one
	Total  int           // messages to say, and to hear
	Pace   time.Duration
	Wait   func(attempts int) time.Duration // after so many attempts in a row that failed
	Finish func()                           // is called once, when all was said, confirmed and heard
	Over   <-chan struct{}
	Met    func()      // is called when the chat begins
	Cut    func() bool // whether the connection is to be cut after this message, while there is a chat
	Stays  bool        // what Cut has cut is there still, as far as the server knows, until Run ends

	// Owned by Run until it has ended.
	Chat     *resume.Chat // nil: not met
	Lost     uint64       // messages that were reported as lost
	Breaks   int          // connections and attempts that failed since they met
	Finished bool

	// Talks is when both could talk last after a break, as this one was told, in
	// nanoseconds of Unix time, and Broke when it learned last that it could not.
	Talks, Broke atomic.Int64

	Heard atomic.Int64 // messages so far

	conn    *websocket.Conn
	partner string
	stayed  []*websocket.Conn
}

// Talk runs two at one table until each has said and heard all.
func Talk(ctx context.Context, a, b *Talker) error {
	over := make(chan struct{})
	var finished atomic.Int32
	finish := func() {
		if finished.Add(1) == 2 {
			close(over)
		}
	}
	ends := make(chan error, 2)
	for _, k := range []*Talker{a, b} {
		k.Over, k.Finish = over, finish
		go func() { ends <- k.Run(ctx) }()
	}
	return errors.Join(<-ends, <-ends)
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

func (k *Talker) put(ctx context.Context, payload []byte) error {
	return k.conn.Write(ctx, websocket.MessageText, payload)
}

func (k *Talker) command(ctx context.Context, cmd record.Command) error {
	return k.put(ctx, record.AppendCommand(nil, &cmd))
}

// Run lives until it is over, on as many connections as that takes. The first attempt
// is made at once, unless the server said that it goes, the others after a wait. The
// error is a mistake of the server, or of ctx.
func (k *Talker) Run(ctx context.Context) error {
	defer func() {
		for _, conn := range k.stayed {
			conn.CloseNow()
		}
	}()
	for attempts := 0; ; attempts++ {
		err := k.live(ctx)
		if err == nil {
			return nil
		}
		var bad wrong
		if errors.As(err, &bad) || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
		if k.Chat != nil {
			k.Breaks++
			if k.Chat.Open() {
				attempts = 0
				k.Broke.Store(time.Now().UnixNano())
			}
			k.Chat.Lost()
		}
		if k.Wait != nil && (attempts > 0 || websocket.CloseStatus(err) == websocket.StatusGoingAway) {
			select {
			case <-time.After(k.Wait(attempts)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// live is one connection, from the handshake to its end; nil when all is over.
func (k *Talker) live(ctx context.Context) (err error) {
	if k.Idle != nil && k.Idle() {
		return syscall.ECONNREFUSED
	}
	addr := k.Addr
	if k.Where != nil {
		addr = k.Where()
	}
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/ws", &websocket.DialOptions{Subprotocols: []string{record.Subprotocol}, HTTPClient: strict})
	if err != nil {
		return err
	}
	defer func() {
		if k.Stays && errors.Is(err, ErrCut) {
			k.stayed = append(k.stayed, conn)
		} else {
			conn.CloseNow()
		}
	}()
	k.conn = conn
	if err := k.command(ctx, record.Command{Kind: record.Hello, Can: record.CanResume | record.CanTables}); err != nil {
		return err
	}
	first := record.Command{Kind: record.Next, HasTable: true, Table: k.Table}
	if k.Chat != nil {
		first = k.Chat.Return()
	}
	if err := k.command(ctx, first); err != nil {
		return err
	}
	in := make(chan []byte)
	broken := make(chan error, 1)
	reading := ctx // the library closes a connection whose reading is given up
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			_, data, err := conn.Read(reading)
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
	tick := time.NewTicker(k.Pace)
	defer tick.Stop()
	for {
		select {
		case <-k.Over:
			return nil
		case err = <-broken:
		case data := <-in:
			err = k.read(ctx, data)
		case <-tick.C:
			err = k.speak(ctx)
		}
		if err != nil {
			return err
		}
		k.look()
	}
}

// look sees whether all was said, confirmed and heard.
func (k *Talker) look() {
	if k.Chat == nil || k.Finished {
		return
	}
	if delivered, _ := k.Chat.Sent(); int(delivered) == k.Total && int(k.Chat.Shown()) == k.Total {
		k.Finished = true
		k.Finish()
	}
}

func (k *Talker) read(ctx context.Context, data []byte) error {
	if !record.IsControl(data) {
		if err := k.heard(ctx, string(data)); err != nil {
			return err
		}
	} else if err := k.told(ctx, data); err != nil {
		return err
	}
	if k.Cut != nil && k.Chat != nil && k.Cut() {
		return ErrCut
	}
	return nil
}

func (k *Talker) heard(ctx context.Context, text string) error {
	var from string
	var n uint64
	if _, err := fmt.Sscanf(text, "%s %d", &from, &n); err != nil {
		return wrong{fmt.Errorf("heard %q: %w", text, err)}
	}
	if k.partner == "" {
		k.partner = from
	}
	if k.Chat == nil {
		return wrong{fmt.Errorf("heard %q of nobody", text)}
	}
	due, shown := k.Chat.Showed(), k.Chat.Shown()
	k.Heard.Add(1)
	if from != k.partner || n != shown {
		return wrong{fmt.Errorf("heard %q where message %d of %s is due", text, shown, k.partner)}
	}
	if due || shown%4 == 0 || int(shown) == k.Total {
		return k.command(ctx, k.Chat.Have())
	}
	return nil
}

func (k *Talker) told(ctx context.Context, data []byte) error {
	events, err := record.ParseEvents(data)
	if err != nil {
		return wrong{err}
	}
	for _, e := range events {
		switch {
		case e.Type == record.TypeLeft, e.Type == record.TypeError:
			return wrong{fmt.Errorf("told %+v", e)}
		case e.Type == record.TypePaired:
			if e.Token == "" {
				return wrong{errors.New("no token")}
			}
			k.Chat = resume.NewChat(e.Token, e.Pair)
			if err := k.command(ctx, k.Chat.Have()); err != nil {
				return err
			}
			if k.Met != nil {
				k.Met()
			}
		case k.Chat != nil:
			if err := k.take(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// take does what an event of the chat asks for.
func (k *Talker) take(ctx context.Context, e record.Event) error {
	open := k.Chat.Open()
	step, err := k.Chat.Take(e)
	if open && !k.Chat.Open() {
		k.Broke.Store(time.Now().UnixNano())
	}
	if err != nil {
		return wrong{fmt.Errorf("%w at %+v", err, e)}
	}
	if step.Send.Kind != record.Unknown {
		if err := k.command(ctx, step.Send); err != nil {
			return err
		}
	}
	for _, m := range step.Again {
		if err := k.put(ctx, m.Payload); err != nil {
			return err
		}
	}
	k.Lost += step.Lost
	if step.Resumed && k.Chat.Open() {
		k.Talks.Store(time.Now().UnixNano())
	}
	return nil
}

// speak says one more while few are on their way. What it cannot say now stands in its
// ring.
func (k *Talker) speak(ctx context.Context) error {
	if k.Chat == nil {
		return nil
	}
	delivered, sent := k.Chat.Sent()
	if int(sent) == k.Total || sent-delivered >= Window {
		return nil
	}
	m := fmt.Appendf(nil, "%s %d", k.Name, sent+1)
	k.Chat.Say(resume.Message{Payload: m})
	if !k.Chat.Open() {
		return nil
	}
	return k.put(ctx, m)
}
