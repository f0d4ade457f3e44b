package simulator

import (
	"strconv"
)

// choose draws what a client says hello with. p is whose next connection it is; nil:
// a new person, if it can resume.
func (c *client) choose(p *person) {
	r := &c.world.rnd
	if p != nil {
		c.words, c.person = p.client.words, p
		p.client, p.paired, p.pair, p.asked, p.back = c, false, 0, false, false
		return
	}
	for _, word := range []string{"heartbeat", "away", "people", "again", "languages", "tables"} {
		if r.oneIn(2) {
			c.words = append(c.words, word)
		}
	}
	if r.oneIn(2) || c.world.plan.away > 0 && !r.oneIn(4) || c.world.fleet != nil {
		c.words = append(c.words, "resume")
		c.person = &person{client: c}
	}
}

// leave: the person has left the chat, whatever becomes of that, and the one that
// they have not read of yet.
func (p *person) leave() {
	if p == nil {
		return
	}
	for _, e := range [...]*end{p.end, p.client.end} {
		if e != nil {
			e.chat.over = true
		}
	}
	p.end, p.paired = nil, false
}

// spoken notes that a message ends here.
func (c *client) spoken(kind spokeKind) {
	if len(c.words) > 0 {
		c.utterances = append(c.utterances, utterance{end: c.queued, kind: kind})
	}
}

// spokenLast says what the last message was.
func (c *client) spokenLast(kind spokeKind) {
	c.utterances[len(c.utterances)-1].kind = kind
}

// want looks for somebody, or does not any more.
func (c *client) want() {
	r, p := &c.world.rnd, c.person
	switch {
	case c.resuming != nil && p.end != nil && !p.paired: // it waits for the answer
	case p.asked && (p.pair == 0 || !r.oneIn(4)):
	case !p.paired:
		c.command(true)
	case r.oneIn(12):
		c.command(r.oneIn(2))
	case r.oneIn(2):
		c.records("typing", `,"on":`+pick(r, "true", "false"))
	}
}

// term does something that was agreed in the hellos.
func (c *client) term() {
	r := &c.world.rnd
	switch word := pick(r, c.words...); word {
	case "heartbeat":
		n := uint32(r.below(1 << 20))
		c.beats = append(c.beats, n)
		c.records("ping", `,"n":`+strconv.Itoa(int(n)))
	case "away":
		c.hiding = !c.hiding
		if c.hiding {
			c.records("hiding", "")
			c.spokenLast(spokeHiding)
		} else {
			c.records("shown", "")
			c.spokenLast(spokeShown)
		}
	case "again":
		n := c.paired
		if p := c.person; p != nil {
			if n = p.pair; p.paired {
				return
			}
			p.back = n > 0
		}
		if n > 0 {
			c.records("again", `,"pair":`+strconv.Itoa(int(n)))
			c.eras = append(c.eras, era{})
		}
	}
}

// checkSilence: who has promised heartbeats and sends none is not waited for.
func (w *world) checkSilence() {
	w.calm = true
	defer func() { w.calm = false }()
	for range (w.settings.PingInterval + w.settings.PongTimeout + 3*slack) / tick {
		w.advance(tick)
		w.drive(w.idle)
		for _, c := range w.byID {
			if c.conn.Paused() { // whoever is not read cannot be heard
				c.spokeAt = w.now
			}
		}
	}
	for _, c := range w.byID {
		if c.can("heartbeat") && !c.hides && !c.conn.Closing() && !c.conn.Paused() && w.now-c.spokeAt > w.settings.PingInterval+w.settings.PongTimeout+2*slack {
			w.failf("client %d has promised heartbeats, and goes on without", c.serial)
		}
	}
}

// checkTerms: c has what it was promised, and is held to what it has promised.
func (c *client) checkTerms(partner *client) {
	w := c.world
	if !c.terms || len(c.socket.refused) > 0 || c.blocked() {
		return
	}
	if len(c.beats) > 0 && c.toSend() == 0 && !c.left {
		w.failf("client %d has had no pong for %v", c.serial, c.beats)
	}
	if partner != nil && partner.status == 101 && !c.over && c.can("away") && c.resuming == nil && partner.resuming == nil && c.hidden != partner.hides {
		w.failf("client %d was told that its partner is hiding: %v, it is: %v", c.serial, c.hidden, partner.hides)
	}
}
