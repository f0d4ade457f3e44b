package server

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"

	"roulette/frame/record"
	"roulette/netpoll"
	"roulette/pairing"
)

// rich is what is kept of a client that speaks roulette.v1, attached to its
// connection.
type rich struct {
	// Guarded by the connection's write lock.
	told   told
	parted uint32 // Worker.Now when its last pairing ended so that again is possible; 0: it is not

	// Atomic.
	online    atomic.Uint32 // the number that it was told last
	resumable atomic.Uint32 // the latest of its pairings that can be resumed; 0: none could
	muted     atomic.Uint32 // the pairing whose chat is thrown away until its resend; 0: none
	kept      atomic.Pointer[kept]

	// Owned by the worker.
	typingSince uint32 // Worker.Now
	onlineAt    uint32 // Worker.Now when it was told the number
	spoke       uint32 // Worker.Now when its page last sent anything
	typing      bool   // the partner was told that this client is typing
	begun       bool   // there was a record, so hello is too late
	sought      bool   // there was a next, so resume is too late

	// Set by the worker under the write lock.
	wishes  *pairing.Wishes // nil: none
	holder  uint64          // of the tokens of this person
	can     record.Can
	greeted bool // it has said hello
	life    pairing.Life
}

const (
	typingExpires = 10_000 // milliseconds
	againWithin   = 5_000  // milliseconds after the end of a pairing
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
	return &rich{life: life, holder: binary.BigEndian.Uint64(b[8:])}, base64.RawURLEncoding.EncodeToString(b[:])
}

// openRich makes c a rich client, idle.
func (h *handler) openRich(c *netpoll.Conn) {
	r, session := newRich(h.server.pairs.Enter(seatOf(c), false))
	online := h.server.connections()
	r.online.Store(uint32(online))
	r.onlineAt = h.worker.Now()
	c.Lock()
	c.Attach(r)
	h.noticeLocked(c, record.AppendHello(h.notice[:0], session, online, h.rules.MaxMessageSize))
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
			h.noticeLocked(p.here, record.AppendTyping(h.notice[:0], p.pair, on))
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
	connections := uint32(h.server.poller.Count())
	n := connections + uint32(h.server.elsewhere())
	if r.can&record.CanPeople != 0 {
		n = uint32(h.server.people())
	}
	every := max(onlineEvery, connections*1000/onlinePerSecond)
	if n == r.online.Load() || now-r.onlineAt < every {
		return
	}
	c.Lock()
	if !c.Backlogged() {
		r.onlineAt = now
		r.online.Store(n)
		h.noticeLocked(c, record.AppendOnline(h.notice[:0], int(n)))
	}
	c.Unlock()
}

// part notes how a pairing has ended. The connection is locked.
func (r *rich) part(why parting, now uint32) {
	r.parted = 0
	if why.again {
		r.parted = max(now, 1)
	}
}
