package server

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/stamp"
	"roulette/frame/record"
	"roulette/netpoll"
	"roulette/pairing"
)

// rich is what is kept of a client that speaks roulette.v1: 40 bytes, in a place
// beside its connection.
type rich struct {
	// Changed under the connection's write lock; read by the worker also without.
	told  told
	extra atomic.Pointer[extra] // nil: nothing

	// Set by the worker under the write lock.
	holder uint64 // of the tokens of this person

	// Atomic.
	online atomic.Uint32 // the number that it was told last

	// Owned by the worker.
	spoke       uint32 // Worker.Now when its page last sent anything
	typingSince uint16 // Worker.Now; a minute is more than enough
	onlineAt    uint16 // Worker.Now in units of onlineUnit, when it was told the number

	// Set by the worker under the write lock.
	can  record.Can // and greeted
	life pairing.Life

	// Owned by the worker.
	said said
}

// It fills its share of its block, or this does not compile.
var _ [40 - unsafe.Sizeof(rich{})]struct{}

// greeted stands beside what a client can: it has said hello.
const greeted record.Can = 1 << 15

var _ [greeted - 1 - record.CanAll]struct{} // no ability has that bit

func (r *rich) greeted() bool { return r.can&greeted != 0 }

// said is what a client has said so far, as bits.
type said uint8

const (
	saysTyping said = 1 << iota // and its partner was told
	saidRecord                  // anything, so hello is too late
	saidNext                    // so resume is too late
	saidChat                    // to this partner
	saidProof                   // and waits for what comes of it
	saidToken                   // that it has what it can come back to them with
)

func (s said) has(bit said) bool { return s&bit != 0 }

func (s *said) set(bit said, on bool) {
	if *s &^= bit; on {
		*s |= bit
	}
}

// extra is what a rich client has only now and then. Changed like rich.told.
type extra struct {
	wishes *pairing.Wishes // nil: none
	kept   atomic.Pointer[kept]
}

// wishes are what the client is looking for, nil: nothing in particular. The caller
// is the worker, or holds the lock.
func (r *rich) wishes() *pairing.Wishes {
	if e := r.extra.Load(); e != nil {
		return e.wishes
	}
	return nil
}

// wish sets the wishes. Worker only, holding the lock.
func (r *rich) wish(w *pairing.Wishes) {
	if w != nil || r.extra.Load() != nil {
		r.extraLocked().wishes = w
	}
}

// kept is what is kept of its pair, if that has had a break.
func (r *rich) kept() *kept {
	if e := r.extra.Load(); e != nil {
		return e.kept.Load()
	}
	return nil
}

// keepLocked sets it. The lock is held.
func (r *rich) keepLocked(k *kept) { r.extraLocked().kept.Store(k) }

// forgetKept ends it, and returns what it was.
func (r *rich) forgetKept() *kept {
	if e := r.extra.Load(); e != nil {
		return e.kept.Swap(nil)
	}
	return nil
}

func (r *rich) extraLocked() *extra {
	e := r.extra.Load()
	if e == nil {
		e = new(extra)
		r.extra.Store(e)
	}
	return e
}

const (
	typingExpires = 10_000 // milliseconds
	againWithin   = 5_000  // milliseconds after the end of a pairing
	// onlineEvery is the shortest time between two online records to a client.
	// It grows with their number, so that all of them together cost no more
	// than onlinePerSecond.
	onlineEvery     = 5_000 // milliseconds
	onlinePerSecond = 2_000
	onlineUnit      = 256 // milliseconds: its clock wraps after more than four hours
)

// beside is what the server has of connections that live together, as far as they need
// it.
type beside struct {
	riches atomic.Pointer[riches]
	codecs atomic.Pointer[codecs]
	chains atomic.Pointer[chains]
}

// besideOf is where c's share is. Owner only.
func besideOf(c *netpoll.Conn) (all *beside, place int) {
	v, place := c.Beside()
	all, _ = v.Load().(*beside)
	if all == nil {
		all = new(beside)
		v.Store(all)
	}
	return all, place
}

// riches are the rich clients among connections that live together.
type riches [netpoll.Places]rich

// openRich makes c a rich client, idle.
func (h *handler) openRich(c *netpoll.Conn, who safety.Person) {
	var session [16]byte         // a name that only it knows
	_, _ = rand.Read(session[:]) // never fails
	life := h.server.pairs.Enter(seatOf(c), false)
	h.identify(seatOf(c), who)
	online := h.server.connections()
	c.Lock()
	r := newRichLocked(c)
	r.life, r.holder = life, binary.BigEndian.Uint64(session[8:])
	r.online.Store(uint32(online))
	r.onlineAt = onlineClock(h.worker.Now())
	h.noticeLocked(c, record.AppendHello(h.notice[:0], base64.RawURLEncoding.EncodeToString(session[:]), online, h.rules.MaxMessageSize))
	c.Unlock()
}

// newRichLocked is the state of c, which is locked and becomes a rich client. Worker
// only.
func newRichLocked(c *netpoll.Conn) *rich {
	beside, place := besideOf(c)
	all := beside.riches.Load()
	if all == nil {
		all = new(riches)
		beside.riches.Store(all)
	}
	all[place] = rich{}
	return &all[place]
}

// richOf is the state of c, nil if c is no rich client. The caller is on c's
// worker, or holds c's write lock and touches only what that guards. Its life is 0
// in the moment between c's upgrade and its entry, and once it is closed.
func richOf(c *netpoll.Conn) *rich {
	if kindOf(c) != richKind {
		return nil
	}
	v, place := c.Beside()
	all, _ := v.Load().(*beside)
	if all == nil {
		return nil
	}
	riches := all.riches.Load()
	if riches == nil {
		return nil
	}
	return &riches[place]
}

// forgetRich leaves nothing of c, which is closed, to whoever has its place next.
func forgetRich(c *netpoll.Conn) {
	if r := richOf(c); r != nil {
		c.Lock()
		*r = rich{}
		if chain := chainLocked(c); chain != nil {
			*chain = stamp.Chain{}
		}
		c.Unlock()
	}
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
	if r.said.has(saysTyping) {
		r.said.set(saysTyping, false)
		h.tellTyping(c, false)
	}
}

// onlineClock is Worker.Now for [rich.onlineAt].
func onlineClock(now uint32) uint16 { return uint16(now / onlineUnit) }

// sweepRich looks at what is due of a rich client.
func (h *handler) sweepRich(c *netpoll.Conn) {
	r, now := richOf(c), h.worker.Now()
	if r.said.has(saysTyping) && uint16(now)-r.typingSince >= typingExpires {
		r.said.set(saysTyping, false)
		h.tellTyping(c, false)
	}
	connections := uint32(h.server.poller.Count())
	n := connections + uint32(h.server.elsewhere())
	if r.can&record.CanPeople != 0 {
		n = uint32(h.server.people())
	}
	every := max(onlineEvery, connections*1000/onlinePerSecond)
	if n == r.online.Load() || onlineClock(now)-r.onlineAt <= uint16(every/onlineUnit) {
		return
	}
	c.Lock()
	if !c.Backlogged() {
		r.onlineAt = onlineClock(now)
		r.online.Store(n)
		h.noticeLocked(c, record.AppendOnline(h.notice[:0], int(n)))
	}
	c.Unlock()
}
