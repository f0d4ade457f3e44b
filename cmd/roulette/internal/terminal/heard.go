package terminal

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/proof"
	"roulette/cmd/roulette/internal/resume"
	"roulette/frame/record"
)

func (c *Client) arrived(a arrival) {
	if a.err == nil && a.written == nil {
		c.heart.heardAt = time.Now()
	}
	switch {
	case a.err != nil:
		c.lost(a.err)
	case a.written != nil:
		c.writing = nil
		switch {
		case a.written.seen:
			c.seenAll()
		case a.written.number != 0:
			if o := c.chat; o != nil && a.written.number > o.told {
				o.told = a.written.number
				c.tell(Event{Kind: Sent, ID: a.written.id})
			}
		case a.written.id != 0:
			c.tell(Event{Kind: Sent, ID: a.written.id})
		}
	case a.kind == websocket.MessageText && record.IsControl(a.data):
		events, _ := record.ParseEvents(a.data) // what cannot be read is not for us
		for _, e := range events {
			c.obey(e)
		}
	default:
		c.dossier.hears(a.kind, a.data)
		if c.state != Chatting { // it is from somebody we have left
			return
		}
		e := Event{Kind: Message, Size: len(a.data)}
		if a.kind == websocket.MessageText {
			e.Text = string(a.data)
		} else {
			e.Binary = http.DetectContentType(a.data)
		}
		c.tell(e)
		c.showed()
	}
}

// obey takes the server's word.
func (c *Client) obey(e record.Event) {
	switch e.Type {
	case record.TypeHello:
		if e.Terms == nil {
			c.welcome(e)
		} else {
			c.greeted(e.Terms)
		}
	case record.TypeWaiting:
		if c.state == Looking {
			c.answered()
		}
	case record.TypePaired:
		// After stop it is unwanted, which the server is about to read; unless it is the
		// partner whom we have asked back.
		if c.state != Looking && !(c.wantsBack && (c.state == Idle || c.state == Left)) {
			c.pair, c.said = e.Pair, nil
			return
		}
		c.answered()
		c.forgetTyping()
		c.wantsBack = false
		c.pair, c.said = e.Pair, nil
		c.dossier = dossier{opening: e.Opening}
		c.chat, c.leaves = nil, nil
		if e.Token != "" {
			c.chat = &ongoing{Chat: resume.NewChat(e.Token, e.Pair)}
			c.command(c.chat.Have()) // the token has arrived
		}
		c.state = Chatting
		c.tell(Event{Kind: Paired, Pair: e.Pair, Again: e.Again, Keeps: c.chat != nil, Common: e.Common, Languages: e.Languages})
		for _, p := range c.held {
			if c.chat != nil {
				c.sayNumbered(p.id, string(p.data))
			} else {
				c.queue = append(c.queue, p)
			}
		}
		c.held = nil
	case record.TypeLeft:
		if c.state == Looking && e.Pair > c.pair { // stop has ended what it was not told of yet
			c.pair, c.said = e.Pair, nil
			c.ask()
			return
		}
		if c.state != Chatting || e.Pair != c.pair {
			return
		}
		c.forgetTyping()
		c.state = Left
		c.tell(Event{Kind: Parted, Reason: e.Reason})
		switch e.Reason {
		case record.LeftNext, record.LeftStop, record.LeftClosed:
			c.endChat(byStranger)
		default:
			c.endChat(byNobody)
		}
		c.unsay()
		c.sayGoodbye()
	case record.TypeAgain:
		if c.state != Chatting && e.Pair == c.pair {
			c.tell(Event{Kind: WantedBack})
		}
	case record.TypeTyping:
		if c.state == Chatting && e.Pair == c.pair {
			c.tell(Event{Kind: Typing, On: e.On})
		}
	case record.TypeAway, record.TypeBack:
		if c.chat != nil {
			c.goesOn(e)
		} else if c.state == Chatting && e.Pair == c.pair {
			c.tell(Event{Kind: Away, On: e.Type == record.TypeAway, Reason: e.Reason})
		}
	case record.TypeResumed, record.TypeSync, record.TypeHave, record.TypeResend:
		if c.chat != nil {
			c.goesOn(e)
		}
	case record.TypePong:
		c.pong(e.N)
	case record.TypeOnline:
		c.tell(Event{Kind: Online, N: e.N})
	case record.TypeNotice:
		c.tell(Event{Kind: Announced, Code: e.Code, Until: time.Unix(e.Until, 0)})
	case record.TypeStamp:
		if e.Pair == c.pair {
			c.dossier.stamped(uint32(e.N), e.Mark)
			c.fileReport()
		}
	case record.TypeReported:
		c.tell(Event{Kind: NotPossible, Text: "The moderators have your report."})
	case record.TypeProof:
		c.prove(proof.Puzzle{Seed: e.Token, Bits: min(e.Bits, proof.MaxBits)})
	case record.TypeWarned:
		c.tell(Event{Kind: NotPossible, Text: "People have reported what you said. If it goes on you may be kept out."})
	case record.TypeBlocked:
		c.tell(Event{Kind: NotPossible, Text: "You will not meet that stranger again."})
	case record.TypeUndelivered:
		c.undelivered(e)
	case record.TypeError:
		c.refused(e)
	}
}

// prove does the work that the server asks newcomers for, and says what has come of it if
// that is wanted still.
func (c *Client) prove(p proof.Puzzle) {
	conn := c.conn
	go func() {
		if answers, ok := p.Solve(c.done); ok {
			c.do(func() {
				if c.conn == conn && c.state == Looking {
					c.record(record.AppendCommand(nil, &record.Command{Kind: record.Proof, Token: p.Seed, Answers: answers}), false)
				}
			})
		}
	}()
}

func (c *Client) welcome(e record.Event) {
	if !c.openedAt.IsZero() {
		return
	}
	c.welcomed, c.openedAt = true, time.Now()
	if e.MaxMessage > 0 {
		c.maxMessage = e.MaxMessage
	}
	c.record(record.AppendCommand(nil, &record.Command{Kind: record.Hello, Can: canDo}), false)
	c.ungreeted = true
	switch {
	case c.chat != nil:
		c.command(c.chat.Return())
	case c.leaves != nil:
		c.command(c.leaves.Return())
		if c.after != Looking {
			c.record(record.AppendStop(nil), false)
		}
	}
	if c.after == Looking {
		c.ask()
	}
	if c.chat == nil { // else when it is resumed, or cannot be
		c.become(c.after)
	}
	c.tell(Event{Kind: Online, N: uint64(max(e.Online, 0)), Welcome: true})
}

// canDo is what the client can.
const canDo = record.CanHeartbeat | record.CanResume | record.CanAway | record.CanPeople | record.CanAgain | record.CanLanguages | record.CanTables | record.CanNotice |
	record.CanReport | record.CanBlock | record.CanProof

// greeted: the server says what it can too. Whoever is to sit at a table asks for a
// partner only then, as a server that knows no tables would find them anybody.
func (c *Client) greeted(terms *record.Terms) {
	c.ungreeted, c.agreed, c.canGoBack = false, true, terms.Can&record.CanAgain != 0
	c.canBlock, c.canReport = terms.Can&record.CanBlock != 0, terms.Can&record.CanReport != 0
	if terms.Can&record.CanHeartbeat != 0 && terms.Heartbeat > 0 && c.heart.every == 0 {
		c.heart.start(terms.Heartbeat)
		close(c.conn.pulse)
	}
	if terms.Can&record.CanPeople != 0 {
		c.tell(Event{Kind: Online, N: uint64(max(terms.People, 0))})
	}
	switch {
	case c.config.Table == "":
	case terms.Can&record.CanTables == 0:
		c.end(errNoTables)
	case c.state == Looking:
		c.ask()
	}
}

var errNoTables = errors.New("the server knows no tables")

// undelivered: the last n messages of that pairing have reached nobody.
func (c *Client) undelivered(e record.Event) {
	out := Event{Kind: Undelivered, N: e.N}
	if e.Pair == c.pair {
		from := len(c.said) - int(min(e.N, uint64(len(c.said))))
		out.IDs = slices.Clone(c.said[from:])
		c.said = c.said[:from]
	}
	c.tell(out)
}

func (c *Client) refused(e record.Event) {
	if c.ungreeted { // the first record was the hello: an old server does not know it
		c.ungreeted = false
		if c.config.Table != "" {
			c.end(errNoTables)
		}
		return
	}
	if e.Code == record.ErrNoSuchChat.Code && c.leaves != nil { // as it should be
		c.leaves = nil
		return
	}
	if c.chat != nil && c.state == Reconnecting {
		c.chatIsOver()
		return
	}
	if e.Code == record.ErrTooLate.Code {
		c.wantsBack = false
		c.tell(Event{Kind: NotPossible, Text: "It is too late to go back to the stranger before."})
		return
	}
	if c.state == Looking {
		switch {
		case e.Code != record.ErrRateLimited.Code: // only a next can be wrong
			c.stop() // it may still look with the old interests
		case c.asked:
			stopTimer(&c.askTimer)
			c.askTimer = time.NewTimer(askAgain)
		}
	}
	c.tell(Event{Kind: Refused, Text: strings.TrimSpace(e.Message + " (" + e.Code + ")")})
}
