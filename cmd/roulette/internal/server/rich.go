package server

import (
	"crypto/rand"
	"encoding/base64"

	"roulette/frame"
	"roulette/frame/record"
	"roulette/netpoll"
	"roulette/pairing"
)

// rich is what is kept of a client that speaks roulette.v1, attached to its
// connection.
//
// Notices about a client's pairings are written by whichever worker made the
// change, so they may come late and out of order. The pairing numbers put them
// right: told says how far the client has been told, and only forward.
type rich struct {
	// Immutable.
	life pairing.Life

	// Guarded by the connection's write lock: 2n when it was told of its n-th
	// pairing, 2n+1 when it was told that this has ended, or ended it itself.
	told uint64

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
	r, session := newRich(h.server.pairs.Enter(c.ID(), false))
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

// noticeLocked writes a control message to c, which is locked. Nobody's reading
// pauses for it: what the server says on its own account is bounded by what
// partners do, and a few bytes each.
func (h *handler) noticeLocked(c *netpoll.Conn, payload []byte) {
	h.notice = payload[:0]
	h.noticeFrame = frame.AppendMessage(h.noticeFrame[:0], opText, payload)
	c.Send(h.worker, h.noticeFrame, nil)
}

// announceLocked tells a rich client, which is locked, of its present pairing if
// it does not know yet. Whoever is about to write to a client for its partner
// calls it first, so nothing of a partner comes before the notice of him.
func (h *handler) announceLocked(c *netpoll.Conn) {
	r := richOf(c)
	if r == nil {
		return
	}
	id, pairs := c.ID(), h.server.pairs
	_, paired := pairs.Partner(id)
	if n := pairs.Number(id); paired && r.told < 2*uint64(n) {
		r.told = 2 * uint64(n)
		h.noticeLocked(c, record.AppendPaired(h.notice[:0], n, pairs.Common(id), nil))
	}
}

// left tells a client that its n-th pairing has ended, unless it knows.
func (h *handler) left(c *netpoll.Conn, life pairing.Life, n uint32, why parting) {
	c.Lock()
	defer c.Unlock()
	r := richOf(c)
	if r == nil || r.life != life || r.told > 2*uint64(n) {
		return
	}
	if r.told < 2*uint64(n) { // parted before anybody came to tell it
		h.noticeLocked(c, record.AppendPaired(h.notice[:0], n, nil, nil))
	}
	r.told = 2*uint64(n) + 1
	h.noticeLocked(c, record.AppendLeft(h.notice[:0], n, why.told))
}

// tellTyping tells c's partner, if it is a rich client with nothing better to
// read.
func (h *handler) tellTyping(c *netpoll.Conn, on bool) {
	p := h.lockPartner(c)
	if p == nil {
		return
	}
	defer p.Unlock()
	if kindOf(p) == richKind && !p.Backlogged() {
		h.announceLocked(p)
		h.noticeLocked(p, record.AppendTyping(h.notice[:0], h.server.pairs.Number(p.ID()), on))
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
