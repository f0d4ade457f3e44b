package simulator

import (
	"fmt"
	"io"
	"time"

	"roulette/cmd/roulette/internal/server"
)

// fleet is several worlds whose servers are the nodes of a cluster. Each has a kernel
// and clients of its own; they share the clock, the bus, and people, who come back at
// any node.
type fleet struct {
	nodes []*world
	bus   bus
	kills int // once in how many steps a node is killed; 0: never
}

// newFleet starts the nodes.
func newFleet(seed uint64, trace io.Writer) (*fleet, error) {
	r := random(seed)
	f := &fleet{kills: pick(&r, 0, 0, 4000)}
	f.bus = newBus(&r)
	shared := newRegister()
	for n := range 2 + r.below(3) {
		w := &world{trace: trace, rnd: random(mix(seed + uint64(n))), now: time.Second, register: shared, fleet: f, node: n}
		w.plan = newPlan(&w.rnd)
		w.plan.beNode()
		if n > 0 {
			w.plan.maxMessage = f.nodes[0].plan.maxMessage
		}
		f.nodes = append(f.nodes, w)
	}
	for _, w := range f.nodes {
		if err := w.begin(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// beNode makes p the plan of a node: all of its clients are people who can resume, so
// that every message is one of a chat that is known by its token.
func (p *plan) beNode() {
	p.rich, p.hello, p.odd, p.coded, p.offend = true, 1, 0, 0, 0
	p.maxConnections, p.perAddress, p.handshakes, p.rate = 0, 0, 0, 0
	p.upgrade, p.rehearse, p.kill = 0, 0, 0
	p.slots = 2 + p.slots%7
	p.leave = max(p.leave, 60)
	p.stalled = 0
	p.addresses = p.slots
	p.away = 1000
	p.descriptors = 1 << 20
	p.cut = max(p.cut, 60)
	p.jump = 0 // all nodes would be dead to each other
	p.clockStep = 40 * time.Millisecond
	p.quietAfter = max(p.quietAfter, 2000)
}

// joins notes a server that has just been made.
func (f *fleet) joins(w *world) {
	w.porter = newPorter(&w.kernel)
	f.bus.subjects[w.node] = w.server.Mesh().Subject()
}

// loses forgets what only a server knew that is no more.
func (f *fleet) loses(w *world) {
	w.porter.stop()
	w.porter = nil
	f.bus.forget(w.node)
}

// cluster is what the server of a node is told; nil: it is alone.
func (w *world) cluster() *server.Cluster {
	if w.fleet == nil {
		return nil
	}
	b := &w.fleet.bus
	return &server.Cluster{World: "sim", Name: fmt.Sprint("node", w.node), Bus: stop{w}, Connected: func() bool { return !b.off[w.node] }}
}

// somewhere is where somebody comes back whose slot is free here.
func (w *world) somewhere(slot int) (*world, int) {
	if w.fleet == nil {
		return w, slot
	}
	at := w.fleet.nodes[w.rnd.below(len(w.fleet.nodes))]
	for i, c := range at.slots {
		if c == nil {
			return at, i
		}
	}
	return w, slot
}

// blockedElsewhere tells whether something waits for c's partner on another node.
func (c *client) blockedElsewhere() bool {
	if c.world.fleet == nil || c.end == nil || c.end.peer() == nil {
		return false
	}
	o := c.end.peer().seated
	return o != nil && o.world != c.world && len(o.socket.refused) > 0
}

func (f *fleet) tracef(format string, args ...any) { f.nodes[0].tracef(format, args...) }

func (f *fleet) at() int { return f.nodes[0].step }

func (f *fleet) begins(step int) {
	for _, w := range f.nodes {
		w.step = step
	}
}

func (f *fleet) describe() string {
	text := fmt.Sprintf("%d nodes, %+v", len(f.nodes), f.bus.faults)
	for _, w := range f.nodes {
		text += fmt.Sprintf("\n%+v", w.plan)
	}
	return text
}

// do makes one step: on the bus, or on a node.
func (f *fleet) do(seed uint64) {
	r := random(seed)
	for n, w := range f.nodes {
		w.rnd = random(mix(seed + uint64(n)))
	}
	w := f.nodes[r.below(len(f.nodes))]
	switch n := r.below(16); {
	case r.oneIn(f.kills):
		w.kill()
	case n < 4:
		f.bus.fail(&r, f)
		f.bus.carry(&r, w)
		if w.porter.ready() {
			w.porter.turn()
		}
	case n < 6:
		w.advance(time.Duration(r.below(int(25 * time.Millisecond))))
		w.ask(w.inside.Tick)
		w.porter.turn()
	default:
		w.do(r.next())
	}
}

// ask has the porter do something, when it is its turn.
func (w *world) ask(job func()) { w.porter.jobs = append(w.porter.jobs, job) }

// quiet is world.quiet for all nodes: the bus is whole, and they have time to find
// each other.
func (f *fleet) quiet() {
	for _, w := range f.nodes {
		w.calm = true
		w.tracef("node %d rests", w.node)
	}
	f.bus.mend(f)
	ticks := 0
	for range maxRounds {
		moved := false
		for _, w := range f.nodes {
			moved = w.round() || moved
		}
		if f.bus.carryAll(f) || moved {
			continue
		}
		if ticks == fleetTicks {
			for _, w := range f.nodes {
				w.checkQuiet()
				w.calm = false
			}
			return
		}
		ticks++
		f.nodes[0].advance(meshTick)
		for _, w := range f.nodes {
			w.ask(w.inside.Tick)
			w.drive(w.idle)
		}
	}
	f.nodes[0].failf("no rest after %d rounds", maxRounds)
}

const (
	meshTick   = 50 * time.Millisecond
	fleetTicks = 240 // 12 s: a node is dead after 3.5 s, and whoever is alone calls each 2 s
)

// end lets all clients go and closes the servers.
func (f *fleet) end() {
	for n, w := range f.nodes {
		w.rnd = random(n + 1)
	}
	f.quiet()
	for _, w := range f.nodes {
		w.leaveAll()
	}
	f.nodes[0].advance(30 * time.Second)
	f.quiet()
	for _, w := range f.nodes {
		w.close()
	}
}

func (f *fleet) abandon() {
	for _, w := range f.nodes {
		w.abandon()
	}
}
