package server

import (
	"encoding/binary"
	"sync"
	"time"
	"unsafe"

	"roulette/cmd/roulette/internal/resume"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
)

// absence is a person whose connection was lost and whose seat is kept: an [outlet]
// that takes nothing, as what their partner says stands in the partner's own ring. So
// there is nothing that its lock would guard.
type absence struct {
	pair *kept
	// Guarded by the lock of breaks.
	next, prev seat   // in the queue of their manner; 0: none
	since, due uint32 // breaks.now: when the connection was lost, and when the seat is given up
	key        uint32 // of the person's address
	attributed bool   // key is counted in the address table
	side       uint8
	manner     manner
	why        metrics.EndReason // of the pair, if they do not come back: see partingOf
}

// They fill a block of the allocator, or this does not compile.
var (
	_ [32 - unsafe.Sizeof(absence{})]struct{}
	_ [96 - unsafe.Sizeof(kept{})]struct{}
)

// Lock implements [outlet].
func (a *absence) Lock() {}

// Unlock implements [outlet].
func (a *absence) Unlock() {}

// deliver implements [outlet]: a rich partner's chat is thrown away before it comes
// here (turn.discards), and nobody else has a partner who is away.
func (a *absence) deliver(*batch, *netpoll.Conn) bool { return false }

func (a *absence) typing(bool) {}
func (a *absence) away(bool)   {}
func (a *absence) drained()    {}
func (a *absence) paired()     {}

// left implements [outlet]: the pair is over, so there is nothing to come back to.
func (a *absence) left(s *Server, _ uint32, _ record.Reason) { s.breaks.giveUp(a) }

// breaks are the pairs that have had one, and the people of them who are away.
type breaks struct {
	// Immutable.
	server *Server
	keys   *resume.Keys
	node   resume.Node
	yield  func(*sync.Mutex) // nil but under a netpoll.Scheduler

	mu sync.Mutex
	// Guarded by mu, which is taken before any connection's write lock and any lock
	// of the pairing table.
	pairs   keptPairs
	earlier []resume.Node // of the servers that this one has taken over from
	queues  [manners]queue
	moved   map[resume.ID]moved
}

// lock takes mu. Connections are locked under it, so a [netpoll.Scheduler] has to know.
func (r *breaks) lock() {
	if r.yield != nil {
		r.yield(&r.mu)
	}
	r.mu.Lock()
}

// away is how many people are.
func (r *breaks) away() int {
	r.lock()
	defer r.mu.Unlock()
	return r.awayLocked()
}

func (r *breaks) awayLocked() (n int) {
	for i := range r.queues {
		n += r.queues[i].n
	}
	return n
}

// idOf names the pair of own, who has not been away, and says which side they are.
// False: they have no partner. Both sides get the same name.
func (r *breaks) idOf(own seat) (id resume.ID, side int, ok bool) {
	if e := r.server.elsewhereOf(own); e != nil {
		if j := e.joint.Load(); j != nil {
			return j.id, j.side, true
		}
		return id, 0, false
	}
	id, low, ok := r.nameOf(own)
	if low != own {
		side = 1
	}
	return id, side, ok
}

// nameOf names the pair of own on this node alone, and the lower seat of its two. False:
// they have no partner.
func (r *breaks) nameOf(own seat) (id resume.ID, low seat, ok bool) {
	name, low, ok := r.server.pairs.Name(own)
	binary.BigEndian.PutUint64(id[:], uint64(r.node))
	binary.BigEndian.PutUint64(id[8:], name)
	return id, low, ok
}

// tokenLocked is what c's client, which is locked, can come back with to its n-th
// pairing; nil if it cannot. It is the worker's until the next call.
func (h *handler) tokenLocked(c *netpoll.Conn, r *rich, n uint32) []byte {
	s, own := h.server, seatOf(c)
	other, ok := s.pairs.Partner(own)
	if !ok || !has(c, resumes) {
		return nil
	}
	p := s.at(other)
	_, abroad := p.out.(*elsewhere) // and idOf knows whether they can
	if !abroad && (p.here == nil || !has(p.here, resumes)) {
		return nil
	}
	id, side, ok := s.breaks.idOf(own)
	if !ok {
		return nil
	}
	r.told.mark(n, toldResumable, true)
	return h.newToken(id, side, own, r.holder)
}

func (h *handler) newToken(id resume.ID, side int, own seat, holder uint64) []byte {
	r := &h.server.breaks
	h.token = r.keys.Append(h.token[:0], resume.Token{
		Pair: id, Side: uint8(side), Node: r.node, Seat: own, Holder: holder, Issued: h.server.clock(),
	})
	return h.token
}

// now is when somebody is away from, or back: by the Kernel's clock, for that of a
// worker stands as long as it does, and after a pause of the machine the seats of all
// whom that has cost their connection would be kept for no time at all.
func (r *breaks) now() uint32 { return milliseconds(r.server.now()) }

// leave notes, with the lock held, that a person is away, for whom a stands in the place:
// until when, and that they count for their address.
func (r *breaks) leave(a *absence, place seat, now, grace uint32) {
	a.since, a.due = now, now+grace
	r.queues[a.manner].push(&r.server.standIns, a, place)
}

// comeHome notes, with the lock held, that a is no more: somebody is back, or is
// not going to be.
func (r *breaks) comeHome(a *absence, now uint32) {
	r.queues[a.manner].remove(&r.server.standIns, a)
	a.manner = cameHome
	if a.attributed {
		r.server.addresses.Release(a.key, now)
	}
}

// forget ends what is kept of a pair. The lock is held.
func (r *breaks) forget(k *kept) {
	if !k.over() {
		k.exchange.End()
		r.pairs.remove(k)
	}
}

// finish is forget for a pair that somebody here has left, or is told to be over: it has
// not gone on anywhere else either (R4). The lock is held.
func (r *breaks) finish(k *kept) {
	r.forget(k)
	delete(r.moved, k.id)
}

// endOf ends what is kept of the pair of somebody who has left it, nil for who is
// no rich client. It runs on their worker, with no lock held.
func (r *breaks) endOf(person *rich) {
	if person == nil {
		return
	}
	if k := person.forgetKept(); k != nil {
		r.lock()
		r.finish(k)
		r.mu.Unlock()
	}
}

// giveUp frees the seat of somebody who is away, and whose pair is over or is to
// end now. False: they were not away any more.
func (r *breaks) giveUp(a *absence) (change pairing.Change, ok bool) {
	now := r.now()
	r.lock()
	place := a.pair.places[a.side]
	ok = a.manner != cameHome
	if ok {
		r.comeHome(a, now)
		if r.forget(a.pair); r.awayOf(a.pair, 1-int(a.side)) == nil {
			r.finish(a.pair)
		}
	}
	r.mu.Unlock()
	if !ok {
		return change, false
	}
	change = r.server.pairs.Leave(place, now)
	r.server.standIns.leave(place)
	return change, true
}

// late are those whose time is over, and the oldest of those who are more than
// most; a few at a time.
func (r *breaks) late(now uint32, most int) (due []*absence) {
	r.lock()
	defer r.mu.Unlock()
	over := r.awayLocked() - most
	for i := range r.queues {
		for a := r.server.standIns.of(r.queues[i].first); a != nil && len(due) < lateAtOnce; a = r.server.standIns.of(a.next) {
			if int32(now-a.due) < 0 && len(due) >= over {
				break
			}
			due = append(due, a)
		}
	}
	return due
}

// lateAtOnce bounds how many seats are given up in one tick.
const lateAtOnce = 1000

// sweepAway gives up the seats of those who have not come back in time.
func (h *handler) sweepAway() {
	for _, a := range h.server.breaks.late(h.worker.Now(), h.rules.MaxAway) {
		h.expel(a)
	}
}

// expel ends the pair of somebody who is away.
func (h *handler) expel(a *absence) {
	change, ok := h.server.breaks.giveUp(a)
	if !ok {
		return
	}
	h.counters.Returns[metrics.ReturnLapsed]++
	h.counters.AwayDuration.Observe(int64(h.server.breaks.now()-a.since) * 1e6)
	why, _ := partingOf(a.why)
	h.apply(partner{out: a}, &change, why)
}

// clock is the time of day, as far as the Kernel's clock has brought it.
func (s *Server) clock() time.Time { return s.started.Add(s.now()) }
