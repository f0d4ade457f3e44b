package server

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"roulette/cmd/roulette/internal/limit"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
)

// A server gives its connections up, and another one takes them over:
//
//	all workers stand still ─► each describes its clients ─► each detaches them ─► bytes and descriptors
//	bytes are read, all or nothing ─► all workers stand still ─► each adopts some ─► the table as it was ─► they go on
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

// still is the standstill of a server whose workers are goroutines. It must not be
// called while the server closes.
func (s *Server) still(steps ...func(*handler)) error {
	gates := make([]sync.WaitGroup, len(steps)+1)
	for i := range gates {
		gates[i].Add(len(s.poller.Workers()))
	}
	return s.poller.OnWorkers(context.Background(), func(w *netpoll.Worker) {
		h := w.Handler().(*handler)
		for i, step := range steps {
			gates[i].Done()
			gates[i].Wait()
			step(h)
		}
		gates[len(steps)].Done()
		gates[len(steps)].Wait()
	})
}

// giveUp takes all connections out of the server. state says all about them, in
// the order of the descriptors, which are the caller's. After an error nothing has
// changed.
func (s *Server) giveUp(still standstill) (fds []int, state []byte, err error) {
	given := make([][]*carry, len(s.poller.Workers()))
	failed := make([]error, len(given))
	err = still(func(h *handler) {
		i := h.worker.Index()
		given[i], failed[i] = h.describe()
	}, func(h *handler) {
		if errors.Join(failed...) == nil {
			for _, k := range given[h.worker.Index()] {
				h.detach(k)
			}
		}
	})
	if err = errors.Join(append(failed, err)...); err != nil {
		return nil, nil, err
	}
	n := 0
	for _, carries := range given {
		n += len(carries)
	}
	state = appendHead(nil, s.addresses.Seed(), n)
	for _, carries := range given {
		for _, k := range carries {
			fds = append(fds, k.conn.FD)
			state = k.append(state)
		}
	}
	return fds, state, nil
}

// describe says of each connection of the worker what is to be said while it is
// one.
func (h *handler) describe() (carries []*carry, err error) {
	now := h.worker.Now()
	h.worker.All(func(c *netpoll.Conn) {
		k := &carry{id: c.ID()}
		carries = append(carries, k)
		if codec := c.Codec(); codec != nil {
			carried, ok := codec.(carriedCodec)
			if !ok {
				err = fmt.Errorf("server: a codec that cannot be carried: %T", codec)
				return
			}
			k.codec = carried.AppendState([]byte{})
		}
		switch held := c.Held().(type) {
		case *request:
			k.request = &request{bytes: append([]byte(nil), held.bytes...), client: held.client}
		case *partial:
			k.unparsed = &unparsed{decoder: held.AppendState(nil), age: now - held.since, limit: uint32(held.Limit), promised: held.promised}
		}
		if !isOpen(c) {
			return
		}
		if r := richOf(c); r != nil {
			k.traits = r.traits(now)
		}
		if s, ok := h.server.pairs.Standing(seatOf(c), now); ok {
			k.standing = &s
		}
	})
	return carries, err
}

// detach takes the connection that k describes out of the server.
func (h *handler) detach(k *carry) {
	c, now := h.server.poller.Conn(k.id), h.worker.Now()
	h.gauge(c, -1)
	if k.standing != nil {
		h.server.pairs.Leave(seatOf(c), now)
	}
	h.releaseHeld(c)
	state, key := c.State(), c.Key
	h.releaseAddress(c)
	k.conn = c.Detach()
	k.conn.State, k.conn.Key = state, key // with its flags
	k.conn.Rate = limit.Portable(k.conn.Rate, now)
	k.conn.Codec, k.conn.Attached = nil, nil
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
	seed, carries, err := parseState(state, len(fds))
	if err != nil {
		return err
	}
	for i, k := range carries {
		if k.conn.FD = fds[i]; k.codec == nil {
			continue
		}
		if s.config.RestoreCodec == nil {
			return errors.New("server: nobody reads the codecs that are carried")
		}
		if k.conn.Codec, err = s.config.RestoreCodec(k.codec); err != nil {
			return err
		}
	}
	if s.poller.Count()+len(carries) > s.most {
		return netpoll.ErrNoPlace
	}
	s.addresses.Inherit(seed)
	places := make([]uint32, len(carries)) // IDs in this server
	workers := len(s.poller.Workers())
	return still(func(h *handler) {
		for i := h.worker.Index(); i < len(carries); i += workers {
			places[i] = h.attach(carries[i])
		}
	}, func(h *handler) {
		if h.worker.Index() == 0 {
			h.restore(carries, places)
		}
	})
}

// parseState reads n carries, of which each connection can be made.
func parseState(b []byte, n int) (seed limit.Seed, carries []*carry, err error) {
	seed, many, b, err := parseHead(b)
	if err != nil || many != n {
		return seed, nil, errCarry
	}
	known := make(map[uint32]*carry, n)
	for range n {
		var k *carry
		if k, b, err = parseCarry(b); err != nil {
			return seed, nil, err
		}
		if u := k.unparsed; u != nil {
			var d partial
			d.Limit = int(u.limit)
			rest, ok := d.RestoreState(u.decoder)
			d.Release()
			if !ok || len(rest) > 0 {
				return seed, nil, errCarry
			}
		}
		carries = append(carries, k)
		known[k.id] = k
	}
	for id, k := range known {
		if s := k.standing; s != nil && s.Paired {
			p := known[s.Partner]
			if p == nil || p == k || p.standing == nil || !p.standing.Paired || p.standing.Partner != id {
				return seed, nil, errCarry // I5
			}
		}
	}
	if len(b) > 0 || len(known) != n {
		return seed, nil, errCarry
	}
	return seed, carries, nil
}

// attach makes a connection of the worker's of a carry, and returns its ID.
func (h *handler) attach(k *carry) (id uint32) {
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
	if t := k.traits; t != nil && k.standing != nil {
		d.Attached = t.rich(k.standing.Life, now)
	}
	err := h.worker.Adopt(d, func(_ netpoll.Handler, c *netpoll.Conn) {
		id = c.ID()
		h.gauge(c, 1)
		if has(c, attributed) {
			h.server.addresses.Readmit(c.Key)
		}
		if refusalOf(c) != admitted {
			h.server.turnedAway.Add(1)
		}
	})
	if err != nil {
		panic("server: no place for a connection that there was a place for")
	}
	return id
}

// restore brings those who stood in the other server's table into this one's.
func (h *handler) restore(carries []*carry, places []uint32) {
	moved := make(map[uint32]uint32, len(carries))
	for i, k := range carries {
		moved[k.id] = places[i]
	}
	for i, k := range carries {
		if k.standing == nil {
			continue
		}
		s, present := *k.standing, false
		s.Partner = moved[s.Partner]
		if s.Last, present = moved[s.Last]; !present {
			s.LastLife = 0
		}
		h.server.pairs.Restore(places[i], s, h.worker.Now())
	}
}

// traits describes a rich client.
func (r *rich) traits(now uint32) *traits {
	t := &traits{told: r.told, can: uint64(r.can), online: r.online.Load(),
		typing: r.typing, begun: r.begun, greeted: r.greeted, wishes: r.wishes,
		typingAge: now - r.typingSince, onlineAge: now - r.onlineAt, spokeAge: now - r.spoke}
	t.holder, t.resumable, t.sought = r.holder, r.resumable.Load(), r.sought
	if r.parted != 0 {
		t.again, t.partedAge = true, now-r.parted
	}
	return t
}

// rich is the inverse of traits.
func (t *traits) rich(life pairing.Life, now uint32) *rich {
	r := &rich{life: life, told: t.told, can: record.Can(t.can),
		typing: t.typing, begun: t.begun, greeted: t.greeted, wishes: t.wishes,
		typingSince: now - t.typingAge, onlineAt: now - t.onlineAge, spoke: now - t.spokeAge}
	r.online.Store(t.online)
	r.holder, r.sought = t.holder, t.sought
	r.resumable.Store(t.resumable)
	if t.again {
		r.parted = max(now-t.partedAge, 1)
	}
	return r
}
