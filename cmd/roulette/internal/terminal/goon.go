package terminal

import (
	"slices"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/resume"
	"roulette/frame/record"
)

// A chat that goes on when its connection is lost: see [resume.Chat].

const (
	haveAfter   = 5 * time.Second // behind the first message that was shown and not confirmed
	mostWaiting = 200             // messages that are not on the wire: fewer than the ledger keeps
)

// ongoing is a chat that can be resumed, and whose messages of ours are which.
type ongoing struct {
	*resume.Chat
	ids     []int  // of the messages that the stranger has not shown
	before  uint64 // messages before those
	wired   uint64 // number of the last that was on the wire of any connection
	told    uint64 // and of the last of which that was told
	broken  bool   // one of the two is not there
	ownFlaw bool   // it was our connection
}

// idsTo takes the ids of the messages up to number n.
func (o *ongoing) idsTo(n uint64) []int {
	if n <= o.before { // they were told of as forgotten
		return nil
	}
	ids := o.ids[:n-o.before]
	o.ids, o.before = o.ids[n-o.before:], n
	return ids
}

// waiting is how many messages of ours the stranger has not shown.
func (o *ongoing) waiting() uint64 {
	delivered, sent := o.Sent()
	return sent - delivered
}

func (o *ongoing) breaks(own bool) {
	if !o.broken {
		o.broken, o.ownFlaw = true, own
	}
}

// sayNumbered says something in a chat that can be resumed: now, or when both are there.
func (c *Client) sayNumbered(id int, text string) {
	if _, sent := c.chat.Sent(); sent-c.chat.wired >= mostWaiting {
		c.tell(Event{Kind: Undelivered, N: 1, IDs: []int{id}, Text: "too much waits for the connection"})
		return
	}
	m := resume.Message{Payload: []byte(text)}
	number := c.chat.Say(m)
	c.chat.ids = append(c.chat.ids, id)
	if c.chat.Open() {
		c.queue = append(c.queue, parcelOf(m, number, id))
	}
}

func parcelOf(m resume.Message, number uint64, id int) parcel {
	return parcel{kind: websocket.MessageText, data: m.Payload, id: id, number: number, pair: true}
}

// showed: a message of the stranger has gone to the user.
func (c *Client) showed() {
	if c.chat == nil {
		return
	}
	if c.chat.Showed() {
		c.sayHave()
	} else if c.haveTimer == nil {
		c.haveTimer = time.NewTimer(haveAfter)
	}
}

// sayHave tells the stranger how much of theirs was shown, if that is news. After a
// break the return tells it, too.
func (c *Client) sayHave() {
	stopTimer(&c.haveTimer)
	if c.chat != nil && c.chat.Open() && c.chat.Unsaid() {
		c.command(c.chat.Have())
	}
}

// goesOn takes the server's word on a chat that can be resumed.
func (c *Client) goesOn(e record.Event) {
	o := c.chat
	if e.Type == record.TypeResumed {
		if c.state != Reconnecting {
			return
		}
		c.pair, c.dossier = e.Pair, dossier{opening: e.Opening}
	} else if c.state != Chatting || e.Pair != c.pair {
		return
	}
	wasOpen := o.Open()
	step, err := o.Take(e)
	if err != nil { // with a stranger who cannot count nothing can be promised
		c.record(record.AppendStop(nil), false)
		c.chatIsOver()
		return
	}
	if wasOpen && !o.Open() {
		c.recall()
		o.breaks(false)
	}
	c.tellShown(step)
	switch {
	case e.Type == record.TypeResumed:
		c.become(Chatting)
	case e.Type == record.TypeAway:
		c.tell(Event{Kind: Away, On: true, Reason: e.Reason})
	case e.Type == record.TypeBack && step.Send.Kind == record.Unknown:
		c.tell(Event{Kind: Away})
	case step.Resumed && o.broken:
		o.broken = false
		c.tell(Event{Kind: Resumed, On: o.ownFlaw, N: step.Lost})
	}
	if step.Send.Kind != record.Unknown {
		c.command(step.Send)
	}
	if step.Send.Kind == record.Resend {
		c.attempts = 0 // both talk again, so it was worth it
		c.recall()
		for i, m := range step.Again {
			number := step.From + uint64(i)
			c.queue = append(c.queue, parcelOf(m, number, o.ids[number-o.before-1]))
		}
		c.sayGoodbye()
	}
}

// tellShown tells which messages of ours were shown, and which never will be.
func (c *Client) tellShown(step resume.Step) {
	delivered, _ := c.chat.Sent()
	if ids := c.chat.idsTo(delivered); len(ids) > 0 {
		c.tell(Event{Kind: Delivered, IDs: ids})
	}
	if ids := c.chat.idsTo(delivered + step.Forgotten); len(ids) > 0 {
		c.tell(Event{Kind: Undelivered, N: uint64(len(ids)), IDs: ids})
	}
}

// recall takes back what is still here of the chat. It stands in the ledger.
func (c *Client) recall() {
	c.queue = slices.DeleteFunc(c.queue, func(p parcel) bool { return p.number != 0 || p.goodbye })
	c.parting = false
}

// by whom a chat is ended.
type by uint8

const (
	byNobody   by = iota // it ended by itself
	byUs                 // who have not waited for the last word of the stranger
	byStranger           // who has said before how much was shown
)

// endChat ends a chat that could be resumed, and tells what became of the messages.
func (c *Client) endChat(who by) {
	o := c.chat
	if o == nil {
		return
	}
	certain := who == byUs && o.Open()
	c.recall()
	stopTimer(&c.haveTimer)
	c.chat = nil
	gone, sent := o.Sent()
	if who != byStranger {
		gone = max(gone, o.wired)
	}
	if ids := o.idsTo(gone); len(ids) > 0 && !certain {
		c.tell(Event{Kind: Uncertain, N: uint64(len(ids)), IDs: ids})
	}
	if ids := o.idsTo(sent); len(ids) > 0 {
		c.tell(Event{Kind: Undelivered, N: uint64(len(ids)), IDs: ids})
	}
}

// leaveChat is for who goes on or stops. Without a connection the server is told as soon
// as there is one, so that the stranger need not wait.
func (c *Client) leaveChat() {
	if c.chat == nil {
		return
	}
	c.sayHave()
	if c.state == Reconnecting {
		c.leaves = c.chat.Chat
	}
	c.endChat(byUs)
}

// chatIsOver: it cannot be resumed.
func (c *Client) chatIsOver() {
	c.forgetTyping()
	c.state = Left
	c.tell(Event{Kind: Parted, Reason: Lost})
	c.endChat(byNobody)
	c.unsay()
	c.sayGoodbye()
}
