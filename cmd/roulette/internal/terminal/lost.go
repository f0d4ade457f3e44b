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
	c.canGoBack, c.wantsBack = false, false
	c.canBlock, c.canReport, c.dossier = false, false, dossier{}
	c.conn = dial(c.ctx, c.http, c.config.URL, c.workers.Go)
	c.become(s)
}

// lost: the connection has ended, or never was one.
func (c *Client) lost(err error) {
	if c.closing {
		if c.confirmed {
			err = nil
		} else {
			err = fmt.Errorf("the last messages may not have arrived: %w", err)
		}
		c.end(err)
		return
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
	switch before {
	case Chatting, Left:
		c.after = Left
	case Looking, Idle:
		c.after = before
	}
	c.drop()

	wait := c.delay(codeOf(err), c.attempts)
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
	if before == Chatting {
		c.tell(Event{Kind: Parted, Reason: Lost})
	}
	c.unsay()
	c.tell(Event{Kind: Changed, Retry: wait, Err: err})
}

// drop lets go of the connection: nothing it does counts any more. What it was
// about to write goes back to the queue, or nowhere.
func (c *Client) drop() {
	if c.conn != nil {
		c.conn.cancel()
		c.conn = nil
	}
	if c.writing != nil && c.writing.id != 0 {
		c.queue = append(c.queue, *c.writing)
	}
	c.writing = nil
	c.openedAt = time.Time{}
	c.queue = slices.DeleteFunc(c.queue, func(p parcel) bool { return p.id == 0 })
	c.answered()
	c.forgetTyping()
}

func (c *Client) end(err error) {
	before := c.state
	c.drop()
	c.state, c.err = Ended, err
	stopTimer(&c.retryTimer)
	stopTimer(&c.closeTimer)
	if before == Chatting && err != nil {
		c.tell(Event{Kind: Parted, Reason: Lost})
	}
	if c.welcomed { // else there is one thing to say
		c.unsay()
	}
	c.tell(Event{Kind: Over, Err: err})
}
