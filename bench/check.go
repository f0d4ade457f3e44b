//go:build linux

package bench

import (
	"bytes"
	"encoding/binary"
	"time"
)

// Faults counts what must never happen. A server that relays in order, whole, to
// the partner and to nobody else has none.
type Faults struct {
	Lost      uint64 `json:"lost"`       // sent and never received
	Doubled   uint64 `json:"doubled"`    // received again
	Reordered uint64 `json:"reordered"`  // received after a later one
	Altered   uint64 `json:"altered"`    // other content, length or kind
	Misrouted uint64 `json:"misrouted"`  // from another than the partner
	Foreign   uint64 `json:"foreign"`    // not of this run
	NoPartner uint64 `json:"no_partner"` // refused although the client had a partner
}

// Total is the sum of all.
func (f Faults) Total() uint64 {
	return f.Lost + f.Doubled + f.Reordered + f.Altered + f.Misrouted + f.Foreign + f.NoPartner
}

func (f *Faults) add(o Faults) {
	f.Lost += o.Lost
	f.Doubled += o.Doubled
	f.Reordered += o.Reordered
	f.Altered += o.Altered
	f.Misrouted += o.Misrouted
	f.Foreign += o.Foreign
	f.NoPartner += o.NoPartner
}

// greeted takes a hello: now it is known who the partner is, and whether the
// partner knows.
func (l *loop) greeted(c *client, h head, now int64) {
	if h.run != l.run.nonce {
		l.faults.Foreign++
		return
	}
	if c.partner != h.id {
		if c.partner != nobody && l.run.config.lastsOnePartner() {
			l.faults.Misrouted++
			return
		}
		l.join(c, h.id)
		c.seen, c.missing = 0, 0
		c.want = anySequence
		if l.run.config.lastsOnePartner() {
			c.want = 0
		}
	}
	knows := h.seq == uint64(c.id)+1
	if !knows || !c.ready {
		l.sayHello(c, now)
	}
	if knows && !c.ready {
		c.ready = true
		l.ready++
		l.mode.met(c, now)
	}
}

// anySequence as client.want: the first message of a new partner may have any
// number, for in Churn and Drain earlier ones went to somebody else.
const anySequence = ^uint64(0)

// alone takes the server's word that the client has no partner.
func (l *loop) alone(c *client) {
	l.sorry++
	c.since -= int64(200 * time.Millisecond) // ask again sooner
	if c.ready && l.run.config.lastsOnePartner() {
		l.faults.NoPartner++
	}
}

// expected takes the message m if it is the very one that must come next, as nearly
// all are, and reports whether it did. It is the short way through message.
func (l *loop) expected(c *client, m []byte, now int64) bool {
	w0 := binary.LittleEndian.Uint64(m)
	w1 := binary.LittleEndian.Uint64(m[8:])
	w2 := binary.LittleEndian.Uint64(m[16:])
	if w0 != c.peer || w1 != spread(c.want) || binary.LittleEndian.Uint64(m[24:headSize]) != checksum(w0, w1, w2) ||
		!bytes.Equal(m[headSize:], l.stencil.body(l.stencil.slot(c.partner, c.want))) {
		return false
	}
	c.want++
	c.seen = c.seen<<1 | 1
	c.got++
	l.received++
	if l.every || c.want&63 == 0 {
		at := int64(gather(w2))
		if l.measured(at) {
			l.latencies.add(now - at)
		}
	}
	l.mode.message(c, now)
	return true
}

// message takes a message that is whole. ok says that its content is as it was
// sent, so far as it can be told without looking at who sent it to whom.
func (l *loop) message(c *client, h head, ok bool, now int64) {
	if !ok {
		// Which one it was cannot be told: let it stand for the next one.
		l.faults.Altered++
		c.want++
		c.seen = c.seen<<1 | 1
		l.received++
		l.mode.message(c, now)
		return
	}
	if h.run != l.run.nonce {
		l.faults.Foreign++
		return
	}
	if h.id != c.partner {
		if l.run.config.lastsOnePartner() {
			l.faults.Misrouted++
			return
		}
		// A plain client is not told of a new partner: this is the first message of one.
		l.join(c, h.id)
		c.want, c.seen, c.missing = anySequence, 0, 0
	}
	if h.seq == c.want {
		c.want++
		c.seen = c.seen<<1 | 1
	} else if !l.outOfTurn(c, h.seq) {
		return
	}
	c.got++
	l.received++
	if l.measured(h.time) {
		l.latencies.add(now - h.time)
	}
	l.mode.message(c, now)
}

// outOfTurn takes a sequence number that is not the next one and reports whether
// the message counts as received.
func (l *loop) outOfTurn(c *client, seq uint64) bool {
	switch {
	case c.want == anySequence:
		c.want, c.seen = seq+1, 1
		return true
	case seq > c.want:
		skipped := seq - c.want
		c.missing += skipped
		c.want = seq + 1
		c.seen = c.seen<<(skipped+1) | 1 // a shift of 64 or more leaves the 1
		return true
	}
	back := c.want - 1 - seq
	if back < 64 && c.seen>>back&1 == 0 && c.missing > 0 {
		c.seen |= 1 << back
		c.missing--
		l.faults.Reordered++
		return true
	}
	l.faults.Doubled++
	return false
}

// lost counts, once the loops have ended, what was sent and never came.
func (r *run) lost() uint64 {
	if !r.config.paired() {
		return 0
	}
	var n uint64
	for _, l := range r.loops {
		for i := range l.clients {
			c := &l.clients[i]
			n += c.missing
			if !c.ready || c.partner == nobody || !r.config.lastsOnePartner() {
				continue
			}
			if p := r.client(c.partner); p != nil && p.sent > c.want {
				n += p.sent - c.want
			}
		}
	}
	return n
}
