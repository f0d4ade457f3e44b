package server

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/mesh"
	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/safety"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
)

// Cluster joins a Server to others (package mesh).
type Cluster struct {
	World     string      // which nodes belong together
	Name      string      // of this node, for people
	Bus       mesh.Bus    // who has it feeds Server.Mesh
	Connected func() bool // whether the bus is there

	// For a hand-over, in which the successor joins before it serves: Join has Bus
	// feed the Mesh, and Flush is [mesh.NATS.Flush].
	Join  func(*mesh.Mesh) error
	Flush func(context.Context) error
}

// cluster is the server as a [mesh.Host]: it keeps a stand-in for everybody of
// another node who is, or may be, somebody's partner here.
//
// Host's methods that run under the Mesh's lock touch the pairing table and this
// map, and take no lock of a connection or an outlet, for whoever holds those may
// wait for the Mesh. What is to be told is told by a worker, which is the same for
// all of one chat, so that it is in order.
type cluster struct {
	// Immutable.
	server    *Server
	mesh      *mesh.Mesh
	connected func() bool
	join      func() error
	flush     func(context.Context) error
	world     string
	name      string
	guests    standIns[outlet] // locked inside
	stop      chan struct{}
	stopped   chan struct{}

	// Atomic.
	others  atomic.Int64 // people on the other nodes
	talking atomic.Int64 // chats that have begun and are not over

	turn sync.Mutex // held while the cluster's goroutine does something, and before all other locks
	// Guarded by turn.
	stands bool // it does nothing

	mu sync.Mutex // taken under the Mesh's lock, and under no other but that
	// Guarded by mu.
	chats  map[mesh.Chat]*elsewhere
	joints map[resume.ID]*elsewhere // those of pairs that have had no break yet
	joins  map[mesh.Chat]*join
	gone   map[stranger]acquaintance

	// Guarded by the lock of breaks.
	calls calls
}

// stranger is somebody on another node.
type stranger struct {
	home   mesh.Node
	person uint64
}

// acquaintance is the seat of a stranger who was somebody's partner here, and may be
// offered again: in the same seat, so that the table knows who their last partner was.
type acquaintance struct {
	place seat
	until uint32
}

// known is for how long, in milliseconds: longer than anybody avoids a last partner.
const known = 20_000

// meshTick is how often a Mesh looks at what is due.
const meshTick = 25 * time.Millisecond

func newCluster(s *Server, config *Cluster, first seat) (*cluster, error) {
	c := &cluster{
		server:    s,
		connected: config.Connected,
		flush:     config.Flush,
		world:     config.World,
		name:      config.Name,
		stop:      make(chan struct{}),
		stopped:   make(chan struct{}),
		chats:     make(map[mesh.Chat]*elsewhere),
		joints:    make(map[resume.ID]*elsewhere),
		joins:     make(map[mesh.Chat]*join),
		gone:      make(map[stranger]acquaintance),
	}
	c.join = func() error { return config.Join(c.mesh) }
	c.guests.first = first
	self, draw := rand.Uint64(), rand.IntN
	if r := s.config.Rand; r != nil {
		self = uint64(r(math.MaxUint32))<<32 | uint64(r(math.MaxUint32))
		draw = func(n int) int { return int(r(uint32(n))) }
	}
	var err error
	c.mesh, err = mesh.New(mesh.Config{
		Self: mesh.Node(self), World: config.World, Name: config.Name, Release: s.config.Version,
		Bus: config.Bus, Host: c, Rand: draw,
	})
	return c, err
}

// run is the cluster's goroutine.
func (c *cluster) run() {
	defer close(c.stopped)
	ticker := time.NewTicker(meshTick)
	defer ticker.Stop()
	for {
		c.tick()
		select {
		case <-ticker.C:
		case <-c.stop:
			return
		}
	}
}

func (c *cluster) tick() {
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.stands {
		return
	}
	c.mesh.Tick(c.server.now().Milliseconds())
	_, people, _ := c.mesh.State()
	c.others.Store(int64(people))
	c.forget()
	c.callOut()
}

// close ends the goroutine. c may be nil.
func (c *cluster) close() {
	if c != nil {
		close(c.stop)
		<-c.stopped
	}
}

// Mesh is what the bus feeds; nil for a server that is alone.
func (s *Server) Mesh() *mesh.Mesh {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.mesh
}

// elsewhere is how many people there are on other nodes.
func (s *Server) elsewhere() int {
	if s.cluster == nil {
		return 0
	}
	return int(s.cluster.others.Load())
}

// across is how many chats there are with people elsewhere.
func (s *Server) across() int {
	if s.cluster == nil {
		return 0
	}
	return int(s.cluster.talking.Load())
}

// people is how many there are, on all nodes.
func (s *Server) people() int { return s.pairs.Clients() + s.elsewhere() }

// connections is how many there are here, and people elsewhere.
func (s *Server) connections() int { return s.poller.Count() + s.elsewhere() }

func (c *cluster) now() uint32 { return milliseconds(c.server.now()) }

// Online implements [mesh.Host].
func (c *cluster) Online() (people int, draining bool) {
	return c.server.pairs.Clients(), c.server.phaseNow() >= phaseGrace
}

// Waiting implements [mesh.Host].
func (c *cluster) Waiting(n int) (list []mesh.Waiter) {
	s := c.server
	if s.phaseNow() >= phaseGrace {
		return nil
	}
	for _, w := range s.pairs.Waiters(c.now(), mesh.OfferAfter, s.standIns.first, n) {
		list = append(list, mesh.Waiter{Ticket: personOf(w), Stranger: c.strangerOf(w)})
	}
	return list
}

// personOf names somebody of this table for other nodes.
func personOf(w pairing.Waiter) uint64 { return uint64(w.Life)<<32 | uint64(w.ID) }

func (c *cluster) strangerOf(w pairing.Waiter) mesh.Stranger {
	s := mesh.Stranger{Person: personOf(w), Waited: w.Waited, Patient: w.Insists, Resumes: c.canResume(w.ID)}
	if w.Wishes != nil {
		s.Interests, s.Languages, s.Table = w.Wishes.Interests, w.Wishes.Languages, w.Wishes.Table
	}
	who, _ := c.server.pairs.Who(w.ID)
	s.Who = mesh.Who(who)
	return s
}

// wishesOf are those of a stranger. False: nobody may have such.
func wishesOf(s *mesh.Stranger) (*pairing.Wishes, bool) {
	if strings.HasPrefix(s.Table, "\x00") { // a meeting place's
		return nil, false
	}
	return &pairing.Wishes{Interests: s.Interests, Languages: s.Languages, Table: s.Table}, true
}

// Reserve implements [mesh.Host].
func (c *cluster) Reserve(chat mesh.Chat, s *mesh.Stranger) (found mesh.Stranger, ok bool) {
	wishes, ok := wishesOf(s)
	if !ok {
		return found, false
	}
	e := c.seat(chat, s)
	if e == nil {
		return found, false
	}
	w, ok := c.server.pairs.Ask(e.place, c.now(), s.Waited, wishes)
	if !ok {
		e.over.Store(true)
		c.unseat(e)
		return found, false
	}
	c.add(e, w.ID)
	return c.strangerOf(w), true
}

// Claim implements [mesh.Host].
func (c *cluster) Claim(chat mesh.Chat, ticket uint64, found *mesh.Stranger) bool {
	wishes, ok := wishesOf(found)
	if !ok {
		return false
	}
	e := c.seat(chat, found)
	if e == nil {
		return false
	}
	id := seat(ticket)
	if !c.server.pairs.Claim(e.place, id, pairing.Life(ticket>>32), c.now(), found.Waited, wishes) {
		e.over.Store(true)
		c.unseat(e)
		return false
	}
	c.add(e, id)
	return true
}

// seat seats a stranger: where they sat if they are known. Nil: there is no seat.
func (c *cluster) seat(chat mesh.Chat, s *mesh.Stranger) *elsewhere {
	e := &elsewhere{cluster: c, chat: chat, who: stranger{s.Home, s.Person}, resumes: s.Resumes}
	c.mu.Lock()
	old, met := c.gone[e.who]
	delete(c.gone, e.who)
	c.mu.Unlock()
	if met {
		e.place, e.until = old.place, old.until
		c.guests.give(e.place, e)
		return e
	}
	var ok bool
	if e.place, ok = c.guests.take(e); !ok {
		return nil
	}
	c.server.pairs.Enter(e.place, false)
	if c.server.known != nil {
		c.server.pairs.Identify(e.place, pairing.Person(s.Who), safety.Person(s.Who).Shared(), c.now())
	}
	return e
}

// add notes a chat that is reserved with somebody here.
func (c *cluster) add(e *elsewhere, with seat) {
	e.worker.Store(c.workerOf(with))
	c.mu.Lock()
	c.chats[e.chat] = e
	c.mu.Unlock()
}

// workerOf is who tells the one in a seat.
func (c *cluster) workerOf(place seat) *netpoll.Worker {
	if conn := c.server.at(place).here; conn != nil {
		return conn.Worker()
	}
	return c.server.poller.Workers()[0]
}

// unseat takes a stranger's seat away, of whom e.over is set: at once, or when nobody
// avoids them any more.
func (c *cluster) unseat(e *elsewhere) {
	c.mu.Lock()
	c.removeLocked(e)
	_, taken := c.gone[e.who]
	stays := e.until != 0 && !taken
	if stays {
		c.guests.give(e.place, nil)
		c.gone[e.who] = acquaintance{e.place, e.until}
	}
	c.mu.Unlock()
	if !stays {
		c.leave(e.place)
	}
}

// removeLocked forgets e. mu is held.
func (c *cluster) removeLocked(e *elsewhere) {
	delete(c.chats, e.chat)
	if j := e.joint.Load(); j != nil && c.joints[j.id] == e {
		delete(c.joints, j.id)
	}
}

func (c *cluster) leave(place seat) {
	c.server.pairs.Leave(place, c.now())
	c.guests.leave(place)
}

// forget takes away the seats of those who have been gone for long.
func (c *cluster) forget() {
	now := c.now()
	var places []seat
	c.mu.Lock()
	for who, a := range c.gone {
		if int32(now-a.until) >= 0 {
			delete(c.gone, who)
			places = append(places, a.place)
		}
	}
	c.mu.Unlock()
	slices.Sort(places) // an order that does not depend on chance
	for _, place := range places {
		c.leave(place)
	}
}

func (c *cluster) of(chat mesh.Chat) *elsewhere {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chats[chat]
}

// ask has the chat's worker do something, after what it was asked before. Of one that
// has ended nobody is here any more.
func (e *elsewhere) ask(f func(h *handler)) {
	w := e.worker.Load()
	_ = w.Ask(func() { f(w.Handler().(*handler)) })
}

// Begin implements [mesh.Host].
func (c *cluster) Begin(chat mesh.Chat, name mesh.Name) bool {
	e := c.of(chat)
	if e == nil {
		return false
	}
	e.counted.Store(true) // before anybody can leave
	c.talking.Add(1)
	m, ok := c.server.pairs.Settle(e.place, c.now())
	if !ok {
		e.uncount()
		return false
	}
	e.worker.Store(c.workerOf(m.A))
	if e.resumes && c.canResume(m.A) {
		c.tie(e, name)
	}
	e.ask(func(h *handler) { h.matched(m, partner{}) })
	return true
}

// End implements [mesh.Host].
func (c *cluster) End(chat mesh.Chat, why mesh.Reason) {
	c.mu.Lock()
	delete(c.joins, chat)
	c.mu.Unlock()
	if e := c.of(chat); e != nil {
		e.ask(func(h *handler) { e.end(h, why) })
	}
}

// Deliver implements [mesh.Host].
func (c *cluster) Deliver(chat mesh.Chat, frames []byte, texts, binaries int) {
	if e := c.of(chat); e != nil {
		e.ask(func(h *handler) { e.tell(h, frames) })
	}
}

// Note implements [mesh.Host].
func (c *cluster) Note(chat mesh.Chat, n mesh.Note) {
	if e := c.of(chat); e != nil {
		e.ask(func(h *handler) { e.note(h, n) })
	}
}

// Resume implements [mesh.Host].
func (c *cluster) Resume(chat mesh.Chat) {
	if e := c.of(chat); e != nil {
		e.Lock() // whoever is about to pause for what was sent has done so then
		p := e.partner()
		e.Unlock()
		p.resume()
	}
}

// metrics are what a scrape shows of the cluster. c may be nil.
func (c *cluster) metrics() (m metrics.Cluster) {
	if c == nil {
		return m
	}
	stats := c.mesh.Stats()
	nodes, people, chats := c.mesh.State()
	m.Nodes, m.People, m.Chats, m.Connected = nodes+1, people, chats, c.connected()
	m.Offers = [metrics.OfferResults]uint64{stats.OffersAccepted, stats.OffersDeclined, stats.OffersExpired, stats.OffersAborted}
	m.Words = [metrics.Directions]uint64{stats.WordsIn, stats.WordsOut}
	m.Bytes = [metrics.Directions]uint64{stats.BytesIn, stats.BytesOut}
	m.Refused = [metrics.RefusedWords]uint64{stats.Malformed, stats.Strange, stats.Stale, stats.Repeated}
	m.Meetings, m.Stalls, m.Losses = stats.Meetings, stats.Stalls, stats.Losses
	return m
}

// report is what operators see of the cluster; nil for a server that is alone.
func (c *cluster) report() *admin.Cluster {
	if c == nil {
		return nil
	}
	r := &admin.Cluster{World: c.world, Name: c.name, Connected: c.connected()}
	for _, p := range c.mesh.Peers() {
		r.Nodes = append(r.Nodes, admin.Node{Name: p.Name, Version: p.Release, People: p.Online, Waiting: p.Waiting, Draining: p.Draining,
			Foreign: p.Foreign, Chats: p.Chats, RoundTrip: p.Trip.Seconds(), Silent: float64(p.Silent) / 1000})
	}
	return r
}
