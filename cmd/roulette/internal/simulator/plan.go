package simulator

import "time"

// plan is what one run is like, drawn from its seed.
type plan struct {
	workers   int
	slots     int // clients at a time
	addresses int // that they come from

	// The server's limits; 0: none, or the default.
	maxConnections, perAddress, handshakes, rate, maxMessage int

	// The kernel.
	descriptors int // limit of the process
	sendBuffer  int // bytes, with the client's window
	receive     int // bytes

	// Once in how many times; 0: never.
	preempt    int  // a worker stops where others may overtake it
	short      int  // a read or write does a part
	again      int  // EAGAIN although there is something
	interrupt  int  // EINTR
	noBuffers  int  // ENOBUFS, ENOMEM
	reset      int  // the connection breaks
	late       int  // an event is held back
	duplicate  int  // an event comes again
	spurious   int  // an event comes from nowhere
	accept     int  // accept4 fails
	leave      int  // a client goes
	offend     int  // a client breaks the protocol
	jump       int  // the clock jumps, in steps
	batch      int  // events a turn at most
	talk       int  // of ten things a client does, so many are messages
	stalled    int  // a client reads nothing
	odd        int  // a client is no chat at all
	coded      int  // a client's connection has a codec
	upgrade    int  // another server takes over, in steps
	rehearse   int  // one would, and it is called off, in steps
	rich       bool // all others are rich
	hello      int  // a rich client says what it can
	away       int  // seats that are kept of those who are away
	cut        int  // a connection is lost, and the server hears nothing of it
	kill       int  // the server is killed, in steps
	clockStep  time.Duration
	quietAfter int // steps
}

func newPlan(r *random) plan {
	often := func() int { return pick(r, 0, 0, 8, 30, 150) }
	seldom := func() int { return pick(r, 0, 0, 0, 500, 5000) }
	p := plan{
		workers:     pick(r, 1, 2, 2, 3, 4),
		slots:       pick(r, 2, 3, 5, 8, 16, 40, 40, 120, 300),
		maxMessage:  pick(r, 300, 4096, 65536),
		descriptors: 1 << 20,
		sendBuffer:  pick(r, 60, 300, 3000, 30_000, 300_000),
		receive:     pick(r, 10, 100, 3000, 70_000, 600_000),

		preempt:   pick(r, 0, 2, 3, 10, 40),
		short:     often(),
		again:     often(),
		interrupt: often(),
		noBuffers: pick(r, 0, 0, 50, 300),
		reset:     seldom(),
		late:      often(),
		duplicate: often(),
		spurious:  often(),
		accept:    pick(r, 0, 0, 4, 40),
		leave:     pick(r, 8, 20, 60, 300, 1000),
		offend:    pick(r, 0, 12, 40, 300),
		jump:      pick(r, 0, 60, 300, 3000),
		batch:     pick(r, 1, 4, 16, 64),
		talk:      pick(r, 2, 5, 8),
		stalled:   pick(r, 0, 4, 30),
		odd:       pick(r, 0, 5, 40),
		clockStep: pick(r, 10*time.Microsecond, time.Millisecond, 20*time.Millisecond),

		quietAfter: pick(r, 500, 2000, 6000, 40_000),
	}
	p.rich = r.oneIn(4)
	p.addresses = 1 + r.below(p.slots)
	if r.oneIn(4) {
		p.maxConnections = max(p.slots*2/3, 2)
	}
	if r.oneIn(3) {
		p.perAddress = 1 + r.below(6)
	}
	if r.oneIn(8) {
		p.handshakes = 2
	}
	if r.oneIn(5) {
		p.rate = 20
	}
	if r.oneIn(4) {
		p.descriptors = 4 + 4*p.workers + max(p.slots*2/3, 2)
	}
	p.coded = pick(r, 0, 0, 0, 1, 4)
	p.upgrade = pick(r, 0, 0, 0, 0, 0, 4000)
	p.hello = pick(r, 0, 1, 3)
	if p.hello > 0 && r.oneIn(2) {
		p.away = pick(r, 2, 1000, 1000, 1000)
		p.cut = pick(r, 0, 20, 100, 500)
		p.kill = pick(r, 0, 0, 2000, 8000)
		p.upgrade, p.rate, p.perAddress, p.handshakes, p.maxConnections = 0, 0, 0, 0, 0
	}
	p.rehearse = pick(r, 0, 300, 3000)
	return p
}
