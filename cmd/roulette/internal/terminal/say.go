package terminal

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"roulette/frame/record"
)

func (c *Client) say(id int, text string) {
	why := ""
	wait := c.config.Patient && c.looks()
	switch {
	case c.state != Chatting && c.chat == nil && !wait:
		why = "there is nobody to talk to"
	case len(text) > c.maxMessage:
		why = fmt.Sprintf("%s is too long, %s is the most", sizeText(len(text)), sizeText(c.maxMessage))
	case record.IsControl([]byte(text)):
		why = "it begins with U+001E"
	case !utf8.ValidString(text):
		why = "it is not UTF-8"
	}
	if why != "" {
		c.tell(Event{Kind: Undelivered, N: 1, IDs: []int{id}, Text: why})
		return
	}
	p := parcel{kind: websocket.MessageText, data: []byte(text), id: id, pair: true}
	if wait {
		c.held = append(c.held, p)
		return
	}
	c.forgetTyping() // the message says it
	c.heart.acts()
	if c.chat != nil {
		c.sayNumbered(id, text)
		return
	}
	c.queue = append(c.queue, p)
}

// looks reports whether the client looks for a stranger, or will without being
// told to.
func (c *Client) looks() bool {
	switch c.state {
	case Looking:
		return true
	case Connecting, Reconnecting:
		return c.after == Looking
	}
	return false
}

// saying remembers a message before it is out: the answer may be quicker than the
// word that it was written.
func (c *Client) saying(id int) {
	if c.said = append(c.said, id); len(c.said) > maxSaid {
		c.said = c.said[1:]
	}
}

func (c *Client) tellTyping(on bool) {
	stopTimer(&c.typingTimer)
	if c.state != Chatting {
		return
	}
	now := time.Now()
	switch {
	case !on && c.typing:
		c.typing = false
		c.record(record.AppendTypingCommand(nil, false), true)
	case on:
		if now.Sub(c.typingSince) >= typingEvery {
			c.typing, c.typingSince = true, now
			c.record(record.AppendTypingCommand(nil, true), true)
		}
		c.typingTimer = time.NewTimer(typingStops)
	}
}

// forgetTyping: the server has cleared it, or will.
func (c *Client) forgetTyping() {
	stopTimer(&c.typingTimer)
	c.typing, c.typingSince = false, time.Time{}
}

func (c *Client) record(payload []byte, pair bool) {
	if !c.openedAt.IsZero() {
		c.queue = append(c.queue, parcel{kind: websocket.MessageText, data: payload, pair: pair})
	}
}

// urgent is record for what must not wait behind the chat.
func (c *Client) urgent(payload []byte) {
	c.queue = slices.Insert(c.queue, 0, parcel{kind: websocket.MessageText, data: payload})
}

func (c *Client) command(cmd record.Command) { c.record(record.AppendCommand(nil, &cmd), false) }

// unsay takes back what is still here and was for a stranger who has gone, or is
// not looked for any more.
func (c *Client) unsay() {
	var ids []int
	if !c.looks() {
		c.queue = append(c.queue, c.held...)
		c.held = nil
	}
	c.queue = slices.DeleteFunc(c.queue, func(p parcel) bool {
		if p.pair && p.id != 0 && p.number == 0 {
			ids = append(ids, p.id)
		}
		return p.pair
	})
	if len(ids) > 0 {
		c.tell(Event{Kind: Undelivered, N: uint64(len(ids)), IDs: ids})
	}
}
