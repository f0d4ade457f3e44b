package server

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/handover"
	"roulette/cmd/roulette/internal/host"
	"roulette/metrics"
	"roulette/netpoll"
)

// Leaving is a server that hands all it serves to a successor: a
// [handover.Predecessor]. Owned by the goroutine that hands over.
type Leaving struct {
	server    *Server
	listeners []handover.Listener
	version   byte // of the state, for the successor to read
	pass      func(fd int, b []byte) error
	names     atomic.Uint64 // given to connections so far
	restless  error         // why chats with other nodes may begin at any moment; nil: they do not
	halt      *halt         // nil: it serves
	collects  func()        // has the garbage collected again
	estate    *estate       // in a halt
}

// travelled are the connections of a worker that a successor has been sent, and the
// names of those of them that are gone; IDs are given again. Owned by the worker.
type travelled struct {
	names map[uint32]uint64 // by ID
	gone  []uint64
}

var (
	// ErrLeaving: a hand-over is under way.
	ErrLeaving    = errors.New("another upgrade is under way")
	errOldCluster = errors.New("the successor is of a release that does not take along who talks to another node: drain this one instead")
	errNotServing = errors.New("the server is not serving, or on its way out")
)

// Sockets are the listening sockets, in the order in which the server has got them.
func (s *Server) Sockets() (fds []int) {
	for _, l := range s.poller.Listeners() {
		fds = append(fds, l.FD)
	}
	return fds
}

// Leave begins a hand-over in which the listeners go along. End must follow. pass sends
// the successor a connection that comes home too late to go with the others
// ([handover.Conn.Pass]).
func (s *Server) Leave(listeners []handover.Listener, pass func(fd int, b []byte) error) (*Leaving, error) {
	if s.phaseNow() != phaseServing {
		return nil, errNotServing
	}
	l := &Leaving{server: s, listeners: listeners, pass: pass}
	if !s.leaving.CompareAndSwap(nil, l) {
		return nil, ErrLeaving
	}
	s.bans.Note(true)
	return l, nil
}

// End ends the hand-over, whatever has become of it. It counts nothing and thaws
// nothing: [handover.Hand] is over.
func (l *Leaving) End() {
	_ = l.server.poller.OnWorkers(context.Background(), func(w *netpoll.Worker) {
		w.OnFree(nil)
		w.Handler().(*handler).travelled = travelled{}
	}) // an error: the workers have ended
	l.server.cluster.rouse()
	l.server.bans.Note(false)
	l.server.leaving.Store(nil)
}

// settingTLS is what a successor must have if the predecessor has it.
const settingTLS = "tls"

// Hello implements [handover.Predecessor].
func (l *Leaving) Hello() handover.Hello {
	hello := handover.Hello{Release: l.server.config.Version, OldestState: oldestState, NewestState: newestState}
	hello.Settings = make(map[string]string)
	if l.server.config.TLS != nil {
		hello.Settings[settingTLS] = "1.3"
	}
	l.server.cluster.settings(hello.Settings)
	return hello
}

// Accept implements [handover.Predecessor].
func (l *Leaving) Accept(_ handover.Hello, state int) error {
	if l.server.cluster != nil && state < stateWithNodes {
		return errOldCluster
	}
	l.version = byte(state)
	return nil
}

// Listeners implements [handover.Predecessor].
func (l *Leaving) Listeners() []handover.Listener { return l.listeners }

// Connections implements [handover.Predecessor].
func (l *Leaving) Connections() []handover.Connection {
	workers := l.server.poller.Workers()
	lists := make([][]handover.Connection, len(workers))
	err := l.server.poller.OnWorkers(context.Background(), func(w *netpoll.Worker) {
		h := w.Handler().(*handler)
		h.travelled = travelled{names: make(map[uint32]uint64, w.Count())}
		w.OnFree(func(id uint32) {
			if name, ok := h.travelled.names[id]; ok {
				delete(h.travelled.names, id)
				h.travelled.gone = append(h.travelled.gone, name)
			}
		})
		lists[w.Index()] = l.untold(h)
	})
	if err != nil { // it has been closed; Freeze says so
		return nil
	}
	var all []handover.Connection
	for _, list := range lists {
		all = append(all, list...)
	}
	l.restless = l.server.cluster.calm()
	return all
}

// untold names those of h's connections that have no name yet. On h's worker.
func (l *Leaving) untold(h *handler) (list []handover.Connection) {
	h.worker.All(func(c *netpoll.Conn) {
		if _, told := h.travelled.names[c.ID()]; !told {
			name := l.names.Add(1)
			h.travelled.names[c.ID()] = name
			list = append(list, handover.Connection{ID: name, FD: c.FD()})
		}
	})
	return list
}

// mailRounds bounds how often the workers look whether others have asked them for
// something: what they do then may be to ask others.
const mailRounds = 100

// Freeze implements [handover.Predecessor].
func (l *Leaving) Freeze(ctx context.Context) (*handover.Frozen, error) {
	s := l.server
	switch {
	case s.phaseNow() != phaseServing:
		return nil, errNotServing
	case l.restless != nil:
		return nil, l.restless
	}
	l.collects = host.HoldCollector()
	decisions := s.bans.Hold(s.clock())
	t, err := s.halt(ctx)
	if err != nil {
		s.bans.End(false)
		l.collects()
		return nil, err
	}
	s.cluster.stand()
	frozenAt := monotonic()
	calm := s.reports.calm(ctx) // and with it, no more of them begin
	readMail(t.run)
	e := s.newEstate(l.version)
	e.legacy.Decisions = decisions
	lists := make([][]handover.Connection, len(t.steps))
	names := make([][]uint64, len(t.steps))
	gone := make([][]uint64, len(t.steps))
	t.run(func(h *handler) {
		i := h.worker.Index()
		lists[i], gone[i] = l.untold(h), h.travelled.gone
		e.describe(h)
		for _, k := range e.given[i] {
			names[i] = append(names[i], h.travelled.names[k.id])
		}
	})
	t.run(e.describeBreaks)
	if s.cluster != nil {
		e.mesh, e.strangers, err = s.cluster.describe(ctx, milliseconds(s.now()))
	}
	l.halt, l.estate = t, e
	if err := errors.Join(e.err(), err, calm, ctx.Err()); err != nil {
		l.Thaw()
		return nil, err
	}
	f := new(handover.Frozen)
	for i := range lists {
		f.Came, f.Gone = append(f.Came, lists[i]...), append(f.Gone, gone[i]...)
		e.names = append(e.names, names[i]...)
		f.Sums.BacklogBytes += uint64(e.counted[i].BacklogBytes)
	}
	e.legacy.Release, e.legacy.Frozen = s.config.Version, frozenAt
	for i := range e.legacy.Handovers {
		e.legacy.Handovers[i] = s.handovers[i].Load()
	}
	f.State = e.append(nil)
	f.Sums.Connections, f.Sums.Seats, f.Sums.Pairs, f.Sums.Waiting = s.poller.Count(), s.pairs.Clients(), s.pairs.Pairs(), s.pairs.Waiting()
	return f, nil
}

// readMail has the workers do what others have asked of them, while they stand still:
// run runs a step on all of them.
func readMail(run func(step func(*handler))) {
	for range mailRounds {
		var busy atomic.Bool
		run(func(h *handler) {
			if h.worker.ReadMail() {
				busy.Store(true)
			}
		})
		if !busy.Load() {
			return
		}
	}
}

// Thaw implements [handover.Predecessor]. Nothing has changed (U2).
func (l *Leaving) Thaw() {
	l.halt.end()
	l.server.cluster.goOn()
	l.server.bans.End(false)
	l.collects()
}

// Release implements [handover.Predecessor].
func (l *Leaving) Release() {
	s := l.server
	s.successor.Store(&l.pass)
	s.phase.Store(int32(phaseDraining)) // who comes by another way is not for this process
	s.cluster.succeeded()
	l.halt.run(func(h *handler) { h.worker.Deafen() })
	l.halt.abandon()
	s.poller.CloseListeners()
	l.halt.end()
	s.bans.End(true)
	l.collects()
}

// Failed counts a hand-over that has failed.
func (l *Leaving) Failed() { l.server.handovers[metrics.HandoverFailed].Add(1) }

// monotonic is a clock that all processes of the machine share.
func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // never fails for this clock
	return now.Nano()
}
