package simulator

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"
)

// slack is how far the simulator's idea of when something happened may be from
// that of a worker, which has a coarse clock and can be overtaken.
const slack = 2 * time.Second

// slack is larger where a worker comes to run less often.
func (w *world) slack() time.Duration {
	if w.fleet != nil {
		return 2 * slack
	}
	return slack
}

// welcome notes, when a worker has just made c a connection, which limits it has
// exceeded. Those of an address are as the table of addresses has them at this moment.
func (c *client) welcome() {
	w := c.world
	if limit := w.plan.perAddress; limit > 0 {
		n := w.inside.FromAddress(c.address.Addr())
		c.crowded = !w.inside.Attributed(c.conn)
		switch {
		case c.home: // it may have been decided a while ago
		case c.crowded && n < limit:
			w.failf("client %d is turned away, and there are %d connections from its address, of %d at most", c.serial, n, limit)
		case n > limit:
			w.failf("there are %d connections from the address of client %d, of %d at most", n, c.serial, limit)
		}
	}
	limit := w.plan.maxConnections
	c.full = !c.crowded && limit > 0 && w.poller.Count() > limit
}

// chats is how many clients may have a chat, as far as can be told: the answer to a
// request may be on its way, and the end of a chat.
func (w *world) chats() (most int) {
	for _, o := range w.clients[w.oldest:] {
		if o.kind.chats() && (o.status == 101 || o.status == 0) {
			most++
		}
	}
	return most
}

// checkAddresses: what counts for an address is there (I6).
func (w *world) checkAddresses() {
	if w.plan.perAddress == 0 && w.plan.handshakes == 0 {
		return
	}
	there, refused := make(map[netip.Addr]int), 0
	for _, c := range w.byID {
		if addr := c.address.Addr(); w.inside.Attributed(c.conn) {
			there[addr]++
		}
		if w.inside.Refused(c.conn) {
			refused++
		}
	}
	for n := range w.plan.addresses {
		addr := addressOf(n)
		if have, want := w.inside.FromAddress(addr), there[addr]+w.inside.AwayFrom(addr); have != want {
			w.failf("%d connections from %v are counted, there are %d (I6)", have, addr, want)
		}
	}
	if n := w.inside.TurnedAway(); n != refused {
		w.failf("%d connections that are to be refused are counted, there are %d (I6)", n, refused)
	}
}

// checkResponse judges the answer to c's request.
func (c *client) checkResponse(head []byte) {
	w, p := c.world, &c.world.plan
	want := 101
	switch {
	case c.kind == garbageClient:
		want = 400
	case c.kind == hugeClient:
		want = 431
	case c.kind == silentClient:
		want = 408
	case c.crowded:
		want = 429
	case c.kind == wrongClient:
		want = 426
	case w.ending && c.kind.chats(): // it was still in the listener's queue
		want = 503
	}
	late := c.status == 408 && w.now-c.socket.acceptedAt+max(c.lag, 0)+slack >= handshakeTimeout
	limited := c.status == 429 && p.handshakes > 0
	busy := c.status == 503 && w.ending && c.kind == pageClient
	if p.maxConnections > 0 {
		busy = busy || c.status == 503 && w.chats() >= p.maxConnections
	}
	if c.status != want && !late && !limited && !busy {
		w.failf("client %d (%v) is answered %q instead of %d", c.serial, c.kind, head, want)
	}
	if c.status == 101 {
		w.upgrades++
		if got := bytes.Contains(head, []byte("Sec-WebSocket-Protocol: roulette.v1")); got != (c.kind == richClient) {
			w.failf("client %d (%v) is answered %q", c.serial, c.kind, head)
		}
	}
}

const handshakeTimeout = 5 * time.Second

// checkClose judges the close frame that c is sent.
func (c *client) checkClose(payload []byte) {
	w := c.world
	code := 0
	if len(payload) >= 2 {
		code = int(binary.BigEndian.Uint16(payload))
	}
	ok := false
	switch code {
	case 1002, 1007, 1009:
		ok = c.offence == code
	case 4408:
		switch reason := string(payload[2:]); reason {
		case "no pong in time":
			ok = c.pingAt > 0 && w.now-c.pingAt+w.slack() >= 10*time.Second
		case "not reading":
			ok = c.backlogged || len(c.socket.refused) > 0
		case "message not finished in time":
			ok = w.now > 60*time.Second
		case "no heartbeat in time":
			ok = c.can("heartbeat") && w.now-c.spokeAt+w.slack() >= 10*time.Second
		}
	case 4429:
		ok = w.plan.rate > 0
	}
	if c.goodbye != nil && len(payload) == min(len(c.goodbye), 2) && bytes.HasPrefix(c.goodbye, payload) {
		ok = true
	}
	if code == 4409 { // R3
		ok = c.person != nil && c.person.client != c
	}
	if !ok {
		w.failf("client %d is closed with %d %q; its offence is %d, its own close frame %q", c.serial, code, payload, c.offence, c.goodbye)
	}
	w.ended++
	c.unseat()
	if keeps := code == 1001 || code == 4408 || code == 4409; c.end != nil && !keeps {
		c.end.chat.over = true
	}
	if c.direct {
		c.settled = c.read
	}
}

// closed: the server has closed c's descriptor.
func (c *client) closed() {
	w, s := c.world, c.socket
	gone := s.fin || s.broken || w.ending
	age := w.now - s.acceptedAt + max(c.lag, 0) + slack
	switch {
	case c.conn == nil: // accepted, and refused
		w.checkRefused()
	case c.status == 101 && !c.closing:
		w.ended++
		if !gone && len(s.refused) == 0 {
			w.failf("client %d's connection is closed without a close frame", c.serial)
		}
	case c.status == 101, c.status != 0, gone, age >= handshakeTimeout:
	case c.offence == offenceGarbled:
	case c.full || c.crowded: // more than can be told so
	default:
		w.failf("client %d's connection is closed without an answer", c.serial)
	}
	c.unseat()
	if c.conn != nil {
		delete(w.byID, c.id)
		c.conn = nil
	}
	c.diedFull = len(s.refused) > 0
	if len(s.arrived()) > 0 { // tcp(7): what was not read makes it a reset
		c.vanished = true
	}
	c.finished = true
	c.deadAt = w.now
}

// checkRefused fails if a connection was refused at accept without a reason. There
// are two: too many wait for their refusal in good order, or descriptors ran out.
// Each time that they do, one connection is refused with the spare, and one more to
// get the spare back.
func (w *world) checkRefused() {
	limited := w.plan.maxConnections > 0 || w.plan.perAddress > 0
	if limited && w.inside.TurnedAway() >= maxTurnedAway/2 { // some may have got their refusal since
		return
	}
	if w.refused++; w.refused > 2*w.acceptBad {
		w.failf("%d connections were refused at accept, which has failed %d times", w.refused, w.acceptBad)
	}
}

const maxTurnedAway = 32

// alive tells whether the server can be expected to serve c.
func (c *client) alive() bool {
	return !c.finished && !c.vanished && !c.finAfter && !c.closing && !c.handed && c.socket.fd >= 0 &&
		(c.conn == nil || !c.conn.Closing())
}
