package simulator

import (
	"time"

	"roulette/metrics"
)

// quiet lets everything come to rest, without faults: all that clients have to
// send arrives, those who read at all read everything, the clock ticks. Then
// nothing may be left undone.
func (w *world) quiet() {
	if w.fleet != nil {
		w.fleet.quiet()
		return
	}
	w.calm = true
	defer func() { w.calm = false }()
	ticks := 0
	for range maxRounds {
		if w.round() {
			continue
		}
		if ticks == quietTicks {
			w.checkQuiet()
			return
		}
		ticks++
		w.advance(tick)
		w.drive(w.idle)
	}
	w.failf("no rest after %d rounds", maxRounds)
}

// round lets all that is under way between the server and its clients arrive. False:
// there was nothing.
func (w *world) round() (moved bool) {
	for len(w.owed) > 0 {
		w.settle()
	}
	for _, c := range w.clients[w.oldest:] {
		if c.finished || c.vanished {
			continue
		}
		c.socket.roomAgain()
		before, sent := c.seen, c.toSend()
		if c.reads > 0 {
			c.take(1 << 30)
		}
		c.push(1 << 30)
		moved = moved || c.seen != before || c.toSend() != sent
	}
	w.drive(w.idle)
	return moved
}

const (
	maxRounds  = 50_000
	tick       = 250 * time.Millisecond
	quietTicks = 6 // every connection is looked at within four
)

// checkArmed: what a socket has refused is written as soon as there is room, and
// not by and by.
func (w *world) checkArmed() {
	if w.anyBusy() {
		return
	}
	kept := w.backlogged[:0]
	for _, s := range w.backlogged {
		switch {
		case len(s.refused) == 0 || s.broken || s.fd < 0:
			s.listed = false
			continue
		case !s.full && !s.scarce && !w.files[s.fd-firstNumber].queued():
			w.failf("client %d has room for the %d bytes that wait for it, and nobody writes them", s.client.serial, len(s.refused))
		}
		kept = append(kept, s)
	}
	w.backlogged = kept
}

// checkLinger: who does not close is closed, a while after it was said goodbye
// to; and who had a reason not to meet has met.
func (w *world) checkLinger() {
	w.calm = true
	defer func() { w.calm = false }()
	closing := make(map[*client]bool)
	for _, c := range w.byID {
		closing[c] = c.conn.Closing()
	}
	for range (patience + slack) / tick {
		w.advance(tick)
		w.drive(w.idle)
	}
	w.checkTable()
	for _, c := range w.byID {
		if closing[c] {
			w.failf("client %d was said goodbye to, and its descriptor is still open", c.serial)
		}
	}
}

// patience is how long clients that wait avoid each other; a connection lingers
// for less.
const patience = 5 * time.Second

func (w *world) idle() bool {
	for _, k := range w.workers {
		if k.busy || k.ready() {
			return false
		}
	}
	return w.porter == nil || !w.porter.busy && !w.porter.ready()
}

func (w *world) checkQuiet() {
	for _, c := range w.clients[w.oldest:] {
		c.accountEnd()
		c.checkQuiet()
	}
	w.checkTable()
	w.checkCounters()
	w.checkAddresses()
	w.checkDescriptors()
	for w.oldest < len(w.clients) && w.clients[w.oldest].finished {
		w.oldest++
	}
}

func (w *world) checkTable() {
	now := w.poller.Workers()[0].Now()
	if err := w.pairs.ConsistencyCheck(now); err != nil {
		w.failf("%v", err)
	}
	want, unknown := 0, 0
	for _, c := range w.byID {
		if _, paired := w.pairs.Partner(c.id); paired || c.status != 101 || c.conn.Closing() {
			continue
		}
		switch seeks, known := c.seeks(); {
		case !known:
			unknown++
		case seeks:
			want++
		}
	}
	if n := w.pairs.Waiting(); n < want || n > want+unknown {
		w.failf("%d clients wait, it should be %d", n, want)
	}
}

// seeks tells whether c, which has no partner, wants one.
func (c *client) seeks() (seeks, known bool) {
	switch {
	case c.kind != richClient:
		return c.kind == plainClient, true
	case len(c.socket.refused) > 0:
		return false, false
	case c.obeyed == 0:
		return false, true
	}
	last := c.commands[c.obeyed-1]
	return last.next && c.waiting, last.sure
}

// checkQuiet: nothing is left undone for c.
func (c *client) checkQuiet() {
	w, s := c.world, c.socket
	switch {
	case s.fd < 0 && !c.finished && !c.handed:
		if w.spareFree() && w.now-w.acceptBadAt > slack { // else the workers have backed off
			w.failf("client %d has not been accepted", c.serial)
		}
		return
	case c.finished || c.handed:
		return
	case (c.vanished || s.fin) && !c.blocked():
		w.failf("client %d is gone (reset: %v), its descriptor still open", c.serial, c.vanished)
	}
	if len(s.refused) > 0 && s.room() > 0 {
		w.failf("client %d reads, but %d bytes wait for it", c.serial, len(s.refused))
	}
	if !c.alive() {
		return
	}
	if c.conn == nil {
		w.failf("client %d is no connection", c.serial)
	}
	if n := c.conn.Pending(); n < len(s.refused) || n > 0 && len(s.refused) == 0 {
		w.failf("%d bytes wait for client %d, it is owed %d", n, c.serial, len(s.refused))
	} else if n > w.backlogLimit {
		w.failf("%d bytes wait for client %d (I4)", n, c.serial)
	}
	partner, _ := c.partner()
	if place, ok := w.pairs.Partner(c.id); ok && partner == nil && !w.inside.StandsIn(place) {
		w.failf("client %d is paired with a connection that is closed (I5)", c.serial)
	}
	blocked := c.blocked()
	if !blocked {
		if c.conn.Paused() {
			w.failf("client %d is not read, and nothing waits for it or its partner", c.serial)
		}
		if len(s.arrived()) > 0 {
			w.failf("%d bytes of client %d are not read", len(s.arrived()), c.serial)
		}
		if c.offence != 0 && c.toSend() == 0 {
			w.failf("client %d has offended (%d) and is not closed", c.serial, c.offence)
		}
		if c.goodbye != nil && c.toSend() == 0 {
			w.failf("client %d has said goodbye and is not closed", c.serial)
		}
		if c.kind.chats() && c.status == 0 && c.toSend() == 0 {
			w.failf("client %d has not been answered", c.serial)
		}
		if len(c.pings) > 0 && c.toSend() == 0 && !c.left {
			w.failf("client %d has had no pong for %q", c.serial, c.pings)
		}
		c.checkCoded()
	}
	c.checkTold(partner)
	c.checkPerson()
	c.checkSingle()
	c.checkTerms(partner)
	c.account()
	if c.kind == echoClient && !blocked && !c.inexact && c.delivered != c.read {
		w.failf("client %d has sent %d messages and got %d back", c.serial, c.read, c.delivered)
	}
}

// blocked tells whether something waits for c or its partner, so that c need not
// be read.
func (c *client) blocked() bool {
	partner, _ := c.partner()
	return len(c.socket.refused) > 0 || partner != nil && len(partner.socket.refused) > 0 || c.blockedElsewhere()
}

// checkTold: a rich client knows what the server knows.
func (c *client) checkTold(partner *client) {
	w := c.world
	if c.kind != richClient || c.status != 101 || len(c.socket.refused) > 0 { // then the news may be behind that
		return
	}
	n := w.pairs.Number(c.id)
	last := command{}
	if c.obeyed > 0 {
		last = c.commands[c.obeyed-1]
	}
	switch {
	case !c.hello:
		w.failf("client %d has had no hello", c.serial)
	case partner != nil && (c.paired != n || c.over):
		w.failf("client %d has partner %d in pairing %d, and knows of pairing %d, over: %v", c.serial, partner.serial, n, c.paired, c.over)
	case partner == nil && c.paired != 0 && !c.over && last.next && last.sure:
		w.failf("client %d has no partner, and was not told that pairing %d is over", c.serial, c.paired)
	case partner == nil && last.next && last.sure && !c.over:
		w.failf("client %d waits and was not told", c.serial)
	}
}

// spareFree tells whether there are descriptors for one more connection.
func (w *world) spareFree() bool { return w.open+2 < w.plan.descriptors }

// checkCounters compares the server's counters with what has happened (I6, I8).
func (w *world) checkCounters() {
	sum := w.inside.Counters()
	ends := uint64(0)
	for _, code := range sum.Closed {
		for _, n := range code {
			ends += n
		}
	}
	ended := w.ended
	var handshaking, closing, chats, backlogs, waiting int64
	for _, c := range w.clients[w.oldest:] {
		if c.conn == nil {
			continue
		}
		switch {
		case c.conn.Closing():
			closing++
			if c.status == 101 && !c.closing { // the close frame is in the backlog
				ended++
			}
		case c.status == 0:
			handshaking++
		default:
			chats++
		}
		if n := len(c.socket.refused); n > 0 {
			backlogs++
			waiting += int64(c.conn.Pending())
		}
	}
	if ends != uint64(ended) {
		w.failf("%d ends of connections were counted, there were %d (I8)", ends, ended)
	}
	for _, g := range []struct {
		what       string
		have, want int64
	}{
		{"handshaking connections", sum.Connections[metrics.ConnectionHandshaking], handshaking},
		{"closing connections", sum.Connections[metrics.ConnectionClosing], closing},
		{"idle connections", sum.Connections[metrics.ConnectionIdle], chats - int64(w.pairs.Waiting()+2*w.pairs.Pairs()-w.inside.Away()-w.inside.Strangers())},
		{"places", int64(w.inside.Places()), chats},
		{"backlogs", sum.BacklogConnections, backlogs},
		{"bytes in backlogs", sum.BacklogBytes, waiting},
		{"connections", int64(w.poller.Count()), int64(len(w.byID))},
		{"handshakes", int64(sum.Handshakes[metrics.HandshakeOK]), int64(w.upgrades)},
	} {
		if g.have != g.want {
			w.failf("%d %s are counted, there are %d (I6)", g.have, g.what, g.want)
		}
	}
	var parted uint64
	for _, n := range sum.PairsEnded {
		parted += n
	}
	if have := uint64(w.inherited) + sum.PairsCreated - parted; have != uint64(w.pairs.Pairs()) {
		w.failf("%d pairs were made and %d ended, there are %d (I8)", sum.PairsCreated, parted, w.pairs.Pairs())
	}
}

// checkDescriptors counts what is open (I6): for each worker an epoll, a timer
// and an event, the listener, the spare, the connections, and what net/http has.
func (w *world) checkDescriptors() {
	listening := len(w.files[w.listener.fd-firstNumber].items)
	if listening < len(w.workers) && w.now-w.acceptBadAt > slack { // else some have backed off
		w.failf("%d workers listen instead of %d", listening, len(w.workers))
	}
	want := 3*len(w.workers) + 1 + w.spares + len(w.byID) + len(w.handed)
	if w.open != want || w.spares > 1 {
		w.failf("%d descriptors are open instead of %d, %d of them spare ones (I6)", w.open, want, w.spares)
	}
}
