package server

import (
	"net/netip"
	"sync"
	"time"

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
		h.refuse(c, handshake.BadRequest)
	case n > maxRequest || n == 0 && len(head) > maxRequest:
		h.refuse(c, handshake.TooLarge)
	case n == 0:
		if held == nil {
			held = requests.Get().(*request)
			held.bytes = append(held.bytes, b...)
			c.Hold(held)
		}
	case held == nil:
		h.upgrade(c, accepted, b[:n], b[n:])
	default:
		// What stands behind the head came with this read.
		if n < len(head) {
			rest = b[n-from:]
		}
		h.upgrade(c, accepted, head[:n], rest)
	}
}

// origin is where a request comes from.
type origin uint8

const (
	accepted origin = iota // the first one of its connection
	fromHTTP               // after others, which net/http has served
)

// upgrade answers a whole request head; rest has come behind it.
func (h *handler) upgrade(c *netpoll.Conn, from origin, head, rest []byte) {
	s := h.server
	if has(c, turnAway) {
		h.turnAway(c)
		return
	}
	response, r, k, result := h.rules.answerUpgrade(h.reply[:0], head)
	h.reply = response[:0]
	switch {
	case result == handshake.NotChat && from == accepted && s.phaseNow() == phaseDraining:
		h.refuseWith(c, h.shuttingDown())
		return
	case result == handshake.NotChat && from == accepted:
		if h.rules.chat.IsUpgrade(head) {
			h.countHandshake(c, handshake.NotFound) // net/http says so, on a page
		}
		h.toHTTP(c, head, rest)
		return
	case result == handshake.NotChat: // net/http would send it back
		h.refuse(c, handshake.NotFound)
		return
	case result != handshake.OK:
		h.countHandshake(c, result)
		h.refuseWith(c, response)
		return
	case s.phaseNow() == phaseDraining:
		h.reject(c, metrics.RejectDraining)
		h.refuseWith(c, h.shuttingDown())
		return
	case s.pressure.Short():
		h.reject(c, metrics.RejectMemory)
		h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], 503, "memory is short", 10))
		return
	case has(c, proxied) && !h.forwarded(c, r.ForwardedFor):
		h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], 429, tooManyConnections, 30))
		return
	case has(c, counted) && !s.addresses.Handshake(c.Addr, h.worker.Now()) && !h.worker.Awoken():
		h.reject(c, metrics.RejectHandshakeRate)
		h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], 429, "too many handshakes from this address", 10))
		return
	}
	h.send(c, response)
	h.counters.Connections[metrics.ConnectionHandshaking]--
	h.open(c, k)
	if len(rest) > 0 {
		h.messages(c, rest)
	}
}

// answerUpgrade is the response to a request head, and which kind of chat it
// opens if it is OK.
func (r *rules) answerUpgrade(dst, head []byte) (response []byte, req handshake.Request, k kind, result handshake.Result) {
	response, req, result = r.chat.Upgrade(dst, head)
	k = plain
	if req.Subprotocol != "" {
		k = richKind
	}
	if result == handshake.NotChat {
		response, req, result = r.echo.Upgrade(dst, head)
		k = echo
	}
	return response, req, k, result
}

// open makes c, whose upgrade has been answered, a chat.
func (h *handler) open(c *netpoll.Conn, k kind) {
	h.releaseHeld(c)
	h.chats++
	h.counters.Handshakes[metrics.HandshakeOK]++
	h.counters.HandshakeDuration.Observe(int64(h.worker.Now()-c.Opened()) * 1e6)
	setOpen(c, k)
	switch k {
	case richKind:
		h.openRich(c)
	case plain:
		h.server.pairs.Enter(seatOf(c), true)
		change := h.server.pairs.Seek(seatOf(c), h.worker.Now(), nil)
		h.apply(partner{here: c}, &change, byNext)
	}
}

// refuse answers a request that has gone wrong before it was whole.
func (h *handler) refuse(c *netpoll.Conn, result handshake.Result) {
	h.countHandshake(c, result)
	h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], result.Status(), result.String(), 0))
}

func (h *handler) countHandshake(c *netpoll.Conn, result handshake.Result) {
	switch result {
	case handshake.Timeout:
		h.counters.Handshakes[metrics.HandshakeTimeout]++
	case handshake.TooLarge:
		h.counters.Handshakes[metrics.HandshakeTooLarge]++
	case handshake.BadOrigin:
		h.counters.Handshakes[metrics.HandshakeOrigin]++
		h.reject(c, metrics.RejectOrigin)
	case handshake.NotFound:
		h.counters.Handshakes[metrics.HandshakeNotFound]++
	default:
		h.counters.Handshakes[metrics.HandshakeBadRequest]++
	}
}

const tooManyConnections = "too many connections from this address"

// turnAway answers a request on a connection that was one too many.
func (h *handler) turnAway(c *netpoll.Conn) {
	if has(c, turnAwayFor) {
		h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], 429, tooManyConnections, 30))
		return
	}
	h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], 503, "server is full", 10))
}

// shuttingDown is the answer to who comes too late.
func (h *handler) shuttingDown() []byte {
	return handshake.AppendRefusal(h.reply[:0], 503, "shutting down", 10)
}

// refuseWith ends a connection that was never a chat with an HTTP response.
func (h *handler) refuseWith(c *netpoll.Conn, response []byte) {
	h.reply = response[:0]
	h.releaseHeld(c)
	setEnded(c)
	h.counters.Connections[metrics.ConnectionHandshaking]--
	h.counters.Connections[metrics.ConnectionClosing]++
	c.Finish(response)
}

// handshakeTimeout ends a handshake that takes too long. Who has said nothing
// at all, as a browser that opened a connection in advance, gets no answer.
func (h *handler) handshakeTimeout(c *netpoll.Conn) {
	if held, _ := c.Held().(*request); held == nil || len(held.bytes) == 0 {
		h.counters.Handshakes[metrics.HandshakeTimeout]++
		c.Close()
		return
	}
	h.refuse(c, handshake.Timeout)
}

// toHTTP gives a connection whose request is for no chat, with the bytes that
// were read, to net/http.
func (h *handler) toHTTP(c *netpoll.Conn, head, rest []byte) {
	if !h.server.http.admit() {
		h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], 503, "too busy for pages", 5))
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
	h.server.http.serve(c.Detach().FD, read, client)
}

func milliseconds(d time.Duration) uint32 { return uint32(d / time.Millisecond) }
