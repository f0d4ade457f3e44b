package terminal

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/resume"
	"roulette/frame/record"
)

// Config says how a Client works.
type Config struct {
	URL       string
	TLS       *tls.Config // for wss://: whom to trust; nil is the system's roots
	Interests []string
	Languages []string
	Table     string        // where to sit; "": nowhere
	RetryFor  time.Duration // of failed attempts after a loss; 0: for ever
	Patient   bool          // what is said before there is a stranger waits for one
}

const (
	typingEvery  = 3 * time.Second // how often the server is told at most
	typingStops  = 5 * time.Second // after the last key
	askAgain     = 3 * time.Second // after a Next that the rate limit swallowed
	closeTimeout = time.Minute     // longer than a seat is kept

	defaultMaxMessage = 64 << 10
	maxPending        = 64   // events that nobody has taken, before nothing more is read
	maxSaid           = 4096 // messages remembered in case they are undelivered
)

// Client is one chat connection that comes back by itself. Its methods may be
// called by any goroutine and never wait for the network; somebody must read
// Events until they end.
type Client struct {
	// Immutable after Open.
	ctx      context.Context
	config   Config
	http     *http.Client
	commands chan func()
	events   chan Event
	done     chan struct{} // closed with events
	delay    func(code websocket.StatusCode, attempts int) time.Duration
	// returnDelay is delay where a chat waits to go on.
	returnDelay func(code websocket.StatusCode, attempts int) time.Duration
	patience    [2]time.Duration // behind a ping: slowAfter and lostAfter
	workers     sync.WaitGroup

	// Owned by serve.
	state      State
	pending    []Event // for events
	conn       *connection
	queue      []parcel // for conn
	writing    *parcel  // conn has it
	after      State    // after the hello: Idle, Looking or Left
	interests  []string
	maxMessage int
	pair       uint32   // the present or last pairing on this connection
	said       []int    // what was said in it and has not come back undelivered
	held       []parcel // for the stranger who is looked for
	asked      bool     // a next has had no answer yet
	ungreeted  bool     // the hello has had no answer yet
	agreed     bool     // it has had one
	canGoBack  bool     // the server knows again
	canBlock   bool     // likewise
	canReport  bool
	dossier    dossier // of the present or last stranger
	wantsBack  bool    // it was told that we want the stranger before back
	askTimer   *time.Timer

	chat      *ongoing     // that can be resumed
	leaves    *resume.Chat // was left while there was no connection
	haveTimer *time.Timer
	heart     heartbeat

	typing      bool // the server was told so
	typingSince time.Time
	typingTimer *time.Timer

	welcomed    bool      // some connection was good
	openedAt    time.Time // of this connection's hello, or zero
	attempts    int       // that failed in a row
	lostAt      time.Time // since when there has been no good connection
	serverPause bool      // the server asked for this pause: nothing shortens it
	retryTimer  *time.Timer

	closing    bool
	parting    bool // the goodbye is on its way, or the question before it
	confirmed  bool // the server has seen everything
	closeTimer *time.Timer
	err        error
}

// Open connects and looks for a stranger. The end of ctx ends the client at once.
func Open(ctx context.Context, config Config) (*Client, error) {
	c, err := newClient(ctx, config)
	if err != nil {
		return nil, err
	}
	go c.serve()
	return c, nil
}

func newClient(ctx context.Context, config Config) (*Client, error) {
	url, err := address(config.URL)
	if err != nil {
		return nil, err
	}
	config.URL = url
	return &Client{
		ctx: ctx, config: config, http: newHTTPClient(config.TLS),
		commands: make(chan func()), events: make(chan Event), done: make(chan struct{}),
		delay: retryDelay, returnDelay: returnDelay, patience: [...]time.Duration{slowAfter, lostAfter}, after: Looking, interests: config.Interests, maxMessage: defaultMaxMessage,
	}, nil
}

// Events are what happens, in order. The channel ends behind the event Over, or
// with the context.
func (c *Client) Events() <-chan Event { return c.events }

// Next leaves the stranger, if there is one, and looks for another. pair, unless
// it is 0, is the pairing that shall end: if another one has begun meanwhile,
// nothing happens. While the client is looking already, nothing happens either.
func (c *Client) Next(pair uint32) { c.do(func() { c.next(pair) }) }

// Again wants the stranger before back, which the server grants for a few seconds if
// that one wants it too. An event NotPossible says that it cannot be.
func (c *Client) Again() { c.do(c.again) }

// SetInterests is for what is looked for from now on.
func (c *Client) SetInterests(list []string) { c.do(func() { c.setInterests(list) }) }

// Stop leaves the stranger, or looks no further.
func (c *Client) Stop() { c.do(c.stop) }

// Say sends a message. An event Sent or Undelivered with this id, which is not 0,
// will follow, unless the client ends before.
func (c *Client) Say(id int, text string) { c.do(func() { c.say(id, text) }) }

// Typing says that the user is typing, or no longer. It may be called for every
// key.
func (c *Client) Typing(on bool) { c.do(func() { c.tellTyping(on) }) }

// Close ends the connection in good order when the server has seen everything.
// Undelivered messages are still told. Over has an error if that failed.
func (c *Client) Close() { c.do(c.close) }

func (c *Client) do(f func()) {
	select {
	case c.commands <- f:
	case <-c.done:
	}
}

// serve is the goroutine that owns the state. It never waits for one thing only.
func (c *Client) serve() {
	defer close(c.done)
	defer close(c.events)
	defer c.workers.Wait()
	defer c.drop()
	c.open(Connecting)
	for c.state != Ended || len(c.pending) > 0 {
		var (
			events chan<- Event
			event  Event
			in     <-chan arrival
			out    chan<- parcel
			first  parcel
		)
		if len(c.pending) > 0 {
			events, event = c.events, c.pending[0]
		}
		if c.conn != nil && len(c.pending) < maxPending {
			in = c.conn.in
		}
		if c.conn != nil && len(c.queue) > 0 && c.writing == nil && !c.openedAt.IsZero() {
			out, first = c.conn.out, c.queue[0]
		}
		select {
		case events <- event:
			c.pending = c.pending[1:]
		case a := <-in:
			c.arrived(a)
		case out <- first:
			c.queue = c.queue[1:]
			c.writing = &first
			c.heart.sent()
			switch {
			case first.number != 0 && c.chat != nil:
				c.chat.wired = max(c.chat.wired, first.number)
			case first.id != 0:
				c.saying(first.id)
			}
		case f := <-c.commands:
			if c.state != Ended && !c.closing {
				f()
			}
		case <-due(c.retryTimer):
			c.retryTimer = nil
			c.open(Reconnecting)
		case <-due(c.typingTimer):
			c.tellTyping(false)
		case <-due(c.haveTimer):
			c.sayHave()
		case <-due(c.heart.idle):
			c.ping()
		case <-due(c.heart.act):
			c.actedLongAgo()
		case <-due(c.heart.late):
			c.unanswered()
		case <-due(c.askTimer):
			c.askTimer = nil
			c.ask()
		case <-due(c.closeTimer):
			c.end(errors.New("the server did not confirm the last messages"))
		case <-c.ctx.Done():
			return
		}
	}
}

// due is a timer's channel; of one that is not set, none.
func due(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

func stopTimer(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// tell emits an event in the present state.
func (c *Client) tell(e Event) {
	e.State = c.state
	c.pending = append(c.pending, e)
}

func (c *Client) become(s State) {
	c.state = s
	c.tell(Event{Kind: Changed})
}

func (c *Client) next(pair uint32) {
	switch c.state {
	case Connecting, Reconnecting:
		c.leaveChat()
		c.after = Looking
		if c.conn != nil && !c.openedAt.IsZero() { // it was about to be resumed
			c.ask()
			c.become(Looking)
		}
		if c.retryTimer != nil && !c.serverPause {
			c.open(Reconnecting)
		}
	case Chatting:
		if pair != 0 && pair != c.pair {
			return
		}
		fallthrough
	case Idle, Left:
		c.forgetTyping()
		c.leaveChat()
		c.ask()
		c.become(Looking)
	}
}

func (c *Client) again() {
	switch {
	case c.state == Chatting:
		c.tell(Event{Kind: NotPossible, Text: "You are talking to a stranger."})
	case !c.canGoBack || c.pair == 0 || c.state != Looking && c.state != Idle && c.state != Left:
		c.tell(Event{Kind: NotPossible, Text: "There is nobody to go back to."})
	default:
		c.wantsBack = true
		c.record(record.AppendCommand(nil, &record.Command{Kind: record.Again, Pair: c.pair}), false)
	}
}

func (c *Client) setInterests(list []string) {
	if slices.Equal(list, c.interests) {
		return
	}
	c.interests = list
	if c.state == Looking {
		c.ask()
	}
}

func (c *Client) ask() {
	stopTimer(&c.askTimer)
	c.asked, c.wantsBack = true, false
	if c.config.Table != "" && c.ungreeted {
		return // until the server has said that it knows tables
	}
	c.record(record.AppendCommand(nil, &record.Command{
		Kind: record.Next, HasInterests: true, Interests: c.interests,
		HasLanguages: len(c.config.Languages) > 0, Languages: c.config.Languages,
		HasTable: c.config.Table != "", Table: c.config.Table,
		// The pairing that it knows of, or it may end one that it is just being told of.
		HasPair: c.agreed, Pair: c.pair,
	}), false)
}

func (c *Client) answered() {
	stopTimer(&c.askTimer)
	c.asked = false
}

func (c *Client) stop() {
	switch c.state {
	case Connecting, Reconnecting:
		c.leaveChat()
		c.after = Idle
		if c.conn != nil && !c.openedAt.IsZero() { // it was about to be resumed
			c.record(record.AppendStop(nil), false)
			c.become(Idle)
		}
	case Looking, Chatting, Left:
		c.forgetTyping()
		c.leaveChat()
		c.answered()
		c.wantsBack = false
		c.record(record.AppendStop(nil), false)
		c.become(Idle)
	}
	c.unsay()
}
