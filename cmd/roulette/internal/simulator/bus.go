package simulator

import (
	"bytes"
	"strings"
)

// bus carries words between nodes as NATS does: those of one node to another in order,
// late, and at most once; but now and then a word is lost, or comes twice, all the same.
// A node that is cut off says and hears nothing, and is told of that when it is over.
type bus struct {
	faults   busFaults
	subjects [maxNodes]string // each node's own
	off      [maxNodes]bool   // is cut off
	lines    [maxNodes][maxNodes][][]byte

	carried, lost, doubled, cuts int
}

const maxNodes = 4

// busFaults are how often, once in so many; 0: never.
type busFaults struct{ lose, double, cut int }

func newBus(r *random) bus {
	return bus{faults: busFaults{
		lose:   pick(r, 0, 0, 100, 1000),
		double: pick(r, 0, 0, 30, 300),
		cut:    pick(r, 0, 0, 300, 2000),
	}}
}

// stop is where a node gets on the bus.
type stop struct{ w *world }

// Publish implements [mesh.Bus].
func (s stop) Publish(subject string, data []byte) {
	b := &s.w.fleet.bus
	if b.off[s.w.node] {
		return
	}
	toAll := strings.HasSuffix(subject, ".beat") || strings.HasSuffix(subject, ".meet")
	for _, to := range s.w.fleet.nodes {
		if to == s.w || b.off[to.node] || !toAll && subject != b.subjects[to.node] {
			continue
		}
		line := &b.lines[s.w.node][to.node]
		*line = append(*line, bytes.Clone(data))
	}
}

// fail draws whether a node is cut off, or comes back.
func (b *bus) fail(r *random, f *fleet) {
	for n, w := range f.nodes {
		switch {
		case b.off[n] && r.oneIn(60):
			b.comeBack(w)
		case !b.off[n] && r.oneIn(b.faults.cut):
			b.off[n] = true
			b.cuts++
			b.forget(n)
			w.tracef("node %d is cut off from the bus", n)
		}
	}
}

func (b *bus) comeBack(w *world) {
	w.tracef("node %d is back on the bus", w.node)
	b.off[w.node] = false
	w.ask(w.server.Mesh().BusLost)
}

// forget throws away what is under way to and from a node.
func (b *bus) forget(n int) {
	for i := range b.lines {
		b.lines[i][n], b.lines[n][i] = nil, nil
	}
}

// carry brings the next word of some node to w.
func (b *bus) carry(r *random, w *world) {
	first := r.below(maxNodes)
	for i := range maxNodes {
		line := &b.lines[(first+i)%maxNodes][w.node]
		if len(*line) == 0 {
			continue
		}
		switch {
		case r.oneIn(b.faults.lose):
			b.lost++
			w.tracef("a word to node %d is lost", w.node)
			*line = (*line)[1:]
			return
		case r.oneIn(b.faults.double):
			b.doubled++
			b.bring(w, bytes.Clone((*line)[0]))
		}
		b.bring(w, (*line)[0])
		*line = (*line)[1:]
		return
	}
}

func (b *bus) bring(w *world, word []byte) {
	b.carried++
	if op := word[1]; w.trace != nil && op > 1 {
		w.tracef("hears a word with op %d, from %x, and %d bytes", op, word[6:8], len(word))
	}
	hear := w.server.Mesh().Receive
	w.ask(func() { hear(word) })
}

// carryAll brings all words that are under way. False: there were none.
func (b *bus) carryAll(f *fleet) (moved bool) {
	for from := range b.lines {
		for _, w := range f.nodes {
			line := &b.lines[from][w.node]
			for len(*line) > 0 {
				b.bring(w, (*line)[0])
				*line = (*line)[1:]
				moved = true
			}
			w.drive(w.idle)
		}
	}
	return moved
}

// mend has all nodes on the bus again.
func (b *bus) mend(f *fleet) {
	for n, w := range f.nodes {
		if b.off[n] {
			b.comeBack(w)
		}
	}
}
