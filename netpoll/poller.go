package netpoll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Handler is what a Poller's user does with connections. Each worker has its
// own, and calls it on its own goroutine only; so its state needs no locks.
type Handler interface {
	// Accepted: c was just accepted from peer, at the listeners called door. False
	// closes it at once, and Closed is not called.
	Accepted(c *Conn, peer netip.AddrPort, door Door) bool
	// Refused: a connection was closed before there was a Conn for it.
	Refused(why Refusal)
	// Read: b arrived on c. b is the worker's and dies on return (I3); it may
	// be changed meanwhile.
	Read(c *Conn, b []byte)
	// Drained: c's backlog is empty again, so who was paused for it may Resume.
	Drained(c *Conn)
	// Stalled: c took nothing of its backlog for Config.StallTimeout, or the
	// backlog is at its limit. The handler closes it.
	Stalled(c *Conn)
	// Sweep: the coarse clock passed by; about once a second for each open
	// connection that is not closing.
	Sweep(c *Conn)
	// Garbled: what c sent, who has a codec, is no record, for the reason that
	// Codec.Open gave. Read was called with all that came before. The handler ends
	// c, or else it is closed.
	Garbled(c *Conn, err error)
	// Closed: c's descriptor was closed for this cause; its ID is free when
	// Closed returns. Called once for each connection (I6).
	Closed(c *Conn, cause Cause)
}

// Door is what the user calls a listener, or several that mean the same to it.
type Door uint8

// Refusal is why a connection was closed as soon as it was accepted.
type Refusal uint8

const (
	// TooMany: there are Config.MaxConns.
	TooMany Refusal = iota
	// NoDescriptors: the process, or the machine, has no descriptor left for it.
	NoDescriptors
)

// Ticker is what a Handler may be besides.
type Ticker interface {
	// Tick: at each tick of the coarse clock.
	Tick()
	// Missed: the worker did not run for so many milliseconds, which are to count
	// for no deadline of the handler's either. Before Tick and Sweep.
	Missed(milliseconds uint32)
}

// Cause is how a connection's descriptor came to be closed, as far as the
// sockets can tell.
type Cause uint8

const (
	// Requested: by Conn.Close, or Conn.Finish and the peer then closed too.
	Requested Cause = iota
	// EndOfFile: read(2) returned 0.
	EndOfFile
	// Failed: read(2) or an epoll call reported an error (ECONNRESET, ETIMEDOUT, …).
	Failed
	// Abandoned: after Conn.Finish the peer did not close within Config.LingerTimeout.
	Abandoned
)

// Config says how a Poller works. Zero values mean the defaults.
type Config struct {
	// NewHandler makes the handler of one worker. Required.
	NewHandler func(*Worker) Handler
	// CodecOf returns the codec that a Coded is in: all are of one type, and two words
	// for each connection to say which would be too many. Required if there are any. Any
	// goroutine.
	CodecOf func(*Coded) Codec
	// Workers: how many; default GOMAXPROCS, at most 256.
	Workers int
	// MaxConns bounds the connections that exist at once, those above it are
	// refused with a bare close by the accept path; default 1<<20, at most 1<<24.
	MaxConns int
	// ReadBuffer is the size of a worker's read buffer, and so the most that
	// one turn reads from one socket; default 256 KiB (64 KiB cost half as
	// much again in a stream of 16 KiB messages).
	ReadBuffer int
	// Wipe has the read buffer forget what it held as soon as the handler has seen it,
	// so that nothing that was relayed is in the process's memory: a core dump has none.
	Wipe bool
	// BacklogLimit bounds the bytes that wait for one receiver; default 1 MiB.
	BacklogLimit int
	// StallTimeout: default 15 s. LingerTimeout: default 3 s.
	StallTimeout, LingerTimeout time.Duration
	// Tick is the period of the coarse clock; default 250 ms.
	Tick time.Duration
	// Kernel: default Linux().
	Kernel Kernel
	// Logger: default slog.Default().
	Logger *slog.Logger
}

const (
	maxWorkers = 256
	maxConns   = 1 << 24
	// sweepTicks: one in so many of a worker's chunks is swept at each tick.
	sweepTicks = 4
)

func (c Config) withDefaults() Config {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.Workers, runtime.GOMAXPROCS(0))
	c.Workers = min(c.Workers, maxWorkers)
	def(&c.MaxConns, 1<<20)
	c.MaxConns = min(c.MaxConns, maxConns)
	def(&c.ReadBuffer, 256<<10)
	def(&c.BacklogLimit, 1<<20)
	defDuration := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	defDuration(&c.StallTimeout, 15*time.Second)
	defDuration(&c.LingerTimeout, 3*time.Second)
	defDuration(&c.Tick, 250*time.Millisecond)
	if c.Kernel == nil {
		c.Kernel = Linux()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// IDs is what [Poller.IDs] of a Poller with this Config will be, for what its
// handlers need before it is opened. (Workers must be given: the default may
// change with the processors there are.)
func (c Config) IDs() int {
	c = c.withDefaults()
	return c.chunksPerWorker() << (chunkBits + c.idShift())
}

func (c Config) idShift() uint { return uint(bits.Len(uint(c.Workers - 1))) }

// chunksPerWorker leaves room for all connections to be one worker's.
func (c Config) chunksPerWorker() int { return (c.MaxConns+chunkSlots-1)/chunkSlots + 1 }

// MaxStallTimeout is the most that a stall timeout can be: after it the kernel
// itself gives up a receiver that takes nothing (TCP_USER_TIMEOUT, tcp(7)).
const MaxStallTimeout = 5 * time.Minute

// Limits are what of a Config may change while the Poller runs; see SetTick for
// another.
type Limits struct {
	BacklogLimit int
	StallTimeout time.Duration
}

// Poller is N workers and the listeners they accept from.
type Poller struct {
	// Immutable after Open.
	config  Config // but for what limits has
	kernel  Kernel
	workers []*Worker
	idShift uint // a connection's ID is place<<idShift | worker

	// Atomic.
	limits   atomic.Pointer[Limits]
	open     atomic.Int64 // connections
	spareOut atomic.Bool  // spare was given up and is not there again

	// Guarded by mu.
	mu        sync.Mutex
	listeners []*listener
	spare     int // a descriptor to give up when there are no others; -1: none
	closed    bool
}

// ErrClosed is what a closed Poller answers.
var ErrClosed = errors.New("netpoll: closed")

// Open makes the workers, which do nothing but what they are asked until Start.
func Open(config Config) (*Poller, error) {
	config = config.withDefaults()
	p := &Poller{
		config:  config,
		kernel:  config.Kernel,
		idShift: config.idShift(),
		spare:   -1,
	}
	spare, err := p.kernel.Spare()
	if err != nil {
		return nil, fmt.Errorf("netpoll: open: %w", err)
	}
	p.spare = spare
	p.limits.Store(&Limits{config.BacklogLimit, config.StallTimeout})
	for i := range config.Workers {
		w, err := openWorker(p, i)
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("netpoll: open: %w", err)
		}
		p.workers = append(p.workers, w)
	}
	return p, nil
}

// Start sets the coarse clock going, and with it Handler.Sweep and Ticker.Tick. What
// its caller has needed since Open, seconds on a busy machine, is no connection's age.
// It orders all that its caller did before all that the workers do from here on.
func (p *Poller) Start() error {
	for _, w := range p.workers {
		if err := w.Ask(func() { w.now = milliseconds(w.kernel.Now()) }); err != nil {
			return err
		}
	}
	return p.SetTick(p.config.Tick)
}

// SetLimits changes the limits, all of them: zero is no default here. A backlog
// that stands may be longer than a smaller limit allows; nothing is added to it
// until it is not.
func (p *Poller) SetLimits(l Limits) { p.limits.Store(&l) }

// Conn returns the connection that has this ID, or nil. What it is by the time
// the caller looks is known only under its write lock, see [Conn.Send].
func (p *Poller) Conn(id uint32) *Conn {
	index := int(id & (1<<p.idShift - 1))
	place := id >> p.idShift
	if index >= len(p.workers) || int(place>>chunkBits) >= len(p.workers[index].chunks) {
		return nil
	}
	k := p.workers[index].chunks[place>>chunkBits].Load()
	slot := place & (1<<chunkBits - 1)
	if k == nil || slot < chunkReserved {
		return nil
	}
	return &k.conns[slot-chunkReserved]
}

// IDs is an upper bound (exclusive) of all IDs.
func (p *Poller) IDs() int { return p.config.IDs() }

// Count is how many connections there are, closing ones included.
func (p *Poller) Count() int { return int(p.open.Load()) }

// Workers returns the workers, in the order of their indices.
func (p *Poller) Workers() []*Worker { return p.workers }

func (p *Poller) leastLoaded() *Worker {
	least := p.workers[0]
	for _, w := range p.workers[1:] {
		if w.count.Load() < least.count.Load() {
			least = w
		}
	}
	return least
}

// Each runs f for every connection that is open and not closing, each on its
// worker, and returns when all workers are through, or ctx is done.
func (p *Poller) Each(ctx context.Context, f func(h Handler, c *Conn)) error {
	return p.OnWorkers(ctx, func(w *Worker) {
		w.Each(func(c *Conn) { f(w.handler, c) })
	})
}

// OnWorkers runs f once on each worker and returns when all are through, or ctx
// is done.
func (p *Poller) OnWorkers(ctx context.Context, f func(*Worker)) error {
	done := make(chan struct{}, len(p.workers))
	for _, w := range p.workers {
		if err := w.Ask(func() { f(w); done <- struct{}{} }); err != nil {
			return err
		}
	}
	for range p.workers {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close stops listening, closes every connection, and ends the workers. It must
// not be called from one of them.
func (p *Poller) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	p.closed = true
	p.mu.Unlock()

	p.StopListening()
	var errs []error
	for _, w := range p.workers {
		errs = append(errs, w.close())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spare >= 0 {
		p.kernel.Close(p.spare)
		p.spare = -1
	}
	return errors.Join(errs...)
}
