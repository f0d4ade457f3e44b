package mesh

import "slices"

type stage uint8

const (
	reserved stage = iota // b's side: accepted, not committed
	claimed               // a's side: committed, not confirmed
	joining               // asked to join, not answered
	asked                 // to let somebody join: the Host is to say
	talking
)

type chat struct {
	number Chat
	theirs Chat
	peer   *peer
	stage  stage
	since  int64
	account
}

// name is the same on both nodes: after the lower of them, and the chat's number
// there.
func (c *chat) name(self Node) Name {
	if self < c.peer.node {
		return Name{self, c.number, true}
	}
	return Name{c.peer.node, c.theirs, false}
}

// numbers are those of all chats, in order.
func (m *Mesh) numbers() []Chat {
	list := make([]Chat, 0, len(m.chats))
	for number := range m.chats {
		list = append(list, number)
	}
	slices.Sort(list)
	return list
}

// open makes a chat with somebody on p.
func (m *Mesh) begin(p *peer, theirs Chat, s stage) *chat {
	m.last++
	c := &chat{number: m.last, theirs: theirs, peer: p, stage: s, since: m.now}
	m.chats[c.number] = c
	return c
}

// end ends c here, and tells the other node if that is to know.
func (m *Mesh) end(c *chat, why Reason, tell bool) {
	delete(m.chats, c.number)
	c.peer.taken += c.received - c.taken // nobody is going to
	if tell && c.theirs != 0 {
		m.say(c.peer, opEnd, body{chat: c.theirs, reason: why})
	}
	m.config.Host.End(c.number, why)
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
		if !host.Begin(c.number, c.name(m.config.Self)) { // N2: the other is claimed
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
		if !host.Begin(c.number, c.name(m.config.Self)) { // N2: the other was told
			m.end(c, Next, true)
			return nil
		}
		m.stats.Meetings++
	case opJoined:
		if c.stage != joining {
			m.stats.Stale++
			return nil
		}
		c.stage, c.theirs = talking, b.mine
		m.stats.Joins++
		return func() { host.Joined(c.number) }
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

// Tell passes on a note about the one here.
func (m *Mesh) Tell(number Chat, n Note) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.chats[number]; c != nil && c.stage == talking {
		m.say(c.peer, opNote, body{chat: c.theirs, note: n})
	}
}

// Leave ends a chat, because the one here has gone for why. The Host is not called
// for it. Of one that is over already nothing comes.
func (m *Mesh) Leave(number Chat, why Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.chats[number]
	if c == nil {
		return
	}
	delete(m.chats, number)
	c.peer.taken += c.received - c.taken
	if c.theirs != 0 {
		m.say(c.peer, opEnd, body{chat: c.theirs, reason: why})
	}
}
