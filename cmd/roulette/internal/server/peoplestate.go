package server

import (
	"roulette/cmd/roulette/internal/proof"
	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/stamp"
	"roulette/netpoll"
	"roulette/pairing"
)

// What a server knows of people moves with the rest: who sits where, whom they have
// blocked, and the chains of what is relayed to them, which go on.

// carriedPeople is that; nil for a server that knows nobody.
type carriedPeople struct {
	Secret    *safety.Secret    `json:"secret"`
	Processes []stamp.Process   `json:"processes"`
	People    []carriedPerson   `json:"people"`
	Chains    map[uint32][]byte `json:"chains"` // by the ID of the connection
	Scores    []safety.Scored   `json:"scores,omitempty"`
	Acted     []uint64          `json:"acted,omitempty"` // by the rules
	Reports   []carriedReports  `json:"reports,omitempty"`
}

// carriedPerson is a [pairing.Acquaintance].
type carriedPerson struct {
	Person  []byte   `json:"person"`
	Shared  bool     `json:"shared,omitempty"`
	Clients []uint32 `json:"clients,omitempty"` // seats
	Left    uint32   `json:"left,omitempty"`
	Blocked [][]byte `json:"blocked,omitempty"`
	Recent  [][]byte `json:"recent,omitempty"`
}

// describePeople is what the server knows of people. All workers stand still.
func (e *estate) describePeople(now uint32) *carriedPeople {
	s := e.server
	if s.known == nil {
		return nil
	}
	c := &carriedPeople{Secret: s.known.secret, Processes: s.known.stamper.Processes(), Chains: make(map[uint32][]byte)}
	acted := s.scores.ActedBy()
	c.Scores, c.Acted = s.scores.All(s.clock()), acted[:]
	c.Reports = s.reports.describe(s.clock())
	for _, a := range s.pairs.Acquaintances(now) {
		p := carriedPerson{Person: a.Person[:], Shared: a.Shared, Clients: a.Clients, Left: a.Left}
		for _, b := range a.Blocked {
			p.Blocked = append(p.Blocked, b[:])
		}
		for _, r := range a.Recent {
			p.Recent = append(p.Recent, r[:])
		}
		c.People = append(c.People, p)
	}
	for _, carries := range e.given {
		for _, k := range carries {
			if k.traits == nil {
				continue
			}
			conn := s.poller.Conn(k.id)
			conn.Lock()
			if chain := chainLocked(conn); chain != nil {
				if b := chain.Append(nil); len(b) > 0 {
					c.Chains[k.id] = b
				}
			}
			conn.Unlock()
		}
	}
	return c
}

// inheritPeople has the server know people as its predecessor did, whose secret it takes
// over if it has none of its own.
func (s *Server) inheritPeople(c *carriedPeople) {
	if s.known == nil || c == nil || c.Secret == nil {
		return
	}
	if s.config.PersonSecret == nil {
		s.known = newFamiliar(c.Secret)
		s.proofs.issuer = proof.NewIssuer(c.Secret.For("proof"))
	}
	if *s.known.secret == *c.Secret {
		s.known.stamper.Inherit(c.Processes)
	}
	s.scores.Inherit(c.Scores, c.Acted)
	s.reports.inherit(c.Reports, s.clock())
}

// restorePeople seats those who came; moved says where. On worker 0, while all stand
// still.
func (h *handler) restorePeople(c *carriedPeople, conns map[uint32]*netpoll.Conn, moved map[seat]seat) {
	s := h.server
	if s.known == nil || c == nil {
		return
	}
	person := func(b []byte) (p pairing.Person) {
		copy(p[:], b)
		return p
	}
	for _, p := range c.People {
		a := pairing.Acquaintance{Person: person(p.Person), Shared: p.Shared, Left: p.Left}
		for _, b := range p.Blocked {
			a.Blocked = append(a.Blocked, person(b))
		}
		for _, r := range p.Recent {
			a.Recent = append(a.Recent, person(r))
		}
		for _, place := range p.Clients {
			if to, ok := moved[place]; ok {
				a.Clients = append(a.Clients, to)
			}
		}
		s.pairs.Acquaint(a, h.worker.Now())
	}
	for id, b := range c.Chains {
		conn := conns[id]
		if conn == nil || !isRich(conn) {
			continue
		}
		if chain, ok := s.known.stamper.Restore(b, c.Processes); ok {
			conn.Lock()
			setChainLocked(conn, chain)
			conn.Unlock()
		}
	}
}
