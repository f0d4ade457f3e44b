//go:build long

package safety

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/proof"
	"roulette/frame/record"
)

// client is a rich client. Its methods are for one goroutine, but heard is read by any.
type client struct {
	conn   *websocket.Conn
	cookie string      // that its browser keeps, "": none
	pair   uint32      // the latest pairing it was told of
	heard  chan []byte // messages and records as they come; closed with the connection
}

// browser is what a client is, and where.
type browser struct {
	from    net.IP // nil: wherever
	agent   string
	cookie  string
	can     record.Can
	blocked []string
}

// dial has b's client greet the server.
func (b *browser) dial(ctx context.Context, addr string) (*client, error) {
	dialer := net.Dialer{}
	if b.from != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: b.from}
	}
	header := http.Header{"Origin": {"http://" + addr}, "User-Agent": {b.agent}}
	if b.cookie != "" {
		header.Set("Cookie", b.cookie)
	}
	transport := &http.Transport{DialContext: dialer.DialContext}
	conn, answer, err := websocket.Dial(ctx, "ws://"+addr+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header, Subprotocols: []string{record.Subprotocol}})
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, cookie: b.cookie, heard: make(chan []byte, 16)}
	for _, k := range answer.Cookies() {
		c.cookie = k.Name + "=" + k.Value
	}
	go func() {
		defer close(c.heard)
		for {
			_, b, err := conn.Read(ctx)
			if err != nil {
				return
			}
			select {
			case c.heard <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	if b.can == 0 {
		return c, nil
	}
	return c, c.command(ctx, record.Command{Kind: record.Hello, Can: b.can, Blocked: b.blocked})
}

// leave ends the connection, and returns when nothing of it is left.
func (c *client) leave() {
	_ = c.conn.Close(websocket.StatusNormalClosure, "") // or it is closed already
	for range c.heard {
	}
}

func (c *client) command(ctx context.Context, cmd record.Command) error {
	return c.conn.Write(ctx, websocket.MessageText, record.AppendCommand(nil, &cmd))
}

func (c *client) say(ctx context.Context, text string) error {
	return c.conn.Write(ctx, websocket.MessageText, []byte(text))
}

// next looks for somebody, if the client knows of the latest pairing.
func (c *client) next(ctx context.Context) error {
	return c.command(ctx, record.Command{Kind: record.Next, Pair: c.pair, HasPair: true})
}

// errGone: the server has ended the connection.
var errGone = errors.New("the connection is gone")

// hears waits for a message of the partner's, or for what the server says.
func (c *client) hears(ctx context.Context, until <-chan time.Time) (text string, events []record.Event, err error) {
	select {
	case b, ok := <-c.heard:
		if !ok {
			return "", nil, errors.Join(errGone, ctx.Err())
		}
		if !record.IsControl(b) {
			return string(b), nil, nil
		}
		events, err = record.ParseEvents(b)
		for _, e := range events {
			if e.Type == record.TypePaired {
				c.pair = e.Pair
			}
		}
		return "", events, err
	case <-until:
		return "", nil, nil
	case <-ctx.Done():
		return "", nil, ctx.Err()
	}
}

// prove answers what the client was asked, on computer, on which one is at a time.
func (c *client) prove(ctx context.Context, asked record.Event, computer chan struct{}) error {
	computer <- struct{}{}
	puzzle := proof.Puzzle{Seed: asked.Token, Bits: asked.Bits}
	answers, ok := puzzle.Solve(ctx.Done())
	<-computer
	if !ok {
		return ctx.Err()
	}
	return c.command(ctx, record.Command{Kind: record.Proof, Token: asked.Token, Answers: answers})
}

func waits(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
