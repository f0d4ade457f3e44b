package server

import (
	"net/netip"
	"sync"
	"time"

	"roulette/cmd/roulette/internal/safety"
	"roulette/frame/handshake"
	"roulette/metrics"
	"roulette/netpoll"
)

// maxRequest bounds a request's head, in bytes; longer ones get 431.
const maxRequest = 8 << 10

// request is a head that is not whole yet.
type request struct {
	bytes  []byte
	client netip.Addr // whom a header of the PROXY protocol has named
}

var requests = sync.Pool{New: func() any { return new(request) }}

func (r *request) release() {
	clear(r.bytes) // a first message may have stood behind it
	r.bytes, r.client = r.bytes[:0], netip.Addr{}
	requests.Put(r)
}

// releaseRequest gives back what c, which is no chat, holds of its request.
func releaseRequest(c *netpoll.Conn) {
	if held, ok := c.Held().(*request); ok {
		held.release()
	}
	c.Hold(nil)
}

// handshake takes what arrived on a connection that has not been upgraded.
func (l *lobby) handshake(c *netpoll.Conn, b []byte) {
	if has(c, headerDue) {
		if b = l.proxyHeader(c, b); len(b) == 0 {
			return
		}
	}
	if has(c, helloDue) {
		l.hello(c, b)
		return
	}
	head, rest := b, []byte(nil)
	held, _ := c.Held().(*request)
	from := 0
	if held != nil {
		from = len(held.bytes)
		fit := min(len(b), maxRequest+1-from)
		held.bytes = append(held.bytes, b[:fit]...)
		head, rest = held.bytes, b[fit:]
	}
	n, err := handshake.HeadEnd(head, from)
	switch {
	case err != nil:
		l.fail(c, handshake.BadRequest)
	case n > maxRequest || n == 0 && len(head) > maxRequest:
		l.fail(c, handshake.TooLarge)
	case n == 0:
		if held == nil {
			held = requests.Get().(*request)
			held.bytes = append(held.bytes, b...)
			c.Hold(held)
		}
	case held == nil:
		l.upgrade(c, direct, b[:n], b[n:])
	default:
		// What stands behind the head came with this read.
		if n < len(head) {
			rest = b[n-from:]
		}
		l.upgrade(c, direct, head[:n], rest)
	}
}

// arrival is how a request comes.
type arrival uint8

const (
	direct     arrival = iota // the first one of its connection
	afterPages                // after others, which net/http has served
)

// upgrade answers a whole request head; rest has come behind it.
func (l *lobby) upgrade(c *netpoll.Conn, how arrival, head, rest []byte) {
	if how == direct && c.Codec() == nil && l.server.redirects() && refusalOf(c) == admitted {
		l.toPages(c, head, rest) // which says where to go
		return
	}
	response, req, result := l.rules.upgrader.Upgrade(l.reply[:0], head)
	l.reply = response[:0]
	switch r := refusalOf(c); {
	case r == admitted:
	case !refusals[r].chatsOnly:
		l.refuseRequest(c, r, head)
		return
	case result == handshake.NotChat:
	case r != serverFull: // which is looked at again
		l.note(c, refusals[r].why)
		l.refuseRequest(c, r, head)
		return
	}
	switch result {
	case handshake.OK:
	case handshake.UpgradeRequired:
		// A browser does not tell a page why it gets no WebSocket: the page asks so.
		if r := l.admit(atQuestion, c, visitor{request: req}); r != admitted {
			l.refuseRequest(c, r, head)
			return
		}
		l.countHandshake(c, result)
		l.dismiss(c, response)
		return
	case handshake.NotChat:
		l.visitPages(c, how, req, head, rest)
		return
	default:
		l.countHandshake(c, result)
		l.dismiss(c, response)
		return
	}
	if r := l.admit(atRequest, c, visitor{request: req}); r != admitted {
		l.refuseRequest(c, r, head)
		return
	}
	who, due := l.visitorOf(c, &req)
	if due {
		response = l.giveCookie(response, &req, who)
		l.reply = response[:0]
	}
	l.unmark(c)
	l.send(c, response)
	l.counters.Connections[metrics.ConnectionHandshaking]--
	l.chats.open(c, kindFor(req), who)
	l.chats.came(c, head)
	if len(rest) > 0 {
		l.chats.messages(c, rest)
	}
}

// kindFor is what a request makes of its connection.
func kindFor(req handshake.Request) kind {
	switch {
	case req.Endpoint == echoEndpoint:
		return echo
	case req.Subprotocol != "":
		return richKind
	}
	return plain
}

// visitPages deals with a request that is for no chat.
func (l *lobby) visitPages(c *netpoll.Conn, how arrival, req handshake.Request, head, rest []byte) {
	switch {
	case how == afterPages: // net/http would send it back
		l.fail(c, handshake.NotFound)
	case l.server.phaseNow() == phaseDraining:
		l.refuseRequest(c, goingAway, head)
	default:
		if req.Elsewhere {
			l.countHandshake(c, handshake.NotFound) // net/http says so, on a page
		}
		l.toPages(c, head, rest)
	}
}

// open makes c, whose upgrade has been answered, a chat of who has come.
func (h *handler) open(c *netpoll.Conn, k kind, who safety.Person) {
	h.releaseHeld(c)
	h.chats++
	h.counters.Handshakes[metrics.HandshakeOK]++
	h.counters.HandshakeDuration.Observe(int64(h.worker.Now()-c.Opened()) * 1e6)
	settleCodec(c)
	setOpen(c, k)
	switch k {
	case richKind:
		h.openRich(c, who)
	case plain:
		h.server.pairs.Enter(seatOf(c), true)
		h.identify(seatOf(c), who)
		h.classify(c, false)
		change := h.server.pairs.Seek(seatOf(c), h.worker.Now(), nil)
		h.apply(partner{here: c}, &change, byNext)
	}
}

// handshakeTimeout ends a handshake that takes too long. Who has said nothing
// at all, as a browser that opened a connection in advance, gets no answer.
func (l *lobby) handshakeTimeout(c *netpoll.Conn) {
	if has(c, helloDue) {
		l.counters.TLSHandshakes[metrics.TLSTimeout]++
		c.Close()
		return
	}
	if held, _ := c.Held().(*request); held == nil || len(held.bytes) == 0 {
		l.counters.Handshakes[metrics.HandshakeTimeout]++
		c.Close()
		return
	}
	l.fail(c, handshake.Timeout)
}

// toPages gives a connection whose request is for no chat, with the bytes that
// were read, to net/http.
func (l *lobby) toPages(c *netpoll.Conn, head, rest []byte) {
	place := pagePlace{key: c.Key, counted: has(c, attributed)}
	if why, ok := l.server.http.admit(place, l.server.addresses.Network(c.Key)); !ok {
		l.note(c, refusals[why].why)
		l.refuseRequest(c, why, head)
		return
	}
	var client netip.Addr
	if held, _ := c.Held().(*request); held != nil {
		client = held.client
	}
	read := append(append(make([]byte, 0, len(head)+len(rest)), head...), rest...)
	releaseRequest(c)
	l.releaseAddress(c)
	l.counters.Connections[metrics.ConnectionHandshaking]--
	l.server.http.serve(c.Detach(), read, client, place)
}

func milliseconds(d time.Duration) uint32 { return uint32(d / time.Millisecond) }
