package simulator

import (
	"net/netip"
	"time"

	"roulette/netpoll"
)

// client is one simulated client: what it does, what it knows by now, and what
// it must have been sent.
type client struct {
	world   *world
	serial  int // its name, from 1
	slot    int
	kind    clientKind
	address netip.AddrPort
	socket  *socket
	conn    *netpoll.Conn // nil before the server has made it one
	coded   *coded        // nil: no codec
	id      uint32        // conn's
	talk    int
	reads   int  // bytes at a time; 0: nothing
	deaf    bool // does not answer pings and closes

	// Sent.
	queue       []byte // not on the wire yet
	queued      int64  // bytes ever put there
	finAfter    bool   // the end comes behind the queue
	vanished    bool   // the connection was reset
	messages    []message
	read        int       // messages that the server has read
	readBytes   int64     // bytes that the server has read
	open        bool      // a message has begun, fragments are to come
	eras        []era     // rich: between its own commands
	commands    []command // rich: next and stop, in order
	obeyed      int       // commands that the server has read
	pings       [][]byte  // to be answered
	offence     int       // the close code that it deserves; 0: none
	goodbye     []byte    // the payload of its close frame
	left        bool      // has sent a close frame or an offence: nothing more
	wanted      []string  // its interests
	rest        []byte    // of the message that has begun
	restOp      byte
	restSize    int
	restControl bool

	words      []string // that it says hello with; none: it does not
	greeted    bool
	person     *person // nil: its connection is all it has
	resuming   *end    // it has asked to be resumed there
	tokenOf    int     // the server whose token it had
	life       int     // the server that it has come to
	hiding     bool    // it has said so last
	hides      bool    // and the server has read that
	promised   bool    // the server has read its hello
	utterances []utterance
	spokeAt    time.Duration // the server has read something whole
	beats      []uint32      // to be answered

	// Seen.
	output
	seen     int64 // bytes that it has read
	deadAt   time.Duration
	inexact  bool // see ledger.go
	finished bool // the server has closed
	handed   bool // belongs to net/http
	home     bool // did once
	moved    bool // another server is just taking it over
	full     bool // there were too many when it came
	crowded  bool // there were too many from its address
	lag      time.Duration
}

type clientKind uint8

const (
	plainClient clientKind = iota
	richClient
	echoClient
	garbageClient // no HTTP
	wrongClient   // HTTP, but nothing that can be upgraded
	hugeClient    // a head that is too long
	silentClient  // never finishes its request
	pageClient    // wants a page
)

func (k clientKind) chats() bool { return k <= echoClient }

func (k clientKind) String() string {
	return [...]string{"plain", "rich", "echo", "garbage", "wrong", "huge", "silent", "page"}[k]
}

// utterance is where a message ends that matters to what the server knows of a client.
type utterance struct {
	end   int64
	kind  spokeKind
	about *end // of spokeHave: which chat
}

type spokeKind uint8

const (
	spokeAny spokeKind = iota
	spokeHello
	spokeHave
	spokeHiding
	spokeShown
)

// command is a next or stop of a rich client; it counts when the server has read
// it all.
type command struct {
	end  int64
	next bool
	sure bool // not one that the server may ignore
}

// connect lets a new client arrive, or one more connection of a person.
func (w *world) connect(slot int, p *person) {
	r := &w.rnd
	c := &client{world: w, serial: w.serials + 1, slot: slot, talk: w.plan.talk}
	c.kind = pick(r, plainClient, richClient, richClient, richClient, plainClient, plainClient, richClient, echoClient)
	if w.plan.rich {
		c.kind = richClient
	}
	if p == nil && r.oneIn(w.plan.odd) {
		c.kind = pick(r, garbageClient, wrongClient, hugeClient, silentClient, pageClient, pageClient, pageClient)
	}
	if p != nil {
		c.kind = richClient
	}
	if c.kind == richClient && (p != nil || r.oneIn(w.plan.hello)) {
		c.choose(p)
	}
	c.reads = 1 << 30
	switch {
	case r.oneIn(w.plan.stalled):
		c.reads = 0
	case r.oneIn(4):
		c.reads = r.size(1000)
	}
	c.deaf = c.person == nil && r.oneIn(50)
	c.address = netip.AddrPortFrom(addressOf(r.below(w.plan.addresses)), uint16(1024+slot))
	c.socket = &socket{kernel: &w.kernel, client: c, fd: -1}
	c.eras, c.life = append(c.eras, era{}), w.life
	w.clients = append(w.clients, c)
	w.serials++
	w.slots[slot] = c
	w.tracef("client %d (%v) connects from %v", c.serial, c.kind, c.address.Addr())
	if r.oneIn(w.plan.coded) && c.kind != pageClient && w.adopt(c) {
		return
	}
	c.request()
	if r.oneIn(2) {
		c.push(1 << 30)
	}
	w.listener.queue = append(w.listener.queue, c.socket)
	w.arrived()
}

// addressOf is the n-th address that clients come from.
func addressOf(n int) netip.Addr {
	n++
	return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})
}

// send puts bytes on their way.
func (c *client) send(b []byte) {
	c.queue = append(c.queue, b...)
	c.queued += int64(len(b))
}

// push lets as much arrive at the server as it has room for, n bytes at most.
func (c *client) push(n int) {
	s := c.socket
	if c.vanished || c.finished || s.fin {
		return
	}
	from := &c.queue
	n = min(n, c.world.buffer(c.world.plan.receive)-len(s.arrived()))
	if c.coded != nil {
		c.seal(n)
		if c.finAfter && c.toSend() == len(c.coded.wire) && c.world.rnd.oneIn(2) {
			c.sayEnd()
		}
		from = &c.coded.wire
	}
	if n = min(n, len(*from)); n > 0 {
		s.in = append(s.in, (*from)[:n]...)
		*from = (*from)[n:]
		s.wake()
	}
	if c.finAfter && c.toSend() == 0 {
		s.fin = true
		s.wake()
		c.world.tracef("client %d: end of its stream", c.serial)
	}
}

// act lets the client do something.
func (c *client) act() {
	r, p := &c.world.rnd, &c.world.plan
	switch {
	case c.finished || c.vanished:
		c.world.drop(c)
		return
	case r.oneIn(2):
		c.push(r.size(p.receive))
	case c.reads == 0 && r.oneIn(40):
		c.reads = 1 << 30
	}
	if r.oneIn(2) {
		c.take(r.size(max(c.reads, 1)))
	}
	if r.oneIn(p.leave) {
		c.quit()
		return
	}
	if c.person != nil && c.person.end != nil && r.oneIn(p.cut) {
		c.cut()
		return
	}
	if c.left || c.finAfter || c.toSend() > 4*p.maxMessage+2000 || !c.kind.chats() {
		return
	}
	if c.status == 0 && !r.oneIn(4) { // most wait for the answer
		return
	}
	if c.kind == richClient && !c.greeted {
		c.greet()
		return
	}
	if r.oneIn(p.offend) {
		c.offend()
		return
	}
	if c.open {
		c.fragment()
		return
	}
	if r.below(10) < c.talk {
		c.message()
		return
	}
	switch r.below(8) {
	case 0:
		c.ping()
	default:
		if c.kind == richClient {
			c.record()
		} else {
			c.message()
		}
	}
}

// quit is one of the ways to go.
func (c *client) quit() {
	r := &c.world.rnd
	if p := c.person; p != nil && r.oneIn(3) {
		p.gone = true
	}
	switch n := r.below(10); {
	case n < 3: // power off
		c.world.tracef("client %d vanishes", c.serial)
		c.vanish()
	case n < 5 || !c.kind.chats() || c.left || c.open || c.status != 101:
		c.world.tracef("client %d ends its stream", c.serial)
		c.finAfter = true
		if r.oneIn(2) { // with what it has to say unsaid
			c.queued -= int64(len(c.queue))
			c.unsay()
			c.inexact = true
		}
		c.push(1 << 30)
	default:
		c.close()
	}
}

// vanish resets the connection.
func (c *client) vanish() {
	c.vanished = true
	c.unsay()
	if c.socket.fd >= 0 {
		c.socket.breakDown()
		return
	}
	// Nobody has accepted it: it is in the queue, and will be broken then.
	c.socket.broken, c.socket.errno = true, 0
}

// lost: the connection was taken away before it was accepted.
func (c *client) lost() {
	c.vanished, c.finished = true, true
}

// take reads up to n bytes of what the server has sent, and reacts to them.
func (c *client) take(n int) {
	if c.reads == 0 && !c.world.calm {
		return
	}
	n = int(min(int64(n), c.socket.accepted-c.seen))
	c.seen += int64(n)
	c.socket.roomAgain()
	for len(c.reactions) > 0 && c.reactions[0].at <= c.seen {
		r := c.reactions[0]
		c.reactions = c.reactions[1:]
		c.react(r)
	}
	if c.socket.shut && c.seen == c.socket.accepted && len(c.socket.refused) == 0 && !c.deaf {
		c.finAfter = true
		c.push(1 << 30)
	}
}

// overtaken: others may have changed the table while a worker was at work on
// what it has read of c.
func (c *client) overtaken(w *worker) {
	if p, n := c.partner(); p != c.readPartner || n != c.readNumber {
		for i := w.from; i < c.read; i++ {
			c.messages[i].unsure = true
		}
	}
}

// partner is whom the server has paired c with, and the number of that pairing.
func (c *client) partner() (*client, uint32) {
	if c.conn == nil {
		return nil, 0
	}
	n := c.world.pairs.Number(c.id)
	id, ok := c.world.pairs.Partner(c.id)
	if !ok {
		return nil, n
	}
	return c.world.byID[id], n // nil: just being closed
}

// found is called when a worker reads from c for the first time: it has made c a
// connection just now.
func (c *client) found(w *worker) {
	world := c.world
	poller := world.poller
	for place := uint32(0); ; place++ {
		id := place<<world.idShift | uint32(w.index)
		if int(id) >= poller.IDs() {
			world.failf("no connection has client %d's descriptor", c.serial)
		}
		conn := poller.Conn(id)
		if conn == nil || conn.FD() != c.socket.fd {
			continue
		}
		if world.byID[id] != nil {
			world.failf("client %d has the connection of client %d", c.serial, world.byID[id].serial)
		}
		c.conn, c.id = conn, id
		world.byID[id] = c
		break
	}
	c.lag = world.now - time.Duration(poller.Workers()[w.index].Now())*time.Millisecond
	if !c.moved {
		c.welcome()
	}
}
