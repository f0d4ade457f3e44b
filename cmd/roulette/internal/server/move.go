package server

import (
	"context"
	"errors"
	"fmt"

	"roulette/cmd/roulette/internal/limit"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
)

// A server gives its connections up, and another one takes them over:
//
//	all workers stand still ─► each describes its clients ─► each lets them go ─► bytes and descriptors
//	bytes are read, all or nothing ─► all workers stand still ─► each settles some ─► the table as it was ─► they go on
//
// Between the two nobody reads or writes, so nothing is lost, doubled, or out of
// order: what has arrived waits in the sockets, what has not left in the carries.

// carriedCodec is a codec whose state can be written down. Config.RestoreCodec
// reads it.
type carriedCodec interface {
	netpoll.Codec
	AppendState(dst []byte) []byte
}

// standstill runs steps on all workers: each step when all are through with the
// one before, with nothing else between.
type standstill func(steps ...func(*handler)) error

// still is the standstill of a server whose workers are goroutines.
func (s *Server) still(steps ...func(*handler)) error {
	halt, err := s.halt(context.Background())
	if err != nil {
		return err
	}
	defer halt.end()
	for _, step := range steps {
		halt.run(step)
	}
	return nil
}

// giveUp takes all connections out of the server. state says all about them, in
// the order of the descriptors, which are the caller's. After an error nothing has
// changed.
func (s *Server) giveUp(still standstill) (fds []int, state []byte, err error) {
	e := s.newEstate(newestState)
	err = still(e.describe, e.describeBreaks, func(h *handler) {
		if e.err() == nil {
			for _, k := range e.given[h.worker.Index()] {
				h.letGo(s.poller.Conn(k.id)).Detach()
			}
		}
	}, func(h *handler) {
		if e.err() == nil && h.worker.Index() == 0 {
			h.forgetBreaks()
		}
	})
	if err = errors.Join(e.err(), err); err != nil {
		return nil, nil, err
	}
	for _, carries := range e.given {
		for _, k := range carries {
			fds = append(fds, k.conn.FD)
		}
	}
	return fds, e.append(nil), nil
}

// describe says of each connection of the worker all that makes it one.
func (h *handler) describe() (carries []*carry, err error) {
	now := h.worker.Now()
	h.worker.All(func(c *netpoll.Conn) {
		k, failed := h.describeConn(c)
		if err = errors.Join(err, failed); failed != nil {
			return
		}
		carries = append(carries, k)
		if !isOpen(c) {
			return
		}
		if r := richOf(c); r != nil {
			k.traits = r.traits(now)
			if k.kept, k.side = h.server.breaks.carried(r, seatOf(c)); k.kept != nil {
				k.traits.pair = k.kept.id[:]
			}
		}
		if s, ok := h.server.pairs.Standing(seatOf(c), now); ok {
			k.standing = &s
		}
	})
	return carries, err
}

// describeConn is describe for one connection, without the client's seat.
func (h *handler) describeConn(c *netpoll.Conn) (*carry, error) {
	now := h.worker.Now()
	k := &carry{id: c.ID(), conn: c.Describe()}
	k.conn.Rate = limit.Portable(k.conn.Rate, now)
	k.conn.Codec, k.conn.Held = nil, nil
	if has(c, attributed) {
		k.network = h.server.addresses.Network(c.Key)
	}
	if codec := c.Codec(); codec != nil {
		carried, ok := codec.(carriedCodec)
		if !ok {
			return nil, fmt.Errorf("server: a codec that cannot be carried: %T", codec)
		}
		k.codec = carried.AppendState([]byte{})
	}
	switch held := c.Held().(type) {
	case *request:
		k.request = &request{bytes: append([]byte(nil), held.bytes...), client: held.client}
	case *partial:
		k.unparsed = &unparsed{decoder: held.AppendState(nil), age: now - held.since, limit: uint32(held.Limit), promised: held.promised}
	}
	return k, nil
}

// letGo gives back what c is counted for. It has nothing but its descriptor then,
// and is to be detached or abandoned.
func (h *handler) letGo(c *netpoll.Conn) *netpoll.Conn {
	h.gauge(c, -1)
	if isOpen(c) {
		h.server.pairs.Leave(seatOf(c), h.worker.Now())
	}
	h.releaseHeld(c)
	h.lobby.releaseAddress(c)
	return c
}

// gauge adds n to the gauge in which c is counted.
func (h *handler) gauge(c *netpoll.Conn, n int64) {
	switch stageOf(c) {
	case handshaking:
		h.counters.Connections[metrics.ConnectionHandshaking] += n
	case ended:
		h.counters.Connections[metrics.ConnectionClosing] += n
	default:
		h.chats += n
		h.server.chats.Add(int32(n))
	}
}

// takeOver makes what another server has given up connections of this one, to
// which nobody has come yet. The descriptors are the server's from then on; after
// an error they are still the caller's.
func (s *Server) takeOver(still standstill, fds []int, state []byte) error {
	i, err := s.readState(fds, state)
	if err != nil {
		return err
	}
	return still(i.settle, i.restore, i.begin)
}

// inheritance is what a server takes over: what the state says, and what has been
// made of it.
type inheritance struct {
	testament
	server *Server
	conns  []*netpoll.Conn // of the carries
	led    []*elsewhere    // those on whose nodes the exchange of a return is
}

// readState sees whether all that state says can be taken over. Nothing has changed
// then.
func (s *Server) readState(fds []int, state []byte) (*inheritance, error) {
	t, err := parseState(state, len(fds))
	if err != nil {
		return nil, err
	}
	return s.inherit(t, fds)
}

// inherit sees whether t can be carried out.
func (s *Server) inherit(t *testament, fds []int) (*inheritance, error) {
	for i, k := range t.carries {
		k.conn.FD = fds[i]
		if err := s.restoreCodec(k); err != nil {
			return nil, err
		}
	}
	if s.poller.Count()+len(t.carries) > s.most {
		return nil, netpoll.ErrNoPlace
	}
	if t.node != nil && s.cluster == nil {
		return nil, errCarry
	}
	s.addresses.Inherit(t.seed)
	s.inheritPeople(t.legacy.People)
	s.bans.Inherit(t.legacy.Decisions)
	return &inheritance{testament: *t, server: s, conns: make([]*netpoll.Conn, len(t.carries))}, nil
}

func (s *Server) restoreCodec(k *carry) (err error) {
	switch {
	case k.codec == nil:
	case s.config.RestoreCodec == nil:
		err = errors.New("server: nobody reads the codecs that are carried")
	default:
		k.conn.Codec, err = s.config.RestoreCodec(k.codec)
	}
	return err
}

// ofWorker calls f for the carries that are the worker's.
func (i *inheritance) ofWorker(h *handler, f func(n int)) {
	for n := h.worker.Index(); n < len(i.carries); n += len(h.server.poller.Workers()) {
		f(n)
	}
}

// settle, restore and begin are the three steps of a standstill.
func (i *inheritance) settle(h *handler) {
	i.ofWorker(h, func(n int) { i.conns[n] = h.attach(i.carries[n]) })
}

func (i *inheritance) begin(h *handler) {
	i.ofWorker(h, func(n int) { i.conns[n].Begin(i.carries[n].conn.Unread) })
}

// restore brings those who stood in the other server's table into this one's.
func (i *inheritance) restore(h *handler) {
	if h.worker.Index() != 0 {
		return
	}
	moved := make(map[seat]seat, len(i.carries)+len(i.away))
	for n, k := range i.carries {
		moved[k.id] = i.conns[n].ID()
	}
	h.server.cluster.restore(i, moved, h.worker.Now())
	h.restoreBreaks(i, moved)
	stand := func(place seat, s pairing.Standing) {
		present := false
		s.Partner = moved[s.Partner]
		if s.Last, present = moved[s.Last]; !present {
			s.LastLife = 0
		}
		h.server.pairs.Restore(place, s, h.worker.Now())
	}
	for _, k := range i.carries {
		if k.standing != nil {
			stand(moved[k.id], *k.standing)
		}
	}
	for _, a := range i.away {
		stand(moved[a.place], *a.standing)
	}
	for _, s := range i.strangers {
		stand(moved[s.place], *s.standing)
	}
	conns := make(map[uint32]*netpoll.Conn, len(i.carries))
	for n, k := range i.carries {
		conns[k.id] = i.conns[n]
	}
	h.restorePeople(i.legacy.People, conns, moved)
}

// attach makes a connection of the worker's of a carry. Nobody hears of it yet.
func (h *handler) attach(k *carry) *netpoll.Conn {
	now, d := h.worker.Now(), k.conn
	d.Rate = limit.Reading(d.Rate, now)
	switch u := k.unparsed; {
	case k.request != nil:
		d.Held = k.request
	case u != nil:
		p := h.newPartial()
		p.Limit = max(p.Limit, int(u.limit))
		p.RestoreState(u.decoder) // parseState has seen that it can be
		p.since, p.promised = now-u.age, u.promised
		d.Held = p
	}
	c, err := h.worker.Settle(d, func(_ netpoll.Handler, c *netpoll.Conn) {
		if t := k.traits; t != nil && k.standing != nil {
			c.Lock()
			t.restore(newRichLocked(c), k.standing.Life, now)
			c.Unlock()
		}
		if isOpen(c) {
			settleCodec(c)
		}
		h.readmit(c, k.network)
	})
	if err != nil {
		panic("server: no place for a connection that there was a place for")
	}
	return c
}

// readmit is the inverse of letGo for what c is counted for.
func (h *handler) readmit(c *netpoll.Conn, network limit.Network) {
	h.gauge(c, 1)
	if has(c, attributed) {
		h.server.addresses.Readmit(c.Key, network)
	}
	if refusalOf(c) != admitted {
		h.server.turnedAway.Add(1)
	}
}

// traits describes a rich client.
func (r *rich) traits(now uint32) *traits {
	t := &traits{told: r.told.upTo(), can: uint64(r.can &^ greeted), online: r.online.Load(),
		typing: r.said.has(saysTyping), begun: r.said.has(saidRecord), greeted: r.greeted(), wishes: r.wishes(),
		typingAge: uint32(uint16(now) - r.typingSince), onlineAge: uint32(onlineClock(now)-r.onlineAt) * onlineUnit, spokeAge: now - r.spoke}
	t.holder, t.sought = r.holder, r.said.has(saidNext)
	if n := r.told.number(); r.told.marked(n, toldResumable) {
		t.resumable = n
	}
	if n := r.told.number(); r.told.marked(n, toldMuted) {
		t.muted = n
	}
	if ago, parted := r.told.parted(now); parted {
		t.again, t.partedAge = true, ago
	}
	return t
}

// restore is the inverse of traits; the caller holds the lock.
func (t *traits) restore(r *rich, life pairing.Life, now uint32) {
	r.life, r.can, r.holder = life, record.Can(t.can), t.holder
	if t.greeted {
		r.can |= greeted
	}
	r.typingSince, r.onlineAt, r.spoke = uint16(now-t.typingAge), onlineClock(now-t.onlineAge), now-t.spokeAge
	r.online.Store(t.online)
	r.told.advance(t.told)
	r.told.mark(t.resumable, toldResumable, t.resumable != 0)
	r.told.mark(t.muted, toldMuted, t.muted != 0)
	r.said.set(saysTyping, t.typing)
	r.said.set(saidRecord, t.begun)
	r.said.set(saidNext, t.sought)
	r.said.set(saidToken, true) // in case it has; else its place is kept for longer than need be
	r.wish(t.wishes)
	r.told.part(parting{again: t.again}, now-t.partedAge)
}
