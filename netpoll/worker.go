package netpoll

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"
)

// Worker is one of the bounded pool: the goroutine that waits in one epoll, and
// all that belongs to it.
type Worker struct {
	// Immutable after openWorker.
	poller  *Poller
	kernel  Kernel
	index   int
	handler Handler
	ticker  Ticker // the handler, if it is one; else nil
	epoll   Epoll
	timer   int // timerfd: the coarse clock
	event   int // eventfd: something is in the mailbox
	chunks  []atomic.Pointer[chunk]
	ended   chan struct{} // closed when the goroutine has ended

	// Owned by the worker's goroutine.
	memory    []byte // buf, with RecordRoom before and after it
	buf       []byte // what is read goes here (I3)
	local     any    // see Local
	now       uint32 // milliseconds since Open, as of the last tick; wraps
	tick      uint32
	period    time.Duration // of the coarse clock
	firstFree int           // no chunk before this one has a free slot
	lastChunk int           // one past the last chunk that exists
	refused   map[*listener]*backoff
	stats     Stats
	load      load

	breathed, breathedBytes uint64 // stats.Events and BytesRead at the last breath
	closing                 bool
	late                    bool            // the last tick came after a gap
	batch                   []func()        // taken from the mailbox and not run yet
	freed                   func(id uint32) // see OnFree; nil: nobody wants to know

	// Atomic.
	count atomic.Int64 // connections

	// Guarded by mailMu.
	mailMu     sync.Mutex
	tasks      []func()
	arrivals   []arrival // bound: what the other workers' accept turns took (I4)
	mailClosed bool
}

// Stats are what a worker has counted since it began. Owned by the worker; read
// it there ([Poller.OnWorkers]).
type Stats struct {
	Accepted             uint64
	AcceptErrors         map[unix.Errno]uint64
	Events               uint64               // that epoll_wait(2) returned
	Busy                 time.Duration        // spent in callbacks; a sample's, extrapolated, see load
	Wakeups              [WakeupSizes]float64 // returns of epoll_wait(2), likewise
	BytesRead, BytesSent uint64
	Pauses               uint64
	BacklogBytes         int64 // standing now: enqueued less dequeued by this worker
	BacklogConns         int64 // likewise
	StallsRecovered      uint64
	StallsReported       uint64
}

func openWorker(p *Poller, index int) (*Worker, error) {
	w := &Worker{
		poller:  p,
		kernel:  p.kernel,
		index:   index,
		chunks:  make([]atomic.Pointer[chunk], p.config.chunksPerWorker()),
		memory:  make([]byte, RecordRoom+p.config.ReadBuffer+RecordRoom),
		now:     milliseconds(p.kernel.Now()),
		period:  p.config.Tick,
		refused: make(map[*listener]*backoff),
		stats:   Stats{AcceptErrors: make(map[unix.Errno]uint64)},
		ended:   make(chan struct{}),
		timer:   -1,
		event:   -1,
	}
	w.buf = w.memory[RecordRoom:][:p.config.ReadBuffer]
	w.handler = p.config.NewHandler(w)
	w.ticker, _ = w.handler.(Ticker)
	if err := w.open(); err != nil {
		w.release()
		return nil, fmt.Errorf("worker %d: %w", index, err)
	}
	return w, nil
}

func (w *Worker) open() (err error) {
	if w.timer, err = w.kernel.Timer(); err != nil {
		return err
	}
	if w.event, err = w.kernel.Event(); err != nil {
		return err
	}
	if w.epoll, err = w.kernel.Epoll(w.waitFailed); err != nil {
		return err
	}
	if err = w.epoll.Add(w.timer, easygo.EPOLLIN, w.callback(w.onTick)); err != nil {
		return err
	}
	return w.epoll.Add(w.event, easygo.EPOLLIN, w.callback(w.onMail))
}

// waitFailed: without epoll_wait(2) there is nothing left to do.
func (w *Worker) waitFailed(err error) {
	panic(fmt.Sprintf("netpoll: worker %d: epoll_wait: %v", w.index, err))
}

// release gives back what open took.
func (w *Worker) release() {
	if w.epoll != nil {
		w.epoll.Close()
	}
	for _, fd := range []int{w.timer, w.event} {
		if fd >= 0 {
			w.kernel.Close(fd)
		}
	}
}

// Index is the worker's place among [Poller.Workers].
func (w *Worker) Index() int { return w.index }

// Handler returns the worker's handler, whose state is the worker's own.
func (w *Worker) Handler() Handler { return w.handler }

// Stats returns the worker's counters. Worker only.
func (w *Worker) Stats() *Stats { return &w.stats }

// Count is how many connections the worker owns. Any goroutine.
func (w *Worker) Count() int { return int(w.count.Load()) }

// Ended is closed when the worker has ended: what was its own is then left to
// whoever waited for that. Any goroutine.
func (w *Worker) Ended() <-chan struct{} { return w.ended }

// Ask runs f on the worker, soon. Any goroutine. ErrClosed if it never will: the
// worker is about to end, see Ended.
func (w *Worker) Ask(f func()) error {
	return w.post(func() { w.tasks = append(w.tasks, f) })
}

func (w *Worker) post(add func()) error {
	w.mailMu.Lock()
	if w.mailClosed {
		w.mailMu.Unlock()
		return ErrClosed
	}
	first := len(w.tasks)+len(w.arrivals) == 0
	add()
	w.mailMu.Unlock()
	if first {
		w.kernel.Signal(w.event)
	}
	return nil
}

func (w *Worker) onMail() {
	w.kernel.Drain(w.event)
	w.ReadMail()
}

// ReadMail does at once what others have asked of the worker, and tells whether there
// was anything. A task may call it, which is then through before those that came
// behind it. Worker only.
func (w *Worker) ReadMail() (any bool) {
	w.mailMu.Lock()
	tasks, arrivals := w.tasks, w.arrivals
	w.tasks, w.arrivals = nil, nil
	w.mailMu.Unlock()
	if len(w.batch) == 0 {
		w.batch = tasks
	} else {
		w.batch = append(w.batch, tasks...)
	}
	any = len(arrivals)+len(w.batch) > 0
	for _, a := range arrivals {
		w.arrive(a.fd, a.peer, a.door)
	}
	for len(w.batch) > 0 {
		f := w.batch[0]
		w.batch = w.batch[1:]
		f()
	}
	return any
}

// OnFree has f called whenever a connection's ID becomes free, until OnFree(nil).
// Worker only.
func (w *Worker) OnFree(f func(id uint32)) { w.freed = f }

// Each calls f for every connection of the worker that is open and not closing;
// f may close it. Worker only.
func (w *Worker) Each(f func(*Conn)) {
	w.each(func(c *Conn) {
		if !c.has(closing) {
			f(c)
		}
	})
}

// All is Each with those that are closing. Worker only.
func (w *Worker) All(f func(*Conn)) { w.each(f) }

// each calls f for every open connection of the worker; f may close it.
func (w *Worker) each(f func(*Conn)) {
	for i := range w.lastChunk {
		if k := w.chunks[i].Load(); k != nil {
			for j := range k.conns {
				if c := &k.conns[j]; c.fd >= 0 {
					f(c)
				}
			}
		}
	}
}

// add makes fd a connection of this worker, or closes it and returns nil if
// there is no place, or the worker is at its end.
func (w *Worker) add(fd int) *Conn {
	if w.closing {
		w.kernel.Close(fd)
		return nil
	}
	c := w.takeSlot()
	if c == nil {
		w.kernel.Close(fd)
		return nil
	}
	c.heard, c.opened = w.now, w.now
	c.Key, c.Rate = 0, 0
	c.bits.And(0xff << slotShift)
	c.Lock()
	c.fd = int32(fd) // I2: from here on others may write
	c.Unlock()
	w.count.Add(1)
	w.poller.open.Add(1)
	return c
}

// register puts c into the epoll, for good. What has arrived before is reported
// as an event.
func (w *Worker) register(c *Conn) {
	if c.fd < 0 {
		return
	}
	if err := w.epoll.Add(int(c.fd), connEvents, c.ready); err != nil {
		c.close(Failed)
	}
}

// takeSlot finds a free slot in the lowest chunk that has one, so that chunks
// empty out when a crowd has left.
func (w *Worker) takeSlot() *Conn {
	for i := w.firstFree; i < len(w.chunks); i++ {
		k := w.chunks[i].Load()
		if k == nil {
			k = newChunk(w, i)
			w.chunks[i].Store(k)
			w.lastChunk = max(w.lastChunk, i+1)
		}
		if k.next != 0 {
			w.firstFree = i
			c := &k.conns[k.next-1]
			k.next = c.opened
			k.used++
			return c
		}
	}
	w.firstFree = len(w.chunks)
	return nil
}

// freeSlot gives c's slot back, and its chunk to the garbage collector when it
// was the last in it.
func (w *Worker) freeSlot(c *Conn) {
	if w.freed != nil {
		w.freed(c.ID())
	}
	k := c.chunk()
	c.opened = k.next
	k.next = c.slot() - chunkReserved + 1
	k.used--
	i := int(k.number)
	w.firstFree = min(w.firstFree, i)
	if k.used == 0 {
		w.chunks[i].Store(nil)
		for w.lastChunk > 0 && w.chunks[w.lastChunk-1].Load() == nil {
			w.lastChunk--
		}
	}
}

func newChunk(w *Worker, number int) *chunk {
	k := &chunk{worker: w, number: uint32(number), next: 1}
	if s, ok := w.kernel.(Scheduler); ok {
		k.yield = s.BeforeLock
	}
	for i := range k.conns {
		c := &k.conns[i]
		c.fd = -1
		c.bits.Store(uint32(i+chunkReserved) << slotShift)
		c.opened = uint32(i + 2)
	}
	k.conns[chunkSlots-1].opened = 0
	return k
}

// close ends the worker from outside.
func (w *Worker) close() error {
	done := make(chan struct{})
	err := w.Ask(func() {
		w.closing = true
		w.each(func(c *Conn) { c.close(Requested) })
		w.mailMu.Lock()
		w.mailClosed = true
		tasks, arrivals := append(w.batch, w.tasks...), w.arrivals
		w.batch, w.tasks, w.arrivals = nil, nil, nil
		w.mailMu.Unlock()
		for _, a := range arrivals {
			w.kernel.Close(a.fd)
		}
		for _, f := range tasks {
			f()
		}
		w.each(func(c *Conn) { c.close(Requested) })
		w.epoll.Del(w.timer)
		w.epoll.Del(w.event)
		close(done)
	})
	if err != nil {
		return err
	}
	<-done
	w.release()
	close(w.ended)
	return nil
}
