package simulator

import (
	"bytes"
	"fmt"
)

// message is one chat message that a client has sent.
type message struct {
	op      byte
	control bool // begins like a control message, and is never relayed
	size    int32
	era     int32
	end     int64   // where it ends in the stream
	to      *client // the sender's partner when the server had read it all
	unsure  bool    // that may have changed before the server was through
	got     *client // who has received it
}

// era is the time between two commands of a rich client. In each it has one
// partner at most.
type era struct {
	receiver *client
	pair     uint32 // the receiver's number of the pairing
}

const controlByte = 0x1e

// content is what a message says: its sender and number, and filling. An empty
// one says nothing.
func (w *world) content(sender, number int, op byte, size int) []byte {
	b := w.scratch[:0]
	if size > 0 {
		b = fmt.Appendf(b, "%d.%d.", sender, number)
	}
	w.scratch = b
	if len(b) >= size {
		return b
	}
	r := random(uint64(sender)<<32 | uint64(number))
	if op == opText && size-len(b) > 9 {
		b = append(b, "é€😀"...)
	}
	for len(b) < size {
		v := r.next()
		if op == opText {
			v = v&0x3f3f3f3f3f3f3f3f + 0x2020202020202020
		}
		for i := 0; i < 8 && len(b) < size; i++ {
			b = append(b, byte(v))
			v >>= 8
		}
	}
	w.scratch = b
	return b
}

// tag reads who has sent a message, and its number.
func tag(b []byte) (sender, number int, ok bool) {
	first := bytes.IndexByte(b, '.')
	if first <= 0 || first > 9 {
		return 0, 0, false
	}
	second := bytes.IndexByte(b[first+1:], '.')
	if second <= 0 || second > 9 {
		return 0, 0, false
	}
	return decimal(b[:first]), decimal(b[first+1 : first+1+second]), true
}

func decimal(b []byte) (n int) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// wasRead: the server has read n more bytes of c.
func (c *client) wasRead(w *worker, n int) {
	if c.coded != nil {
		c.recordsRead(n)
	} else {
		c.readBytes += int64(n)
	}
	c.readAt = c.world.now
	c.readPartner, c.readNumber = c.partner()
	w.reading, w.from = c, c.read
	unsure := c.status != 101 // it comes with the request
	for len(c.utterances) > 0 && c.utterances[0].end <= c.readBytes {
		c.spokeAt = c.world.now
		switch c.utterances[0].kind {
		case spokeHave:
			if !c.closing { // or it is not heard
				c.utterances[0].about.proven = true
			}
		case spokeHello:
			c.promised = true
		case spokeHiding:
			c.hides = true
		case spokeShown:
			c.hides = false
		}
		c.utterances = c.utterances[1:]
	}
	for c.obeyed < len(c.commands) && c.commands[c.obeyed].end <= c.readBytes {
		c.obeyed++
		unsure = true
	}
	for c.read < len(c.messages) && c.messages[c.read].end <= c.readBytes {
		m := &c.messages[c.read]
		m.to, m.unsure = c.readPartner, unsure
		c.read++
	}
}

// chat is a message that the server sends to c. direct: there is no backlog, so
// it has come from the sender's worker just now.
func (c *client) chat(op byte, payload []byte, direct bool) {
	w := c.world
	if c.checkParcel(payload, direct) {
		return
	}
	sender, number := c.sender(op, payload, direct)
	if sender == nil {
		return
	}
	m := &sender.messages[number]
	switch {
	case m.end > sender.readBytes:
		w.failf("client %d is sent message %d of client %d before it was read", c.serial, number, sender.serial)
	case m.op != op || int(m.size) != len(payload) || !bytes.Equal(payload, w.content(sender.serial, number, op, int(m.size))):
		w.failf("client %d is sent message %d of client %d changed (I7)", c.serial, number, sender.serial)
	case m.got != nil:
		w.failf("client %d is sent message %d of client %d, which client %d had already (I7)", c.serial, number, sender.serial, m.got.serial)
	case (c.kind == echoClient || sender.kind == echoClient) && sender != c:
		w.failf("client %d (%v) is sent message %d of client %d (%v)", c.serial, c.kind, number, sender.serial, sender.kind)
	}
	m.got = c
	sender.delivered++
	if c.from != sender {
		c.from, c.last = sender, -1
		if sender != c {
			c.last = number - 1 // those before were for others
		}
	}
	skipped := 0
	for i := c.last + 1; i < number; i++ {
		if m := &sender.messages[i]; !m.control && m.size > 0 && !m.unsure && m.got == nil && (m.to == c || sender == c) {
			skipped++
		}
	}
	switch last := c.last; {
	case number <= last:
		w.failf("client %d is sent message %d of client %d after later ones (I7)", c.serial, number, sender.serial)
	case skipped > 0 && (sender == c || sender.kind == plainClient && !c.backlogged && sender.undelivered == 0 && !sender.backlogged):
		w.failf("client %d lacks %d messages of client %d before message %d (I7)", c.serial, skipped, sender.serial, number)
	case sender != c:
		c.checkPair(sender, m, number, direct)
	}
	c.last = number
}

// checkPair sees to it that a message is for the one to whom the sender was
// paired (I7).
func (c *client) checkPair(sender *client, m *message, number int, direct bool) {
	w := c.world
	if direct {
		if p, _ := c.partner(); p != sender {
			w.failf("client %d is sent message %d of client %d, which is not its partner (I7)", c.serial, number, sender.serial)
		}
		if p, _ := sender.partner(); p != c {
			w.failf("client %d is sent message %d of client %d, of which it is not the partner (I5, I7)", c.serial, number, sender.serial)
		}
		if w.running != sender.socket.owner {
			w.failf("a message of client %d is relayed by another worker than its own", sender.serial)
		}
	} else if sender.kind == plainClient && m.to != c && !m.unsure {
		w.failf("client %d is sent message %d of client %d, which had another partner when it sent it (I7)", c.serial, number, sender.serial)
	}
	if c.kind == richClient {
		if c.paired == 0 || c.over {
			w.failf("client %d is sent message %d of client %d outside of its pairings (pairing %d)", c.serial, number, sender.serial, c.paired)
		}
		if c.pairSender != nil && c.pairSender != sender {
			w.failf("client %d is sent message %d of client %d in its pairing %d with client %d (I7)", c.serial, number, sender.serial, c.paired, c.pairSender.serial)
		}
		c.pairSender = sender
	}
	if sender.kind == richClient {
		e := &sender.eras[m.era]
		if e.receiver != nil && (e.receiver != c || e.pair != c.paired) {
			w.failf("client %d is sent message %d of client %d, meant for client %d (I7)", c.serial, number, sender.serial, e.receiver.serial)
		}
		e.receiver, e.pair = c, c.paired
	}
}

// sender finds whose message it is. nil: it cannot be told.
func (c *client) sender(op byte, payload []byte, direct bool) (*client, int) {
	w := c.world
	if len(payload) == 0 {
		return c.senderOfNothing(op, direct)
	}
	serial, number, ok := tag(payload)
	if !ok || serial < 1 || serial > len(w.clients) || number < 0 || number >= len(w.clients[serial-1].messages) {
		w.failf("client %d is sent what nobody has sent: %q", c.serial, clip(payload))
	}
	return w.clients[serial-1], number
}

// senderOfNothing finds whose message an empty one is, if it was read just now.
func (c *client) senderOfNothing(op byte, direct bool) (*client, int) {
	from, k := c.world.running.reading, c.world.running
	if !direct || from == nil {
		return nil, 0
	}
	first := k.from
	if from == c.from {
		first = max(first, c.last+1)
	}
	for i := first; i < from.read; i++ {
		if m := &from.messages[i]; m.size == 0 && m.op == op && m.got == nil {
			if m.unsure {
				return nil, 0
			}
			return from, i
		}
	}
	c.world.failf("client %d is sent an empty message that client %d has not sent (I7)", c.serial, from.serial)
	return nil, 0
}

// unseen tells whether something waits for c that the server has not tried to write.
func (c *client) unseen() bool { return c.conn != nil && c.conn.Pending() > len(c.socket.refused) }

// accountEnd is account for a chat that was closed: what it had sent before has
// reached its partner, or it was told otherwise.
func (c *client) accountEnd() {
	lost := 0
	for i := range c.messages[:c.settled] {
		m := &c.messages[i]
		if m.got == nil && m.size > 0 && !m.control && !m.unsure && m.to != nil && m.to.alive() && len(m.to.socket.refused) == 0 {
			lost++
		}
	}
	if lost > c.undelivered && c.world.plan.rate == 0 && c.kind != echoClient {
		c.world.failf("%d messages that client %d had sent before its end were lost (I7)", lost, c.serial)
	}
	c.settled = 0
}

// account compares, when all is quiet, what c has sent with what became of it:
// delivered, reported as not delivered, or lost with a receiver.
func (c *client) account() {
	if !c.kind.chats() || c.inexact || c.left || !c.alive() || c.status != 101 || len(c.socket.refused) > 0 {
		return
	}
	lost := 0
	for i := range c.messages[:c.read] {
		if m := &c.messages[i]; m.got == nil && (m.unsure || m.to != nil && (m.to.diedFull || m.to.unseen())) {
			lost++
		}
	}
	if sum := c.delivered + c.undelivered; sum > c.read || sum+lost < c.read {
		c.world.failf("of %d messages of client %d (%v) %d were delivered and %d reported as not (I7)",
			c.read, c.serial, c.kind, c.delivered, c.undelivered)
	}
}
