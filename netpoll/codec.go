package netpoll

import (
	"sync/atomic"
	"unsafe"
)

// Codec stands between the bytes of one connection's socket and those of its
// handler: a stream of records, such as TLS makes (RFC 8446, 5). What
// Handler.Read gets has been opened, what Conn.Send takes is sealed. A
// connection gets its codec when it is adopted ([Detached]).
//
// A codec's receiving state is the owner's: Open is called by it alone. Its
// sending state is guarded by the connection's write lock: Seal, Own and End are
// called under it, by any worker. by is the worker that calls, whose
// [Worker.Local] is the place for what is costly to make and can be made again;
// it is nil where a codec is used without a Poller, after [Conn.Detach].
type Codec interface {
	// Shape is what a record consists of: before bytes, 1 to most bytes of the
	// handler's, and after bytes. The first and the last are at most RecordRoom
	// each. It is the same for all records that are sealed.
	Shape() (before, most, after int)

	// Open opens the record that b begins with, where it lies, and returns the
	// handler's bytes, which are a part of b, and the record's length. The length
	// is 0 if the record is not whole; one that would be longer than MaxRecord is
	// an error as soon as that is known. b is the codec's to write to only as far
	// as the record reaches. After an error Open is not called again, and End says
	// why.
	Open(by *Worker, b []byte) (plain []byte, length int, s Signal, err error)

	// Seal makes a record, in place, of the bytes in the middle of record, which
	// has the codec's shape. True: own records are due behind it.
	Seal(by *Worker, record []byte) (due bool)

	// Own appends the codec's own records that are due, sealed, to dst.
	Own(by *Worker, dst []byte) []byte

	// End appends the last record, sealed, to dst. Nothing is sealed behind it.
	End(by *Worker, dst []byte) []byte

	// coded: a codec embeds a Coded.
	coded() *Coded
}

// Signal is what a record says to the codec's own side. They can be added.
type Signal uint8

const (
	// OwnDue: own records are due, such as the answer to this record.
	OwnDue Signal = 1 << iota
	// PeerEnded: nothing comes behind this record.
	PeerEnded
)

const (
	// RecordRoom bounds each end of a codec's records.
	RecordRoom = 64
	// MaxRecord bounds a record that is received, and so the bytes that are kept
	// of one that is not whole (I4).
	MaxRecord = 20 << 10
)

// Coded is what netpoll has of a connection with a codec. A codec has it in itself,
// embedded, so that both are one piece of memory, which Config.CodecOf finds by it: of a
// connection that is idle it is all that there is. A codec is one connection's.
type Coded struct {
	// Stored under the write lock.
	spill atomic.Pointer[spill]
}

func (k *Coded) coded() *Coded { return k }

// coded and codec are of a connection that has isCoded, and of no other.
func (c *Conn) coded() *Coded { return (*Coded)(atomic.LoadPointer(&c.rest)) }

func (c *Conn) codec() Codec { return c.Worker().poller.config.CodecOf(c.coded()) }

// Codec returns c's codec, nil if it has none. Owner only.
func (c *Conn) Codec() Codec {
	if !c.has(isCoded) {
		return nil
	}
	return c.codec()
}

// setCodec gives c, which nobody knows yet, a codec.
func (c *Conn) setCodec(codec Codec) {
	before, most, after := codec.Shape()
	if max(before, after) > RecordRoom || most < 1 || len(c.Worker().buf) < 2*MaxRecord {
		panic("netpoll: a codec's records do not fit the read buffer")
	}
	c.Lock()
	defer c.Unlock()
	atomic.StorePointer(&c.rest, unsafe.Pointer(codec.coded()))
	c.bits.Or(isCoded)
}

// MoveCodec has c, which has a codec and is known to nobody who may write to it, go on
// with another: with a copy of its own, in a place that suits its user better. Owner
// only.
func (c *Conn) MoveCodec(to Codec) {
	c.Lock()
	defer c.Unlock()
	from, k := c.coded(), to.coded()
	k.spill.Store(from.spill.Swap(nil))
	atomic.StorePointer(&c.rest, unsafe.Pointer(k))
}

// Local is a place for one value of the user's, such as a cache for its codecs.
// Worker only.
func (w *Worker) Local() *any { return &w.local }

// unopened puts what is kept of a record before what will be read behind it.
func (w *Worker) unopened(c *Conn) (kept int) {
	if s := c.spilled(); s != nil && s.partial != nil {
		kept = copy(w.buf, s.partial.waiting())
	}
	return kept
}

// setPartial keeps b, the beginning of a record, in place of what was kept before.
func (c *Conn) setPartial(b []byte) {
	s := c.spilled()
	if len(b) == 0 && (s == nil || s.partial == nil) {
		return
	}
	c.Lock()
	defer c.Unlock()
	s = c.spillLocked()
	if s.partial != nil {
		s.partial.free()
		s.partial = nil
	}
	if len(b) > 0 {
		s.partial = newBuffer(len(b)).append(b)
	}
	c.dropSpillLocked(s)
}

// open takes what the socket had, b in the worker's buffer, apart into records
// and gives the handler what was in them, at once: the records' contents are
// moved together, the first stays where it is. c may be closed afterwards.
func (c *Conn) open(b []byte) {
	w, codec := c.Worker(), c.codec()
	var plain []byte
	var signals Signal
	var err error
	for len(b) > 0 && signals&PeerEnded == 0 {
		p, length, s, offence := codec.Open(w, b)
		if err = offence; err != nil || length == 0 {
			break
		}
		if len(plain) == 0 {
			plain = p
		} else {
			plain = append(plain, p...) // over the ends of the records between them
		}
		if signals |= s; s&OwnDue != 0 {
			c.sendOwn(w, codec)
		}
		b = b[length:]
	}
	if err != nil || signals&PeerEnded != 0 {
		b = nil
	}
	if len(b) >= MaxRecord {
		panic("netpoll: a codec waits for more than a record")
	}
	c.setPartial(b) // now: the handler may detach c
	if len(plain) > 0 {
		w.handler.Read(c, plain)
	}
	switch {
	case c.fd < 0 || c.has(closing):
	case err != nil:
		w.handler.Garbled(c, err)
		if c.fd >= 0 && !c.has(closing) {
			c.close(Failed)
		}
	case signals&PeerEnded != 0:
		c.close(EndOfFile)
	}
}

func (c *Conn) sendOwn(by *Worker, codec Codec) {
	c.Lock()
	defer c.Unlock()
	if c.fd >= 0 && !c.has(closing) {
		c.putOwn(by, codec.Own(by, nil), c)
	}
}

// putOwn is put for records of the codec's own, which have been sealed and so
// must not be lost, whatever the limit: they are few and short.
func (c *Conn) putOwn(by *Worker, b []byte, from *Conn) {
	if s := c.spilled(); s != nil && s.backlog != nil {
		c.enqueue(by, s, b, nil, from)
		return
	}
	c.put(by, b, nil, from)
}

// sendCoded is SendTwo for a connection with a codec. What goes to the socket or
// to the backlog is sealed once, here, and nothing is sealed that is then given up:
// the order of the records is the order of the bytes.
func (c *Conn) sendCoded(by *Worker, a, b []byte, from *Conn) Outcome {
	codec := c.codec()
	before, most, after := codec.Shape()
	if s := c.spilled(); s != nil && s.backlog != nil {
		if s.backlog.len()+sealedSize(codec, len(a)+len(b)) > by.poller.limits.Load().BacklogLimit {
			return c.overLimit(by, s)
		}
		was := s.backlog.len()
		s.backlog = s.backlog.seal(by, codec, a, b)
		c.waits(by, s.backlog.len()-was, from)
		return Queued
	}
	if len(b) == 0 && len(a) <= most {
		if record := by.around(a, before, after); record != nil {
			return c.sendInPlace(by, codec, record, before, after, from)
		}
	}
	sealed := newBuffer(sealedSize(codec, len(a)+len(b))).seal(by, codec, a, b)
	outcome := c.put(by, sealed.waiting(), nil, from)
	sealed.free()
	return outcome
}

// sendInPlace seals a message that is relayed where it was read, without a copy.
// What lies around it in the read buffer is as it was afterwards.
func (c *Conn) sendInPlace(by *Worker, codec Codec, record []byte, before, after int, from *Conn) Outcome {
	var saved [2 * RecordRoom]byte
	end := len(record) - after
	copy(saved[:], record[:before])
	copy(saved[RecordRoom:], record[end:])
	due := codec.Seal(by, record)
	outcome := c.put(by, record, nil, from)
	copy(record[:before], saved[:])
	copy(record[end:], saved[RecordRoom:])
	if due && outcome != Gone {
		c.putOwn(by, codec.Own(by, nil), from)
	}
	return outcome
}

// around is p, which is not empty, with so many bytes before and after it, if it
// lies in the worker's read buffer; else nil.
func (w *Worker) around(p []byte, before, after int) []byte {
	if len(p) == 0 {
		return nil
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(p))) - uintptr(unsafe.Pointer(unsafe.SliceData(w.memory)))
	if at >= uintptr(len(w.memory)) { // also if it lies before
		return nil
	}
	begin, end := int(at)-before, int(at)+len(p)+after
	if begin < 0 || end > len(w.memory) {
		return nil
	}
	return w.memory[begin:end]
}

// seal appends a and b as records.
func (buf *buffer) seal(by *Worker, codec Codec, a, b []byte) *buffer {
	before, most, after := codec.Shape()
	buf = buf.grow(sealedSize(codec, len(a)+len(b)))
	for len(a)+len(b) > 0 {
		size := min(len(a)+len(b), most)
		at := len(buf.bytes)
		if at+before+size+after > cap(buf.bytes) { // own records came between
			buf = buf.grow(before + sealedSize(codec, len(a)+len(b)))
			at = len(buf.bytes)
		}
		buf.bytes = buf.bytes[:at+before+size+after]
		record := buf.bytes[at:]
		n := copy(record[before:before+size], a)
		m := copy(record[before+n:before+size], b)
		a, b = a[n:], b[m:]
		if codec.Seal(by, record) {
			buf.bytes = codec.Own(by, buf.bytes)
		}
	}
	return buf
}

// sealedSize is how long n bytes are as records, own records not counted.
func sealedSize(codec Codec, n int) int {
	before, most, after := codec.Shape()
	return n + (n+most-1)/most*(before+after)
}

// lastLocked is last as it goes to the socket, with the codec's end behind it:
// nothing is sealed for c any more.
func (c *Conn) lastLocked(w *Worker, last []byte) []byte {
	if !c.has(isCoded) {
		return last
	}
	codec := c.codec()
	sealed := newBuffer(sealedSize(codec, len(last))+2*RecordRoom).seal(w, codec, last, nil)
	return codec.End(w, sealed.bytes)
}

// farewell writes the codec's end to a peer that has ended its own side, and that
// nothing waits for; c is closed at once.
func (c *Conn) farewell(w *Worker) {
	c.Lock()
	defer c.Unlock()
	if s := c.spilled(); (s == nil || s.backlog == nil) && !c.has(closing) {
		c.write(w, c.codec().End(w, nil), nil)
		c.bits.Or(closing) // nothing is sealed behind it
	}
}
