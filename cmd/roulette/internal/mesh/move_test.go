package mesh

import (
	"bytes"
	"context"
	"slices"
	"testing"
)

// hear has the node's processes hear a word.
func (n *modelNode) hear(word []byte) {
	if n.next != nil {
		n.next.Receive(slices.Clone(word))
	}
	n.mesh.Receive(word)
}

// move begins to move the node to another process, or goes on with that: it moves, or
// stays after all.
func (n *modelNode) move() {
	w := n.world
	if n.next == nil {
		n.next = n.newMesh(Node(w.random.Uint64()))
		n.next.Hold()
		n.next.Become(n.id)
		n.mesh.calm = true
		return
	}
	if !n.mesh.settled() {
		return
	}
	n.mesh.Hold()
	for range w.random.IntN(8) { // what comes while nobody hears
		for _, from := range w.nodes {
			if box := n.inbox[from.id]; len(box) > 0 {
				n.inbox[from.id] = box[1:]
				n.hear(box[0])
			}
		}
	}
	b, err := n.mesh.AppendState(nil, false)
	if err != nil {
		w.fail("node %d: %v", n.id, err)
		return
	}
	s, err := ParseState(b)
	if err != nil {
		w.fail("node %d: %v", n.id, err)
		return
	}
	before, next := n.mesh, n.next
	n.next = nil
	if w.random.IntN(3) == 0 {
		before.LetGo()
		before.Rouse()
		return
	}
	before.Drop()
	n.clock = w.now - int64(w.random.IntN(100))
	next.Restore(s, w.now-n.clock)
	if again, err := next.AppendState(nil, false); err != nil || !bytes.Equal(again, b) {
		w.fail("node %d is another one when it has moved (%v)", n.id, err)
	}
	if w.fault == numbersForgotten {
		for _, p := range next.peers {
			p.out = 0
		}
	}
	n.mesh = next
	next.LetGo()
	w.moved++
}

// TestNodesMove: whatever is under way while nodes move to other processes, again and
// again, no word is missing.
func TestNodesMove(t *testing.T) {
	moved := 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*schedules)/4; seed++ {
		w := newModel(t, seed, none)
		w.sound, w.moving = true, true
		if err := w.run(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, n := range w.nodes {
			if s := n.mesh.Stats(); s.Losses+s.Malformed > 0 {
				t.Fatalf("seed %d: node %d: %+v", seed, n.id, s)
			}
		}
		moved += w.moved
	}
	if t.Logf("nodes moved %d times", moved); moved < *schedules {
		t.Error("hardly any node has moved")
	}
}

// TestState: no prefix of a state is one, nor is one with something behind it.
func TestState(t *testing.T) {
	w := newModel(t, 3, none)
	var n *modelNode
	for n == nil {
		w.step(false)
		if i := slices.IndexFunc(w.nodes, func(n *modelNode) bool { return n.mesh.settled() && len(n.mesh.chats) > 1 }); i >= 0 {
			n = w.nodes[i]
		}
	}
	n.mesh.Hold()
	b, err := n.mesh.AppendState(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := ParseState(b); err != nil || len(s.Chats) != len(n.mesh.chats) {
		t.Fatalf("%+v, %v", s, err)
	}
	for i := range b {
		if _, err := ParseState(b[:i]); err == nil {
			t.Fatalf("%d of %d bytes are a state", i, len(b))
		}
	}
	if _, err := ParseState(append(b, 0)); err == nil {
		t.Error("a byte too many is a state")
	}
}

// TestHeldIsBounded: who holds for long forgets the oldest.
func TestHeldIsBounded(t *testing.T) {
	m := newModel(t, 1, none).nodes[0].mesh
	m.Hold()
	word := make([]byte, 1<<20)
	for range 2 * MaxHeld >> 20 {
		m.Receive(word)
	}
	if m.hold.bytes != MaxHeld || len(m.hold.words) != MaxHeld>>20 {
		t.Errorf("%d words with %d bytes are held", len(m.hold.words), m.hold.bytes)
	}
	m.Drop()
	m.Receive(word)
	if m.hold.bytes != 0 {
		t.Error("a word is held for nobody")
	}
}

// TestCalm: it ends when the offer that is out has been answered, or has expired; and
// none is made until Rouse.
func TestCalm(t *testing.T) {
	w := newModel(t, 1, none)
	a, b := w.nodes[0], w.nodes[1]
	b.people = []*person{{name: 2, node: b}}
	for range 3 { // they know each other, and that b has somebody
		w.now += OfferAfter
		for _, n := range w.nodes {
			n.mesh.Tick(w.now)
		}
		for range 100 {
			w.carry()
		}
	}
	a.people = []*person{{name: 1, node: a}}
	w.now += OfferAfter
	if a.mesh.Tick(w.now); len(a.mesh.offers) == 0 {
		t.Fatal("no offer is made")
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := a.mesh.Calm(ended); err == nil {
		t.Fatal("calm, with an offer that is out")
	}
	calm := make(chan error)
	go func() { calm <- a.mesh.Calm(t.Context()) }()
	w.now += offerLasts
	for waiting := true; waiting; {
		select {
		case err := <-calm:
			if err != nil {
				t.Fatal(err)
			}
			waiting = false
		default:
			a.mesh.Tick(w.now)
		}
	}
	w.now += tryAgain
	if a.mesh.Tick(w.now); len(a.mesh.offers) > 0 {
		t.Error("an offer is made")
	}
	a.mesh.Rouse()
	if a.mesh.Tick(w.now); len(a.mesh.offers) == 0 {
		t.Error("no offer is made any more")
	}
}
