package simulator

import (
	"fmt"
	"strings"
	"time"
)

func timeOf(ns int64) time.Duration { return time.Duration(ns) }

// greet says what c can, and which chat it comes back to.
func (c *client) greet() {
	c.greeted = true
	if len(c.words) == 0 {
		return
	}
	c.records("hello", `,"can":["`+strings.Join(c.words, `","`)+`"]`)
	c.spokenLast(spokeHello)
	p := c.person
	if p == nil || p.end == nil {
		return
	}
	e := p.end
	c.resuming, c.tokenOf = e, e.life
	e.try++
	c.world.tracef("client %d comes back to chat %d, try %d, having shown %d", c.serial, e.chat.index, e.try, e.shown)
	c.records("resume", fmt.Sprintf(`,"token":"%s","have":%d,"try":%d`, e.token, e.ledger.Have(), e.try))
	c.commands = append(c.commands, command{end: c.queued, next: true})
	c.eras = append(c.eras, era{})
}

// cut is a connection that is lost, and the server hears nothing of it. What is
// under way may still arrive; the person comes back at once.
func (c *client) cut() {
	w := c.world
	w.tracef("client %d is cut off", c.serial)
	w.cuts++
	c.left, c.deaf, c.reads = true, true, 0
	w.ghosts = append(w.ghosts, c)
	w.drop(c)
}

// haunt lets something arrive of a connection that was cut.
func (w *world) haunt() {
	if len(w.ghosts) == 0 {
		return
	}
	i := w.rnd.below(len(w.ghosts))
	c := w.ghosts[i]
	if c.finished || c.vanished {
		w.ghosts[i] = w.ghosts[len(w.ghosts)-1]
		w.ghosts = w.ghosts[:len(w.ghosts)-1]
		return
	}
	c.push(w.rnd.size(w.plan.receive))
}

// kill ends the server, from one instruction to the next, and another one starts
// that has the same keys and knows nothing.
func (w *world) kill() {
	w.tracef("the server is killed")
	for _, c := range w.clients[w.oldest:] {
		if c.finished {
			continue
		}
		if c.status == 101 && !c.left {
			w.cuts++
		}
		c.unseat()
		c.vanished, c.finished, c.handed, c.deadAt = true, true, false, w.now
		c.conn, c.socket.owner, c.socket.fd, c.socket.broken = nil, nil, -1, true
		c.unsay()
	}
	for _, k := range w.workers {
		k.stop()
	}
	w.inside.Abandon()
	w.workers, w.epolls, w.timers, w.owed, w.backlogged = nil, nil, nil, nil, nil
	w.handed, w.listener, w.running, w.retired = nil, nil, nil, 0
	clear(w.byID)
	clear(w.files)
	w.free, w.open, w.spares, w.acceptBad, w.acceptBadAt = 0, 0, 0, 0, 0
	w.upgrades, w.ended, w.inherited, w.refused = 0, 0, 0, 0
	w.lives++
	w.life = w.lives
	if w.fleet != nil {
		w.fleet.loses(w)
	}
	w.calm, w.inline = true, true
	if err := w.serve(); err != nil {
		w.failf("no other server: %v", err)
	}
	w.calm, w.inline = false, false
}
