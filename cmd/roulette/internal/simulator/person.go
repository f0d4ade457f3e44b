package simulator

import (
	"bytes"
	"fmt"

	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/server"
)

// person is somebody whose connections come and go: a rich client that says resume.
// What it does depends on what it has read, and not on what was written to it.
type person struct {
	client *client // the newest connection
	end    *end    // of the chat that goes on, as far as they know; nil: none that can be resumed
	paired bool    // they have read that they have a partner
	pair   uint32  // the latest pairing that they have read of on this connection
	asked  bool    // they have said next, and know of no pairing yet
	back   bool    // they have said again since
	gone   bool    // for good
}

// chat is a pair that can be resumed, as its tokens name it.
type chat struct {
	index int
	ends  [2]*end
	over  bool // a side has left it, or may have
	left  int  // the server that has told somebody so; 0: none has
}

// end is one side of a chat.
type end struct {
	chat   *chat
	side   int
	person *person
	seated *client // has been given the place last
	ledger resume.Ledger
	token  string
	life   int // the server that has given it
	try    uint32
	sizes  []int32 // of what was sent
	shown  uint64
	lost   uint64 // of what was shown: as a line that says so
	lostAt int64  // when the server has lost the connection, in ns; 0: it has not
	proven bool   // the server has read that it has the token
}

// goingAway is the status code 1001, of a page that may come back.
var goingAway = []byte("\x03\xe9")

func (e *end) peer() *end { return e.chat.ends[1-e.side] }

// seat notes, as it is written, what a record says with a token: which chat it is,
// and whose place c has.
func (c *client) seat(rest []byte, resumed, direct bool) {
	w := c.world
	text, _ := field(rest, `"resume":"`, '"')
	c.end = nil
	if text == "" {
		if resumed {
			w.failf("client %d is resumed without another token", c.serial)
		}
		return
	}
	token, err := w.keys.Open(text)
	if err != nil || c.person == nil {
		w.failf("client %d is given the token %q: %v", c.serial, text, err)
	}
	k := w.byToken[token.Pair]
	if k == nil {
		k = &chat{index: len(w.chatList)}
		w.byToken[token.Pair] = k
		w.chatList = append(w.chatList, k)
	}
	e := k.ends[token.Side]
	if !resumed {
		w.tracef("client %d is given the place of side %d in chat %d by server %d", c.serial, token.Side, k.index, w.life)
	}
	switch {
	case e == nil && !resumed:
		e = &end{chat: k, side: int(token.Side), person: c.person}
		k.ends[token.Side] = e
	case e == nil || !resumed || e.person != c.person:
		w.failf("client %d is given the place of somebody else (I7)", c.serial)
	case k.left == w.life && c.tokenOf == w.life && direct:
		w.failf("client %d is resumed in a chat that is over (R4)", c.serial)
	case e.seated != nil && e.seated.serial > c.serial && !k.over && direct && e.seated.world == w && (c.tokenOf == w.life || e.seated.alive()):
		w.failf("client %d is resumed, and client %d, which is newer, was (R3)", c.serial, e.seated.serial)
	}
	if resumed {
		w.returns++
		w.tracef("client %d is resumed in chat %d by a token of server %d, this is server %d", c.serial, k.index, c.tokenOf, w.life)
		if c.tokenOf != w.life {
			k.left = 0 // a meeting place: it begins again for whoever has read of no end
		}
	}
	if c.end = e; e.seated == nil || direct && e.seated.world == w || e.seated.serial < c.serial { // else it has waited in a backlog, or comes late
		e.seated, e.lostAt = c, 0
	}
	// What it has said before it reads of the chat may end it, also what another worker
	// has read just now.
	late := false
	for _, k := range w.workers {
		late = late || k != w.running && k.reading == c
	}
	if late || c.obeyed < len(c.commands) || c.offence != 0 || c.goodbye != nil && !bytes.HasPrefix(c.goodbye, goingAway) {
		k.over = true
	}
}

// unseat notes that the server has lost the connection c.
func (c *client) unseat() {
	if e := c.end; e != nil && e.seated == c && e.lostAt == 0 {
		e.lostAt = int64(c.world.now)
		c.world.breaks++
	}
}

// checkNoSuchChat: a chat is not refused as long as it goes on.
func (c *client) checkNoSuchChat() {
	w := c.world
	if c.person == nil || c.resuming == nil {
		w.failf("client %d is told of no such chat", c.serial)
	}
	k := c.resuming.chat
	excused := k.over || w.plan.away < 100
	for _, e := range k.ends {
		grace := w.settings.ResumeGrace
		if e != nil && !e.proven {
			grace = min(grace, server.StartGrace)
		}
		if e == nil || e.lostAt > 0 && w.now-timeOf(e.lostAt)+slack >= grace {
			excused = true
		}
	}
	if !excused {
		w.failf("client %d is told of no such chat, and it goes on", c.serial)
	}
}

// parcel is what a message of a chat says: which chat, side and number, and filling.
func (w *world) parcel(e *end, number uint64, op byte, size int) []byte {
	b := fmt.Appendf(w.scratch[:0], "%d~%d~%d~", e.chat.index, e.side, number)
	r := random(uint64(e.chat.index)<<40 | uint64(e.side)<<39 | number)
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

// label reads of which chat a message is, by which side, and its number.
func (w *world) label(b []byte) (e *end, number uint64, ok bool) {
	var v [3]int
	for i := range v {
		at := bytes.IndexByte(b, '~')
		if at <= 0 || at > 9 {
			return nil, 0, false
		}
		if v[i] = decimal(b[:at]); v[i] < 0 {
			return nil, 0, false
		}
		b = b[at+1:]
	}
	if v[0] >= len(w.chatList) || v[1] > 1 || w.chatList[v[0]].ends[v[1]] == nil {
		return nil, 0, false
	}
	return w.chatList[v[0]].ends[v[1]], uint64(v[2]), true
}

// checkParcel judges a message of a chat as it is written to c (I7). False: it is
// none.
func (c *client) checkParcel(payload []byte, direct bool) bool {
	w := c.world
	e, number, ok := w.label(payload)
	if !ok {
		return false
	}
	if c.end == nil || c.end != e.peer() || c.over {
		w.failf("client %d is sent message %d of chat %d, its own is another (I7); that is over: %v %v", c.serial, number, e.chat.index, c.over, c.end)
	}
	if k := w.running; direct && k != nil && k.reading != nil {
		if k.reading.person != e.person {
			w.failf("client %d is sent message %d of somebody whom the worker does not read (I7)", c.serial, number)
		}
		if place, paired := w.pairs.Partner(k.reading.id); !paired || place != c.id {
			w.failf("client %d is sent message %d of client %d, which is not its partner (I7)", c.serial, number, k.reading.serial)
		}
	}
	return true
}

// say says something to the partner, as the person sees it.
func (c *client) say() {
	w, r, p := c.world, &c.world.rnd, c.person
	if p.end == nil || !p.paired {
		c.record()
		return
	}
	n := 1
	if r.oneIn(300) {
		n = resume.RingMessages + r.below(60)
	}
	for range n {
		op := pick(r, byte(opText), opText, opBinary)
		size := min(max(w.length(), 14), w.plan.maxMessage)
		if n > 1 {
			size = 14
		}
		e := p.end
		b := bytes.Clone(w.parcel(e, uint64(len(e.sizes))+1, op, size))
		e.sizes = append(e.sizes, int32(len(b)))
		e.ledger.Sent(resume.Message{Binary: op == opBinary, Payload: b})
		c.utter(op, b)
	}
	if r.oneIn(3) {
		c.push(1 << 30)
	}
}

// utter sends a message, in fragments now and then.
func (c *client) utter(op byte, b []byte) {
	r := &c.world.rnd
	if r.oneIn(8) {
		n := r.below(len(b) + 1)
		c.frameOut(op, b[:n])
		if r.oneIn(3) {
			c.ping()
		}
		op, b = opContinuation, b[n:]
	}
	c.frameOut(finBit|op, b)
	c.spoken(spokeAny)
}

// hear is what a person does with a message, when it reads it.
func (c *client) hear(op byte, b []byte) {
	w, p := c.world, c.person
	if p.client != c {
		return
	}
	if op == opText && len(b) > 0 && b[0] == controlByte {
		c.heed(b)
		return
	}
	e, number, ok := w.label(b)
	if !ok || p.end == nil || p.end != e.peer() {
		return // of a chat that it has left, or of one that nobody counts
	}
	mine := p.end
	if number != mine.shown+1 {
		w.failf("client %d reads message %d of chat %d after %d (R1)", c.serial, number, e.chat.index, mine.shown)
	}
	if !bytes.Equal(b, w.parcel(e, number, op, len(b))) || len(b) != int(e.sizes[number-1]) {
		w.failf("client %d reads another message %d than was sent: %q (I7)", c.serial, number, clip(b))
	}
	mine.shown++
	if mine.ledger.Showed() || w.rnd.oneIn(20) {
		c.sayHave(0)
	}
}

// heed is what a person does with a record.
func (c *client) heed(b []byte) {
	w, p := c.world, c.person
	typ, rest := field(b, "\x1e{\"type\":\"", '"')
	n := number(rest, `,"pair":`)
	switch typ {
	case "paired":
		if p.pair = n; !p.asked && !p.back { // unwanted: stop is on its way
			return
		}
		p.paired, p.asked, p.back, p.end = true, false, false, nil
		if text, _ := field(rest, `"resume":"`, '"'); text != "" {
			p.end = w.endOf(text)
			p.end.token, p.end.life = text, c.life
			c.sayHave(0) // it has the token
		}
	case "left":
		if p.asked && n > p.pair {
			if p.pair = n; !c.left && !c.finAfter && !c.open {
				c.command(true)
			}
			return
		}
		p.paired, p.end = false, nil
	case "error":
		if code, _ := field(rest, `,"code":"`, '"'); code == "no_such_chat" {
			p.paired, p.asked, p.end = false, false, nil
		}
	}
	if p.end == nil {
		return
	}
	e := p.end
	switch typ {
	case "resumed":
		p.pair, p.paired = n, true
		e.token, _ = field(rest, `"resume":"`, '"')
		e.life = c.life
	case "have":
		w.must(c, e.ledger.Delivered(uint64(number(rest, `,"n":`))))
	case "sync":
		c.sayHave(number(rest, `,"gen":`))
	case "back":
		if generation := number(rest, `,"gen":`); generation > 0 {
			c.resend(generation, uint64(number(rest, `,"have":`)))
		}
	case "resend":
		from, lost := uint64(number(rest, `,"from":`)), uint64(number(rest, `,"lost":`))
		w.must(c, e.ledger.Replayed(from, lost))
		c.checkLost(from, lost)
		e.shown, e.lost = e.shown+lost, e.lost+lost
		w.reported += int(lost)
	}
}

// must fails if a client of the rules cannot go on.
func (w *world) must(c *client, err error) {
	if err != nil {
		w.failf("client %d of chat %d: %v (R1)", c.serial, c.person.end.chat.index, err)
	}
}

// checkLost: only what is more than a ring may be reported as lost.
func (c *client) checkLost(from, lost uint64) {
	if lost == 0 {
		return
	}
	sizes, bytes := c.person.end.peer().sizes, 0
	if from-1 > uint64(len(sizes)) {
		c.world.failf("client %d is told of message %d, and %d were sent (R1)", c.serial, from-1, len(sizes))
	}
	for _, n := range sizes[from-2:] {
		bytes += int(n)
	}
	if len(sizes)-int(from)+2 <= resume.RingMessages && bytes <= resume.RingBytes {
		c.world.failf("client %d is told that %d messages before %d were lost, and they are kept (R1)", c.serial, lost, from)
	}
}

func (w *world) endOf(text string) *end {
	token, err := w.keys.Open(text)
	if err != nil || w.byToken[token.Pair] == nil {
		w.failf("no chat has the token %q", text)
	}
	return w.byToken[token.Pair].ends[token.Side]
}

func (c *client) sayHave(generation uint32) {
	if c.finAfter {
		return
	}
	rest := fmt.Sprintf(`,"pair":%d,"n":%d`, c.person.pair, c.person.end.ledger.Have())
	if generation > 0 {
		rest += fmt.Sprintf(`,"gen":%d`, generation)
	}
	c.records("have", rest)
	if n := len(c.utterances); len(c.words) > 0 {
		c.utterances[n-1].kind, c.utterances[n-1].about = spokeHave, c.person.end
	}
}

// resend answers back.
func (c *client) resend(generation uint32, shown uint64) {
	e := c.person.end
	from, lost, messages, err := e.ledger.Replay(shown)
	c.world.must(c, err)
	c.records("resend", fmt.Sprintf(`,"gen":%d,"from":%d,"lost":%d`, generation, from, lost))
	for _, m := range messages {
		op := byte(opText)
		if m.Binary {
			op = opBinary
		}
		c.utter(op, m.Payload)
	}
}

// checkPerson: when all has come to rest, what either has said the other has read.
func (c *client) checkPerson() {
	p, w := c.person, c.world
	if p == nil || p.client != c || c.status != 101 || c.left || c.seen < c.socket.accepted || c.toSend() > 0 || c.blocked() {
		return
	}
	if c.resuming != nil && !c.resumeAnswered {
		w.failf("client %d has asked to be resumed and was not answered", c.serial)
	}
	e := p.end
	if e == nil || e != c.end || e.peer() == nil {
		return
	}
	other := e.peer().person
	o := other.client
	if other.end != e.peer() || o.end != other.end || !o.alive() || o.status != 101 || o.left || o.seen < o.socket.accepted || o.toSend() > 0 || o.blocked() {
		return
	}
	if e.shown != uint64(len(e.peer().sizes)) {
		w.failf("client %d has read %d messages of chat %d, and client %d has sent %d (R1)",
			c.serial, e.shown, e.chat.index, o.serial, len(e.peer().sizes))
	}
}

// checkSingle: of all connections of a person only the one that was given the place
// last is alive (R3).
func (c *client) checkSingle() {
	e := c.end
	if e != nil && c.world.fleet != nil && (!e.seated.alive() || e.chat.over) {
		return // of the newest one, which has gone or has left, the node of c need not know
	}
	if e != nil && !c.over && e.seated != c && c.alive() && e.seated.serial > c.serial && e.chat.left != c.world.life {
		c.world.failf("client %d has the place of chat %d, and so has client %d (R3)", e.seated.serial, e.chat.index, c.serial)
	}
}
