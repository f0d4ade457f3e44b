package simulator

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"math/bits"

	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/server"
	"roulette/netpoll"
	"roulette/pairing"
)

// world is a server, its kernel and its clients.
type world struct {
	kernel
	*register
	fleet  *fleet // whose node it is; nil: it is alone
	node   int    // which
	plan   plan
	rnd    random // of the present step
	now    time.Duration
	calm   bool // no faults, nobody overtakes
	ending bool
	trace  io.Writer // nil: none
	step   int

	server       *server.Server
	inside       server.Inside
	poller       *netpoll.Poller
	pairs        *pairing.Table
	idShift      int
	backlogLimit int

	slots   []*client
	clients []*client // all that ever were; serial-1 is the index
	oldest  int       // no client before this one lives
	byID    map[uint32]*client
	handed  []*client
	ghosts  []*client // were cut off

	settings server.Settings
	life     int // the how many-th server of all

	cuts, breaks, returns, reported int

	upgrades, ended, refused int // of the present server, and so is
	inherited                int // pairs it has taken over

	scratch, joined []byte
}

// violation is what a check panics with.
type violation struct{ what string }

func (w *world) failf(format string, args ...any) {
	panic(violation{fmt.Sprintf(format, args...)})
}

func (w *world) tracef(format string, args ...any) {
	if w.trace == nil {
		return
	}
	name := ""
	if w.fleet != nil {
		name = fmt.Sprintf("node %d: ", w.node)
	}
	fmt.Fprintf(w.trace, "%7d %10v  %s"+format+"\n", append([]any{w.step, w.now, name}, args...)...)
}

// register is what all servers' people have in common.
type register struct {
	keys     *resume.Keys
	byToken  map[resume.ID]*chat
	chatList []*chat
	serials  int // clients that ever were
	lives    int // servers that ever were
}

func newRegister() *register {
	return &register{keys: resume.NewKeys(), byToken: make(map[resume.ID]*chat)}
}

// newWorld starts a server in a kernel of its own.
func newWorld(seed uint64, trace io.Writer) (*world, error) {
	w := &world{trace: trace, rnd: random(seed), now: time.Second, register: newRegister()}
	w.plan = newPlan(&w.rnd)
	return w, w.begin()
}

// begin starts the world's server.
func (w *world) begin() error {
	w.byID = make(map[uint32]*client)
	w.lives++
	w.life = w.lives
	w.kernel.world = w
	w.calm, w.inline = true, true
	w.slots = make([]*client, w.plan.slots)
	if err := w.serve(); err != nil {
		return err
	}
	w.calm, w.inline = false, false
	return nil
}

func (w *world) begins(step int)  { w.step = step }
func (w *world) at() int          { return w.step }
func (w *world) describe() string { return fmt.Sprintf("%+v", w.plan) }

// serve starts a server, which is the world's from now on.
func (w *world) serve() (err error) {
	w.server, err = server.New(server.Config{
		Settings: server.Settings{
			MaxConnections:           w.plan.maxConnections,
			MaxConnectionsPerAddress: w.plan.perAddress,
			HandshakesPerAddress:     w.plan.handshakes,
			MaxMessageSize:           w.plan.maxMessage,
			MessageRate:              w.plan.rate,
			MaxAway:                  w.plan.away,
		},
		Workers: w.plan.workers,
		Logger:  slog.New(slog.DiscardHandler),
		Kernel:  &w.kernel,
		Rand:    func(n uint32) uint32 { return uint32(w.rnd.below(int(n))) },
		ToPages: w.toPages,

		RestoreCodec: w.restoreToy,
		CodecOf:      toyOf,
		ResumeKeys:   w.keys,
		Cluster:      w.cluster(),
	})
	if err != nil {
		return err
	}
	w.inside, w.settings = w.server.Inside(), w.server.Settings()
	if w.fleet != nil {
		w.fleet.joins(w)
	}
	w.poller, w.pairs, w.backlogLimit = w.inside.Poller, w.inside.Pairs, w.inside.BacklogLimit()
	w.idShift = bits.Len(uint(w.plan.workers - 1))
	_, err = w.server.Listen(netip.AddrPort{})
	return err
}

// do makes one step, whose seed says all about it.
func (w *world) do(seed uint64) {
	w.rnd = random(seed)
	r := &w.rnd
	if r.oneIn(w.plan.quietAfter) {
		w.tracef("quiet")
		w.quiet()
		return
	}
	if r.oneIn(w.plan.upgrade) {
		w.upgrade()
		return
	}
	// Drawn apart: the other steps are what they would be without.
	if apart := random(seed ^ 0x72656865617273); apart.oneIn(w.plan.rehearse) {
		w.rehearse()
	}
	if r.oneIn(w.plan.kill) {
		w.kill()
		return
	}
	if r.oneIn(w.plan.jump) {
		w.advance(time.Duration(pick(r, r.size(60_000), 30_000+r.below(30_000))) * time.Millisecond)
	} else if r.oneIn(8) {
		w.advance(time.Duration(r.below(int(w.plan.clockStep))))
	}
	switch n := r.below(16); {
	case n < 8:
		w.turnOfSome()
		w.checkArmed()
	case n < 15:
		slot := r.below(len(w.slots))
		if c := w.slots[slot]; c != nil {
			c.act()
		} else {
			w.connect(slot, nil)
		}
	default:
		w.settle()
		w.page()
		w.haunt()
	}
}

// turnOfSome lets a worker run that has something to do.
func (w *world) turnOfSome() {
	if p := w.porter; p != nil && p.ready() && w.rnd.oneIn(3) {
		p.turn()
		return
	}
	first := w.rnd.below(len(w.workers))
	for i := range w.workers {
		if k := w.workers[(first+i)%len(w.workers)]; k.ready() {
			k.turn()
			return
		}
	}
}

// toPages is what the server does with a connection that is for net/http.
func (w *world) toPages(fd int, read []byte) {
	s := w.socket(fd, "hand-over")
	c := s.client
	if c.kind != pageClient || c.status != 0 {
		w.failf("client %d (%v) is handed to net/http with %q", c.serial, c.kind, clip(read))
	}
	if len(w.files[fd-firstNumber].items) > 0 {
		w.failf("client %d is handed to net/http before Del (I1)", c.serial)
	}
	w.tracef("client %d is handed to net/http", c.serial)
	delete(w.byID, c.id)
	c.handed, c.conn = true, nil
	s.owner = nil
	w.handed = append(w.handed, c)
}

// page lets net/http answer a client, or bring its connection home as a chat.
func (w *world) page() {
	if len(w.handed) == 0 {
		return
	}
	i := w.rnd.below(len(w.handed))
	c := w.handed[i]
	if !w.rnd.oneIn(3) && !c.vanished && !c.finAfter {
		w.handed = append(w.handed[:i], w.handed[i+1:]...)
		w.tracef("client %d comes home", c.serial)
		c.kind = pick(&w.rnd, plainClient, richClient)
		c.handed, c.home = false, true
		c.request()
		head := c.queue
		c.queue = nil
		c.readBytes = c.queued // net/http has read it
		if err := w.inside.Adopt(c.socket.fd, c.address.Addr(), head, nil); err != nil {
			w.failf("client %d does not come home: %v", c.serial, err)
		}
		return
	}
	w.answerPage(i)
}

func (w *world) answerPage(i int) {
	c := w.handed[i]
	w.handed = append(w.handed[:i], w.handed[i+1:]...)
	w.closeFile(c.socket.fd)
	c.socket.fd = -1
	c.finished = true
}

// drop frees the place of a client that is gone, or gives it to the next one of a
// person who comes back.
func (w *world) drop(c *client) {
	if w.slots[c.slot] != c {
		return
	}
	w.slots[c.slot] = nil
	if p := c.person; p != nil && p.end != nil && !p.gone {
		at, slot := w.somewhere(c.slot)
		at.connect(slot, p)
	}
}

// end lets all clients go and closes the server. Nothing is left then.
func (w *world) end() {
	w.rnd = random(1)
	w.tracef("the end")
	w.quiet()
	w.checkLinger()
	if w.plan.hello == 1 {
		w.checkSilence()
	}
	w.leaveAll()
	w.advance(30 * time.Second) // who waits for what nobody reads any more is stalled
	w.quiet()
	w.close()
}

// leaveAll has all clients go, from now on.
func (w *world) leaveAll() {
	for _, c := range w.clients[w.oldest:] {
		c.reads = 1 << 30
		if !c.finished && !c.vanished {
			c.finAfter = true
		}
	}
	w.calm = true
}

// close closes the server, whose clients have all gone.
func (w *world) close() {
	if n := w.poller.Count(); n > 0 && len(w.listener.queue) == 0 {
		w.failf("%d connections are left when all clients have gone", n)
	}
	for len(w.handed) > 0 {
		w.answerPage(0)
	}
	w.calm, w.inline, w.ending = true, true, true
	if err := w.server.Close(); err != nil {
		w.failf("close: %v", err)
	}
	if w.open != 0 {
		w.failf("%d descriptors are left open when the server is closed", w.open)
	}
}

// abandon stops what is left of a run that has failed.
func (w *world) abandon() {
	for _, k := range w.workers {
		k.stop()
	}
	if w.porter != nil {
		w.porter.stop()
	}
	w.inside.Abandon()
}
