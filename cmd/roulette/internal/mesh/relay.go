package mesh

// Send passes on frames of the one here to the other node, so many text and binary
// messages, as the server's frames they are. gone: the chat is over, and nothing
// was sent. pause: the credit is used up, and the sender is not to be read until
// [Host.Resume].
func (m *Mesh) Send(number Chat, frames []byte, texts, binaries int) (pause, gone bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.chats[number]
	if c == nil || c.stage != talking || len(frames) > MaxData {
		return false, true
	}
	p := c.peer
	m.say(p, opData, body{chat: c.theirs, total: p.sent, texts: uint32(texts), binaries: uint32(binaries), frames: frames})
	n := uint64(len(frames))
	c.sent += n
	p.sent += n
	p.paused = p.paused || p.open() >= NodeCredit
	if c.open() >= ChatCredit || p.paused {
		if !c.paused {
			c.paused = true
			m.stats.Stalls++
		}
	}
	return c.paused, false
}

// Taken says that n more bytes of what was delivered have been taken by the one
// here, or thrown away.
func (m *Mesh) Taken(number Chat, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.chats[number]
	if c == nil {
		return // end has counted them
	}
	p := c.peer
	c.taken += uint64(n)
	p.taken += uint64(n)
	m.grant(&c.account, ChatCredit, func(total uint64) { m.say(p, opChatCredit, body{chat: c.theirs, total: total}) })
	m.grant(&p.account, NodeCredit, func(total uint64) { m.say(p, opNodeCredit, body{total: total}) })
}

// grant says how much was taken whenever half a credit is not said yet.
func (m *Mesh) grant(a *account, credit uint64, say func(total uint64)) {
	if a.taken-a.granted >= credit/2 {
		a.granted = a.taken
		say(a.taken)
	}
}

// credit notes that the other node has taken total bytes, of chat c or, if that is
// nil, of all. Who was paused for it reads on.
func (m *Mesh) credit(p *peer, c *chat, total uint64) (then func()) {
	a := &p.account
	if c != nil {
		a = &c.account
	}
	if total > a.sent || total < a.credited {
		m.stats.Malformed++ // more than there was, or less than before (N3)
		return nil
	}
	a.credited = total
	if c == nil {
		p.paused = p.paused && p.open() >= NodeCredit
	}
	var resumed []Chat
	for _, number := range m.paused(p, c) {
		c := m.chats[number]
		if !p.paused && c.open() < ChatCredit {
			c.paused = false
			resumed = append(resumed, number)
		}
	}
	if resumed == nil {
		return nil
	}
	return func() {
		for _, number := range resumed {
			m.config.Host.Resume(number)
		}
	}
}

// paused are the paused chats of p, or c if that is one.
func (m *Mesh) paused(p *peer, c *chat) (list []Chat) {
	if c != nil {
		if c.paused {
			list = append(list, c.number)
		}
		return list
	}
	for _, number := range m.numbers() {
		if c := m.chats[number]; c.peer == p && c.paused {
			list = append(list, number)
		}
	}
	return list
}
