package netpoll

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"
)

// listener is one listening socket. Every worker has it in its epoll,
// level-triggered and exclusive, so that each new connection wakes one of them.
type listener struct {
	fd   int
	addr netip.AddrPort
	door Door
}

// arrival is an accepted socket on its way to the worker that will own it.
type arrival struct {
	fd   int
	peer netip.AddrPort
	door Door
}

const (
	// acceptBudget bounds the accepts of one turn (I4); level-triggering
	// brings the rest back.
	acceptBudget = 64
	// A worker that accepts keeps the connection unless another has fewer by
	// this many: balance is kept, and most connections need no hand-over.
	acceptSlack = 16

	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Second
)

// backoff says when a worker listens again after it ran out of descriptors.
type backoff struct {
	wait  time.Duration
	until time.Duration // by Kernel.Now; 0: it listens
}

// Listen opens a listening socket at door 0; see ListenAt.
func (p *Poller) Listen(addr netip.AddrPort) (netip.AddrPort, error) { return p.ListenAt(0, addr) }

// ListenAt opens a listening socket, to be accepted from by all workers from now
// on. It returns the bound address, whose port the kernel has chosen if addr's
// is 0. An unspecified IPv6 address takes IPv4 connections too.
func (p *Poller) ListenAt(door Door, addr netip.AddrPort) (netip.AddrPort, error) {
	fd, err := p.kernel.Listen(addr)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("netpoll: listen on %v: %w", addr, err)
	}
	return p.ListenOn(door, fd)
}

// ListenOn is ListenAt for a non-blocking socket that listens already. The
// descriptor is the Poller's from now on. It must not be called from a worker.
func (p *Poller) ListenOn(door Door, fd int) (netip.AddrPort, error) {
	l := &listener{fd: fd, door: door}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.kernel.Close(fd)
		return netip.AddrPort{}, ErrClosed
	}
	var err error
	if l.addr, err = p.kernel.LocalAddr(fd); err == nil {
		err = p.register(l)
	}
	if err == nil {
		p.listeners = append(p.listeners, l)
	}
	p.mu.Unlock() // for a worker that accepts from l already may want it
	if err != nil {
		p.closeListener(l, (*Worker).unlisten)
		return netip.AddrPort{}, fmt.Errorf("netpoll: listen: %w", err)
	}
	return l.addr, nil
}

// register puts l into the epolls of all workers.
func (p *Poller) register(l *listener) error {
	for _, w := range p.workers {
		if err := w.listen(l); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) listen(l *listener) error {
	return w.epoll.Add(l.fd, listenerEvents, w.callback(func() { w.accept(l) }))
}

// StopListening closes all listeners: who connects now is refused by the
// kernel. Those who wait in the kernel's queue are accepted before, for closing
// would reset them. It returns when no worker accepts any more, so it must not be
// called from one of them.
func (p *Poller) StopListening() {
	p.mu.Lock()
	listeners := p.listeners
	p.listeners = nil
	p.mu.Unlock()
	for _, l := range listeners {
		p.closeListener(l, func(w *Worker, l *listener) {
			for turns := 0; turns < lastTurns && w.accept(l); turns++ {
			}
			w.unlisten(l)
		})
	}
}

// lastTurns bounds what is accepted of a queue before its listener is closed
// (I4).
const lastTurns = 64

// closeListener has each worker do its last for l, and then closes it: nobody
// accepts from its number when it is somebody else's (I1).
func (p *Poller) closeListener(l *listener, last func(*Worker, *listener)) {
	for _, w := range p.workers {
		through := make(chan struct{})
		if w.Ask(func() { last(w, l); close(through) }) == nil {
			<-through
		}
	}
	p.kernel.Close(l.fd)
}

// Listening is a listening socket.
type Listening struct {
	FD   int // the Poller's
	Addr netip.AddrPort
	Door Door
}

// Listeners are the sockets that are accepted from.
func (p *Poller) Listeners() (all []Listening) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.listeners {
		all = append(all, Listening{l.fd, l.addr, l.door})
	}
	return all
}

// Deafen has the worker accept from no listener any more; who waits in their queues
// is another process's. Worker only, and then CloseListeners.
func (w *Worker) Deafen() {
	w.poller.mu.Lock()
	listeners := w.poller.listeners
	w.poller.mu.Unlock()
	for _, l := range listeners {
		w.unlisten(l)
	}
}

// CloseListeners closes the listeners, which all workers were deafened to and another
// process accepts from.
func (p *Poller) CloseListeners() {
	p.mu.Lock()
	listeners := p.listeners
	p.listeners = nil
	p.mu.Unlock()
	for _, l := range listeners {
		p.kernel.Close(l.fd)
	}
}

// unlisten forgets l.
func (w *Worker) unlisten(l *listener) {
	delete(w.refused, l)
	w.epoll.Del(l.fd) // fails where it was never added, or the worker had backed off
}

// accept takes a turn's worth of connections from l, and tells whether there may be
// more.
func (w *Worker) accept(l *listener) (more bool) {
	if w.closing {
		return false
	}
	failures := 0
	for range acceptBudget {
		fd, peer, errno := w.kernel.Accept(l.fd)
		switch errno {
		case 0:
			w.stats.Accepted++
			if b := w.refused[l]; b != nil && b.until == 0 {
				delete(w.refused, l)
			}
			if w.poller.spareOut.Load() {
				w.refuseForSpare(fd)
				continue
			}
		case unix.EAGAIN:
			return false
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			w.stats.AcceptErrors[errno]++
			w.outOfDescriptors(l)
			return false
		default:
			// accept(2): the connection was gone before it was taken, or the
			// network reports what it would have on a later call. Try the next.
			w.stats.AcceptErrors[errno]++
			if failures++; failures == acceptBudget {
				w.backOff(l) // it is not the connections, then
			}
			continue
		}
		if w.poller.Count() >= w.poller.config.MaxConns {
			w.kernel.Close(fd)
			w.handler.Refused(TooMany)
			continue
		}
		least := w.poller.leastLoaded()
		if least == w || w.count.Load() <= least.count.Load()+acceptSlack {
			w.arrive(fd, peer, l.door)
			continue
		}
		if least.post(func() { least.arrivals = append(least.arrivals, arrival{fd, peer, l.door}) }) != nil {
			w.kernel.Close(fd)
		}
	}
	return true
}

// arrive makes an accepted socket a connection of this worker and reads it at
// once: most clients' requests are there by the time they are accepted.
func (w *Worker) arrive(fd int, peer netip.AddrPort, door Door) {
	c := w.add(fd)
	if c == nil {
		w.handler.Refused(TooMany)
		return
	}
	if !w.handler.Accepted(c, peer, door) {
		c.discard()
		return
	}
	c.read(0)
	w.register(c)
}

// outOfDescriptors refuses one connection with the help of the spare
// descriptor, and stops listening for a while on this worker: level-triggered
// readiness would spin.
func (w *Worker) outOfDescriptors(l *listener) {
	p, refused := w.poller, false
	p.mu.Lock()
	if p.spare >= 0 {
		p.spareOut.Store(true) // before another worker can get its number
		p.kernel.Close(p.spare)
		p.spare = -1
		if fd, _, errno := p.kernel.Accept(l.fd); errno == 0 {
			p.kernel.Close(fd)
			refused = true
		}
	}
	p.openSpareLocked()
	p.mu.Unlock()
	if refused {
		w.handler.Refused(NoDescriptors)
	}
	w.backOff(l)
}

// backOff stops listening for a while, twice as long each time.
func (w *Worker) backOff(l *listener) {
	b := w.refused[l]
	if b == nil {
		b = &backoff{wait: minBackoff / 2}
		w.refused[l] = b
	}
	b.wait = min(2*b.wait, maxBackoff)
	b.until = w.kernel.Now() + b.wait
	w.epoll.Del(l.fd)
	w.armTimer(b.wait)
}

// refuseForSpare gives up a connection whose descriptor may be the one that was
// the spare's: without a spare, whoever comes when there are no descriptors
// would wait without an answer until somebody leaves.
func (w *Worker) refuseForSpare(fd int) {
	p := w.poller
	w.kernel.Close(fd)
	p.mu.Lock()
	p.openSpareLocked()
	p.mu.Unlock()
	w.handler.Refused(NoDescriptors)
}

func (p *Poller) openSpareLocked() {
	if p.spare >= 0 || p.closed {
		return
	}
	fd, err := p.kernel.Spare()
	if err != nil {
		return
	}
	p.spare = fd
	p.spareOut.Store(false)
}

// retryListeners listens again where the wait is over.
func (w *Worker) retryListeners() {
	for l, b := range w.refused {
		if b.until == 0 {
			continue
		}
		now := w.kernel.Now()
		if b.until > now {
			w.armTimer(b.until - now)
			continue
		}
		b.until = 0
		if err := w.listen(l); err != nil && !errors.Is(err, easygo.ErrRegistered) {
			w.epoll.Del(l.fd)
			b.until = now + maxBackoff
		}
	}
}
