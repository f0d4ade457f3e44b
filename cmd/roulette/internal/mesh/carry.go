package mesh

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
)

// A Mesh moves to another process, which goes on as the same node: its peers notice
// nothing, for the words between them go on being numbered.
//
//	Calm    no chat begins any more, and those that were about to have begun or not
//	Hold    nothing is heard, ticked, or said: what comes is kept
//	State   ───────────────────────────────────►  Restore, in a Mesh that holds
//	Drop    nothing ever will be               ◄─ LetGo: what was kept is heard, and all goes on
//
// The other process hears the bus before the first one holds, so whatever one of both
// has not heard the other has kept. What both have is dropped by its number, as if it
// had come twice.

// MaxHeld bounds what is kept in Hold, in bytes (I4). Beyond it the oldest is thrown
// away: the first process has heard that, or else its number will be missing.
const MaxHeld = 32 << 20

// errState: not what another Mesh was.
var errState = errors.New("mesh: not the state of a node")

// hold is what a Mesh does while it holds. Guarded by the Mesh's gate for writing, or by
// its lock with the gate for reading.
type hold struct {
	on    bool
	over  bool // for good
	words [][]byte
	bytes int
	lost  bool // the bus
}

// keep keeps words for later. The caller has the gate for reading.
func (m *Mesh) keep(data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := &m.hold
	if h.over {
		return
	}
	h.words, h.bytes = append(h.words, data), h.bytes+len(data)
	for h.bytes > MaxHeld {
		h.bytes -= len(h.words[0])
		h.words = h.words[1:]
	}
}

// Calm keeps chats from beginning until Rouse, and returns when none is about to: each
// that was has begun, or has not. Ticks must go on meanwhile.
func (m *Mesh) Calm(ctx context.Context) error {
	m.mu.Lock()
	m.calm = true
	m.calmed = make(chan struct{})
	calmed := m.calmed
	m.seeCalm()
	m.mu.Unlock()
	select {
	case <-calmed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Rouse undoes Calm.
func (m *Mesh) Rouse() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calm = false
}

// seeCalm tells Calm when no chat is about to begin.
func (m *Mesh) seeCalm() {
	if !m.calm || m.calmed == nil || !m.settled() {
		return
	}
	close(m.calmed)
	m.calmed = nil
}

func (m *Mesh) settled() bool {
	for _, c := range m.chats {
		if c.stage != talking {
			return false
		}
	}
	return len(m.offers) == 0
}

// Hold has the Mesh keep what comes until LetGo. When it returns nobody is in the
// middle of a word, and all that words have caused was asked of the Host. The Host
// itself may still say something: about those who leave, or what was taken.
func (m *Mesh) Hold() {
	m.gate.Lock()
	defer m.gate.Unlock()
	m.hold.on = true
}

// LetGo ends Hold: what was kept is heard now.
func (m *Mesh) LetGo() {
	m.gate.Lock()
	defer m.gate.Unlock()
	h := m.hold
	m.hold = hold{}
	for _, data := range h.words {
		m.receiveAll(data)
	}
	if h.lost {
		m.busLost()
	}
}

// Drop has a Mesh that holds keep nothing: another process goes on with all.
func (m *Mesh) Drop() {
	m.gate.Lock()
	defer m.gate.Unlock()
	m.hold = hold{on: true, over: true}
}

// Become makes the Mesh, which holds and has not been on a bus yet, the node of another
// process.
func (m *Mesh) Become(n Node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.config.Self = n
}

// Self is the node.
func (m *Mesh) Self() Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.config.Self
}

// State is what a node was, to go on with. It names the chats.
type State struct {
	b     []byte
	Chats []Chat
}

// AppendState appends the state of a Mesh that holds; lost: what it has said may not
// have arrived. An error: a chat is about to begin.
func (m *Mesh) AppendState(dst []byte, lost bool) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.settled() {
		return nil, errors.New("mesh: a chat is about to begin")
	}
	dst = append(dst, bit(lost || m.hold.lost, 1))
	numbers := append([]uint64{uint64(m.config.Self), uint64(m.now), uint64(m.last)}, m.stats.list()...)
	dst = appendNumbers(dst, numbers...)
	peers := m.byNode()
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(peers)))
	for _, p := range peers {
		dst = appendNumbers(dst, uint64(p.node), p.out, p.in, p.tallied)
		dst = p.account.append(dst)
		dst = append(dst, bit(p.foreign, 1))
		dst = p.beat.append(dst)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.chats)))
	for _, number := range m.numbers() {
		c := m.chats[number]
		dst = appendNumbers(dst, uint64(c.number), uint64(c.theirs), uint64(c.peer.node))
		dst = c.account.append(dst)
	}
	return dst, nil
}

// ParseState sees whether b is a state, all of it.
func ParseState(b []byte) (*State, error) {
	var scratch Mesh
	if err := scratch.parse(b); err != nil {
		return nil, err
	}
	return &State{b: b, Chats: scratch.numbers()}, nil
}

// Restore makes a Mesh that holds, and has no chats, what another one was. Ticks go on
// from now.
func (m *Mesh) Restore(s *State, now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.parse(s.b); err != nil {
		panic(err) // ParseState has seen that it can be read
	}
	m.later = m.now - now
	m.beatAt, m.beatSaid = m.now-beatEvery, "" // at once
}

// parse takes over what AppendState has written.
func (m *Mesh) parse(b []byte) error {
	r := &reader{b: b}
	lost := r.byte()&1 != 0
	m.config.Self, m.now, m.last = Node(r.uint64()), int64(r.uint64()), Chat(r.uint64())
	m.hold.lost = m.hold.lost || lost
	for _, n := range m.stats.fields() {
		*n = r.uint64()
	}
	m.peers, m.chats = make(map[Node]*peer), make(map[Chat]*chat)
	for range r.uint16() {
		p := &peer{node: Node(r.uint64()), heard: m.now, out: r.uint64(), in: r.uint64(), tallied: r.uint64()}
		p.account.parse(r)
		p.foreign = r.byte()&1 != 0
		p.beat.parse(r)
		if r.failed || m.peers[p.node] != nil || p.node == m.config.Self {
			return errState
		}
		m.peers[p.node] = p
	}
	for range r.uint32() {
		c := &chat{number: Chat(r.uint64()), theirs: Chat(r.uint64()), peer: m.peers[Node(r.uint64())], stage: talking, since: m.now}
		c.account.parse(r)
		if r.failed || c.peer == nil || c.number > m.last || m.chats[c.number] != nil {
			return errState
		}
		m.chats[c.number] = c
	}
	if r.failed || len(r.b) > 0 || m.now < 0 || m.now > math.MaxInt64/2 {
		return errState
	}
	return nil
}

func (a *account) append(dst []byte) []byte {
	dst = appendNumbers(dst, a.sent, a.credited, a.received, a.taken, a.granted)
	return append(dst, bit(a.paused, 1))
}

func (a *account) parse(r *reader) {
	for _, n := range []*uint64{&a.sent, &a.credited, &a.received, &a.taken, &a.granted} {
		*n = r.uint64()
	}
	a.paused = r.byte()&1 != 0
	if a.credited > a.sent || a.granted > a.taken { // received begins again when the other has forgotten us
		r.fail()
	}
}

func appendNumbers(dst []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	return dst
}

func (s *Stats) fields() []*uint64 {
	return []*uint64{&s.OffersMade, &s.OffersAccepted, &s.OffersDeclined, &s.OffersExpired, &s.OffersAborted, &s.Meetings, &s.Joins,
		&s.WordsIn, &s.WordsOut, &s.BytesIn, &s.BytesOut, &s.Malformed, &s.Strange, &s.Stale, &s.Repeated, &s.Losses, &s.Stalls}
}

func (s *Stats) list() (numbers []uint64) {
	for _, n := range s.fields() {
		numbers = append(numbers, *n)
	}
	return numbers
}
