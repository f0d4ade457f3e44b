package simulator

import (
	"encoding/binary"
	"errors"

	"roulette/netpoll"
)

// upgrade has another server, with another number of workers, take over all
// connections in the middle of whatever they do: out of one, through bytes, into
// the other. The listener's queue goes with them.
func (w *world) upgrade() {
	workers := 1 + w.rnd.below(4)
	w.calm = true
	defer func() { w.calm = false }()
	w.freeze()
	if w.open+3*workers+4 > w.plan.descriptors || len(w.listener.queue) > 0 {
		return // it would not start, or the old one could not accept who comes meanwhile
	}
	w.inside.ReadMail(w.as)
	w.tracef("another server with %d workers takes over", workers)

	old := w.server
	moved := make([]*client, 0, len(w.byID))
	unseen := 0
	for _, c := range w.byID {
		moved = append(moved, c)
		if c.conn.Closing() && c.status == 101 && !c.closing { // the close frame is in the backlog
			unseen++
		}
	}
	pairs, waiting := w.pairs.Pairs(), w.pairs.Waiting()
	fds, state, err := w.inside.GiveUp(w.as)
	if err != nil {
		w.failf("the connections are not given up: %v", err)
	}
	if len(fds) != len(w.byID) {
		w.failf("%d connections are given up, there are %d", len(fds), len(w.byID))
	}
	for _, c := range moved {
		c.conn, c.socket.owner, c.moved = nil, nil, true
	}
	clear(w.byID)

	w.retired = len(w.workers)
	w.plan.workers = workers
	w.inline = true
	if err := w.serve(); err != nil {
		w.failf("no other server: %v", err)
	}
	if err := w.inside.TakeOver(w.as, fds, state); err != nil {
		w.failf("the connections are not taken over: %v", err)
	}
	for _, c := range moved {
		if c.conn == nil {
			w.failf("client %d was not taken over", c.serial)
		}
		c.moved = false
	}
	if w.pairs.Pairs() != pairs || w.pairs.Waiting() != waiting {
		w.failf("%d pairs and %d waiting were taken over of %d and %d", w.pairs.Pairs(), w.pairs.Waiting(), pairs, waiting)
	}
	w.upgrades, w.ended, w.inherited = 0, -unseen, pairs
	if err := old.Close(); err != nil {
		w.failf("close: %v", err)
	}
	w.inline = false
	w.retire()
}

// rehearse has all workers stop between two events, has the server say all about its
// connections, and call it off: it goes on as if nothing had been.
func (w *world) rehearse() {
	w.calm = true
	defer func() { w.calm = false }()
	w.freeze()
	w.tracef("another server is not to take over after all")
	w.inside.ReadMail(w.as)
	state, err := w.inside.Rehearse(w.as)
	if err != nil {
		w.failf("%d bytes of state: %v", len(state), err)
	}
}

// as runs f as a worker of the present server.
func (w *world) as(i int, f func()) {
	w.running = w.workers[w.retired+i]
	defer func() { w.running = nil }()
	f()
}

// retire forgets the workers of the last server, which is closed.
func (w *world) retire() {
	for _, k := range w.workers[:w.retired] {
		k.stop()
	}
	w.workers = append([]*worker(nil), w.workers[w.retired:]...)
	w.retired = 0
	var timers []int
	seen := make(map[int]bool)
	for _, fd := range w.timers {
		if w.files[fd-firstNumber].kind == timerFile && !seen[fd] {
			seen[fd] = true
			timers = append(timers, fd)
		}
	}
	w.timers = timers
}

// AppendState writes the server's half down.
func (k *toy) AppendState(dst []byte) []byte {
	for _, v := range []int{k.client.serial, int(k.in), int(k.out), k.most, k.due, k.renew, bit(k.failed), bit(k.ended)} {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	return dst
}

func bit(v bool) int {
	if v {
		return 1
	}
	return 0
}

// restoreToy is the inverse.
func (w *world) restoreToy(b []byte) (netpoll.Codec, error) {
	var v [8]int
	for i := range v {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, errors.New("no toy")
		}
		v[i], b = int(n), b[size:]
	}
	c := w.clients[v[0]-1]
	c.coded.toy = &toy{client: c, in: uint32(v[1]), out: uint32(v[2]), most: v[3], due: v[4], renew: v[5], failed: v[6] == 1, ended: v[7] == 1}
	return c.coded.toy, nil
}
