package mesh

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
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
// order. Publish must not block and keeps nothing of data.
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
	Begin(c Chat) bool
	// End takes c's stand-in away. Who was told of the pair is told that it is
	// over; who was only reserved keeps their place.
	End(c Chat, why Reason)
	// Deliver passes on frames, so many text and binary messages. They are the
	// caller's again when it returns. Whenever bytes of them have been taken by
	// the one here, or thrown away, the Host says so with [Mesh.Taken].
	Deliver(c Chat, frames []byte, texts, binaries int)
	// Note passes on a note.
	Note(c Chat, n Note)
	// Resume says that c has credit again.
	Resume(c Chat)
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
	config Config
	world  uint32

	// Guarded by mu.
	mu       sync.Mutex
	now      int64 // milliseconds, of the last Tick
	last     Chat  // the last number given
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

// peer is another node. Guarded by the Mesh's lock, as are chat and offer.
type peer struct {
	node     Node
	heard    int64
	beat     Beat
	foreign  bool // of another major version
	out, in  uint64
	tallied  uint64 // out, when the peer was last told
	pinged   uint64 // the number of the ping that is out; 0: none is
	pingedAt time.Time
	trip     time.Duration // there and back; 0: not known
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

type stage uint8

const (
	reserved stage = iota // b's side: accepted, not committed
	claimed               // a's side: committed, not confirmed
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

// Stats are counts since the start, for metrics.
type Stats struct {
	OffersMade, OffersAccepted, OffersDeclined, OffersExpired, OffersAborted uint64
	Meetings                                                                 uint64
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

// Subject is where this node hears what is for it alone.
func (m *Mesh) Subject() string { return m.subject(m.config.Self) }

func (m *Mesh) subject(n Node) string {
	return fmt.Sprintf("roulette.%s.node.%016x", m.config.World, uint64(n))
}

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

// say sends a word to p. The caller holds mu, as for all functions without a
// capital.
func (m *Mesh) say(p *peer, o op, b body) {
	p.out++
	h := header{MajorVersion, o, m.world, m.config.Self, p.out}
	m.scratch = b.append(h.append(m.scratch[:0]), o)
	m.publish(m.subject(p.node))
}

func (m *Mesh) publish(subject string) {
	m.stats.WordsOut++
	m.stats.BytesOut += uint64(len(m.scratch))
	m.config.Bus.Publish(subject, m.scratch)
}

// Tick does what is due. now is in milliseconds of a clock that does not jump;
// a few ticks in beatSoonest are best.
func (m *Mesh) Tick(now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
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

// beat says what there is to say, each second, and sooner when that has changed.
func (m *Mesh) beat(waiting []Waiter) (said bool) {
	people, draining := m.config.Host.Online()
	b := Beat{Minor: MinorVersion, Draining: draining, Online: uint32(people), Release: m.config.Release, Name: m.config.Name}
	for _, w := range waiting {
		if s := &w.Stranger; !s.Patient && s.Table == "" {
			b.Open = true
		}
		for _, tag := range w.Stranger.tags() {
			if len(b.Tags) < maxTags && !slices.Contains(b.Tags, tag) {
				b.Tags = append(b.Tags, tag)
			}
		}
	}
	offers := fmt.Sprint(b.Draining, b.Open, b.Tags)
	since := m.now - m.beatAt
	if since < beatEvery && (since < beatSoonest || offers == m.beatSaid) {
		return false
	}
	m.beatAt, m.beatSaid = m.now, offers
	m.scratch = b.append(header{MajorVersion, opBeat, m.world, m.config.Self, 0}.append(m.scratch[:0]))
	m.publish(m.BeatSubject())
	return true
}

// pingOne pings the next node.
func (m *Mesh) pingOne() {
	all := m.byNode()
	if len(all) == 0 {
		return
	}
	m.pings++
	p := all[m.pings%uint64(len(all))]
	p.pinged, p.pingedAt = m.pings, time.Now()
	m.say(p, opPing, body{total: m.pings})
}

// tags are the hashes under which a beat shows s.
func (s *Stranger) tags() (tags []uint64) {
	if s.Table != "" {
		return []uint64{tag('t', s.Table)}
	}
	for _, interest := range s.Interests {
		tags = append(tags, tag('i', interest))
	}
	for _, language := range s.Languages {
		tags = append(tags, tag('l', language))
	}
	return tags
}

func tag(kind byte, text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(append([]byte{kind}, text...))
	return h.Sum64()
}

// fits reports whether somebody on p may suit s, as far as its beat tells.
func (p *peer) fits(s *Stranger) bool {
	if p.foreign || p.beat.Draining {
		return false
	}
	if s.Table == "" && !s.Patient && p.beat.Open {
		return true
	}
	return slices.ContainsFunc(s.tags(), func(t uint64) bool { return slices.Contains(p.beat.Tags, t) })
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
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Losses++
	for _, p := range m.byNode() {
		m.breakUp(p)
		m.say(p, opBroken, body{})
	}
}
