package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"roulette/cmd/roulette/internal/mesh"
	"roulette/pairing"
)

// Chats with people on other nodes move with the rest: the successor is the same node,
// as package mesh has it, and its stand-ins sit where the predecessor's did.

// stateWithNodes is the first version of the state that has them.
const stateWithNodes = 3

// carriedStranger is somebody of another node who has a seat here.
type carriedStranger struct {
	place    seat
	chat     mesh.Chat // 0: their chat is over
	who      stranger
	untaken  uint64
	left     uint32 // until when they are known, in milliseconds; 0: they are not
	led      bool   // the exchange of their return is on their node
	muted    bool
	standing *pairing.Standing
}

// What a predecessor tells of its cluster, and a successor must share.
const (
	settingWorld = "world"
	settingNode  = "node"
	settingBus   = "bus" // "connected": it is there
)

// The bounds of waiting in a hand-over.
const (
	calmTime  = 2 * time.Second        // longer than an offer lasts
	flushTime = 500 * time.Millisecond // of a bus that answers
	joinTime  = 3 * time.Second
)

// settings are those of c, which may be nil.
func (c *cluster) settings(into map[string]string) {
	if c == nil {
		return
	}
	into[settingWorld], into[settingNode] = c.world, fmt.Sprintf("%016x", uint64(c.mesh.Self()))
	if c.connected() {
		into[settingBus] = "connected"
	}
}

// succeed makes c, which may be nil, the node that a predecessor is by its settings, and
// joins the bus, where it says nothing yet.
func (c *cluster) succeed(settings map[string]string) error {
	world, is := settings[settingWorld]
	switch {
	case !is:
		return nil
	case c == nil:
		return errors.New("the predecessor is a node of a cluster, and by its settings the successor is not")
	case c.world != world:
		return fmt.Errorf("the predecessor is a node of the world %q, and by its settings the successor is one of %q", world, c.world)
	}
	node, err := strconv.ParseUint(settings[settingNode], 16, 64)
	if err != nil {
		return fmt.Errorf("%q is no node", settings[settingNode])
	}
	c.stand()
	c.mesh.Become(mesh.Node(node))
	if err := c.join(); err != nil {
		return err
	}
	if settings[settingBus] != "connected" { // then nothing is to be missed
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), joinTime)
	defer cancel()
	if !c.connected() || c.flush(ctx) != nil {
		return errors.New("the bus answers the predecessor, and not the successor")
	}
	return nil
}

// calm keeps chats from beginning with other nodes until rouse; those that were about
// to have begun then, or have not. c may be nil.
func (c *cluster) calm() error {
	if c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), calmTime)
	defer cancel()
	return c.mesh.Calm(ctx)
}

func (c *cluster) rouse() {
	if c != nil {
		c.mesh.Rouse()
	}
}

// stand stops what c does by itself, and keeps what comes. c may be nil.
func (c *cluster) stand() {
	if c == nil {
		return
	}
	c.turn.Lock()
	c.stands = true
	c.turn.Unlock()
	c.mesh.Hold()
}

// goOn undoes stand. c may be nil.
func (c *cluster) goOn() {
	if c == nil {
		return
	}
	c.mesh.LetGo()
	c.turn.Lock()
	c.stands = false
	c.turn.Unlock()
}

// succeeded: another process goes on. c, which may be nil, stands for good.
func (c *cluster) succeeded() {
	if c != nil {
		c.mesh.Drop()
	}
}

// describe is what the successor of a node needs, which stands, as do all workers: the
// mesh's state, and who of other nodes has a seat.
func (c *cluster) describe(ctx context.Context, now uint32) (state []byte, strangers []*carriedStranger, err error) {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	lost := false
	if c.connected() { // else all chats are over
		lost = c.flush(ctx) != nil
	}
	if state, err = c.mesh.AppendState(nil, lost); err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	add := func(s *carriedStranger, until uint32) error {
		if until != 0 {
			s.left = uint32(max(int32(until-now), 1))
		}
		standing, ok := c.server.pairs.Standing(s.place, now)
		if !ok {
			return errors.New("server: somebody of another node is not in the table")
		}
		s.standing = &standing
		strangers = append(strangers, s)
		return nil
	}
	for _, e := range c.chats {
		s := &carriedStranger{place: e.place, chat: e.chat, who: e.who, untaken: uint64(e.untaken.Load()), led: c.server.breaks.leads(e), muted: e.muted.Load()}
		if err := add(s, e.until); err != nil {
			return nil, nil, err
		}
	}
	for who, a := range c.gone {
		if err := add(&carriedStranger{place: a.place, who: who}, a.until); err != nil {
			return nil, nil, err
		}
	}
	return state, strangers, nil
}

// restore seats the strangers, and says in moved where; their partners are there
// already, and told nothing.
func (c *cluster) restore(i *inheritance, moved map[seat]seat, now uint32) {
	if i.node == nil {
		return
	}
	c.mesh.Restore(i.node, c.server.now().Milliseconds())
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range i.strangers {
		e := &elsewhere{cluster: c, chat: s.chat, who: s.who}
		e.untaken.Store(int64(s.untaken))
		e.muted.Store(s.muted)
		if s.left != 0 {
			e.until = max(now+s.left, 1)
		}
		place, ok := c.guests.take(e)
		if !ok {
			panic("server: no seat for somebody of another node, and who had one")
		}
		moved[s.place], e.place = place, place
		if s.chat == 0 {
			c.guests.give(place, nil)
			c.gone[s.who] = acquaintance{place, e.until}
			continue
		}
		e.worker.Store(c.workerOf(moved[s.standing.Partner]))
		e.counted.Store(true)
		c.talking.Add(1)
		c.chats[s.chat] = e
		if s.led {
			i.led = append(i.led, e)
		}
	}
}

// appendStrangers appends what stands behind the legacy, from stateWithNodes on.
func (t *testament) appendStrangers(w *writer) {
	if w.version < stateWithNodes {
		return
	}
	w.bytes(t.mesh)
	w.uints(uint64(len(t.strangers)))
	for _, s := range t.strangers {
		w.uints(uint64(s.place), uint64(s.chat), uint64(s.who.home), s.who.person, s.untaken, uint64(s.left))
		w.bool(s.led)
		w.bool(s.muted)
		w.standing(s.standing)
	}
}

func (t *testament) parseStrangers(r *reader) {
	if r.version < stateWithNodes {
		return
	}
	t.mesh = r.bytes(math.MaxInt32)
	for n := r.uint(uint64(len(r.b))); n > 0 && r.err == nil; n-- {
		s := &carriedStranger{place: r.uint32(), chat: mesh.Chat(r.uint(math.MaxUint64)), who: stranger{mesh.Node(r.uint(math.MaxUint64)), r.uint(math.MaxUint64)},
			untaken: r.uint(math.MaxInt64), left: r.uint32(), led: r.bool(), muted: r.bool(), standing: r.standing()}
		t.strangers = append(t.strangers, s)
	}
	if r.err == nil && !t.sitsRight() {
		r.err = errCarry
	}
}

// sitsRight sees whether the mesh's chats are the strangers'.
func (t *testament) sitsRight() bool {
	if len(t.mesh) == 0 {
		return len(t.strangers) == 0
	}
	var err error
	if t.node, err = mesh.ParseState(t.mesh); err != nil {
		return false
	}
	chats := make(map[mesh.Chat]bool, len(t.node.Chats))
	for _, chat := range t.node.Chats {
		chats[chat] = true
	}
	known := make(map[stranger]bool, len(t.strangers))
	for _, s := range t.strangers {
		if s.chat == 0 {
			if s.standing.Paired || s.standing.Waiting || s.left == 0 || known[s.who] {
				return false
			}
			known[s.who] = true
			continue
		}
		if !chats[s.chat] || !s.standing.Paired {
			return false
		}
		delete(chats, s.chat)
	}
	return len(chats) == 0
}
