package server

import (
	"sync"
	"time"

	"roulette/frame/handshake"
	"roulette/metrics"
	"roulette/netpoll"
)

// maxRequest bounds a request's head, in bytes; longer ones get 431.
const maxRequest = 8 << 10

// request is a head that is not whole yet.
type request struct{ bytes []byte }

var requests = sync.Pool{New: func() any { return new(request) }}

func (r *request) release() {
	r.bytes = r.bytes[:0]
	requests.Put(r)
}

// handshake takes what arrived on a connection that has not been upgraded.
func (h *handler) handshake(c *netpoll.Conn, b []byte) {
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
	response, p, result := h.rules.answerUpgrade(h.reply[:0], head)
	h.reply = response[:0]
	switch {
	case result == handshake.NotChat && from == accepted && s.stageNow() == stageDraining:
		h.refuseWith(c, h.shuttingDown())
		return
	case result == handshake.NotChat && from == accepted:
		h.toHTTP(c, head, rest)
		return
	case result == handshake.NotChat: // net/http would send it back
		h.refuse(c, handshake.NotFound)
		return
	case result != handshake.OK:
		h.countHandshake(result)
		h.refuseWith(c, response)
		return
	case s.stageNow() == stageDraining:
		h.counters.Rejected[metrics.RejectDraining]++
		h.refuseWith(c, h.shuttingDown())
		return
	case has(c, counted) && !s.addresses.handshake(c.Addr, h.worker.Now()) && !h.worker.Awoken():
		h.counters.Rejected[metrics.RejectHandshakeRate]++
		h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], 429, "too many handshakes from this address", 10))
		return
	}
	h.send(c, response)
	h.counters.Connections[metrics.ConnectionHandshaking]--
	h.open(c, p)
	if len(rest) > 0 {
		h.messages(c, rest)
	}
}

// answerUpgrade is the response to a request head, and which kind of chat it
// opens if it is OK.
func (r *rules) answerUpgrade(dst, head []byte) (response []byte, p phase, result handshake.Result) {
	var req handshake.Request
	response, req, result = r.chat.Upgrade(dst, head)
	p = plain
	if req.Subprotocol != "" {
		p = richPhase
	}
	if result == handshake.NotChat {
		response, _, result = r.echo.Upgrade(dst, head)
		p = echo
	}
	return response, p, result
}

// open makes c, whose upgrade has been answered, a chat.
func (h *handler) open(c *netpoll.Conn, p phase) {
	h.releaseHeld(c)
	h.counters.Handshakes[metrics.HandshakeOK]++
	h.counters.HandshakeDuration.Observe(int64(h.worker.Now()-c.Opened()) * 1e6)
	setPhase(c, p)
	switch p {
	case echo:
		h.counters.Connections[metrics.ConnectionIdle]++
	case richPhase:
		h.openRich(c)
	case plain:
		h.server.pairs.Enter(c.ID(), true)
		change := h.server.pairs.Seek(c.ID(), h.worker.Now(), nil)
		h.changed(c, &change, metrics.EndNext)
	}
}

// refuse answers a request that has gone wrong before it was whole.
func (h *handler) refuse(c *netpoll.Conn, result handshake.Result) {
	h.countHandshake(result)
	h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], result.Status(), result.String(), 0))
}

func (h *handler) countHandshake(result handshake.Result) {
	switch result {
	case handshake.Timeout:
		h.counters.Handshakes[metrics.HandshakeTimeout]++
	case handshake.TooLarge:
		h.counters.Handshakes[metrics.HandshakeTooLarge]++
	case handshake.BadOrigin:
		h.counters.Handshakes[metrics.HandshakeOrigin]++
		h.counters.Rejected[metrics.RejectOrigin]++
	case handshake.NotFound:
		h.counters.Handshakes[metrics.HandshakeNotFound]++
	default:
		h.counters.Handshakes[metrics.HandshakeBadRequest]++
	}
}

// turnAway answers a request on a connection that was one too many.
func (h *handler) turnAway(c *netpoll.Conn) {
	if has(c, turnAwayFor) {
		h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], 429, "too many connections from this address", 30))
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
	setPhase(c, ended)
	h.counters.Connections[metrics.ConnectionHandshaking]--
	h.counters.Connections[metrics.ConnectionClosing]++
	c.Finish(response)
}

// handshakeTimeout ends a handshake that takes too long. Who has said nothing
// at all, as a browser that opened a connection in advance, gets no answer.
func (h *handler) handshakeTimeout(c *netpoll.Conn) {
	if c.Held() == nil {
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
	read := append(append(make([]byte, 0, len(head)+len(rest)), head...), rest...)
	h.releaseHeld(c)
	h.releaseAddress(c)
	h.counters.Connections[metrics.ConnectionHandshaking]--
	h.server.http.serve(c.Detach(), read)
}

func milliseconds(d time.Duration) uint32 { return uint32(d / time.Millisecond) }
