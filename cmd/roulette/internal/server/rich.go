package server

import (
	"crypto/rand"
	"encoding/base64"

	"roulette/frame/record"
	"roulette/netpoll"
	"roulette/pairing"
)

// rich is what is kept of a client that speaks roulette.v1, attached to its
// connection.
type rich struct {
	// Immutable.
	life pairing.Life

	// Guarded by the connection's write lock.
	told told

	// Owned by the worker.
	interests   []string
	typing      bool   // the partner was told that this client is typing
	typingSince uint32 // Worker.Now
	online      int    // the number it was told last
	onlineAt    uint32 // Worker.Now then
}

const (
	typingExpires = 10_000 // milliseconds
	// onlineEvery is the shortest time between two online records to a client.
	// It grows with their number, so that all of them together cost no more
	// than onlinePerSecond.
	onlineEvery     = 5_000 // milliseconds
	onlinePerSecond = 2_000
)

// newRich returns the state of a new client, and its session, a name that only
// it knows.
func newRich(life pairing.Life) (r *rich, session string) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return &rich{life: life}, base64.RawURLEncoding.EncodeToString(b[:])
}

// openRich makes c a rich client, idle.
func (h *handler) openRich(c *netpoll.Conn) {
	r, session := newRich(h.server.pairs.Enter(seatOf(c), false))
	r.online, r.onlineAt = h.server.poller.Count(), h.worker.Now()
	c.Lock()
	c.Attach(r)
	h.noticeLocked(c, record.AppendHello(h.notice[:0], session, r.online, h.rules.MaxMessageSize))
	c.Unlock()
}

// richOf is the state of c, nil if c is no rich client. The caller is on c's
// worker, or holds c's write lock and touches only what that guards.
func richOf(c *netpoll.Conn) *rich {
	r, _ := c.Attached().(*rich)
	return r
}

// tellTyping tells c's partner, if it is a rich client with nothing better to
// read.
func (h *handler) tellTyping(c *netpoll.Conn, on bool) {
	switch p := h.lockPartner(c); {
	case p.here != nil:
		defer p.here.Unlock()
		if kindOf(p.here) == richKind && !p.here.Backlogged() {
			h.announceLocked(p.here)
			h.noticeLocked(p.here, record.AppendTyping(h.notice[:0], h.server.pairs.Number(seatOf(p.here)), on))
		}
	case p.out != nil:
		defer p.out.Unlock()
		p.out.typing(on)
	}
}

// stopsTyping: c has sent a message, so it types no more. The record goes before
// the message.
func (h *handler) stopsTyping(c *netpoll.Conn, r *rich) {
	if r.typing {
		r.typing = false
		h.tellTyping(c, false)
	}
}

// sweepRich looks at what is due of a rich client.
func (h *handler) sweepRich(c *netpoll.Conn) {
	r, now := richOf(c), h.worker.Now()
	if r.typing && now-r.typingSince >= typingExpires {
		r.typing = false
		h.tellTyping(c, false)
	}
	n := h.server.poller.Count()
	every := max(onlineEvery, uint32(n)*1000/onlinePerSecond)
	if n == r.online || now-r.onlineAt < every {
		return
	}
	c.Lock()
	if !c.Backlogged() {
		r.online, r.onlineAt = n, now
		h.noticeLocked(c, record.AppendOnline(h.notice[:0], n))
	}
	c.Unlock()
}
