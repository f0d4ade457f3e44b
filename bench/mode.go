//go:build linux

package bench

import (
	"math"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

// A mode is what the clients of one loop do. All methods are called by the loop.
type mode interface {
	enter(p phase, now int64)     // a new phase begins
	opened(c *client, now int64)  // the handshake is done
	met(c *client, now int64)     // the partner is known, and knows
	message(c *client, now int64) // one has come from the partner
	writable(c *client)           // asked for, and nothing waits to go out
	tick(now int64) time.Duration // before each wait; returns when to call again
	look(c *client, now int64)    // every 100 ms, each open client
	gone(c *client)               // the connection has ended
}

func newMode(l *loop) mode {
	base := pairs{l}
	switch l.run.config.Mode {
	case Rate, Drain:
		return &rate{pairs: base}
	case Stream, Slow:
		return &stream{pairs: base}
	case Handshakes:
		return &handshakes{pairs: base}
	case Idle:
		return &idle{pairs: base}
	case Churn:
		return &churn{pairs: base}
	case Dribble:
		return &dribble{pairs: base}
	}
	return &pingPong{pairs: base}
}

// pairs finds out who is whose partner. It is the part that most modes share.
type pairs struct{ *loop }

func (m pairs) enter(phase, int64) {}

func (m pairs) opened(c *client, now int64) {
	if c.bystander {
		return
	}
	if c.partner == c.id { // /echo
		c.ready = true
		m.ready++
		return
	}
	if m.run.config.Across {
		m.table(c)
	}
	m.sayHello(c, now)
}

func (m pairs) met(*client, int64)       {}
func (m pairs) message(*client, int64)   {}
func (m pairs) tick(int64) time.Duration { return time.Hour }
func (m pairs) gone(*client)             {}
func (m pairs) writable(c *client)       { m.interest(c, unix.EPOLLIN) }

func (m pairs) look(c *client, now int64) {
	if !c.ready && !c.bystander && now-c.since > int64(300*time.Millisecond) {
		m.sayHello(c, now)
	}
}

// leads reports whether c is the one of its pair that begins.
func (m pairs) leads(c *client) bool { return c.ready && c.id <= c.partner }

// pingPong answers each message with one.
type pingPong struct{ pairs }

func (m *pingPong) enter(p phase, now int64) {
	if p != warming {
		return
	}
	for i := range m.clients {
		if c := &m.clients[i]; c.state == open && m.leads(c) {
			m.say(c, m.run.config.InFlight, now)
		}
	}
}

func (m *pingPong) message(c *client, _ int64) {
	if m.phase < draining {
		c.owed++
	}
}

// rate sends by the clock: message i of the loop is due i/rate after the beginning,
// whether or not the ones before it have come back.
type rate struct {
	pairs
	order []int32 // slots of the speakers, shuffled
	turn  int
	due   float64 // ns since the run began
	every float64 // ns
}

func (m *rate) enter(p phase, now int64) {
	if p == draining && m.every > 0 {
		// A loop that is late sends late what was due, rather than not at all.
		m.sendDue(min(now, m.run.measureTo.Load()-1), math.MaxInt)
	}
	if p != warming {
		return
	}
	for i := range m.clients {
		if c := &m.clients[i]; c.state == open && c.ready {
			m.order = append(m.order, int32(i))
		}
	}
	if len(m.order) == 0 {
		return
	}
	rand.Shuffle(len(m.order), func(i, j int) { m.order[i], m.order[j] = m.order[j], m.order[i] })
	share := float64(len(m.order)) / float64(m.run.config.Connections)
	m.every = 1e9 / (m.run.config.Rate * share)
	// By the clock of the run, not that of a loop that may have come late.
	m.due = float64(m.run.warmFrom.Load()) + m.every*rand.Float64()
}

func (m *rate) tick(now int64) time.Duration {
	if m.every == 0 || m.phase >= draining {
		return time.Hour
	}
	m.sendDue(now, 1024)
	return time.Duration(m.due) - time.Duration(m.now())
}

// sendDue sends what is due by now, at most so many.
func (m *rate) sendDue(now int64, most int) {
	for i := 0; m.due <= float64(now) && i < most; i++ {
		c := &m.clients[m.order[m.turn]]
		m.say(c, 1, int64(m.due))
		if m.turn++; m.turn == len(m.order) {
			m.turn = 0
		}
		m.due += m.every
	}
}

// stream lets the leaders send all they can. In Slow, every second pair's receiver
// does not read while the measurement lasts.
type stream struct{ pairs }

func (m *stream) enter(p phase, now int64) {
	for i := range m.clients {
		c := &m.clients[i]
		if c.state != open || c.bystander {
			continue
		}
		switch p {
		case warming:
			if m.leads(c) {
				c.sender = true
				m.interest(c, unix.EPOLLIN|unix.EPOLLOUT)
			}
		case measuring:
			// The sender's number decides, so that both loops of a pair agree.
			if m.run.config.Mode == Slow && !c.sender && m.run.stalls(c.partner) {
				c.stalled = true
				m.interest(c, 0)
			}
		case draining:
			if c.stalled {
				c.stalled = false
				m.interest(c, unix.EPOLLIN)
			}
			if c.sender && len(c.out) == 0 {
				m.interest(c, unix.EPOLLIN)
			}
		}
	}
}

func (m *stream) writable(c *client) {
	if c.sender && m.phase < draining {
		m.stream(c, m.now())
		return
	}
	m.interest(c, unix.EPOLLIN)
}

// handshakes closes what has just opened and opens another in its place.
type handshakes struct{ pairs }

func (m *handshakes) opened(c *client, _ int64) { m.leave(c, false) }

func (m *handshakes) tick(now int64) time.Duration {
	if m.phase != warming && m.phase != measuring {
		return time.Hour
	}
	for i := range m.clients[:m.next] {
		if c := &m.clients[i]; c.state == closed {
			c.reset(int32(i), c.id)
			m.connect(c, m.now())
		}
	}
	if m.live == 0 {
		return time.Millisecond // every connection is refused
	}
	return time.Hour
}

// idle says nothing.
type idle struct{ pairs }

func (m *idle) opened(*client, int64) {}
func (m *idle) look(*client, int64)   {}

// churn has each client meet somebody, talk and leave, one way or the other, and
// another come in its place.
type churn struct {
	pairs
	joined []int64 // by slot
}

func (m *churn) opened(c *client, now int64) {
	if m.joined == nil {
		m.joined = make([]int64, len(m.clients))
	}
	m.joined[c.slot] = now
	m.pairs.opened(c, now)
	if c.ready {
		m.met(c, now)
	}
}

func (m *churn) met(c *client, now int64) {
	if m.leads(c) {
		m.say(c, 1, now)
	}
}

func (m *churn) message(c *client, now int64) {
	c.since = now
	left := m.run.config.Talk - int(c.sent) - c.owed
	switch {
	case left > 1 || left == 1 && m.leads(c):
		c.owed++
	case left == 1: // the last word; what has been said must still arrive
		m.say(c, c.owed+1, now)
		m.part(c)
	default:
		m.part(c)
	}
}

// part ends a session: by a close frame, an orderly end of the stream, or a reset.
func (m *churn) part(c *client) {
	m.sessions++
	switch c.id / uint32(m.run.config.Threads) % 3 {
	case 0:
		m.scratch = m.stencil.appendControl(m.scratch[:0], 8, []byte{1000 >> 8, 1000 & 255})
		m.push(c, m.scratch)
		m.leave(c, false)
	case 1:
		m.leave(c, false)
	default:
		m.leave(c, true)
	}
}

// look says hello again to whoever is there now, and sends home those who have
// waited long enough.
func (m *churn) look(c *client, now int64) {
	if now-m.joined[c.slot] > int64(2*time.Second) {
		m.part(c)
	} else if now-c.since > int64(200*time.Millisecond) {
		if c.ready && c.partner != c.id {
			c.ready = false
			m.ready--
		}
		m.sayHello(c, now)
	}
}

func (m *churn) tick(now int64) time.Duration {
	if m.phase != warming && m.phase != measuring {
		return time.Hour
	}
	most := max(1, m.run.config.Concurrency/m.run.config.Threads)
	for i := range m.clients[:m.next] {
		if c := &m.clients[i]; c.state == closed && m.underway < most {
			c.reset(int32(i), m.run.newID())
			m.connect(c, m.now())
		}
	}
	return time.Millisecond
}
