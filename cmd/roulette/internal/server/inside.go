package server

import (
	"errors"
	"net/netip"

	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
)

// Inside is what a simulator looks at. It may, because the server's workers run
// only when it lets them.
type Inside struct {
	Poller *netpoll.Poller
	Pairs  *pairing.Table
	server *Server
}

// Inside returns the server's parts.
func (s *Server) Inside() Inside { return Inside{s.poller, s.pairs, s} }

// Counters is the sum of all workers' counters.
func (i Inside) Counters() *metrics.Counters {
	sum := metrics.NewCounters()
	for _, w := range i.Poller.Workers() {
		sum.Add(w.Handler().(*handler).collect())
	}
	return sum
}

// Adopt brings a connection home that went to Config.ToPages: head is a request
// that was read from it, rest what came behind.
func (i Inside) Adopt(fd int, client netip.Addr, head, rest []byte) error {
	return i.server.adopt(netpoll.Detached{FD: fd}, client, head, rest)
}

// BacklogLimit is how many bytes may wait for one client.
func (i Inside) BacklogLimit() int { return i.server.Settings().backlogLimit() }

// Attributed tells whether c counts for the address that it comes from, and
// FromAddress how many connections and kept seats count for that one.
func (i Inside) Attributed(c *netpoll.Conn) bool { return has(c, attributed) }

// FromAddress: see Attributed.
func (i Inside) FromAddress(addr netip.Addr) int {
	key, _ := i.server.addresses.Key(addr)
	return i.server.addresses.Connections(key)
}

// AwayFrom is how many of those who are away count for an address.
func (i Inside) AwayFrom(addr netip.Addr) (n int) {
	key, _ := i.server.addresses.Key(addr)
	for q := range i.server.breaks.queues {
		for a := i.server.standIns.of(i.server.breaks.queues[q].first); a != nil; a = i.server.standIns.of(a.next) {
			if a.attributed && a.key == key {
				n++
			}
		}
	}
	return n
}

// Places is how many chats count for Settings.MaxConnections, and TurnedAway how many
// connections live until their request is answered with a refusal.
func (i Inside) Places() int { return int(i.server.chats.Load()) }

// TurnedAway: see Places.
func (i Inside) TurnedAway() int { return int(i.server.turnedAway.Load()) }

// Refused tells whether c's request is to be answered with a refusal.
func (i Inside) Refused(c *netpoll.Conn) bool { return refusalOf(c) != admitted }

// Away is how many people are away, and StandsIn whether somebody sits in place who is
// not here.
func (i Inside) Away() int { return i.server.breaks.away() }

// StandsIn: see Away.
func (i Inside) StandsIn(place uint32) bool { return i.server.at(place).out != nil }

// Tick does what a cluster's goroutine does, which does not run in a simulator: the
// caller is a worker, or nobody else runs. Strangers is how many people of other nodes
// sit here, in a pair or reserved for one.
func (i Inside) Tick() { i.server.cluster.tick() }

// Strangers: see Tick.
func (i Inside) Strangers() int {
	c := i.server.cluster
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.chats)
}

// Abandon ends what runs besides the workers, of a server that is not closed.
func (i Inside) Abandon() { _ = i.server.http.close() }

// GiveUp takes all connections out of the server, and TakeOver makes them those of
// another one; see giveUp. As runs f as worker number i, while all workers rest, each
// between two events.
func (i Inside) GiveUp(as func(i int, f func())) (fds []int, state []byte, err error) {
	return i.server.giveUp(i.still(as))
}

// Rehearse is GiveUp that is called off: it says the state, looks whether another
// server could read it, and the server goes on.
func (i Inside) Rehearse(as func(i int, f func())) (state []byte, err error) {
	e := i.server.newEstate(newestState)
	if err := errors.Join(i.still(as)(e.describe, e.describeBreaks), e.err()); err != nil {
		return nil, err
	}
	state = e.append(nil)
	_, err = parseState(state, i.Poller.Count())
	return state, err
}

// ReadMail has the workers do what others have asked of them; it comes before both.
func (i Inside) ReadMail(as func(i int, f func())) {
	readMail(func(step func(*handler)) { _ = i.still(as)(step) })
}

// TakeOver: see GiveUp.
func (i Inside) TakeOver(as func(i int, f func()), fds []int, state []byte) error {
	return i.server.takeOver(i.still(as), fds, state)
}

func (i Inside) still(as func(i int, f func())) standstill {
	return func(steps ...func(*handler)) error {
		for _, step := range steps {
			for n, w := range i.Poller.Workers() {
				as(n, func() { step(w.Handler().(*handler)) })
			}
		}
		return nil
	}
}
