package mesh

import "encoding/binary"

// Meeting is what a node says of somebody who is with it and whose partner is not:
// the two may be a pair again.
type Meeting struct {
	// Token names the pair and their side of it. It is signed, so that it says the
	// truth whoever brings it.
	Token      string
	Try        uint32 // how often they have come back
	Generation uint64 // of breaks and returns, as far as their node knows
	Over       bool   // an answer: the pair of this token is no more
}

const maxToken = 128

func (m *Meeting) append(dst []byte) []byte {
	dst = appendString(dst, m.Token)
	dst = binary.BigEndian.AppendUint32(dst, m.Try)
	dst = binary.BigEndian.AppendUint64(dst, m.Generation)
	return append(dst, bit(m.Over, 1))
}

func (m *Meeting) parse(r *reader) {
	m.Token, m.Try, m.Generation = r.string(maxToken), r.uint32(), r.uint64()
	m.Over = r.byte()&1 != 0
}

// Meet tells a node of somebody whose partner is away. All nodes are told if that one
// is not known and all is set.
func (m *Mesh) Meet(to Node, meeting Meeting, all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.peers[to]; p != nil && !p.foreign {
		m.say(p, opMeet, body{meeting: meeting})
		return
	}
	if !all {
		return
	}
	m.scratch = meeting.append(header{MajorVersion, opMeet, m.world, m.config.Self, 0}.append(m.scratch[:0]))
	m.publish(m.MeetSubject())
}

// Join asks a node to have somebody who is here take their seat there. What comes of
// it the Host hears by Joined or by End. 0: the node is not known, or no chat is to begin.
func (m *Mesh) Join(to Node, meeting Meeting) Chat {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[to]
	if p == nil || p.foreign || m.calm {
		return 0
	}
	c := m.begin(p, 0, joining)
	m.say(p, opJoin, body{mine: c.number, meeting: meeting})
	return c.number
}

// hearJoin asks the Host.
func (m *Mesh) hearJoin(p *peer, b *body) (then func()) {
	waiting := 0
	for _, c := range m.chats {
		if c.peer == p && c.stage == asked {
			waiting++
		}
	}
	if m.calm || waiting >= maxJoins {
		m.say(p, opEnd, body{chat: b.mine, reason: Lost})
		return nil
	}
	c, meeting := m.begin(p, b.mine, asked), b.meeting
	return func() { m.config.Host.Join(c.number, p.node, meeting) }
}

// maxJoins bounds what another node asks for at once (I4).
const maxJoins = 4096

// Accept lets somebody join. False: their node has gone, or given up.
func (m *Mesh) Accept(number Chat) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.chats[number]
	if c == nil || c.stage != asked {
		return false
	}
	c.stage = talking
	m.stats.Joins++
	m.say(c.peer, opJoined, body{chat: c.theirs, mine: c.number})
	return true
}
