package server

import (
	"roulette/frame"
	"roulette/frame/record"
	"roulette/netpoll"
	"roulette/pairing"
)

// told is how far a rich client has been told of its pairings: 2n if of the n-th
// that it has begun, 2n+1 if of the n-th that it is over. It only grows. (Notices
// of a client's pairings are written by whichever worker changed the table, so
// they may come late and out of order; the pair numbers put them right.)
type told uint64

// begun tells whether the client knows of its n-th pairing.
func (t told) begun(n uint32) bool { return t >= told(n)<<1 }

// over tells whether the client knows that its n-th pairing is over.
func (t told) over(n uint32) bool { return t > told(n)<<1 }

// tell notes that the client is told of its n-th pairing.
func (t *told) tell(n uint32) { *t = max(*t, told(n)<<1) }

// end notes that the client is told of the end of its n-th pairing, or has ended
// it itself.
func (t *told) end(n uint32) { *t = max(*t, told(n)<<1|1) }

// noticeLocked writes a control message to c, which is locked. No sender's
// reading pauses for it: what the server says on its own account is bounded by
// what partners do, and a few bytes each.
func (h *handler) noticeLocked(c *netpoll.Conn, payload []byte) {
	h.notice = payload[:0]
	h.noticeFrame = frame.AppendMessage(h.noticeFrame[:0], opText, payload)
	c.Send(h.worker, h.noticeFrame, nil)
}

// announceLocked tells a rich client, which is locked, of its present pairing if
// it does not know yet. Whatever is written to a client for its partner is
// written after a call of it, so nothing of a partner comes before the notice of
// them. False: the client has no partner.
func (h *handler) announceLocked(c *netpoll.Conn) (paired bool) {
	r := richOf(c)
	if r == nil {
		return false
	}
	own, pairs := seatOf(c), h.server.pairs
	_, paired = pairs.Partner(own)
	if n := pairs.Number(own); paired && !r.told.begun(n) {
		r.told.tell(n)
		interests, languages := pairs.Common(own)
		h.noticeLocked(c, record.AppendPaired(h.notice[:0], n, interests, languages))
	}
	return paired
}

// tellLeft tells the one who was left in a change that this pairing has ended,
// unless they know.
func (h *handler) tellLeft(survivor partner, change *pairing.Change, why parting) {
	c, n := survivor.here, change.Number
	if survivor.out != nil {
		survivor.out.left(n, why.told)
	}
	if c == nil || !isRich(c) {
		return
	}
	c.Lock()
	defer c.Unlock()
	r := richOf(c)
	if r == nil || r.life != change.Life || r.told.over(n) {
		return
	}
	if !r.told.begun(n) { // parted before anybody came to tell it
		h.noticeLocked(c, record.AppendPaired(h.notice[:0], n, nil, nil))
	}
	r.told.end(n)
	h.noticeLocked(c, record.AppendLeft(h.notice[:0], n, why.told))
}

// tellOwn tells a rich client, which has just changed the table itself, what has
// become of it: that it has a partner, or that it waits. No notice of its earlier
// pairings reaches it from now on.
func (h *handler) tellOwn(c *netpoll.Conn, change *pairing.Change, why parting) {
	c.Lock()
	defer c.Unlock()
	r := richOf(c)
	r.told.end(change.Own)
	if !h.announceLocked(c) && why.seeks && !r.told.begun(change.Own+1) {
		h.noticeLocked(c, record.AppendWaiting(h.notice[:0], false, 0))
	}
}
