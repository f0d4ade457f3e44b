package server

import (
	"sync/atomic"
	"time"

	"roulette/frame"
	"roulette/frame/record"
	"roulette/netpoll"
	"roulette/pairing"
)

// told is how far a rich client has been told of its pairings: 2n if of the n-th
// that it has begun, 2n+1 if of the n-th that it is over. That only grows. (Notices
// of a client's pairings are written by whichever worker changed the table, so
// they may come late and out of order; the pair numbers put them right.) With it
// goes what holds for that pairing and no other, and when the last one ended.
// Changed under the connection's write lock, read also without.
//
//	bits 0–1    what holds for the pairing
//	bits 2–34   the count
//	bits 35–63  when the last pairing ended so that again is possible, see part
type told struct{ bits atomic.Uint64 }

const (
	toldMuted     = 1 << iota // the chat is thrown away until the client's resend
	toldResumable             // it can be resumed

	toldShift   = iota
	toldMost    = 1<<33 - 1 // twice a pair number, and one
	partedShift = 35
	partedMost  = 1<<(64-partedShift) - 1
)

// upTo is the count above.
func (t *told) upTo() uint64 { return t.bits.Load() >> toldShift & toldMost }

// begun tells whether the client knows of its n-th pairing.
func (t *told) begun(n uint32) bool { return t.upTo() >= uint64(n)<<1 }

// over tells whether the client knows that its n-th pairing is over.
func (t *told) over(n uint32) bool { return t.upTo() > uint64(n)<<1 }

// lately tells whether the end of its n-th pairing is the last that the client knows of.
func (t *told) lately(n uint32) bool { return t.upTo() == uint64(n)<<1|1 }

// tell notes that the client is told of its n-th pairing.
func (t *told) tell(n uint32) { t.advance(uint64(n) << 1) }

// end notes that the client is told of the end of its n-th pairing, or has ended
// it itself.
func (t *told) end(n uint32) { t.advance(uint64(n)<<1 | 1) }

func (t *told) advance(to uint64) {
	switch from := t.upTo(); {
	case from >= to:
	case from>>1 == to>>1:
		t.bits.Store(t.bits.Load()&^(toldMost<<toldShift) | to<<toldShift)
	default:
		t.bits.Store(t.bits.Load()>>partedShift<<partedShift | to<<toldShift)
	}
}

// mark notes, or no longer, what bits say of the n-th pairing, of which the client
// has been told.
func (t *told) mark(n uint32, bits uint64, on bool) {
	switch old := t.bits.Load(); {
	case t.number() != n:
	case on:
		t.bits.Store(old | bits)
	default:
		t.bits.Store(old &^ bits)
	}
}

// marked tells whether that was noted of the n-th pairing, which is not the 0th.
func (t *told) marked(n uint32, bits uint64) bool {
	return n != 0 && t.number() == n && t.bits.Load()&bits != 0
}

// part notes how a pairing has ended: at now, by Worker.Now, if again is possible.
func (t *told) part(why parting, now uint32) {
	at := uint64(0)
	if why.again {
		at = max(uint64(now&partedMost), 1)
	}
	t.bits.Store(t.bits.Load()&(1<<partedShift-1) | at<<partedShift)
}

// parted tells how many milliseconds ago the last pairing ended so that again is
// possible, by a clock that wraps after six days; false: it has not.
func (t *told) parted(now uint32) (ago uint32, ok bool) {
	at := uint32(t.bits.Load() >> partedShift)
	return (max(now&partedMost, 1) - at) & partedMost, at != 0
}

// number is that of the pairing which the client was told of last.
func (t *told) number() uint32 { return uint32(t.upTo() >> 1) }

// noticeLocked writes a control message to c, which is locked. No sender's
// reading pauses for it: what the server says on its own account is bounded by
// what partners do, and a few bytes each.
func (h *handler) noticeLocked(c *netpoll.Conn, payload []byte) {
	h.notice = payload[:0]
	h.sendNoticeLocked(c, payload)
}

// sendNoticeLocked is noticeLocked for a payload that is not in h.notice.
func (h *handler) sendNoticeLocked(c *netpoll.Conn, payload []byte) {
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
		h.tellPeopleLocked(c, r)
		interests, languages := pairs.Common(own)
		again := r.can&record.CanAgain != 0 && pairs.Reunited(own)
		h.noticeLocked(c, record.AppendPaired(h.notice[:0], n, again, interests, languages, h.tokenLocked(c, r, n), h.openingLocked(c, r, n)))
	}
	return paired
}

// tellLeft tells the one who was left in a change that this pairing has ended,
// unless they know.
func (h *handler) tellLeft(survivor partner, change *pairing.Change, why parting) {
	c, n := survivor.here, change.Number
	if survivor.out != nil {
		survivor.out.left(h.server, n, why.told)
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
		h.noticeLocked(c, record.AppendPaired(h.notice[:0], n, false, nil, nil, nil, nil))
	}
	h.lastMarkLocked(c, n)
	r.told.end(n)
	r.forgetKept()
	r.told.part(why, h.worker.Now())
	reason := why.told
	if reason == record.LeftClosed && !r.greeted() {
		reason = record.LeftDisconnected
	}
	h.noticeLocked(c, record.AppendLeft(h.notice[:0], n, reason))
}

// tellOwn tells a rich client, which has just changed the table itself, what has
// become of it: that it has a partner, or that it waits. No notice of its earlier
// pairings reaches it from now on.
func (h *handler) tellOwn(c *netpoll.Conn, change *pairing.Change, why parting) {
	c.Lock()
	defer c.Unlock()
	r := richOf(c)
	if change.Parted {
		h.lastMarkLocked(c, change.Own)
		ended := why
		ended.again = why.again && r.told.begun(change.Own) // else it does not know of whom to want back
		r.told.part(ended, h.worker.Now())
	}
	r.told.end(change.Own)
	if !h.announceLocked(c) && why.seeks && !r.told.begun(change.Own+1) {
		h.tellWaitingLocked(c, r)
	}
}

// tellWanted tells somebody that the partner of their n-th pairing wants them
// back, if that is news. False: they cannot come back.
func (h *handler) tellWanted(p partner, life pairing.Life, n uint32, news bool) bool {
	c := p.here
	if c == nil {
		return false
	}
	c.Lock()
	defer c.Unlock()
	r := richOf(c)
	if r == nil || r.life != life || r.can&record.CanAgain == 0 {
		return false
	}
	if _, parted := r.told.parted(h.worker.Now()); !r.told.lately(n) || !parted {
		return false // it knows of a later pairing, or not yet of this one's end, or not of this one at all
	}
	if news {
		h.noticeLocked(c, record.AppendAgain(h.notice[:0], n))
	}
	return true
}

// tellWaitingLocked tells a rich client, which is locked, that it waits.
func (h *handler) tellWaitingLocked(c *netpoll.Conn, r *rich) {
	var alone bool
	var patience time.Duration
	if r.greeted() {
		h.tellPeopleLocked(c, r)
		alone = h.server.people() == 1
		patience = time.Duration(h.server.pairs.Patience(seatOf(c), h.worker.Now())) * time.Millisecond
	}
	h.noticeLocked(c, record.AppendWaiting(h.notice[:0], alone, patience))
}

// tellPeopleLocked tells a rich client, which is locked and to whom online means
// people, how many there are, if it does not know.
func (h *handler) tellPeopleLocked(c *netpoll.Conn, r *rich) {
	if r.can&record.CanPeople == 0 {
		return
	}
	n := uint32(h.server.people())
	if r.online.Swap(n) != n {
		h.noticeLocked(c, record.AppendOnline(h.notice[:0], int(n)))
	}
}
