package mesh

import "time"

// Receive takes what came from the bus, on the beats' subject or on this node's
// own: a word, or several that were carried as one. For one node's words it is called
// by one goroutine at a time, in their order. Nobody changes data any more.
func (m *Mesh) Receive(data []byte) {
	m.gate.RLock()
	defer m.gate.RUnlock()
	if m.hold.on {
		m.keep(data)
		return
	}
	m.receiveAll(data)
}

// receiveAll deals with the words of a packet, one after the other.
func (m *Mesh) receiveAll(packet []byte) {
	for {
		h, word, rest, err := parseHeader(packet)
		if err != nil {
			m.refuse(packet)
			return // if it was of a node that is known, a number is missing now
		}
		if then := m.receive(h, word); then != nil {
			then()
		}
		if len(rest) == 0 {
			return
		}
		packet = rest
	}
}

// refuse counts what is no word.
func (m *Mesh) refuse(packet []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.WordsIn++
	m.stats.BytesIn += uint64(len(packet))
	m.stats.Malformed++
}

// receive returns what is to be done without the lock, if anything.
func (m *Mesh) receive(h header, word []byte) (then func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.WordsIn++
	m.stats.BytesIn += uint64(headerSize + len(word))
	switch {
	case h.op == 0 || h.op >= ops:
		m.stats.Malformed++
		return nil
	case h.world != m.world || h.from == m.config.Self:
		if h.from != m.config.Self {
			m.stats.Strange++
		}
		return nil
	}
	p := m.peers[h.from]
	r := &reader{b: word}
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
	if toAll := h.op == opMeet && h.seq == 0; !toAll && !m.inOrder(p, h) {
		return nil
	}
	return m.hear(p, h.op, &b)
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
	case opMeet:
		meeting := b.meeting
		return func() { m.config.Host.Met(p.node, meeting) }
	case opJoin:
		return m.hearJoin(p, b)
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
		switch o {
		case opData:
			p.taken += uint64(len(b.frames))
		case opJoined: // it came too late
			m.say(p, opEnd, body{chat: b.mine, reason: Lost})
		}
		return nil
	}
	return m.hearOf(c, o, b)
}
