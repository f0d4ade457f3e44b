package simulator

import "roulette/netpoll"

// coded is what a client has whose connection has a codec: its half of it.
type coded struct {
	toy     *toy   // the server's half
	in, out uint32 // numbers of the next records
	wire    []byte // sealed, and not on the wire yet
	sealed  int64  // bytes of the queue that were sealed
	onWire  int64  // bytes of records ever made
	wasRead int64  // bytes of them that the server has read
	records []toyRecord
	pending []byte // what the server has sent of a record that is not whole
	plain   []byte // scratch
	asked   int
	asks    int  // that are to be sealed
	answers int  // that came
	ended   bool // the server has
	refused bool // because of a record
	told    bool // and that has been judged
	said    bool // the client itself has
	torn    bool // the rest of a record was never sent
}

// toyRecord says where a record ends among the sealed bytes, and where among the
// others.
type toyRecord struct{ end, plain int64 }

// offenceGarbled is the offence of a client that sends what is no record.
const offenceGarbled = 1

// adopt has a worker take a client's connection that somebody else has accepted,
// and that has a codec; the server may be given the first bytes with it. False: the
// process has no descriptor for it.
func (w *world) adopt(c *client) bool {
	r := &w.rnd
	fd, errno := w.openFile(socketFile)
	if errno != 0 {
		w.acceptFails()
		return false
	}
	w.files[fd-firstNumber].socket = c.socket
	c.socket.fd, c.socket.acceptedAt = fd, w.now
	t := &toy{client: c, most: pick(r, 50, 300, 16<<10), renew: pick(r, 0, 1, 7)}
	c.coded = &coded{toy: t}
	w.tracef("client %d is adopted with a codec as descriptor %d", c.serial, fd-firstNumber)
	d := netpoll.Detached{FD: fd, Codec: t}
	c.request()
	if r.oneIn(2) {
		c.push(1 + r.below(300))
		d.Unread = append(d.Unread, c.socket.in...)
		c.socket.in = c.socket.in[:0]
		c.recordsRead(len(d.Unread))
	}
	err := w.poller.Adopt(d, func(h netpoll.Handler, conn *netpoll.Conn) {
		if !h.Accepted(conn, c.address, 0) {
			w.Close(conn.Detach().FD)
			return
		}
		c.socket.own(w.running, "adoption")
	})
	if err != nil {
		w.failf("client %d is not adopted: %v", c.serial, err)
	}
	return true
}

// toSend is how much a client has said that is not on the wire.
func (c *client) toSend() int {
	if k := c.coded; k != nil {
		return len(c.queue) + len(k.wire) + k.asks
	}
	return len(c.queue)
}

// unsay drops what a client has said and not sent.
func (c *client) unsay() {
	c.queue = nil
	if k := c.coded; k != nil {
		k.torn = k.torn || len(k.wire) > 0
		k.wire, k.asks = nil, 0
	}
}

// seal makes records of what the client says, until there are n bytes of them.
func (c *client) seal(n int) {
	r, k := &c.world.rnd, c.coded
	for len(k.wire) < n && len(c.queue)+k.asks > 0 && !k.torn {
		switch {
		case k.asks > 0:
			c.sealRecord(toyAsk, nil)
			k.asks--
		case r.oneIn(40):
			c.sealRecord(toyData, nil)
		default:
			size := min(r.size(2000), len(c.queue), toyMost)
			if r.oneIn(3) {
				size = min(len(c.queue), toyMost)
			}
			c.sealRecord(toyData, c.queue[:size])
			c.queue = c.queue[size:]
		}
	}
}

func (c *client) sealRecord(kind byte, payload []byte) {
	k := c.coded
	before := len(k.wire)
	k.wire = toyAppend(k.wire, kind, k.out, payload)
	k.out++
	k.onWire += int64(len(k.wire) - before)
	k.sealed += int64(len(payload))
	k.records = append(k.records, toyRecord{k.onWire, k.sealed})
}

// garble makes the last record that a client has on its way another one.
func (c *client) garble() {
	r, k := &c.world.rnd, c.coded
	c.seal(1 << 30)
	c.sealRecord(toyData, []byte("what is never to be heard"))
	k.wire[len(k.wire)-1-r.below(toyAfter+20)] ^= byte(1 + r.below(255))
	k.records = k.records[:len(k.records)-1]
	c.sealRecord(toyData, []byte("nor what comes behind it"))
	k.records = k.records[:len(k.records)-1]
	c.left, c.offence = true, offenceGarbled
	c.person.leave()
	c.world.tracef("client %d sends what is no record", c.serial)
}

// sayEnd tells the server that nothing more comes.
func (c *client) sayEnd() {
	if k := c.coded; !k.said && !k.torn && c.offence != offenceGarbled {
		k.said, c.left = true, true
		c.sealRecord(toyEnd, nil)
	}
}

// recordsRead: the server has read n more bytes of a coded client: it has all
// that whole records say.
func (c *client) recordsRead(n int) {
	k := c.coded
	k.wasRead += int64(n)
	for len(k.records) > 0 && k.records[0].end <= k.wasRead {
		c.readBytes = k.records[0].plain
		k.records = k.records[1:]
	}
}

// opened is what the records say that the server sends.
func (c *client) opened(b []byte) []byte {
	w, k := c.world, c.coded
	k.plain = k.plain[:0]
	k.pending = append(k.pending, b...)
	rest := k.pending
	for len(rest) > 0 {
		if k.ended {
			w.failf("client %d is sent %d bytes behind the end of its codec", c.serial, len(rest))
		}
		plain, kind, length, err := toyOpen(rest, k.in)
		if err != nil {
			w.failf("client %d cannot open record %d of the server's", c.serial, k.in)
		}
		if length == 0 {
			break
		}
		k.in++
		switch kind {
		case toyData:
			if len(plain) == 0 || len(plain) > k.toy.most {
				w.failf("client %d is sent a record of %d bytes", c.serial, len(plain))
			}
			k.plain = append(k.plain, plain...)
		case toyAnswer:
			k.answers++
		case toyEnd:
			k.ended = true
		case toyRefusal:
			k.ended, k.refused = true, true
		}
		rest = rest[length:]
	}
	k.pending = append(k.pending[:0], rest...)
	return k.plain
}

// refusedRecord: the server ends the connection because of a record.
func (c *client) refusedRecord() {
	c.coded.told = true
	if c.end != nil {
		c.end.chat.over = true
	}
	if c.offence != offenceGarbled {
		c.world.failf("client %d is told that a record was none", c.serial)
	}
	if c.status == 101 && !c.closing { // else it was closed for what it said before
		c.closing = true
		c.world.ended++
		if c.direct {
			c.settled = c.read
		}
	}
}

// checkCoded: the codec has nothing left to do either.
func (c *client) checkCoded() {
	if k := c.coded; k != nil && c.toSend() == 0 && k.answers != k.asked {
		c.world.failf("client %d has had %d answers of %d", c.serial, k.answers, k.asked)
	}
}
