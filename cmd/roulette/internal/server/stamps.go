package server

import (
	"net/netip"

	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/stamp"
	"roulette/frame/record"
	"roulette/netpoll"
)

// The chain of what is relayed to a rich client that can report lies beside its
// connection. It begins when the client is told of a pairing, is carried on under the
// client's write lock before each message is written, and ends with the pairing.

// chains are those of connections that live together: 32 bytes each.
type chains [netpoll.Places]stamp.Chain

// chainLocked is where c's chain is, c being locked; nil if it has none.
func chainLocked(c *netpoll.Conn) *stamp.Chain {
	v, place := c.Beside()
	all, _ := v.Load().(*beside)
	if all == nil {
		return nil
	}
	chains := all.chains.Load()
	if chains == nil {
		return nil
	}
	return &chains[place]
}

// setChainLocked begins a chain of c, a rich client that is locked.
func setChainLocked(c *netpoll.Conn, chain stamp.Chain) {
	v, place := c.Beside()
	all := v.Load().(*beside) // there is one, with its state
	if all.chains.Load() == nil {
		all.chains.CompareAndSwap(nil, new(chains))
	}
	all.chains.Load()[place] = chain
}

// openingLocked is what c's client, which is locked, can report and block the partner
// with in its n-th pairing, and begins a chain for it; nil if it can neither, or one of
// the two is not known. It is the worker's until the next call.
func (h *handler) openingLocked(c *netpoll.Conn, r *rich, n uint32) []byte {
	s, own := h.server, seatOf(c)
	if s.known == nil || r.can&(record.CanReport|record.CanBlock) == 0 {
		return nil
	}
	place, ok := s.pairs.Partner(own)
	if !ok {
		return nil
	}
	reporter, _ := s.pairs.Who(own)
	reported, _ := s.pairs.Who(place)
	o := stamp.Opening{Reporter: safety.Person(reporter), Reported: safety.Person(reported)}
	if o.Pair, ok = s.pairOf(r, own); !ok || !o.Reporter.Known() || !o.Reported.Known() {
		return nil
	}
	if p := s.at(place).here; p != nil {
		o.Network, _ = h.server.networkOf(p)
	}
	if again, ok := s.pairs.Partner(own); !ok || again != place || s.pairs.Number(own) != n {
		return nil // somebody else may sit there by now
	}
	chain := s.known.stamper.Begin(n)
	if r.can&record.CanReport != 0 {
		setChainLocked(c, chain)
	}
	h.opening = s.known.stamper.AppendOpening(h.opening[:0], &chain, &o, &h.scratch)
	return h.opening
}

// pairOf names the pair of r, who sits at own. False: they have no partner.
func (s *Server) pairOf(r *rich, own seat) (id resume.ID, ok bool) {
	if k := r.kept(); k != nil {
		return k.id, true
	}
	if id, _, ok = s.breaks.idOf(own); !ok { // of two nodes, and it ends with either connection
		id, _, ok = s.breaks.nameOf(own)
	}
	return id, ok
}

// networkOf is the network that c is counted for. False: it is not known.
func (s *Server) networkOf(c *netpoll.Conn) (network netip.Prefix, ok bool) {
	if !has(c, attributed) {
		return network, false
	}
	return s.addresses.Network(c.Key).Prefix()
}

// noteLocked carries on the chain of c, which is locked, with frames that are about to be
// written to it for its partner in the n-th pairing. What it is to be told of that
// afterwards is in h.marks.
func (h *handler) noteLocked(c *netpoll.Conn, n uint32, first, frames []byte) {
	h.marks = h.marks[:0]
	if h.server.known == nil {
		return
	}
	chain := chainLocked(c)
	if chain == nil || !chain.Of(n) {
		return
	}
	for len(first) > 0 {
		first = h.linkLocked(chain, n, first)
	}
	for len(frames) > 0 {
		frames = h.linkLocked(chain, n, frames)
	}
}

// linkLocked notes the first of frames in a chain, and returns the rest.
func (h *handler) linkLocked(chain *stamp.Chain, n uint32, frames []byte) []byte {
	frames = h.server.known.stamper.Add(chain, frames, &h.scratch)
	if chain.Marked() {
		h.markLocked(chain, n)
	}
	return frames
}

// markLocked appends a stamp to h.marks.
func (h *handler) markLocked(chain *stamp.Chain, n uint32) {
	h.mark = h.server.known.stamper.AppendMark(h.mark[:0], chain, h.server.clock(), &h.scratch)
	h.marks = record.AppendStamp(h.marks, n, chain.N(), h.mark)
}

// tellMarksLocked tells c, which is locked, what noteLocked has left to tell.
func (h *handler) tellMarksLocked(c *netpoll.Conn) {
	if len(h.marks) > 0 {
		h.sendNoticeLocked(c, h.marks)
		h.marks = h.marks[:0]
	}
}

// lastMarkLocked ends the chain of c, which is locked and whose n-th pairing is over.
func (h *handler) lastMarkLocked(c *netpoll.Conn, n uint32) {
	if h.server.known == nil {
		return
	}
	chain := chainLocked(c)
	if chain == nil || !chain.Of(n) {
		return
	}
	if h.marks = h.marks[:0]; !chain.Marked() {
		h.markLocked(chain, n)
		h.tellMarksLocked(c)
	}
	*chain = stamp.Chain{}
}
