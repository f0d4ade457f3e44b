package server

import (
	"sync"

	"roulette/frame/record"
	"roulette/netpoll"
)

// seat is a person's place in the pairing table. While the person is connected
// here it is the ID of their connection, so that the way from one partner to the
// other costs no look-up. The seats above all connections' IDs are those of
// people who are not here, and whom an outlet stands in for.
type seat = uint32

// seatOf is the seat of the person at the other end of c.
func seatOf(c *netpoll.Conn) seat { return c.ID() }

// partner is who sits in a seat: here, or not here and behind an outlet; or, the
// zero value, nobody.
type partner struct {
	here *netpoll.Conn
	out  outlet
	pair uint32 // by lockPartner: the number that this pairing has for them
}

// outlet is the way to a person who is not here: to their connection on another
// node, or to nobody for a while, until they come back. Its lock is what a
// connection's write lock is: what is written for their partner is written under
// it, by the partner's worker, after another look at the table (I7). The owner of
// an outlet changes the table first, and passes through the lock after it.
type outlet interface {
	sync.Locker
	// deliver takes what their partner, from, has to say, as it would be written to
	// a connection, and pauses from if that is enough for now; the slices are the
	// caller's. False: it reaches nobody. The caller holds the lock.
	deliver(out *batch, from *netpoll.Conn) bool
	// typing: their partner types, or no longer. The caller holds the lock.
	typing(on bool)
	// away: their partner's page is in the background, or no longer. The caller
	// holds the lock.
	away(on bool)
	// drained: what they said has all been taken, or their partner has gone. No lock
	// is held.
	drained()
	// paired: they have a partner now. No lock is held.
	paired()
	// left: their partner in the n-th pairing has left. No lock is held.
	left(s *Server, n uint32, why record.Reason)
}

// at is who sits in a seat. Any goroutine.
func (s *Server) at(place seat) partner {
	if s.cluster != nil && place >= s.cluster.guests.first {
		return partner{out: s.cluster.guests.of(place)}
	}
	if place >= s.standIns.first {
		if a := s.standIns.of(place); a != nil {
			return partner{out: a}
		}
		return partner{}
	}
	return partner{here: s.poller.Conn(place)}
}

// partnerOf is who c is paired with, as far as can be told without a lock.
func (h *handler) partnerOf(c *netpoll.Conn) partner {
	if place, ok := h.server.pairs.Partner(seatOf(c)); ok {
		return h.server.at(place)
	}
	return partner{}
}

// lockPartner returns who c is paired with, locked, nobody if there is no such.
// Until it is unlocked it stays c's partner for whatever is written to it: the
// table is asked again under the lock, and who ends the pair waits for the lock
// before anything else reaches either ([netpoll.Conn.Barrier]; I2, I7). A partner
// that has moved to another seat meanwhile is looked for there.
func (h *handler) lockPartner(c *netpoll.Conn) partner {
	s, own := h.server, seatOf(c)
	n := s.pairs.Number(own)
	for {
		place, ok := s.pairs.Partner(own)
		if !ok {
			return partner{}
		}
		p := s.at(place)
		p.pair = s.pairs.Number(place) // of this pairing, if it is still there below
		if p.lock() {
			if back, ok := s.pairs.Partner(place); ok && back == own {
				return p
			}
			p.unlock()
		}
		if again, ok := s.pairs.Partner(own); !ok || again == place || s.pairs.Number(own) != n {
			return partner{}
		}
	}
}

// lock takes the write lock. False: there is nobody.
func (p partner) lock() bool {
	switch {
	case p.here != nil:
		p.here.Lock()
	case p.out != nil:
		p.out.Lock()
	default:
		return false
	}
	return true
}

func (p partner) unlock() {
	if p.here != nil {
		p.here.Unlock()
	} else {
		p.out.Unlock()
	}
}

// resume lets p read on after its partner has drained or gone. No lock is held.
func (p partner) resume() {
	switch {
	case p.here != nil:
		p.here.Resume()
	case p.out != nil:
		p.out.drained()
	}
}

// maxStandIns bounds the people who are not here and have a seat (I4).
const maxStandIns = 1 << 17

// outletChunk is how many places get their memory at once.
const outletChunk = 1 << 10

// MaxAway is the most that Settings.MaxAway may be.
const MaxAway = maxStandIns

// standIns are the seats of people who are not here, and who stands in for them: an
// [outlet], the zero value for nobody.
type standIns[O comparable] struct {
	// Immutable.
	first seat // above all connections' IDs, as far as the table goes

	mu sync.RWMutex
	// Guarded by mu.
	outlets [maxStandIns / outletChunk]*[outletChunk]O // by place, from first on
	free    []seat                                     // given back
	used    seat                                       // those from first+used on were never taken
}

// of is who stands in for the person in a seat, the zero value if nobody does.
func (s *standIns[O]) of(place seat) (o O) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if at := s.slotLocked(place); at != nil {
		return *at
	}
	return o
}

// slotLocked is where the outlet of a place is kept, nil if none ever was.
func (s *standIns[O]) slotLocked(place seat) *O {
	n := place - s.first
	if n >= maxStandIns || s.outlets[n/outletChunk] == nil {
		return nil
	}
	return &s.outlets[n/outletChunk][n%outletChunk]
}

// take gives o a seat, which is not in the pairing table yet. False: there is
// none left.
func (s *standIns[O]) take(o O) (place seat, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n := len(s.free); {
	case n > 0:
		place, s.free = s.free[n-1], s.free[:n-1]
	case s.used == maxStandIns:
		return 0, false
	default:
		place = s.first + s.used
		s.used++
	}
	if chunk := &s.outlets[(place-s.first)/outletChunk]; *chunk == nil {
		*chunk = new([outletChunk]O)
	}
	*s.slotLocked(place) = o
	return place, true
}

// give gives a taken seat to another outlet; the zero value: to nobody for now.
func (s *standIns[O]) give(place seat, o O) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.slotLocked(place) = o
}

// leave gives a seat back, which is out of the pairing table.
func (s *standIns[O]) leave(place seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var nobody O
	*s.slotLocked(place) = nobody
	s.free = append(s.free, place)
}
