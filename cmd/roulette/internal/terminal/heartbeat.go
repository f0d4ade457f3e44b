package terminal

import (
	"errors"
	"math/rand/v2"
	"time"

	"roulette/frame/record"
)

// Times of heartbeats. The page has the same.
const (
	heardLately = 3 * time.Second  // what was heard less long ago shows that the way is open
	slowAfter   = 5 * time.Second  // a ping without an answer
	lostAfter   = 10 * time.Second // and after that
)

var errSilent = errors.New("the server does not answer")

// heartbeat is whether the way to the server is open, there and back:
//
//	nothing sent for a while ─┐
//	the user acts, and        ├─► ping ──5 s──► slow ──10 s──► lost
//	  nothing was heard       │     └── pong ─► all is well
//
// A server that answers pings sends none of its own. The zero value is at rest.
type heartbeat struct {
	every           time.Duration // 0: the server cannot answer
	asked, answered uint64        // numbers of the last ping, and of the last pong
	heardAt         time.Time
	slow            bool
	idle, act, late *time.Timer // until a ping is due, or its answer is late
}

// start begins, with a server that wants to hear something so often.
func (h *heartbeat) start(every time.Duration) {
	h.every, h.heardAt = every, time.Now()
	h.sent()
}

func (h *heartbeat) stop() {
	stopTimer(&h.idle)
	stopTimer(&h.act)
	stopTimer(&h.late)
	*h = heartbeat{}
}

// sent notes that something was, so that the server knows that we are here.
func (h *heartbeat) sent() {
	if h.every == 0 {
		return
	}
	stopTimer(&h.idle)
	// Spread, so that many who came together do not ask together.
	h.idle = time.NewTimer(h.every*4/5 + rand.N(h.every/5+1))
}

// acts notes that the user does something, and would like to know that it arrives.
func (h *heartbeat) acts() {
	if h.every != 0 && h.act == nil && h.asked == h.answered {
		h.act = time.NewTimer(max(0, time.Until(h.heardAt.Add(heardLately))))
	}
}

// ping asks, if no question is open.
func (c *Client) ping() {
	h := &c.heart
	stopTimer(&h.act)
	h.sent()
	if h.every == 0 || h.asked != h.answered {
		return
	}
	h.asked++
	cmd := record.Command{Kind: record.Ping, N: h.asked}
	c.urgent(record.AppendCommand(nil, &cmd))
	h.late = time.NewTimer(c.patience[0])
}

// actedLongAgo: some time has passed since the user did something.
func (c *Client) actedLongAgo() {
	stopTimer(&c.heart.act)
	if time.Since(c.heart.heardAt) >= heardLately {
		c.ping()
	}
}

// unanswered: the answer to a ping is late.
func (c *Client) unanswered() {
	h := &c.heart
	stopTimer(&h.late)
	switch {
	case len(c.pending) >= maxPending: // what came is not read, and the answer neither
		h.answered = h.asked
		c.ping()
	case !h.slow:
		c.goesSlowly(true)
		h.late = time.NewTimer(c.patience[1])
	default:
		c.lost(errSilent)
	}
}

// pong: the answer to ping n.
func (c *Client) pong(n uint64) {
	if h := &c.heart; n == h.asked && n > h.answered {
		h.answered = n
		stopTimer(&h.late)
		c.goesSlowly(false)
	}
}

func (c *Client) goesSlowly(on bool) {
	if c.heart.slow != on {
		c.heart.slow = on
		c.tell(Event{Kind: Slow, On: on})
	}
}
