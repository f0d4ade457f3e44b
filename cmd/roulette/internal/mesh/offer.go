package mesh

import "encoding/binary"

// Stranger is what a node tells another of somebody who waits.
type Stranger struct {
	Home      Node   // theirs; not a field of the word, which says from whom it is
	Person    uint64 // tells them from all others there
	Interests []string
	Languages []string
	Table     string
	Patient   bool // insists on some of that still
	Resumes   bool // their client can go on after a break
	Who       Who
	Waited    uint32 // milliseconds
}

// Who is a person, the same on all nodes and over time: who has blocked them is kept
// apart from them wherever both are. The zero Who is not known.
type Who [16]byte

func (s *Stranger) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, s.Person)
	dst = appendList(dst, s.Interests)
	dst = appendList(dst, s.Languages)
	dst = appendString(dst, s.Table)
	dst = append(dst, bit(s.Patient, 1)|bit(s.Resumes, 2))
	dst = binary.BigEndian.AppendUint32(dst, s.Waited)
	return append(dst, s.Who[:]...)
}

func (s *Stranger) parse(r *reader) {
	s.Person = r.uint64()
	s.Interests, s.Languages = r.list(), r.list()
	s.Table = r.string(maxTable)
	flags := r.byte()
	s.Patient, s.Resumes = flags&1 != 0, flags&2 != 0
	s.Waited = r.uint32()
	s.Who = Who(r.take(len(s.Who)))
}

type offer struct {
	id     uint64
	ticket uint64
	to     *peer
	made   int64
}

type attempt struct {
	ticket uint64
	to     Node
}

// offerAll offers those who wait to nodes that may have somebody for them.
func (m *Mesh) offerAll(waiting []Waiter) {
	for key, at := range m.tried {
		if m.now-at >= tryAgain {
			delete(m.tried, key)
		}
	}
	peers := m.byNode()
	for _, w := range waiting {
		if len(m.offers) >= maxOffers {
			return
		}
		if m.tickets[w.Ticket] != nil {
			continue
		}
		var fit []*peer
		for _, p := range peers {
			if _, tried := m.tried[attempt{w.Ticket, p.node}]; !tried && p.fits(&w.Stranger) {
				fit = append(fit, p)
			}
		}
		if len(fit) == 0 {
			continue
		}
		p := fit[m.config.Rand(len(fit))]
		m.last++
		o := &offer{id: uint64(m.last), ticket: w.Ticket, to: p, made: m.now}
		m.offers[o.id], m.tickets[w.Ticket] = o, o
		m.tried[attempt{w.Ticket, p.node}] = m.now
		m.stats.OffersMade++
		m.say(p, opOffer, body{offer: o.id, stranger: w.Stranger})
	}
}

func (m *Mesh) withdraw(o *offer) {
	delete(m.offers, o.id)
	delete(m.tickets, o.ticket)
}

// expire ends what has waited for an answer for too long.
func (m *Mesh) expire() {
	for _, o := range m.offers {
		if m.now-o.made >= offerLasts {
			m.withdraw(o)
			m.stats.OffersExpired++
		}
	}
	for _, number := range m.numbers() {
		if c := m.chats[number]; c.stage != talking && m.now-c.since >= offerLasts {
			m.stats.OffersExpired++
			m.end(c, Lost, true)
		}
	}
}

// hearOffer looks for somebody for p's waiter.
func (m *Mesh) hearOffer(p *peer, b *body) {
	_, draining := m.config.Host.Online()
	// Of two nodes that offer to each other at the same moment the lower one leads.
	crossed := false
	if m.config.Self < p.node {
		for _, o := range m.offers {
			crossed = crossed || o.to == p
		}
	}
	if draining || m.calm || crossed || m.reservedFor(p) >= maxOffers {
		m.say(p, opDecline, body{offer: b.offer})
		return
	}
	c := m.begin(p, 0, reserved)
	b.stranger.Home = p.node
	found, ok := m.config.Host.Reserve(c.number, &b.stranger)
	if !ok {
		delete(m.chats, c.number)
		m.say(p, opDecline, body{offer: b.offer})
		return
	}
	m.say(p, opAccept, body{offer: b.offer, mine: c.number, stranger: found})
}

// reservedFor counts who is reserved for p (I4).
func (m *Mesh) reservedFor(p *peer) (n int) {
	for _, c := range m.chats {
		if c.peer == p && c.stage == reserved {
			n++
		}
	}
	return n
}

// hearAccept claims the waiter for whom p has reserved somebody.
func (m *Mesh) hearAccept(p *peer, b *body) {
	o := m.offers[b.offer]
	if o == nil || o.to != p {
		m.stats.Stale++
		m.say(p, opAbort, body{chat: b.mine})
		return
	}
	m.withdraw(o)
	c := m.begin(p, b.mine, claimed)
	b.stranger.Home = p.node
	if !m.config.Host.Claim(c.number, o.ticket, &b.stranger) {
		delete(m.chats, c.number)
		m.stats.OffersAborted++
		m.say(p, opAbort, body{chat: b.mine})
		return
	}
	m.stats.OffersAccepted++
	m.say(p, opCommit, body{chat: b.mine, mine: c.number})
}
