package simulator

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"roulette/netpoll"
)

// toy is a codec in which every mistake shows: a record is
//
//	kind 1 | length 4 | payload, masked with the record's number | sum of all and the number 4 | the sum's mask 16
//
// so what is sealed twice, in another order than it is written, or not at all,
// does not open at the other end. The server's half checks who calls it.
type toy struct {
	netpoll.Coded
	client  *client
	in, out uint32 // numbers of the next records
	most    int    // bytes of payload in a record of the server's
	due     int    // answers to the client's questions
	renew   int    // a record of its own after so many; 0: never
	failed  bool
	ended   bool
}

func toyOf(k *netpoll.Coded) netpoll.Codec { return (*toy)(unsafe.Pointer(k)) } // its first field

const (
	toyBefore = 5
	toyAfter  = 20
	toyEnds   = toyBefore + toyAfter
	toyMost   = 16 << 10 // of a client's record
)

// Kinds of records.
const (
	toyData    byte = 'D'
	toyAsk     byte = '?' // wants an answer
	toyAnswer  byte = '!'
	toyRenewal byte = 'N' // the server's own idea
	toyEnd     byte = 'E'
	toyRefusal byte = 'R' // the end, because a record did not open
)

var errToy = errors.New("no record")

func toySum(b []byte, number uint32) uint32 {
	sum := number*2654435761 + 1
	for len(b) >= 4 {
		sum = (sum ^ binary.LittleEndian.Uint32(b)) * 16777619
		sum ^= sum >> 15
		b = b[4:]
	}
	for _, v := range b {
		sum = (sum ^ uint32(v)) * 16777619
	}
	return sum ^ sum>>13
}

func toyMask(b []byte, number uint32) {
	key := mix(uint64(number)+1) | 1
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^key)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * i))
	}
}

// toySeal makes a record of the payload in its middle.
func toySeal(record []byte, kind byte, number uint32) {
	end := len(record) - toyAfter
	record[0] = kind
	binary.BigEndian.PutUint32(record[1:], uint32(end-toyBefore))
	toyMask(record[toyBefore:end], number)
	sum := toySum(record[:end], number)
	binary.BigEndian.PutUint32(record[end:], sum)
	clear(record[end+4:])
	toyMask(record[end+4:], sum)
}

// toyOpen takes the record off b; length 0: it is not whole.
func toyOpen(b []byte, number uint32) (plain []byte, kind byte, length int, err error) {
	if len(b) < toyBefore {
		return nil, 0, 0, nil
	}
	n := binary.BigEndian.Uint32(b[1:])
	if n > netpoll.MaxRecord-toyEnds {
		return nil, 0, 0, errToy
	}
	end := toyBefore + int(n)
	if len(b) < end+toyAfter {
		return nil, 0, 0, nil
	}
	sum := toySum(b[:end], number)
	var tail [toyAfter]byte
	binary.BigEndian.PutUint32(tail[:], sum)
	toyMask(tail[4:], sum)
	if tail != [toyAfter]byte(b[end:]) {
		return nil, 0, 0, errToy
	}
	toyMask(b[toyBefore:end], number)
	return b[toyBefore:end], b[0], end + toyAfter, nil
}

func toyAppend(dst []byte, kind byte, number uint32, payload []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, toyBefore)...)
	dst = append(dst, payload...)
	dst = append(dst, make([]byte, toyAfter)...)
	toySeal(dst[at:], kind, number)
	return dst
}

// Shape implements [netpoll.Codec].
func (k *toy) Shape() (before, most, after int) { return toyBefore, k.most, toyAfter }

// Open implements [netpoll.Codec].
func (k *toy) Open(by *netpoll.Worker, b []byte) (plain []byte, length int, s netpoll.Signal, err error) {
	c := k.client
	if k.failed {
		c.world.failf("client %d's codec opens on after an error", c.serial)
	}
	if c.world.running == nil || c.world.running.index != by.Index() || c.socket.owner != nil && c.socket.owner != c.world.running {
		c.world.failf("client %d's codec opens on a worker that is not its own (I1)", c.serial)
	}
	plain, kind, length, err := toyOpen(b, k.in)
	if err != nil || length == 0 {
		k.failed = err != nil
		if k.failed && c.offence != offenceGarbled {
			c.world.failf("client %d's record %d does not open", c.serial, k.in)
		}
		return nil, 0, 0, err
	}
	k.in++
	switch kind {
	case toyAsk:
		k.due++
		return nil, length, netpoll.OwnDue, nil
	case toyEnd:
		return nil, length, netpoll.PeerEnded, nil
	}
	return plain, length, 0, nil
}

// Seal implements [netpoll.Codec].
func (k *toy) Seal(by *netpoll.Worker, record []byte) (due bool) {
	toySeal(record, toyData, k.next(by))
	return k.renew > 0 && int(k.out)%k.renew == 0
}

// Own implements [netpoll.Codec].
func (k *toy) Own(by *netpoll.Worker, dst []byte) []byte {
	if k.due == 0 {
		return toyAppend(dst, toyRenewal, k.next(by), nil)
	}
	for ; k.due > 0; k.due-- {
		dst = toyAppend(dst, toyAnswer, k.next(by), nil)
	}
	return dst
}

// End implements [netpoll.Codec].
func (k *toy) End(by *netpoll.Worker, dst []byte) []byte {
	kind := toyEnd
	if k.failed {
		kind = toyRefusal
	}
	dst = toyAppend(dst, kind, k.next(by), nil)
	k.ended = true
	return dst
}

// next is the number of the next record that the server seals.
func (k *toy) next(by *netpoll.Worker) uint32 {
	c := k.client
	switch {
	case k.ended:
		c.world.failf("something is sealed for client %d behind the end", c.serial)
	case c.world.running == nil || c.world.running.index != by.Index():
		c.world.failf("client %d's codec seals outside of the worker that calls", c.serial)
	case c.conn != nil && !c.conn.Locked():
		c.world.failf("client %d's codec seals without the write lock (I2)", c.serial)
	}
	k.out++
	return k.out - 1
}
