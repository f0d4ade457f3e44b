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
	r.bytes, r.client = r.bytes[:0], netip.Addr{}
	requests.Put(r)
}

// handshake takes what arrived on a connection that has not been upgraded.
func (h *handler) handshake(c *netpoll.Conn, b []byte) {
	if has(c, headerDue) {
		if b = h.proxyHeader(c, b); len(b) == 0 {
			return
		}
	}
	if has(c, helloDue) {
		h.hello(c, b)
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
		h.fail(c, handshake.BadRequest)
	case n > maxRequest || n == 0 && len(head) > maxRequest:
		h.fail(c, handshake.TooLarge)
	case n == 0:
		if held == nil {
			held = requests.Get().(*request)
			held.bytes = append(held.bytes, b...)
			c.Hold(held)
		}
	case held == nil:
		h.upgrade(c, direct, b[:n], b[n:])
	default:
		// What stands behind the head came with this read.
		if n < len(head) {
			rest = b[n-from:]
		}
		h.upgrade(c, direct, head[:n], rest)
	}
}

// arrival is how a request comes.
type arrival uint8

const (
	direct     arrival = iota // the first one of its connection
	afterPages                // after others, which net/http has served
)

// upgrade answers a whole request head; rest has come behind it.
func (h *handler) upgrade(c *netpoll.Conn, how arrival, head, rest []byte) {
	if how == direct && c.Codec() == nil && h.server.redirects() && refusalOf(c) == admitted {
		h.toPages(c, head, rest) // which says where to go
		return
	}
	response, req, result := h.rules.upgrader.Upgrade(h.reply[:0], head)
	h.reply = response[:0]
	switch r := refusalOf(c); {
	case r == admitted:
	case !refusals[r].chatsOnly:
		h.refuseRequest(c, r, head)
		return
	case result == handshake.NotChat:
	case r != serverFull: // which is looked at again
		h.note(c, refusals[r].why)
		h.refuseRequest(c, r, head)
		return
	}
	switch result {
	case handshake.OK:
	case handshake.UpgradeRequired:
		// A browser does not tell a page why it gets no WebSocket: the page asks so.
		if r := h.admit(atQuestion, c, &visitor{request: req}); r != admitted {
			h.refuseRequest(c, r, head)
			return
		}
		h.countHandshake(c, result)
		h.dismiss(c, response)
		return
	case handshake.NotChat:
		h.visitPages(c, how, req, head, rest)
		return
	default:
		h.countHandshake(c, result)
		h.dismiss(c, response)
		return
	}
	if r := h.admit(atRequest, c, &visitor{request: req}); r != admitted {
		h.refuseRequest(c, r, head)
		return
	}
	who, due := h.visitorOf(c, &req)
	if due {
		response = h.giveCookie(response, &req, who)
		h.reply = response[:0]
	}
	h.unmark(c)
	h.send(c, response)
	h.counters.Connections[metrics.ConnectionHandshaking]--
	h.open(c, kindFor(req), who)
	if len(rest) > 0 {
		h.messages(c, rest)
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
func (h *handler) visitPages(c *netpoll.Conn, how arrival, req handshake.Request, head, rest []byte) {
	switch {
	case how == afterPages: // net/http would send it back
		h.fail(c, handshake.NotFound)
	case h.server.phaseNow() == phaseDraining:
		h.refuseRequest(c, goingAway, head)
	default:
		if req.Elsewhere {
			h.countHandshake(c, handshake.NotFound) // net/http says so, on a page
		}
		h.toPages(c, head, rest)
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
		change := h.server.pairs.Seek(seatOf(c), h.worker.Now(), nil)
		h.apply(partner{here: c}, &change, byNext)
	}
}

// handshakeTimeout ends a handshake that takes too long. Who has said nothing
// at all, as a browser that opened a connection in advance, gets no answer.
func (h *handler) handshakeTimeout(c *netpoll.Conn) {
	if has(c, helloDue) {
		h.counters.TLSHandshakes[metrics.TLSTimeout]++
		c.Close()
		return
	}
	if held, _ := c.Held().(*request); held == nil || len(held.bytes) == 0 {
		h.counters.Handshakes[metrics.HandshakeTimeout]++
		c.Close()
		return
	}
	h.fail(c, handshake.Timeout)
}

// toPages gives a connection whose request is for no chat, with the bytes that
// were read, to net/http.
func (h *handler) toPages(c *netpoll.Conn, head, rest []byte) {
	if !h.server.http.admit() {
		h.note(c, metrics.RejectPages)
		h.refuseRequest(c, pagesFull, head)
		return
	}
	var client netip.Addr
	if held, _ := c.Held().(*request); held != nil {
		client = held.client
	}
	read := append(append(make([]byte, 0, len(head)+len(rest)), head...), rest...)
	h.releaseHeld(c)
	h.releaseAddress(c)
	h.counters.Connections[metrics.ConnectionHandshaking]--
	h.server.http.serve(c.Detach(), read, client)
}

func milliseconds(d time.Duration) uint32 { return uint32(d / time.Millisecond) }
