package netpoll

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// Conn is one connection, 32 bytes. It lives in a slot of its worker's chunks;
// a *Conn stays good memory for ever, but after Handler.Closed the slot belongs
// to whoever comes next, so nobody keeps one across callbacks. What may be kept
// is the ID, and [Poller.Conn] finds the connection that has it now.
type Conn struct {
	// Guarded by the write lock; changed by the owner only.
	fd int32 // -1 when the slot is free or the socket closed

	// Owned by the worker.
	heard  uint32 // Worker.Now when bytes last arrived; when closing, since when
	opened uint32 // Worker.Now when it was accepted, later by the pauses of the worker since

	// Owned by the handler, on the owning worker. Of no meaning here.
	Key  uint32
	Rate uint32

	// Atomic. slot<<24 | flags<<16 | the handler's state.
	bits atomic.Uint32

	// A *spill, or nil; of a connection with a codec, a *Coded. Stored under the write
	// lock; see spilled and coded.
	rest unsafe.Pointer
}

// Flags in Conn.bits.
const (
	pausedByPeer = 1 << (16 + iota) // does not read: its partner's backlog must drain first
	pausedBySelf                    // does not read: its own backlog must drain first
	closing                         // nothing is written behind what stands, and what is read is discarded; set under the write lock
	holding                         // spill.held is set; owned by the worker
	resumed                         // was paused since it was last read
	isCoded                         // rest is a *Coded, for good

	paused    = pausedByPeer | pausedBySelf
	slotShift = 24
	stateMask = 1<<16 - 1
)

// spill is what a connection needs only now and then.
type spill struct {
	// Guarded by the write lock.
	backlog *buffer // nil: nothing waits; what it holds is as it goes to the socket

	// Owned by the worker.
	held    any
	partial *buffer // with a codec, the beginning of a record; nil: none
}

var spills = sync.Pool{New: func() any { return new(spill) }}

// A chunk is a block of connections of one worker: exactly what the allocator's size
// class of 8 KiB has room for, so that none of it is lost. Before what has pointers,
// and is larger than 512 bytes, the allocator keeps a word of its own in it.
const (
	chunkBits     = 8
	chunkSlots    = 1<<chunkBits - chunkReserved
	chunkReserved = 6 // slot numbers whose place the header takes
	stripes       = 16

	allocatorWord = 8
	chunkSize     = 8192 - allocatorWord
)

// Places is how many connections live together, see [Conn.Beside].
const Places = chunkSlots

type chunk struct {
	worker *Worker
	number uint32 // of the chunk, in its worker
	used   uint32
	next   uint32 // free slots: index+1 of the first, chained through Conn.opened
	_      [4]byte
	yield  func(*sync.Mutex) // nil but under a Scheduler
	beside atomic.Value
	_      [8]byte
	locks  [stripes]sync.Mutex
	conns  [chunkSlots]Conn
}

// The chunk fills its size class exactly and the header its slots, or this does
// not compile.
var (
	_ [chunkSize - unsafe.Sizeof(chunk{})]struct{}
	_ [unsafe.Sizeof(chunk{}) - chunkSize]struct{}
	_ [unsafe.Offsetof(chunk{}.conns) + allocatorWord - chunkReserved*unsafe.Sizeof(Conn{})]struct{}
)

func (c *Conn) slot() uint32 { return c.bits.Load() >> slotShift }

// chunk finds the block that c is part of from its place in it, which saves a
// pointer a connection.
func (c *Conn) chunk() *chunk {
	return (*chunk)(unsafe.Add(unsafe.Pointer(c), allocatorWord-int(c.slot())*int(unsafe.Sizeof(Conn{}))))
}

// Worker returns the worker that owns c.
func (c *Conn) Worker() *Worker { return c.chunk().worker }

// ID is c's number among the open connections of the Poller: dense, small,
// taken again after c is closed.
func (c *Conn) ID() uint32 {
	k := c.chunk()
	return (k.number<<chunkBits|c.slot())<<k.worker.poller.idShift | uint32(k.worker.index)
}

// Lock takes c's write lock, which is one of a few that all connections share:
// hold no other one meanwhile, and keep it short.
func (c *Conn) Lock() {
	mu := c.lock()
	if yield := c.chunk().yield; yield != nil {
		yield(mu)
	}
	mu.Lock()
}

// Unlock gives the write lock back.
func (c *Conn) Unlock() { c.lock().Unlock() }

// Barrier returns when whoever holds c's write lock, or waited for it before, is
// through: what was decided before the call is then known to all who write.
func (c *Conn) Barrier() {
	c.Lock()
	defer c.Unlock()
}

func (c *Conn) lock() *sync.Mutex { return &c.chunk().locks[c.slot()%stripes] }

// FD is c's descriptor, -1 when it has none. Owner only, or a [Scheduler], which
// knows that nothing else runs.
func (c *Conn) FD() int { return int(c.fd) }

// Locked tells whether anybody holds c's write lock. For a Scheduler only.
func (c *Conn) Locked() bool {
	mu := c.lock()
	if !mu.TryLock() {
		return true
	}
	mu.Unlock()
	return false
}

// State is the handler's own 16 bits. Any goroutine may read them.
func (c *Conn) State() uint16 { return uint16(c.bits.Load()) }

// SetState changes the handler's bits: those of mask become those of state.
// Owner only.
func (c *Conn) SetState(state, mask uint16) {
	for {
		old := c.bits.Load()
		if c.bits.CompareAndSwap(old, old&^uint32(mask)|uint32(state&mask)) {
			return
		}
	}
}

func (c *Conn) has(flags uint32) bool { return c.bits.Load()&flags != 0 }

// Heard is when bytes last arrived, by Worker.Now; of a connection that is
// paused or has a backlog, when the sweep last passed by. Owner only.
func (c *Conn) Heard() uint32 { return c.heard }

// HeardAgo sets Heard to so many milliseconds ago. The server does it when it sends
// a ping, so that the time for the pong starts then. Owner only.
func (c *Conn) HeardAgo(milliseconds uint32) { c.heard = c.Worker().now - milliseconds }

// Opened is when c was accepted, by Worker.Now, pauses of the worker not counted.
// Owner only.
func (c *Conn) Opened() uint32 { return c.opened }

// Closing tells whether c is on its way out: nothing it sends is read any more.
func (c *Conn) Closing() bool { return c.has(closing) }

// Resumed tells, during Handler.Read, that c was paused before: what it brings
// may have waited for long. Owner only.
func (c *Conn) Resumed() bool { return c.has(resumed) }

// Held returns what the handler keeps of an unfinished read, nil if nothing.
// Owner only.
func (c *Conn) Held() any {
	if !c.has(holding) {
		return nil
	}
	return c.spilled().held
}

// Hold keeps v, which may be nil, until the next Hold or until after
// Handler.Closed. Owner only.
func (c *Conn) Hold(v any) {
	if v == nil && !c.has(holding) {
		return
	}
	c.Lock()
	defer c.Unlock()
	if v == nil {
		s := c.spilled()
		s.held = nil
		c.bits.And(^uint32(holding))
		c.dropSpillLocked(s)
		return
	}
	c.spillLocked().held = v
	c.bits.Or(holding)
}

// Beside is where the handler may keep, at once, what it has of the [Places]
// connections that live together with c, c being the one at that place; a pointer and
// a header for each of them would cost more than many need. It is empty until the
// owner stores something, and again when the last of them is gone. Who reads what
// there is of c holds its write lock or is its owner.
func (c *Conn) Beside() (v *atomic.Value, place int) {
	return &c.chunk().beside, int(c.slot()) - chunkReserved
}

// Backlogged tells whether something waits for c. The caller holds c's write
// lock.
func (c *Conn) Backlogged() bool {
	s := c.spilled()
	return s != nil && s.backlog != nil
}

// spilled is what c needs only now and then, nil if nothing. The caller is c's owner
// or holds c's write lock; its fields say who may touch them.
func (c *Conn) spilled() *spill {
	p := atomic.LoadPointer(&c.rest)
	if c.has(isCoded) {
		return (*Coded)(p).spill.Load()
	}
	return (*spill)(p)
}

func (c *Conn) setSpillLocked(s *spill) {
	if c.has(isCoded) {
		c.coded().spill.Store(s)
		return
	}
	atomic.StorePointer(&c.rest, unsafe.Pointer(s))
}

func (c *Conn) spillLocked() *spill {
	s := c.spilled()
	if s == nil {
		s = spills.Get().(*spill)
		c.setSpillLocked(s)
	}
	return s
}

// dropSpillLocked gives s back when nothing is in it.
func (c *Conn) dropSpillLocked(s *spill) {
	if s.backlog == nil && s.partial == nil && !c.has(holding) {
		c.setSpillLocked(nil)
		*s = spill{}
		spills.Put(s)
	}
}
