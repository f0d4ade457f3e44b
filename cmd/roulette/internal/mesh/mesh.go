package mesh

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// Times, in milliseconds.
const (
	beatEvery   = 1000
	beatSoonest = 100
	deadAfter   = 3500
	// OfferAfter is how long somebody waits on their own node before it looks at
	// others.
	OfferAfter = 250
	offerLasts = 500
	tryAgain   = 2000 // the same node for the same waiter
)

// Credits, in bytes.
const (
	ChatCredit = 32 << 10
	NodeCredit = 4 << 20
)

const maxOffers = 64 // of this node, under way at once

// Bus carries words between nodes: at most once, and from one node to another in
// order. It may put words of one subject together, in their order. Publish must not
// block and keeps nothing of data.
type Bus interface {
	Publish(subject string, data []byte)
}

// Waiter is somebody who has waited here for [OfferAfter] and found nobody.
type Waiter struct {
	Ticket   uint64 // the Host's, to know them again in Claim
	Stranger Stranger
}

// Host is the server, as far as a Mesh sees it. See the package comment for the
// locks.
type Host interface {
	// Online is how many people are here, and whether this node is about to go.
	Online() (people int, draining bool)
	// Waiting returns at most n of those who wait.
	Waiting(n int) []Waiter
	// Reserve looks for somebody who fits s, and makes the stand-in of chat c
	// their partner, without telling them. False: nobody, and nothing is changed.
	Reserve(c Chat, s *Stranger) (found Stranger, ok bool)
	// Claim makes the stand-in of chat c the partner of a waiter, who found found
	// on another node, without telling them. False: they wait no more.
	Claim(c Chat, ticket uint64, found *Stranger) bool
	// Begin tells the one here that they are paired. False: they have gone.
	Begin(c Chat, name Name) bool
	// End takes c's stand-in away. Who was told of the pair is told that it is
	// over; who was only reserved keeps their place.
	End(c Chat, why Reason)
	// Deliver passes on frames, so many text and binary messages, which nobody changes
	// any more. Whenever bytes of them have been taken by
	// the one here, or thrown away, the Host says so with [Mesh.Taken].
	Deliver(c Chat, frames []byte, texts, binaries int)
	// Note passes on a note.
	Note(c Chat, n Note)
	// Resume says that c has credit again.
	Resume(c Chat)
	// Met says that another node has somebody of a pair.
	Met(from Node, meeting Meeting)
	// Join wants that somebody's seat here is theirs of another node, in chat c. The
	// Host answers with [Mesh.Accept], or [Mesh.Leave].
	Join(c Chat, from Node, meeting Meeting)
	// Joined says that this was agreed to, in a chat that [Mesh.Join] has begun.
	Joined(c Chat)
}

// Name names a pair of two nodes.
type Name struct {
	Node  Node
	Chat  Chat
	Lower bool // the one here is the lower node's
}

// Config says how a Mesh works.
type Config struct {
	Self    Node   // random
	World   string // a subject's token: letters, digits, - and _
	Name    string // of this node, for people
	Release string // of this program, for people
	Bus     Bus
	Host    Host
	Rand    func(n int) int // default math/rand/v2
}

// Mesh is a node's part of the conversation.
type Mesh struct {
	// Immutable.
	config Config // but for Self, see Become
	world  uint32

	gate sync.RWMutex // before mu; held for reading by whoever hears a word, until what it causes was asked for

	// Guarded by mu.
	mu       sync.Mutex
	now      int64         // milliseconds, of the last Tick
	later    int64         // now is so much later than Tick's clock
	calm     bool          // no chat begins
	calmed   chan struct{} // closed when none is about to; nil: nobody waits for that
	hold     hold
	last     Chat // the last number given
	chats    map[Chat]*chat
	peers    map[Node]*peer
	offers   map[uint64]*offer
	tickets  map[uint64]*offer
	tried    map[attempt]int64
	beatAt   int64
	beatSaid string // the body of the last beat
	pings    uint64
	scratch  []byte
	stats    Stats
}

// Stats are counts since the start, for metrics.
type Stats struct {
	OffersMade, OffersAccepted, OffersDeclined, OffersExpired, OffersAborted uint64
	Meetings, Joins                                                          uint64
	WordsIn, WordsOut, BytesIn, BytesOut                                     uint64
	Malformed, Strange, Stale, Repeated                                      uint64
	Losses                                                                   uint64 // words that were missing: links ended
	Stalls                                                                   uint64 // a credit was used up
}

// New makes a Mesh, which does nothing until its first Tick.
func New(config Config) (*Mesh, error) {
	if config.World == "" || strings.ContainsFunc(config.World, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return nil, fmt.Errorf("mesh: a world's name has letters, digits, - and _: %q", config.World)
	}
	if config.Rand == nil {
		config.Rand = rand.IntN
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(config.World))
	return &Mesh{
		config:  config,
		world:   h.Sum32(),
		chats:   make(map[Chat]*chat),
		peers:   make(map[Node]*peer),
		offers:  make(map[uint64]*offer),
		tickets: make(map[uint64]*offer),
		tried:   make(map[attempt]int64),
		beatAt:  -beatEvery,
	}, nil
}

// BeatSubject is where the nodes of the world beat.
func (m *Mesh) BeatSubject() string { return "roulette." + m.config.World + ".beat" }

// MeetSubject is where the nodes ask each other for the rest of a pair.
func (m *Mesh) MeetSubject() string { return "roulette." + m.config.World + ".meet" }

// Subject is where this node hears what is for it alone.
func (m *Mesh) Subject() string { return m.subject(m.Self()) }

func (m *Mesh) subject(n Node) string {
	return fmt.Sprintf("roulette.%s.node.%016x", m.config.World, uint64(n))
}

// State says how many nodes there are besides this one, how many people on them,
// and how many chats with them.
func (m *Mesh) State() (nodes, people, chats int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		people += int(p.beat.Online)
	}
	for _, c := range m.chats {
		if c.stage == talking {
			chats++
		}
	}
	return len(m.peers), people, chats
}

// Stats are the counts so far.
func (m *Mesh) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// Losses is how often words were lost so far.
func (m *Mesh) Losses() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats.Losses
}

// say sends a word to p. The caller holds mu, as for all functions without a
// capital.
func (m *Mesh) say(p *peer, o op, b body) {
	p.out++
	h := header{MajorVersion, o, m.world, m.config.Self, p.out}
	m.scratch = b.append(h.append(m.scratch[:0]), o)
	if p.subject == "" {
		p.subject = m.subject(p.node)
	}
	m.publish(p.subject)
}

func (m *Mesh) publish(subject string) {
	m.stats.WordsOut++
	m.stats.BytesOut += uint64(len(m.scratch))
	m.config.Bus.Publish(subject, seal(m.scratch))
}

// Tick does what is due. now is in milliseconds of a clock that does not jump;
// a few ticks in beatSoonest are best.
func (m *Mesh) Tick(now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now += m.later
	m.now = now
	waiting := m.config.Host.Waiting(maxOffers)
	said := m.beat(waiting)
	for _, p := range m.byNode() {
		m.grant(&p.account, NodeCredit, func(total uint64) { m.say(p, opNodeCredit, body{total: total}) })
		if now-p.heard >= deadAfter {
			m.breakUp(p)
			delete(m.peers, p.node)
		} else if p.out != p.tallied && now-m.beatAt < beatSoonest {
			m.say(p, opTally, body{})
			p.tallied = p.out
		}
	}
	if said {
		m.pingOne()
	}
	m.expire()
	if m.calm {
		m.seeCalm()
		return
	}
	m.offerAll(waiting)
}

// byNode is all peers, in an order that does not depend on chance.
func (m *Mesh) byNode() []*peer {
	list := make([]*peer, 0, len(m.peers))
	for _, p := range m.peers {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *peer) int {
		if a.node < b.node {
			return -1
		}
		return 1
	})
	return list
}
