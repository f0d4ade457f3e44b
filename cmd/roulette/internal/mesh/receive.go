package mesh

import "time"

// Receive takes what came from the bus, on the beats' subject or on this node's
// own. For one node's words it is called by one goroutine at a time, in their
// order. data is the caller's again when it returns.
func (m *Mesh) Receive(data []byte) {
	if then := m.receive(data); then != nil {
		then()
	}
}

// receive returns what is to be done without the lock, if anything.
func (m *Mesh) receive(data []byte) (then func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.WordsIn++
	m.stats.BytesIn += uint64(len(data))
	h, rest, err := parseHeader(data)
	switch {
	case err != nil || h.op == 0 || h.op >= ops:
		m.stats.Malformed++
		return nil
	case h.world != m.world || h.from == m.config.Self:
		if h.from != m.config.Self {
			m.stats.Strange++
		}
		return nil
	}
	p := m.peers[h.from]
	r := &reader{b: rest}
	if h.op == opBeat {
		m.hearBeat(p, h, r)
		return nil
	}
	if p == nil || h.version != MajorVersion {
		// Nobody is talked to before their first beat, or in another version.
		m.stats.Strange++
		return nil
	}
	var b body
	if b.parse(r, h.op); r.failed {
		m.stats.Malformed++ // if it was p's, a number is missing now
		return nil
	}
	if !m.inOrder(p, h) {
		return nil
	}
	return m.hear(p, h.op, &b)
}

// hearBeat notes what a node says of itself. The first beat makes it known.
func (m *Mesh) hearBeat(p *peer, h header, r *reader) {
	foreign := h.version != MajorVersion
	var b Beat
	if !foreign {
		if b.parse(r); r.failed {
			m.stats.Malformed++
			return
		}
	}
	if p == nil {
		if len(m.peers) >= maxPeers {
			m.stats.Strange++
			return
		}
		// Whoever knew this node before, and was forgotten, has heard lower numbers:
		// the tally that is due tells it so.
		p = &peer{node: h.from, out: uint64(m.now) << 20}
		m.peers[h.from] = p
	}
	p.heard, p.foreign, p.beat = m.now, foreign, b
}

// maxPeers bounds the nodes that are known (I4).
const maxPeers = 1024

// inOrder reports whether a word of p is the next. One that was heard already is
// dropped. One that comes too early means that others are lost, nobody knows of
// which chats: so all end.
func (m *Mesh) inOrder(p *peer, h header) bool {
	if p.in != 0 && h.seq <= p.in {
		m.stats.Repeated++
		return false
	}
	if p.in != 0 && h.seq != p.in+1 {
		m.outOfOrder(p, h.seq)
	}
	p.in = h.seq
	return true
}

// outOfOrder ends what there is with p, and tells it to.
func (m *Mesh) outOfOrder(p *peer, seq uint64) {
	m.stats.Losses++
	p.in = max(p.in, seq)
	m.breakUp(p)
	m.say(p, opBroken, body{})
}

// hear deals with a word of p.
func (m *Mesh) hear(p *peer, o op, b *body) (then func()) {
	switch o {
	case opOffer:
		m.hearOffer(p, b)
		return nil
	case opAccept:
		m.hearAccept(p, b)
		return nil
	case opDecline:
		if o := m.offers[b.offer]; o != nil && o.to == p {
			m.stats.OffersDeclined++
			m.withdraw(o)
		}
		return nil
	case opNodeCredit:
		return m.credit(p, nil, b.total)
	case opBroken:
		m.breakUp(p)
		return nil
	case opTally:
		return nil
	case opPing:
		m.say(p, opPong, body{total: b.total})
		return nil
	case opPong:
		if p.pinged != 0 && b.total == p.pinged {
			p.pinged, p.trip = 0, time.Since(p.pingedAt)
		}
		return nil
	case opData:
		// What was lost before it is taken by nobody.
		if b.total > p.received {
			p.taken += b.total - p.received
		}
		p.received = b.total + uint64(len(b.frames))
	}
	c := m.chats[b.chat]
	if c == nil || c.peer != p {
		m.stats.Stale++
		if o == opData {
			p.taken += uint64(len(b.frames))
		}
		return nil
	}
	return m.hearOf(c, o, b)
}

// hearOf deals with a word of a chat.
func (m *Mesh) hearOf(c *chat, o op, b *body) (then func()) {
	host := m.config.Host
	switch o {
	case opCommit:
		if c.stage != reserved {
			m.stats.Stale++
			return nil
		}
		c.stage, c.theirs = talking, b.mine
		if !host.Begin(c.number) { // N2: the other is claimed
			m.end(c, Next, true)
			return nil
		}
		m.stats.Meetings++
		m.say(c.peer, opConfirm, body{chat: c.theirs})
	case opConfirm:
		if c.stage != claimed {
			m.stats.Stale++
			return nil
		}
		c.stage = talking
		if !host.Begin(c.number) { // N2: the other was told
			m.end(c, Next, true)
			return nil
		}
		m.stats.Meetings++
	case opAbort:
		if c.stage == reserved {
			m.stats.OffersAborted++
			m.end(c, Lost, false)
		}
	case opEnd:
		m.end(c, b.reason, false)
	case opChatCredit:
		return m.credit(c.peer, c, b.total)
	case opData:
		if c.stage != talking {
			m.stats.Stale++
			m.end(c, Lost, true)
			return nil
		}
		c.received += uint64(len(b.frames))
		number, frames, texts, binaries := c.number, b.frames, int(b.texts), int(b.binaries)
		return func() { host.Deliver(number, frames, texts, binaries) }
	case opNote:
		if c.stage == talking {
			number, note := c.number, b.note
			return func() { host.Note(number, note) }
		}
	}
	return nil
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
	if draining || crossed || m.reservedFor(p) >= maxOffers {
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
