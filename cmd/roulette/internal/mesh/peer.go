package mesh

import "time"

// peer is another node. Guarded by the Mesh's lock, as are chat and offer.
type peer struct {
	node        Node
	subject     string // where it hears; empty: not needed so far
	heard       int64
	beat        Beat
	foreign     bool // of another major version
	out, in     uint64
	tallied     uint64 // out, when the peer was last told
	behind      uint64 // the last number that was passed already when it came
	behindSince int64  // since when those come one after the other
	pinged      uint64 // the number of the ping that is out; 0: none is
	pingedAt    time.Time
	trip        time.Duration // there and back; 0: not known
	account
}

// account counts the bytes of both directions, of a chat or of two nodes.
type account struct {
	sent, credited           uint64 // to the other, and how many of these it has said were taken
	received, taken, granted uint64 // from the other, how many were taken, and as many as it was told
	paused                   bool   // the credit is used up, so the senders wait
}

// open is how many bytes are under way to the other.
func (a *account) open() uint64 { return a.sent - a.credited }

// Peer is another node, for operators.
type Peer struct {
	Node     Node
	Name     string
	Release  string
	Online   int
	Waiting  bool // somebody does
	Draining bool
	Foreign  bool  // of another major version: not talked to
	Silent   int64 // milliseconds since its last beat
	Chats    int   // with people here
	Trip     time.Duration
}

// Peers are the other nodes, in no order that means anything.
func (m *Mesh) Peers() (list []Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	chats := make(map[*peer]int)
	for _, c := range m.chats {
		if c.stage == talking {
			chats[c.peer]++
		}
	}
	for _, p := range m.byNode() {
		b := &p.beat
		list = append(list, Peer{Node: p.node, Name: b.Name, Release: b.Release, Online: int(b.Online),
			Waiting: b.Open || len(b.Tags) > 0, Draining: b.Draining, Foreign: p.foreign,
			Silent: m.now - p.heard, Chats: chats[p], Trip: p.trip})
	}
	return list
}

// inOrder reports whether a word of p is the next. One that was heard already is
// dropped. One that comes too early means that others are lost, nobody knows of
// which chats: so all end.
func (m *Mesh) inOrder(p *peer, h header) bool {
	if p.in != 0 && h.seq <= p.in {
		m.stats.Repeated++
		if !m.goesOnBehind(p, h.seq) {
			return false
		}
	}
	if p.in != 0 && h.seq != p.in+1 {
		m.outOfOrder(p, h.seq)
	}
	p.in = h.seq
	return true
}

// behindFor is for how long, in milliseconds, words come one after the other that seem to
// be heard already, until they are believed.
const behindFor = 3000

// goesOnBehind tells whether p has gone on for long with numbers that were passed: then it
// is the number heard last that was wrong, as of somebody who pretended to be p.
func (m *Mesh) goesOnBehind(p *peer, seq uint64) bool {
	if seq != p.behind+1 {
		p.behindSince = m.now
	}
	p.behind = seq
	return m.now-p.behindSince >= behindFor
}

// outOfOrder ends what there is with p, and tells it to.
func (m *Mesh) outOfOrder(p *peer, seq uint64) {
	m.stats.Losses++
	p.in = max(p.in, seq)
	m.breakUp(p)
	m.say(p, opBroken, body{})
}

// breakUp ends all chats with p: a word between the two is missing.
func (m *Mesh) breakUp(p *peer) {
	for _, number := range m.numbers() {
		if c := m.chats[number]; c.peer == p {
			m.end(c, Lost, false)
		}
	}
	for _, o := range m.offers {
		if o.to == p {
			m.withdraw(o)
		}
	}
}

// BusLost says that the bus was gone for a moment, or has thrown something away:
// all chats across nodes end.
func (m *Mesh) BusLost() {
	m.gate.RLock()
	defer m.gate.RUnlock()
	if !m.hold.on {
		m.busLost()
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold.lost = true
}

func (m *Mesh) busLost() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Losses++
	for _, p := range m.byNode() {
		m.breakUp(p)
		m.say(p, opBroken, body{})
	}
}
