package simulator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mutation is a bug that the simulator has to find: old, which stands in the
// file exactly once, is replaced with new.
type mutation struct{ name, file, old, new string }

// mutations are those that one server shows, and behind them those that need several.
var mutations = slices.Concat(serverMutations, nodeMutations)

var nodeMutations = []mutation{
	{"what another node's person has taken is not said", "cmd/roulette/internal/server/elsewhere.go",
		"	if outcome != netpoll.Queued {\n		e.cluster.mesh.Taken(e.chat, len(frames))\n	}\n", ""},
	{"a partner is told before the other one is claimed", "cmd/roulette/internal/mesh/offer.go",
		"	m.say(p, opAccept, body{offer: b.offer, mine: c.number, stranger: found})\n", "	m.say(p, opAccept, body{offer: b.offer, mine: c.number, stranger: found})\n	m.config.Host.Begin(c.number, c.name(m.config.Self))\n"},
	{"the end of a chat of two nodes is not told", "cmd/roulette/internal/server/elsewhere.go",
		"	e.cluster.mesh.Leave(e.chat, reasonOf(why))\n", ""},
	{"a word that is missing is not missed", "cmd/roulette/internal/mesh/peer.go",
		"	if p.in != 0 && h.seq != p.in+1 {", "	if false {"},
	{"an old word sends away who has come back on another node", "cmd/roulette/internal/server/calls.go",
		"ok && e.who.home == from {", "ok && e == nil {"},
}

var serverMutations = []mutation{
	// netpoll: descriptors.
	{"close before Del", "netpoll/close.go",
		"	fd := c.forget()\n	w.kernel.Close(fd)\n", "	w.kernel.Close(int(c.fd))\n	c.forget()\n"},
	{"a closed descriptor stays in the epoll", "netpoll/close.go",
		"	w.epoll.Del(fd) // fails for one that was never added; before close (I1)\n", ""},
	{"a descriptor closed twice", "netpoll/close.go",
		"	w.kernel.Close(fd)\n	w.handler.Closed", "	w.kernel.Close(fd)\n	w.kernel.Close(fd)\n	w.handler.Closed"},
	{"a descriptor never closed", "netpoll/close.go",
		"	w.kernel.Close(fd)\n	w.handler.Closed", "	_ = fd\n	w.handler.Closed"},
	{"Detach forgets Del", "netpoll/detached.go",
		"	_, backlog := c.withdraw()\n", "	c.fd = -1\n	w.count.Add(-1)\n	w.poller.open.Add(-1)\n	var backlog *buffer\n"},
	{"a closed connection keeps its descriptor's number", "netpoll/close.go",
		"	c.fd = -1\n	if s := c.spill", "	if s := c.spill"},
	{"a backlog not given back", "netpoll/close.go",
		"		w.stats.BacklogConns--\n", ""},
	{"nobody lingers for ever", "netpoll/clock.go",
		"			c.close(Abandoned)\n", ""},
	{"who is refused at accept stays open", "netpoll/close.go",
		"	w.kernel.Close(c.forget())", "	c.forget()"},

	{"who takes nothing is waited for behind a backlog", "netpoll/clock.go",
		"	if c.has(closing) {\n		return\n	}\n	if c.has(paused) ||", "	if c.has(paused) ||"},

	// netpoll: reading and writing.
	{"an event flag is believed to be the end", "netpoll/io.go",
		"	if events&inputEvents != 0 {", "	if events&hangUpEvents != 0 {\n		c.close(EndOfFile)\n		return\n	}\n	if events&inputEvents != 0 {"},
	{"EAGAIN is an error", "netpoll/io.go",
		"return errno == unix.EAGAIN || errno", "return errno"},
	{"EAGAIN is the end", "netpoll/io.go",
		"		case errno == unix.EAGAIN:\n			return\n", ""},
	{"ENOBUFS is an error", "netpoll/io.go",
		" || errno == unix.ENOBUFS || errno == unix.ENOMEM", ""},
	{"EINTR is an error", "netpoll/io.go",
		"		case errno == unix.EINTR:\n			continue\n", ""},
	{"an interrupted write is not repeated", "netpoll/io.go",
		"		if errno != unix.EINTR {", "		if true {"},
	{"the rest of a short write is lost", "netpoll/io.go",
		"		a = a[n:]\n", "		a = nil\n"},
	{"the second piece of a short write is lost", "netpoll/io.go",
		"		a, b = b[n-len(a):], nil", "		a, b = nil, nil"},
	{"a backlog is flushed in the wrong order", "netpoll/io.go",
		"	s.backlog = s.backlog.append(a).append(b)", "	s.backlog = s.backlog.append(b).append(a)"},
	{"a message overtakes the backlog", "netpoll/io.go",
		"	if s := c.spilled(); s != nil && s.backlog != nil {\n		if s.backlog.len()", "	if s := c.spilled(); s != nil && s.backlog != nil && s.backlog.len() > 64 {\n		if s.backlog.len()"},
	{"a backlog that was flushed in part starts again", "netpoll/io.go",
		"	s.backlog.from += n\n", ""},
	{"a backlog is not tried again when there is room", "netpoll/io.go",
		"	if events&easygo.EPOLLOUT != 0 && c.spilled() != nil && !c.flush() {\n		return\n	}\n", ""},
	{"a backlog is not armed when it comes to be", "netpoll/io.go",
		"	by.stats.BacklogConns++\n	c.enqueue(by, s, a, b, from)\n", "	by.stats.BacklogConns++\n	c.enqueue(by, s, a, b, from)\n	return Queued\n"},
	{"what the kernel had no memory for is not tried again", "netpoll/io.go",
		"	if !c.flush() {\n		return false\n	}\n	if c.backlogStalled(w)", "	if c.backlogStalled(w)"},
	{"a full read does not look again", "netpoll/io.go",
		"		case kept+n == len(w.buf):\n			c.lookAgain()\n			return\n", "		case kept+n == len(w.buf):\n			return\n"},
	{"resuming does not look at what has come", "netpoll/io.go",
		"		c.bits.Or(resumed)\n		c.lookAgain()\n", "		c.bits.Or(resumed)\n"},
	{"a sender paused for himself is not resumed", "netpoll/io.go",
		"		c.resumeSelf()\n", ""},
	{"a write without the write lock", "netpoll/io.go",
		"	before := s.backlog.len()\n	n, errno := c.write(w, s.backlog.waiting(), nil)\n", "	before := s.backlog.len()\n	c.Unlock()\n	n, errno := c.write(w, s.backlog.waiting(), nil)\n	c.Lock()\n"},
	{"the end is not told when the backlog has gone", "netpoll/io.go",
		"		if c.has(closing) {\n			c.shutLocked(w)\n		}\n", ""},

	// netpoll: accepting.
	{"the spare is not opened again", "netpoll/listener.go",
		"	w.kernel.Close(fd)\n	p.mu.Lock()\n	p.openSpareLocked()\n", "	w.kernel.Close(fd)\n	p.mu.Lock()\n"},
	{"who backed off does not listen again", "netpoll/listener.go",
		"		b.until = 0\n", "		b.until = 0\n		continue\n"},
	{"an arrival is forgotten", "netpoll/worker.go",
		"	for _, a := range arrivals {\n		w.arrive(a.fd, a.peer, a.door)\n	}\n", ""},
	{"an accepted socket is not registered", "netpoll/listener.go",
		"	c.read(0)\n	w.register(c)\n", "	c.read(0)\n"},
	{"the sweep leaves chunks out", "netpoll/clock.go",
		"	for i := int(w.tick % sweepTicks); i < w.lastChunk; i += sweepTicks {", "	for i := int(w.tick%sweepTicks) + 1; i < w.lastChunk; i += sweepTicks {"},

	// netpoll: codecs.
	{"a record that is not whole is forgotten", "netpoll/codec.go",
		"	c.setPartial(b) // now", "	c.setPartial(nil) // now"},
	{"of the records of one read only the last is heard", "netpoll/codec.go",
		"			plain = append(plain, p...) //", "			plain = p //"},
	{"who sends what is no record is not told so", "netpoll/codec.go",
		"		w.handler.Garbled(c, err)\n", ""},
	{"what waits for a codec is not sealed", "netpoll/codec.go",
		"		s.backlog = s.backlog.seal(by, codec, a, b)\n", "		s.backlog = s.backlog.append(a).append(b)\n"},
	{"a message is sealed twice", "netpoll/codec.go",
		"	due := codec.Seal(by, record)\n", "	codec.Seal(by, record)\n	due := codec.Seal(by, record)\n"},
	{"what lies behind a message is overwritten by its record's end", "netpoll/codec.go",
		"	copy(record[end:], saved[RecordRoom:])\n", ""},
	{"the first piece of a long message is sealed behind the second", "netpoll/codec.go",
		"		n := copy(record[before:before+size], a)\n		m := copy(record[before+n:before+size], b)\n", "		m := copy(record[before:before+size], b)\n		n := copy(record[before+m:before+size], a)\n"},
	{"an answer of a codec is lost behind a backlog", "netpoll/codec.go",
		"		c.enqueue(by, s, b, nil, from)\n		return\n", "		return\n"},
	{"a codec's own records are sealed without the write lock", "netpoll/codec.go",
		"	c.Lock()\n	defer c.Unlock()\n	if c.fd >= 0 && !c.has(closing) {\n		c.putOwn(", "	own := codec.Own(by, nil)\n	c.Lock()\n	defer c.Unlock()\n	if c.fd >= 0 && !c.has(closing) {\n		c.putOwn(by, own, c)\n		return\n		c.putOwn("},
	{"the end is told before a codec has ended", "netpoll/codec.go",
		"	return codec.End(w, sealed.bytes)", "	return sealed.bytes"},
	{"last words behind a codec's end", "netpoll/codec.go",
		"	sealed := newBuffer(sealedSize(codec, len(last))+2*RecordRoom).seal(w, codec, last, nil)\n	return codec.End(w, sealed.bytes)", "	end := codec.End(w, nil)\n	return newBuffer(len(end)).append(end).seal(w, codec, last, nil).bytes"},
	{"a message is sealed for a connection that has ended", "netpoll/io.go",
		"		if bits&closing != 0 {\n			return Gone\n		}\n", ""},

	// server: relaying.
	{"the partner is not asked for again under the lock", "cmd/roulette/internal/server/seat.go",
		"ok && back == own {", "ok || back != own {"},
	{"a listener that backed off is forgotten when a late event brings it a connection", "netpoll/listener.go",
		"b != nil && b.until == 0 {", "b != nil {"},
	{"a control message is relayed", "cmd/roulette/internal/server/turn.go",
		"		if m.Op == ws.OpText && record.IsControl(m.Payload) && kindOf(t.c) != echo {", "		if m.Op == ws.OpText && record.IsControl(m.Payload) && t.rich != nil {"},
	{"a fast control message is relayed", "frame/run.go",
		"		if text && n > 0 && rest[size]^byte(key) == recordSeparator {\n			break\n		}\n", ""},
	{"a paused sender is not resumed when his receiver has drained", "cmd/roulette/internal/server/handler.go",
		"	h.partnerOf(c).resume()\n", ""},
	{"a paused sender is not resumed when his receiver has gone", "cmd/roulette/internal/server/parting.go",
		"		survivor.resume()\n", ""},
	{"who leaves a partner stays paused for him", "cmd/roulette/internal/server/parting.go",
		"		own.resume()\n", ""},
	{"undelivered messages are not reported", "cmd/roulette/internal/server/relay.go",
		"	if outcome == netpoll.Gone {\n		t.undelivered(n)\n	} else {", "	if outcome == netpoll.Gone {\n		_ = n\n	} else {"},
	{"a plain client hears of one of its messages only", "cmd/roulette/internal/server/relay.go",
		"		for range n {\n", "		for range min(n, 1) {\n"},
	{"a pong overtakes a message", "cmd/roulette/internal/server/turn.go",
		"		t.answer(frame.AppendMessage(t.back, ws.OpPong, m.Payload))\n", "		t.answer(append(frame.AppendMessage(nil, ws.OpPong, m.Payload), t.back...))\n"},
	{"a message that is not whole is forgotten", "cmd/roulette/internal/server/turn.go",
		"		c.Hold(d)\n", ""},
	{"a message goes to the next partner", "cmd/roulette/internal/server/turn.go",
		"			t.deliver()\n			return t.controlMessage(m.Payload)", "			return t.controlMessage(m.Payload)"},
	{"an offender's messages are not delivered", "cmd/roulette/internal/server/turn.go",
		"	return t.ends(goodbyeFor(offence))\n", "	t.out = batch{}\n	return t.ends(goodbyeFor(offence))\n"},
	{"an end is counted twice", "cmd/roulette/internal/server/handler.go",
		"	h.account(c, g.why, g.label)\n	h.releaseHeld(c)\n", "	h.account(c, g.why, g.label)\n	h.account(c, g.why, g.label)\n	h.releaseHeld(c)\n"},
	{"an ended client stays in the table", "cmd/roulette/internal/server/handler.go",
		"	c.Finish(h.reply)\n	h.remove(c, g)\n", "	c.Finish(h.reply)\n"},
	{"an address is never uncounted", "cmd/roulette/internal/server/gates.go",
		"		l.server.addresses.Release(c.Key, l.worker.Now())\n", ""},
	{"no place is given back by who was turned away", "cmd/roulette/internal/server/gates.go",
		"		l.server.turnedAway.Add(-1)\n", ""},

	// server: records.
	{"left is sent twice", "cmd/roulette/internal/server/notices.go",
		"	r.told.end(n)\n	r.forgetKept", "	h.noticeLocked(c, record.AppendLeft(h.notice[:0], n, why.told))\n	r.forgetKept"},
	{"left is not sent", "cmd/roulette/internal/server/notices.go",
		"	h.noticeLocked(c, record.AppendLeft(h.notice[:0], n, reason))\n", ""},
	{"paired comes after the first message", "cmd/roulette/internal/server/relay.go",
		"		if kindOf(p.here) == richKind {\n			h.announceLocked(p.here)\n		}\n", ""},
	{"who leaves is told that its partner has left", "cmd/roulette/internal/server/notices.go",
		"	r.told.end(change.Own)\n", ""},
	{"waiting is not sent", "cmd/roulette/internal/server/notices.go",
		"		h.tellWaitingLocked(c, r)\n", ""},
	{"typing reaches somebody else", "cmd/roulette/internal/server/rich.go",
		"			h.announceLocked(p.here)\n			h.noticeLocked(p.here, record.AppendTyping", "			h.noticeLocked(p.here, record.AppendTyping"},

	// Connections that move to another server.
	{"what waits is lost when a connection moves", "netpoll/detached.go",
		"		c.enqueue(w, s, d.Unsent, nil, nil)\n", "		c.enqueue(w, s, d.Unsent[:len(d.Unsent)-1], nil, nil)\n"},
	{"half a record is lost when a connection moves", "netpoll/detached.go",
		"	if c.fd >= 0 && len(unread) > 0 {", "	if false {"},
	{"who was said goodbye to is heard when it has moved", "netpoll/detached.go",
		"		c.bits.Or(closing)\n", ""},
	{"half a message is lost when a connection moves", "cmd/roulette/internal/server/move.go",
		"		p.RestoreState(u.decoder) //", "		//"},
	{"half a request is lost when a connection moves", "cmd/roulette/internal/server/move.go",
		"		d.Held = k.request\n", ""},
	{"what a client was told is forgotten when it moves", "cmd/roulette/internal/server/move.go",
		"	r.told.advance(t.told)\n", ""},
	{"an address is not counted for who has moved", "cmd/roulette/internal/server/move.go",
		"		h.server.addresses.Readmit(c.Key", "		func(uint32, limit.Network) {}(c.Key"},
	{"who ends is not counted when it has moved", "cmd/roulette/internal/server/move.go",
		"	case ended:\n		h.counters.Connections[metrics.ConnectionClosing] += n\n", "	case ended:\n"},
	{"pair numbers start again when a client moves", "pairing/standing.go",
		"	e.number.Store(s.Number)\n", ""},
	{"who waits is nobody's to find when it has moved", "pairing/standing.go",
		"		s.insert(id, e)\n", ""},
	{"who insists takes anybody when it has moved", "pairing/standing.go",
		"needs(s.Insists)&t.needsAt(s.Wishes, 0))", "0)"},

	{"a bit of a carry is lost", "cmd/roulette/internal/server/carry.go",
		"	w.bool(s.Auto)\n", "	w.bool(false)\n"},
	{"a descriptor twice", "cmd/roulette/internal/server/move.go",
		"		k.conn.FD = fds[i]\n", "		k.conn.FD = fds[i&^1]\n"},
	{"a partner is who has that place in another server", "cmd/roulette/internal/server/move.go",
		"		s.Partner = moved[s.Partner]\n", ""},
	{"half a message is forgotten by an upgrade that is called off", "cmd/roulette/internal/server/move.go",
		"		k.unparsed = &unparsed{decoder: held.AppendState(nil), age: now - held.since, limit: uint32(held.Limit), promised: held.promised}\n", "		k.unparsed = &unparsed{decoder: held.AppendState(nil), age: now - held.since, limit: uint32(held.Limit), promised: held.promised}\n		h.releaseHeld(c)\n"},

	// Admission. (The limits of handshakes are those of package limit's own model.)
	{"an address has one connection more than it may", "cmd/roulette/internal/limit/addresses.go",
		"most > 0 && e.conns >= most", "most > 0 && e.conns > most"},
	{"an address has one connection fewer than it may", "cmd/roulette/internal/limit/addresses.go",
		"most > 0 && e.conns >= most", "most > 0 && e.conns+1 >= most"},
	{"who goes to net/http counts for its address still", "cmd/roulette/internal/server/upgrade.go",
		"	l.releaseAddress(c)\n", ""},
	{"there are more chats than there may be", "cmd/roulette/internal/server/gates.go",
		"		s.chats.Add(-1)\n		return true", "		s.chats.Add(-1)\n		return false"},
	{"who finds no place takes one", "cmd/roulette/internal/server/gates.go",
		"		s.chats.Add(-1)\n		return true", "		return true"},
	{"who ends keeps its place", "cmd/roulette/internal/server/handler.go",
		"	h.server.chats.Add(-1)\n", ""},
	{"there may be ever more who are to be refused", "cmd/roulette/internal/server/refusal.go",
		"		l.server.turnedAway.Add(-1)\n", ""},

	// Pairings across a stop, a next and a paired that cross each other.
	{"a next that crosses paired ends that pairing", "pairing/table.go",
		"		if c.named && e.number.Load() != c.name {", "		if c.named && e.number.Load() == 0 {"},
	{"who has ended a pairing unknowingly is not told", "cmd/roulette/internal/server/dialogue.go",
		"standing.Paired || !t.rich.told.lately(n) {", "standing.Paired || !t.rich.told.lately(n) || true {"},

	// Move and Again.
	{"a partner points at the seat that somebody has left", "pairing/move.go",
		"		t.entry(partner).link.Store(to + 1)\n", ""},
	{"who moves begins to count pairings anew", "pairing/move.go",
		"	target.number.Store(source.number.Load())\n", "	target.number.Store(0)\n"},
	{"who moves stays where it was, too", "pairing/move.go",
		"		source.link.Store(0)\n	case waiting:", "	case waiting:"},

	// Coming back.
	{"a break resets the count of what was shown", "cmd/roulette/internal/resume/exchange.go",
		"	s.try, s.away, s.have, s.counted = try, false, have, true\n", "	s.try, s.away, s.have, s.counted = try, false, 0, true\n"},
	{"the count is one too few", "cmd/roulette/internal/resume/exchange.go",
		"	s.have, s.counted = n, true\n", "	s.have, s.counted = max(n, 1)-1, true\n"},
	{"the newest is who arrives last", "cmd/roulette/internal/resume/exchange.go",
		"	if try <= s.try {", "	if try == 0 {"},
	{"what was under way is relayed after a break", "cmd/roulette/internal/server/break.go",
		"	r.told.mark(s.pairs.Number(place), toldMuted, true)\n", ""},
	{"who is back is heard before it has begun again", "cmd/roulette/internal/server/return.go",
		"	r.told.mark(n, toldMuted|toldResumable, true)\n", "	r.told.mark(n, toldResumable, true)\n"},
	{"whoever has a token of the pair has the place", "cmd/roulette/internal/server/return.go",
		"	side := int(token.Side)\n	k, result", "	side := 1 - int(token.Side)\n	k, result"},
	{"an older connection stays when a newer one has its place", "cmd/roulette/internal/server/return.go",
		"			w.Handler().(*handler).end(c, takenOver)\n", ""},
	{"who is away counts for no address any more", "cmd/roulette/internal/server/break.go",
		"		clearFlag(c, attributed) // it goes on counting\n", ""},

	// Upgrades.
	{"a nonce is used twice", "cmd/roulette/internal/simulator/upgrade.go",
		"out: uint32(v[2]), most", "out: max(uint32(v[2]), 1) - 1, most"},

	// pairing.
	{"the fence: who is left is paired again", "pairing/table.go",
		"		if other.manner.auto() {", "		if other.state = idle; true {"},
	{"a plain client that is left does not wait again", "pairing/table.go",
		"		if other.manner.auto() {", "		if other.manner.auto() && false {"},
	{"the partner still points at who has left", "pairing/table.go",
		"		other.link.Store(0)\n", ""},
	{"a survivor waits beside others", "pairing/table.go",
		"		c.add(t.match(c.Survivor, now))\n", ""},
	{"a match is found and not made mutual", "pairing/match.go",
		"	eb.link.Store(a + 1)\n", "	eb.link.Store(b + 1)\n"},
	{"an appointment in the past is kept a turn late", "pairing/wheel.go",
		"	if w.started && w.isPast(at) {\n		at = w.next\n	}\n", ""},
	{"an appointment that is kept too early is not made again", "pairing/match.go",
		"		s.appoint(t, a.id, e, k, now)\n", ""},
	{"who waits is not looked for", "pairing/match.go",
		"	s.await(t, id, e, k, now)\n	s.mu.Unlock()\n	return t.match(id, now)", "	s.await(t, id, e, k, now)\n	s.mu.Unlock()\n	return Match{}, false"},
}

// TestMutationsStand: who changes a text that a mutation changes has to carry the
// mutation along.
func TestMutationsStand(t *testing.T) {
	names := make(map[string]bool)
	for _, m := range mutations {
		source, err := os.ReadFile(filepath.Join("../../../..", m.file))
		if err != nil {
			t.Error(err)
			continue
		}
		if n := strings.Count(string(source), m.old); n != 1 || m.old == m.new || names[m.name] {
			t.Errorf("%s: %s has the text %d times, not once:\n%s", m.name, m.file, n, m.old)
		}
		names[m.name] = true
	}
}
