package resume

import "roulette/frame/record"

// Chat is a client's half of one chat that outlives its connections, from its pairing
// to its end: the ledger, the token, and the order of the words of a return. It writes
// nothing itself: what is to be sent comes back from its methods, and its client sends
// it on the present connection, in that order.
//
//	        ┌── sync: have ──┐
//	open ──away, or Lost──► held ──back: resend──► open
//
// While the chat is held, what is said waits in the ledger.
type Chat struct {
	ledger Ledger
	token  string
	try    uint32 // of the connections with which this chat was to be resumed
	pair   uint32 // the number of the pairing on the present connection
	held   bool
}

// Step is what an event of a chat asks of its client.
type Step struct {
	// Send is a record for the server; the zero value is none. Again are messages
	// that follow it; the first is number From. The slice is the ledger's.
	Send  record.Command
	Again []Message
	From  uint64

	// Forgotten are the messages of ours that the partner has not shown and will not, as
	// the ring has lost them: so many before From.
	Forgotten uint64

	// Resumed: the partner begins again, after Lost messages that it has not kept. Both
	// talk.
	Resumed bool
	Lost    uint64
}

// NewChat is the chat that begins with a pairing and its token. Its client sends
// [Chat.Have] at once, which says that the token has arrived.
func NewChat(token string, pair uint32) *Chat { return &Chat{token: token, pair: pair} }

// Pair is the number of the pairing on the present connection.
func (c *Chat) Pair() uint32 { return c.pair }

// Open reports whether what is said now goes on the wire.
func (c *Chat) Open() bool { return !c.held }

// Say notes a message of ours and returns its number. It is to be sent if the chat is
// open.
func (c *Chat) Say(m Message) (number uint64) { return c.ledger.Sent(m) }

// Sent returns how many messages of ours there are, and how many of them the partner
// has shown.
func (c *Chat) Sent() (delivered, sent uint64) { return c.ledger.Open() }

// Showed notes that a message of the partner was shown. True: it is time to say so
// ([Chat.Have]); else it is within some seconds.
func (c *Chat) Showed() (due bool) { return c.ledger.Showed() }

// Shown is how many messages of the partner were shown.
func (c *Chat) Shown() uint64 { return c.ledger.shown }

// Unsaid reports whether messages were shown that the partner was not told of.
func (c *Chat) Unsaid() bool { return c.ledger.Unsaid() }

// Have is the record that says how many were shown.
func (c *Chat) Have() record.Command {
	return record.Command{Kind: record.Have, Pair: c.pair, N: c.ledger.Have()}
}

// Lost notes that the connection is gone.
func (c *Chat) Lost() { c.held = true }

// Return is the record that asks for the place on a new connection, behind the hello.
func (c *Chat) Return() record.Command {
	c.try++
	return record.Command{Kind: record.Resume, Token: c.token, N: c.ledger.Have(), Try: c.try}
}

// Take takes an event of the server about this chat, or of another pairing, which
// changes nothing. [ErrCount]: with this partner the chat cannot go on.
func (c *Chat) Take(e record.Event) (Step, error) {
	if e.Type == record.TypeResumed {
		c.pair = e.Pair
		if e.Token != "" {
			c.token = e.Token
		}
		return Step{}, nil
	}
	if e.Pair != c.pair {
		return Step{}, nil
	}
	switch e.Type {
	case record.TypeAway:
		c.held = c.held || e.Reason == record.AwayLost
	case record.TypeSync:
		c.held = true
		have := c.Have()
		have.Generation = e.Generation
		return Step{Send: have}, nil
	case record.TypeBack:
		if e.Generation != 0 { // else from the background
			return c.back(e)
		}
	case record.TypeHave:
		return Step{}, c.ledger.Delivered(e.N)
	case record.TypeResend:
		if err := c.ledger.Replayed(e.From, e.Lost); err != nil {
			return Step{}, err
		}
		return Step{Resumed: true, Lost: e.Lost}, nil
	}
	return Step{}, nil
}

// back: the partner is there and has shown so many. The rest is said again.
func (c *Chat) back(e record.Event) (Step, error) {
	from, lost, messages, err := c.ledger.Replay(e.Have)
	if err != nil {
		return Step{}, err
	}
	c.held = false
	return Step{
		Send:  record.Command{Kind: record.Resend, Generation: e.Generation, From: from, Lost: lost},
		Again: messages, From: from, Forgotten: lost,
	}, nil
}
