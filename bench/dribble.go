//go:build linux

package bench

import "time"

// dribble sends each client's message a byte a second, each client at a moment of
// its own. What is under way at the end is sent whole.
type dribble struct {
	pairs
	turn int
	due  float64 // ns since the run began
}

const dribbleEvery = time.Second

func (m *dribble) enter(p phase, now int64) {
	switch p {
	case warming:
		m.due = float64(now)
	case draining:
		for i := range m.clients {
			if c := &m.clients[i]; c.dropped > 0 {
				m.drop(c, now, m.stencil.frame)
			}
		}
	}
}

func (m *dribble) tick(now int64) time.Duration {
	if m.phase != warming && m.phase != measuring || len(m.clients) == 0 {
		return time.Hour
	}
	for i := 0; m.due <= float64(now) && i < len(m.clients); i++ {
		m.drop(&m.clients[m.turn], now, 1)
		m.turn = (m.turn + 1) % len(m.clients)
		m.due += float64(dribbleEvery) / float64(len(m.clients))
	}
	return time.Duration(m.due) - time.Duration(m.now())
}

// drop sends the next n bytes of c's frame, at most its rest.
func (m *dribble) drop(c *client, now int64, n int) {
	if c.state != open || !c.ready {
		return
	}
	if c.dropped == 0 {
		c.since = now
		c.sent++
		m.sent++
	}
	p := m.stencil.frames(c.word, c.id, c.sent-1, c.since, 1)[c.dropped:]
	p = p[:min(n, len(p))]
	c.dropped = (c.dropped + len(p)) % m.stencil.frame
	m.push(c, p)
}
