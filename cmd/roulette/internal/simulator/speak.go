package simulator

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// frames of a client, made here and not by package frame, so that a mistake is
// not shared.

// appendFrame appends a masked frame.
func appendFrame(dst []byte, first byte, payload []byte, mask uint32) []byte {
	dst = appendHeader(dst, first, len(payload), mask)
	key := [4]byte(binary.BigEndian.AppendUint32(nil, mask))
	for i, b := range payload {
		dst = append(dst, b^key[i&3])
	}
	return dst
}

func appendHeader(dst []byte, first byte, n int, mask uint32) []byte {
	switch {
	case n < 126:
		dst = append(dst, first, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, first, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, 0x80|127), uint64(n))
	}
	return binary.BigEndian.AppendUint32(dst, mask)
}

func (c *client) frameOut(first byte, payload []byte) {
	before := len(c.queue)
	c.queue = appendFrame(c.queue, first, payload, uint32(c.world.rnd.next()))
	c.queued += int64(len(c.queue) - before)
}

// length of a message: all sizes at which headers and buffers change, and small
// ones most of the time.
func (w *world) length() int {
	r, most := &w.rnd, w.plan.maxMessage
	switch r.below(24) {
	case 0:
		return 0
	case 1:
		return min(pick(r, 125, 126, 127, 128), most)
	case 2:
		return r.size(min(most, 4096))
	case 3:
		if r.oneIn(16) {
			return most - pick(r, 0, 0, 1, 2)
		}
	}
	return 14 + r.below(80)
}

// message sends a chat message, or begins one.
func (c *client) message() {
	w, r := c.world, &c.world.rnd
	if p := c.person; p != nil && (p.end != nil || !p.paired || w.fleet != nil) {
		c.say()
		return
	}
	if r.oneIn(400) && w.plan.receive > 3000 && c.queued < 1<<20 {
		c.flood()
		return
	}
	size := w.length()
	if size > 0 {
		size = max(size, 14)
	} else {
		c.inexact = true
	}
	size = min(size, w.plan.maxMessage)
	op := pick(r, byte(opText), opText, opBinary)
	b := w.content(c.serial, len(c.messages), op, size)
	control := c.kind == plainClient && r.oneIn(12)
	if control {
		op, b = opText, []byte("\x1e{\"type\":\"left\",\"pair\":1,\"reason\":\"next\"}\n")
		size = len(b)
	}
	if c.person == nil && r.oneIn(5) {
		c.begin(op, b, control)
		return
	}
	c.frameOut(finBit|op, b)
	c.sentMessage(op, size, control)
	if r.oneIn(3) {
		c.push(1 << 30)
	}
}

func (c *client) sentMessage(op byte, size int, control bool) {
	c.spoken(spokeAny)
	c.messages = append(c.messages, message{op: op, control: control, size: int32(size), era: int32(len(c.eras) - 1), end: c.queued})
}

// flood sends more than a read takes.
func (c *client) flood() {
	w := c.world
	for range 1 + (300<<10)/w.plan.maxMessage {
		b := w.content(c.serial, len(c.messages), opBinary, w.plan.maxMessage)
		c.frameOut(finBit|opBinary, b)
		c.sentMessage(opBinary, w.plan.maxMessage, false)
		if len(c.queue) > 400<<10 {
			break
		}
	}
	c.push(1 << 30)
}

// begin sends a first fragment; the others follow, with control frames between
// them.
func (c *client) begin(op byte, b []byte, control bool) {
	r := &c.world.rnd
	n := r.below(len(b) + 1)
	c.frameOut(op, b[:n])
	c.open = true
	c.rest, c.restOp, c.restSize, c.restControl = append(c.rest[:0], b[n:]...), op, len(b), control
}

func (c *client) fragment() {
	r := &c.world.rnd
	switch {
	case r.oneIn(6):
		c.ping()
	case r.oneIn(3) && len(c.rest) > 0:
		n := r.below(len(c.rest) + 1)
		c.frameOut(opContinuation, c.rest[:n])
		c.rest = c.rest[n:]
	default:
		c.frameOut(finBit|opContinuation, c.rest)
		c.sentMessage(c.restOp, c.restSize, c.restControl)
		c.open = false
	}
}

func (c *client) ping() {
	r := &c.world.rnd
	if c.coded != nil && c.status == 101 && r.oneIn(2) {
		c.coded.asks++
		c.coded.asked++
		return
	}
	if r.oneIn(4) {
		c.frameOut(finBit|opPong, nil) // a heartbeat
		return
	}
	b := strconv.AppendInt(nil, int64(c.queued), 10)
	for r.oneIn(3) && len(b) < 100 {
		b = append(b, "........................."...)
	}
	c.pings = append(c.pings, b)
	c.frameOut(finBit|opPing, b)
}

// record sends a control message of a rich client.
func (c *client) record() {
	r := &c.world.rnd
	idle := c.over || c.paired == 0
	if len(c.words) > 0 && c.terms && r.oneIn(3) {
		c.term()
		return
	}
	if c.person != nil {
		c.want()
		return
	}
	switch n := r.below(20); {
	case n < 5 || idle && !c.waiting && n < 14:
		c.command(true)
	case n == 5 && r.oneIn(3):
		c.command(false)
	case n < 9:
		c.records("typing", `,"on":`+pick(r, "true", "false"))
	case n == 9:
		c.records(pick(r, "nonsense", "", "stop\",\"stop\":\"x"), `,"pair":0]`)
	default:
		c.message()
	}
}

func (c *client) records(typ, rest string) {
	c.frameOut(finBit|opText, []byte("\x1e{\"type\":\""+typ+"\""+rest+"}\n"))
	c.spoken(spokeAny)
}

func (c *client) command(next bool) {
	r := &c.world.rnd
	sure, rest := true, ""
	if next && r.oneIn(4) {
		var list []string
		for _, interest := range interests {
			if r.oneIn(3) {
				list = append(list, `"`+interest+`"`)
			}
		}
		c.wanted = list
		rest = `,"interests":[` + strings.Join(list, ",") + "]"
	}
	if p := c.person; p != nil {
		sure = false
		if next {
			rest += `,"pair":` + strconv.Itoa(int(p.pair))
		}
		p.asked, p.back = next, false
		p.leave()
	} else if next && c.paired > 0 && r.oneIn(5) {
		sure = false
		rest += `,"pair":` + strconv.Itoa(max(int(c.paired)-r.below(2), 1))
	}
	typ := "stop"
	if next {
		typ = "next"
	}
	c.records(typ, rest)
	c.commands = append(c.commands, command{c.queued, next, sure})
	c.eras = append(c.eras, era{})
}

// react answers what has been read.
func (c *client) react(re reaction) {
	r := &c.world.rnd
	if re.kind == reactHear && !c.vanished {
		c.hear(re.op, re.said)
		return
	}
	if c.left || c.finAfter || c.deaf {
		return
	}
	switch re.kind {
	case opPing:
		if !c.left {
			c.frameOut(finBit|opPong, nil)
		}
	case opClose:
		if r.oneIn(2) && !c.open {
			c.frameOut(finBit|opClose, nil)
		}
		c.left = true
	case reactLeft:
		if p := c.person; r.oneIn(2) && !c.open && (p == nil || p.client == c && !p.paired && !p.asked) {
			c.command(true)
		}
	}
}

// close sends a close frame.
func (c *client) close() {
	r := &c.world.rnd
	c.goodbye = pick(r, []byte("\x03\xe8"), []byte("\x03\xe9bye"), []byte{}, []byte("\x0f\xa0"))
	c.world.tracef("client %d closes with %q", c.serial, c.goodbye)
	c.frameOut(finBit|opClose, c.goodbye)
	c.left = true
	if p := c.person; p != nil && !bytes.HasPrefix(c.goodbye, goingAway) {
		p.leave()
		p.gone = true
	}
}

// offend breaks the protocol.
func (c *client) offend() {
	r := &c.world.rnd
	if c.coded != nil && r.oneIn(3) {
		c.garble()
		return
	}
	c.left = true
	c.offence = 1002
	c.person.leave()
	most := c.world.plan.maxMessage
	switch r.below(9) {
	case 0:
		c.frameOut(finBit|0x40|opText, []byte("reserved bit"))
	case 1:
		c.frameOut(finBit|0x3, []byte("opcode"))
	case 2:
		c.send([]byte{finBit | opPing, 3, 'r', 'a', 'w'})
	case 3:
		c.frameOut(opPing, []byte("fragmented"))
	case 4:
		c.frameOut(finBit|opPing, make([]byte, 126))
	case 5:
		c.frameOut(finBit|opClose, []byte("\x03"))
	case 6:
		if c.open {
			c.frameOut(finBit|opText, []byte("interrupted"))
		} else {
			c.frameOut(finBit|opContinuation, []byte("of nothing"))
		}
	case 7:
		c.offence = 1009
		if c.open {
			c.send(appendHeader(nil, opContinuation, most+1, 0))
		} else {
			c.send(appendHeader(nil, finBit|opBinary, most+1, 0))
		}
	case 8:
		if c.open {
			c.offence = 1002
			c.frameOut(opText, nil)
		} else {
			c.offence = 1007
			c.frameOut(finBit|opText, []byte("\xff\xfe"))
		}
	}
	c.world.tracef("client %d offends: %d", c.serial, c.offence)
	c.frameOut(finBit|opText, []byte("said after an offence"))
}

// request sends what a client of its kind begins with.
func (c *client) request() {
	const upgrade = "Host: chat.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	const rich = "Sec-WebSocket-Protocol: roulette.v1\r\n"
	switch c.kind {
	case plainClient:
		c.send([]byte("GET /ws HTTP/1.1\r\n" + upgrade + "\r\n"))
	case richClient:
		c.send([]byte("GET /ws HTTP/1.1\r\n" + upgrade + rich + "\r\n"))
	case echoClient:
		c.send([]byte("GET /echo HTTP/1.1\r\n" + upgrade + "\r\n"))
	case garbageClient:
		c.send([]byte("\x16\x03\x01\x02\x00"))
	case wrongClient:
		c.send([]byte("GET /ws HTTP/1.1\r\nHost: chat.example\r\n\r\n"))
	case hugeClient:
		c.send([]byte("GET /ws HTTP/1.1\r\nCookie: " + strings.Repeat("x", 9000)))
	case silentClient:
		c.send([]byte("GET /ws HTTP/1.1\r\nHost: "))
	case pageClient:
		c.send([]byte("GET /page HTTP/1.1\r\nHost: chat.example\r\n\r\n"))
	}
}
