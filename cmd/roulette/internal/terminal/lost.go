package terminal

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

func (c *Client) open(s State) {
	stopTimer(&c.retryTimer)
	c.serverPause = false
	c.pair, c.said = 0, nil
	c.agreed, c.canGoBack, c.wantsBack = false, false, false
	c.canBlock, c.canReport, c.parting = false, false, false
	if c.chat == nil {
		c.dossier = dossier{}
	}
	c.conn = dial(c.ctx, c.http, c.config.URL, c.workers.Go)
	c.become(s)
}

// lost: the connection has ended, or never was one.
func (c *Client) lost(err error) {
	goesOn := c.chat != nil && !endsChat(codeOf(err))
	if c.closing {
		switch {
		case c.confirmed, c.chat != nil && c.chat.waiting() == 0:
			c.end(nil)
			return
		case !goesOn, !c.config.Patient:
			c.end(fmt.Errorf("the last messages may not have arrived: %w", err))
			return
		}
	}
	var r *refusal
	if !c.welcomed || !mayReconnect(codeOf(err)) || errors.As(err, &r) && r.banned {
		c.end(err)
		return
	}
	now := time.Now()
	good := !c.openedAt.IsZero()
	if good {
		// Only a connection that lasted forgives the failures before it.
		// Otherwise a server that accepts and hangs up would be asked without
		// pause.
		if now.Sub(c.openedAt) >= steady {
			c.attempts = 0
		}
		if c.attempts == 0 {
			c.lostAt = now
		}
	}
	before := c.state
	switch {
	case goesOn:
		c.chat.Lost()
		c.chat.breaks(true)
		c.after = Left // if it is over by then
	case before == Chatting, before == Left, c.chat != nil:
		c.after = Left
	case before == Looking, before == Idle:
		c.after = before
	}
	c.drop()

	delay := c.delay
	if goesOn {
		delay = c.returnDelay
	}
	wait := delay(codeOf(err), c.attempts)
	if r != nil {
		wait = max(wait, r.retryAfter)
	}
	c.attempts++
	if c.config.RetryFor > 0 && now.Add(wait).Sub(c.lostAt) > c.config.RetryFor {
		c.end(err)
		return
	}
	c.serverPause = codeOf(err) == codeRateLimited
	c.retryTimer = time.NewTimer(wait)
	c.state = Reconnecting
	if before == Chatting && !goesOn || c.chat != nil && !goesOn {
		c.tell(Event{Kind: Parted, Reason: Lost})
		c.endChat(byNobody)
	}
	c.unsay()
	c.tell(Event{Kind: Changed, Retry: wait, Attempt: c.attempts, Keeps: goesOn, Err: err})
}

// drop lets go of the connection: nothing it does counts any more. What it was
// about to write goes back to the queue, or nowhere.
func (c *Client) drop() {
	if c.conn != nil {
		c.conn.cancel()
		c.conn = nil
	}
	if c.writing != nil && c.writing.id != 0 && c.writing.number == 0 {
		c.queue = append(c.queue, *c.writing)
	}
	c.writing = nil
	c.openedAt = time.Time{}
	c.queue = slices.DeleteFunc(c.queue, func(p parcel) bool { return p.id == 0 || p.number != 0 })
	stopTimer(&c.haveTimer)
	c.heart.stop()
	c.answered()
	c.forgetTyping()
}

func (c *Client) end(err error) {
	before := c.state
	c.drop()
	c.state, c.err = Ended, err
	stopTimer(&c.retryTimer)
	stopTimer(&c.closeTimer)
	if err != nil && (before == Chatting || c.chat != nil) {
		c.tell(Event{Kind: Parted, Reason: Lost})
	}
	if err == nil {
		c.endChat(byUs)
	} else {
		c.endChat(byNobody)
	}
	if c.welcomed { // else there is one thing to say
		c.unsay()
	}
	c.tell(Event{Kind: Over, Err: err})
}

func (c *Client) close() {
	if c.openedAt.IsZero() && !c.unfinished() { // nothing was ever said here, or it cannot be heard
		c.end(nil)
		return
	}
	c.forgetTyping()
	c.closing = true
	c.sayHave()
	c.sayGoodbye()
	c.closeTimer = time.NewTimer(closeTimeout)
}

// sayGoodbye closes when the server has seen everything, if that is wanted. While what
// was said waits for a chat to go on, the patient wait with it.
func (c *Client) sayGoodbye() {
	if !c.closing || c.parting || c.openedAt.IsZero() || c.unfinished() {
		return
	}
	c.parting = true
	c.queue = append(c.queue, parcel{seen: true})
}

// unfinished tells whether there is a reason to wait for a chat to go on.
func (c *Client) unfinished() bool {
	return c.config.Patient && c.chat != nil && !c.chat.Open() && c.chat.waiting() > 0
}

// seenAll: the server has dealt with everything before the question.
func (c *Client) seenAll() {
	if c.unfinished() { // the stranger is away, and what was said last was for nobody
		c.parting = false
		return
	}
	c.confirmed = true
	c.queue = append(c.queue, parcel{goodbye: true})
}
