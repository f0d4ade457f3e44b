package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/handover"
	"roulette/cmd/roulette/internal/host"
	"roulette/metrics"
)

// Heir is a server, without a client yet, that takes over all that another one
// serves: a [handover.Successor].
type Heir struct {
	server  *Server
	listen  func(listeners map[string]int) error
	sockets map[string]int
	held    map[uint64]int // descriptors by name
	halt    *halt
	state   *inheritance

	collects func() // has the garbage collected again; nil: it is
}

// Lineage is how a server has come to what it serves.
type Lineage struct {
	From   string // the release of its predecessor
	At     time.Time
	Frozen time.Duration // in which nobody was served
}

// settleTime bounds how long the workers take, who have nothing to do, to stop.
const settleTime = 2 * time.Second

// Inherit has the server take over. listen gets the listeners that have travelled, by
// their names, when all belongs to the server; they are its own.
func (s *Server) Inherit(listen func(map[string]int) error) *Heir {
	return &Heir{server: s, listen: listen, sockets: make(map[string]int), held: make(map[uint64]int)}
}

// Hello implements [handover.Successor].
func (e *Heir) Hello(predecessor handover.Hello) (handover.Hello, error) {
	hello := handover.Hello{Release: e.server.config.Version, OldestState: oldestState, NewestState: newestState}
	if predecessor.Settings[settingTLS] != "" && e.server.config.TLS == nil {
		return hello, errors.New("the predecessor speaks TLS, and by its settings the successor does not")
	}
	return hello, e.server.cluster.succeed(predecessor.Settings)
}

// Listener implements [handover.Successor].
func (e *Heir) Listener(name string, fd int) error {
	if _, twice := e.sockets[name]; twice {
		unix.Close(fd)
		return fmt.Errorf("two listeners are called %q", name)
	}
	e.sockets[name] = fd
	return nil
}

// Connection implements [handover.Successor].
func (e *Heir) Connection(name uint64, fd int) error {
	if _, twice := e.held[name]; twice {
		unix.Close(fd)
		return fmt.Errorf("two connections are called %d", name)
	}
	e.held[name] = fd
	return nil
}

// Gone implements [handover.Successor]. One that was gone before it could be sent is
// not known.
func (e *Heir) Gone(name uint64) {
	if fd, ok := e.held[name]; ok {
		unix.Close(fd)
		delete(e.held, name)
	}
}

// State implements [handover.Successor]: all stands as it stood there, and nobody
// reads or writes (U1).
func (e *Heir) State(b []byte) (sums handover.Sums, err error) {
	e.collects = host.HoldCollector()
	t, err := parseState(b, len(e.held))
	if err != nil {
		return sums, err
	}
	if len(t.names) != len(t.carries) {
		return sums, errCarry
	}
	fds := make([]int, len(t.names))
	named := make(map[uint64]bool, len(fds))
	for i, name := range t.names {
		fd, ok := e.held[name]
		if !ok || named[name] {
			return sums, fmt.Errorf("connection %d has not come, or is named twice", name)
		}
		fds[i], named[name] = fd, true
	}
	s := e.server
	if e.state, err = s.inherit(t, fds); err != nil {
		return sums, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	if e.halt, err = s.halt(ctx); err != nil {
		return sums, err
	}
	clear(e.held) // they are the server's
	e.halt.run(e.state.settle)
	e.halt.run(e.state.restore)
	backlogs := make([]int64, len(e.halt.steps))
	e.halt.run(func(h *handler) { backlogs[h.worker.Index()] = h.worker.Stats().BacklogBytes })
	for _, n := range backlogs {
		sums.BacklogBytes += uint64(n)
	}
	sums.Connections, sums.Seats, sums.Pairs, sums.Waiting = s.poller.Count(), s.pairs.Clients(), s.pairs.Pairs(), s.pairs.Waiting()
	return sums, nil
}

// Serve implements [handover.Successor].
func (e *Heir) Serve() error {
	s, legacy := e.server, &e.state.legacy
	if legacy.Counters != nil {
		s.before.Store(legacy.Counters)
	}
	for i, n := range legacy.Handovers {
		s.handovers[i].Store(n)
	}
	s.handovers[metrics.HandoverDone].Add(1)
	e.halt.run(e.state.begin)
	s.lineage.Store(&Lineage{From: legacy.Release, At: time.Now(), Frozen: time.Duration(monotonic() - legacy.Frozen)})
	e.halt.end()
	s.cluster.goOn()
	e.halt, e.state = nil, nil
	e.goOnCollecting()
	err := e.listen(e.sockets)
	e.sockets = nil
	s.Started()
	return errors.Join(err, e.catchUp())
}

// catchUp does what the predecessor had no time for any more: whom it has banned at the
// last moment go, and the reports that it has filed are known.
func (e *Heir) catchUp() error {
	s := e.server
	err := errors.Join(s.expelBanned(), s.expelPeople())
	if s.config.Inbox != nil {
		err = errors.Join(err, s.config.Inbox.Look())
	}
	return err
}

// goOnCollecting has the garbage collected again.
func (e *Heir) goOnCollecting() {
	if e.collects != nil {
		e.collects()
		e.collects = nil
	}
}

// Close lets go of what the server has not come to serve.
func (e *Heir) Close() {
	e.goOnCollecting()
	if e.halt != nil {
		e.halt.abandon()
		e.halt.end()
	}
	for _, fd := range e.held {
		unix.Close(fd)
	}
	for _, fd := range e.sockets {
		unix.Close(fd)
	}
}

// Lineage is how the server has come to what it serves; nil: by itself.
func (s *Server) Lineage() *Lineage { return s.lineage.Load() }
