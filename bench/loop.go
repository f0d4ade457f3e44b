//go:build linux

package bench

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"roulette/frame/tls13"
)

const (
	readBuffer = 256 << 10
	scanShare  = 20 // scanning a million clients takes at most one in so many moments
)

// A loop drives its share of the clients on one thread.
type loop struct {
	// Immutable after newLoop.
	run      *run
	index    int
	ep       int
	stencil  *stencil // its batch is written to, by the loop alone
	requests [][]byte // by target
	accept   []byte
	mode     mode
	every    bool // the latency of every message counts, not of every 64th

	// Owned by the loop; read by Run once it has ended.
	clients   []client
	next      int // the first slot that was never used
	phase     phase
	shaken    chan shaken
	keys      *tls13.Keys
	sealed    []byte // scratch
	joined    []byte // likewise
	plain     []byte // likewise
	buf       []byte
	scratch   []byte
	events    []unix.EpollEvent
	scanned   int64
	scanTook  int64
	dialed    uint64
	latencies histogram
	connects  histogram
	errors    map[string]uint64
	faults    Faults
	cpu       time.Duration // of the thread, in the measurement
	err       error

	// Owned by the loop, which copies them to counts.
	live       int // sockets
	underway   int // connecting or upgrading
	open       int
	ready      int // open with a partner
	failed     uint64
	handshakes uint64
	sessions   uint64
	sent       uint64
	received   uint64
	sorry      uint64
	pings      uint64

	// Drain.
	parting  int     // connections in that state
	goodbyes []int64 // when each 1001 came
	clean    int     // of them, followed by the end of the stream

	counts counts
}

// counts is what Run sees of a loop while it runs. Atomic.
type counts struct {
	phase                                        atomic.Int32
	underway, open, parting, ready, next         atomic.Int64
	failed, handshakes, sessions, sent, received atomic.Uint64
}

func (l *loop) publish() {
	p := &l.counts
	p.phase.Store(int32(l.phase))
	p.underway.Store(int64(l.underway))
	p.open.Store(int64(l.open))
	p.parting.Store(int64(l.parting))
	p.ready.Store(int64(l.ready))
	p.next.Store(int64(l.next))
	p.failed.Store(l.failed)
	p.handshakes.Store(l.handshakes)
	p.sessions.Store(l.sessions)
	p.sent.Store(l.sent)
	p.received.Store(l.received)
}

func newLoop(r *run, index int) (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	total := r.config.Connections + r.config.Idle
	share := (total - index + r.config.Threads - 1) / r.config.Threads
	l := &loop{
		run:     r,
		index:   index,
		ep:      ep,
		stencil: newStencil(r.config.Size, r.config.Text, r.seed+uint64(index)),
		clients: make([]client, share),
		buf:     make([]byte, readBuffer),
		events:  make([]unix.EpollEvent, 512),
		errors:  make(map[string]uint64),
	}
	if r.tls != nil {
		l.shaken = make(chan shaken, share)
		l.keys = tls13.NewKeys(2 * share)
	}
	for _, to := range r.targets {
		var req []byte
		req, l.accept = request(to, r.seed*31+uint64(index), r.config.protocol()) // the same accept for all
		l.requests = append(l.requests, req)
	}
	l.mode = newMode(l)
	l.every = r.config.Mode != Stream && r.config.Mode != Slow
	return l, nil
}

func (l *loop) now() int64 { return int64(time.Since(l.run.began)) }

// measured reports whether what was meant to happen at that moment belongs to the
// measurement, whenever its answer comes.
func (l *loop) measured(at int64) bool {
	from := l.run.measureFrom.Load()
	return from != 0 && at >= from && at < l.run.measureTo.Load()
}

// serve runs until the run is over or can no longer go on.
func (l *loop) serve() {
	defer unix.Close(l.ep)
	if l.err = takeThread(l.run.config.CPU); l.err != nil {
		return
	}
	var busy time.Duration
	for {
		now := l.now()
		for p := l.run.phase(); l.phase < p; { // none is left out, however short
			l.phase++
			switch l.phase {
			case measuring:
				busy = threadCPU()
			case draining:
				l.cpu = threadCPU() - busy
			}
			l.mode.enter(l.phase, now)
		}
		if l.phase == closing {
			for i := range l.clients {
				l.leave(&l.clients[i], false)
			}
			l.publish()
			return
		}
		pause := min(l.opener(now), l.mode.tick(now), 5*time.Millisecond)
		l.takeShaken()
		for _, ev := range l.events[:epollWait(l.ep, l.events, pause)] {
			c := &l.clients[ev.Fd]
			if c.generation == ev.Pad && c.state != closed {
				l.event(c, ev.Events)
			}
		}
		if now-l.scanned > max(int64(100*time.Millisecond), scanShare*l.scanTook) && (l.phase == opening || l.run.config.perHandshake()) {
			l.scan(now)
		}
		l.publish()
	}
}

func (l *loop) event(c *client, events uint32) {
	if c.state == connecting {
		l.connected(c)
		return
	}
	if events&^unix.EPOLLOUT != 0 {
		l.readable(c)
	}
	if events&unix.EPOLLOUT != 0 && c.state != closed {
		if len(c.out) > 0 && !l.flush(c) {
			return
		}
		if c.state == open {
			l.mode.writable(c)
		} else {
			l.interest(c, unix.EPOLLIN)
		}
	}
}

func (l *loop) readable(c *client) {
	n, e := read(c.fd, l.buf)
	if e == again || e == interrupt {
		return
	}
	if e != 0 {
		l.end(c, "read: "+e.Error())
		return
	}
	p := l.buf[:n]
	if c.tls != nil && n > 0 {
		var ended bool
		var err error
		if p, ended, err = l.unseal(c, n); err != nil {
			l.end(c, err.Error())
			return
		}
		if c.state == closed || len(p) == 0 && (!ended || c.state == parting) {
			return // the end of TCP follows that of TLS
		}
		n = len(p)
	}
	if c.state == parting {
		l.parted(c, n)
		return
	}
	if n == 0 {
		if c.state == upgrading {
			l.end(c, "handshake: closed by the server")
		} else {
			l.end(c, "closed by the server: 1006")
		}
		return
	}
	if c.state == upgrading {
		if p = l.upgraded(c, p); len(p) == 0 || c.state != open {
			return
		}
	}
	l.feed(c, p, l.now())
	if c.owed > 0 && c.state == open {
		n := c.owed
		c.owed = 0
		l.say(c, n, l.now())
	}
}

// opener opens what is due and returns when to look again.
func (l *loop) opener(now int64) time.Duration {
	limit := l.run.openBy(l, now)
	most := max(1, l.run.config.Concurrency/l.run.config.Threads)
	for i := 0; l.next < limit && l.underway < most && i < 256; i++ {
		c := &l.clients[l.next]
		c.reset(int32(l.next), uint32(l.next*l.run.config.Threads+l.index))
		c.bystander = int(c.id) < l.run.config.Idle
		l.next++
		l.connect(c, now)
	}
	if l.next < limit && l.underway < most {
		return 0
	}
	if l.next < len(l.clients) && l.phase == opening {
		return time.Millisecond
	}
	return time.Hour
}

// scan ends handshakes that take too long and repeats hellos without an answer.
func (l *loop) scan(now int64) {
	l.scanned = now
	for i := range l.clients[:l.next] {
		c := &l.clients[i]
		switch {
		case c.state == connecting || c.state == securing || c.state == upgrading:
			if now-c.since > int64(15*time.Second) {
				l.end(c, "handshake: timeout")
			}
		case c.state == open:
			l.mode.look(c, now)
		}
	}
	l.scanTook = l.now() - now
}
