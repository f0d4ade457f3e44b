package frame

import (
	"math/bits"
	"sync"
	"unsafe"

	"github.com/gobwas/ws"
)

// A gather buffer is one of a few sizes, so that what one connection gives back
// serves the next:
//
//	| room for a server's header | data of the message | a split control payload |
//	  headRoom                     2^k bytes              behind the data
//
// The slack is on top of the power of two, so that a message of exactly the
// limit does not need the next class, and a control frame never moves the data.
const (
	headRoom = maxServerHeader
	slack    = headRoom + ws.MaxControlFramePayloadSize + 1

	minClass = 6  // 64 bytes of data
	maxClass = 24 // 16 MiB; what is bigger is left to the garbage collector
)

// gatherPools holds the first bytes of buffers of 2^(i+minClass)+slack bytes. A
// plain pointer goes into a sync.Pool without an allocation, a slice does not.
var gatherPools [maxClass - minClass + 1]sync.Pool

// class is the least k with 2^k >= n, and minClass at least.
func class(n int) int {
	if n <= 1<<minClass {
		return minClass
	}
	return bits.Len(uint(n - 1))
}

// getBuffer returns a buffer for n bytes of data, with len headRoom.
func getBuffer(n int) []byte {
	k := class(n)
	size := 1<<k + slack
	if k <= maxClass {
		if p, _ := gatherPools[k-minClass].Get().(*byte); p != nil {
			return unsafe.Slice(p, size)[:headRoom]
		}
	}
	return make([]byte, headRoom, size)
}

// putBuffer takes a buffer of getBuffer back, and wipes what was in it: the data, and a
// control frame behind that.
func putBuffer(buf []byte) {
	clear(buf[:min(len(buf)+slack, cap(buf))])
	if k := class(cap(buf) - slack); k <= maxClass {
		gatherPools[k-minClass].Put(unsafe.SliceData(buf))
	}
}

// reserve makes room for n more bytes of data.
func (d *Decoder) reserve(n int) {
	if d.buf == nil {
		d.buf = getBuffer(n)
		return
	}
	need := len(d.buf) - headRoom + n
	if need <= cap(d.buf)-slack {
		return
	}
	old := d.buf
	d.buf = append(getBuffer(need), old[headRoom:]...)
	putBuffer(old)
}

// gather moves p, the next bytes of the present data frame, behind what is
// gathered, unmasked. Text is refused at its first impossible byte.
func (d *Decoder) gather(p []byte) *Error {
	if len(p) == 0 {
		return nil
	}
	d.reserve(len(p))
	n := len(d.buf)
	d.buf = append(d.buf, p...)
	d.unmask(d.buf[n:])
	if d.op == ws.OpText {
		valid, ok := validPrefix(d.buf[len(d.buf)-len(p)-int(d.tail):])
		if !ok {
			return ErrUTF8
		}
		d.tail = uint8(len(p) + int(d.tail) - valid)
	}
	return nil
}

// gatherControl moves p, the next bytes of the present control frame, behind
// the data without becoming part of it.
func (d *Decoder) gatherControl(p []byte) {
	if len(p) == 0 {
		return
	}
	d.reserve(0)
	n := len(d.buf) + int(d.control)
	copy(d.buf[n:n+len(p)], p)
	d.unmask(d.buf[n : n+len(p)])
	d.control += uint8(len(p))
}

// unmask unmasks p, the next bytes of the present frame.
func (d *Decoder) unmask(p []byte) {
	ws.Cipher(p, d.mask, int(d.maskAt))
	d.maskAt = uint8((int(d.maskAt) + len(p)) % maskSize)
	d.left -= len(p)
}

// takeMessage hands out the gathered message, which has become whole, and puts
// the receiver's header into the room in front of it.
func (d *Decoder) takeMessage() (Message, *Error) {
	if d.tail != 0 {
		return Message{}, ErrUTF8 // ends inside a rune
	}
	d.reserve(0) // an empty message has a header as well
	n := len(d.buf) - headRoom
	start := headRoom - headerSize(n)
	AppendHeader(d.buf[:start], d.op, n)
	m := Message{Op: d.op, Frame: d.buf[start:], Payload: d.buf[headRoom:], Gathered: true}
	d.op = 0
	return m, nil
}

// takeControl hands out the control frame, which has become whole.
func (d *Decoder) takeControl() Message {
	n := len(d.buf)
	m := Message{Op: d.frameOp, Payload: d.buf[n : n+int(d.control)], Gathered: true}
	d.control = 0
	return m
}
