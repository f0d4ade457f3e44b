package simulator

import (
	"bytes"
	"slices"
	"strings"
)

// event reads a record that the server sends to a rich client, in the very form
// in which it writes it, and compares it with what the client was told before.
func (c *client) event(b []byte, end int64, direct bool) {
	w := c.world
	typ, rest := field(b, "\x1e{\"type\":\"", '"')
	if typ == "hello" && c.hello && c.promised {
		c.terms = true
		return
	}
	if !c.hello != (typ == "hello") {
		w.failf("client %d is sent %q, hello before: %v", c.serial, clip(b), c.hello)
	}
	switch typ {
	case "hello":
		c.hello = true
	case "waiting":
		if c.obeyed == 0 {
			w.failf("client %d waits before its first next", c.serial)
		}
		c.waiting, c.over = true, true
	case "paired":
		n := number(rest, `,"pair":`)
		if n <= c.paired || c.paired != 0 && !c.over && !c.mayHaveEnded() {
			w.failf("client %d is told of pairing %d after pairing %d", c.serial, n, c.paired)
		}
		if c.obeyed == 0 {
			w.failf("client %d is paired before its first next", c.serial)
		}
		if p, now := c.partner(); direct && (now < n || p == nil && now == n && w.plan.preempt == 0 && !followsLeft(b)) {
			// It may be announced together with its end.
			c.reactions = append(c.reactions, reaction{at: end})
		} else if direct && p != nil && now == n {
			c.checkCommon(rest, p)
		}
		c.paired, c.over, c.waiting, c.pairSender, c.hidden = n, false, false, nil, false
		c.seat(rest, false, direct)
	case "left":
		n, refused := number(rest, `,"pair":`), c.resuming != nil && c.paired == 0 // then it may be told of that pairing
		if n != c.paired && !refused || c.over && !c.terms {
			w.failf("client %d is told that it was left in pairing %d, it is in pairing %d, over: %v", c.serial, n, c.paired, c.over)
		}
		c.over, c.waiting = true, false
		if c.end != nil {
			c.end.chat.left, c.end.chat.over = w.life, true
			w.tracef("client %d is told that chat %d is over", c.serial, c.end.chat.index)
		}
		c.reactions = append(c.reactions, reaction{at: end, kind: reactLeft})
	case "typing":
		if n := number(rest, `,"pair":`); n != c.paired || c.over {
			w.failf("client %d is told of typing in pairing %d, it is in pairing %d, over: %v", c.serial, n, c.paired, c.over)
		}
	case "undelivered":
		if n := number(rest, `,"pair":`); n > w.pairs.Number(c.id) && !c.conn.Closing() {
			w.failf("client %d is told of undelivered messages of pairing %d", c.serial, n)
		}
		n := int(number(rest, `,"n":`))
		if n == 0 {
			w.failf("client %d is told of no undelivered messages", c.serial)
		}
		c.undelivered += n
	case "online":
		c.checkPeople(rest, direct)
	case "pong":
		if n := number(rest, `,"n":`); len(c.beats) == 0 || c.beats[0] != n {
			w.failf("client %d is sent pong %d, its pings are %v", c.serial, n, c.beats)
		}
		c.beats = c.beats[1:]
	case "again":
		if n := number(rest, `,"pair":`); !c.can("again") || n != c.paired {
			w.failf("client %d is wanted back by the partner of pairing %d, it knows of %d", c.serial, n, c.paired)
		}
	case "away", "back", "have", "sync", "resend", "resumed":
		c.returning(typ, rest, direct)
	case "error":
		code, _ := field(rest, `,"code":"`, '"')
		if code == "rate_limited" && w.plan.rate == 0 {
			w.failf("client %d is limited without a limit", c.serial)
		}
		switch {
		case code == "no_such_chat":
			c.resumeAnswered = true
			c.checkNoSuchChat()
		case c.person != nil && code != "too_late" && code != "rate_limited":
			w.failf("client %d is refused %q", c.serial, clip(b))
		}
	default:
		w.failf("client %d is sent the record %q", c.serial, clip(b))
	}
}

// returning reads what is said of somebody who is away, or back.
func (c *client) returning(typ string, rest []byte, direct bool) {
	w, n := c.world, number(rest, `,"pair":`)
	if c.person == nil && typ != "away" && typ != "back" {
		w.failf("client %d is told of %q", c.serial, typ)
	}
	switch typ {
	case "resumed":
		if c.resuming == nil || c.paired != 0 {
			w.failf("client %d is resumed, and in pairing %d", c.serial, c.paired)
		}
		c.paired, c.over, c.waiting, c.resumeAnswered = n, false, false, true
		c.seat(rest, true, direct)
		return
	case "have":
		return
	case "away":
		reason, _ := field(rest, `"reason":"`, '"')
		if reason == "hidden" {
			c.hidden = true
		}
		if reason == "hidden" && !c.can("away") || reason == "lost" && c.end == nil {
			w.failf("client %d is told that its partner is away (%s)", c.serial, reason)
		}
	case "back":
		c.hidden = false
	}
	if n != c.paired || c.over {
		w.failf("client %d is told %q in pairing %d, it is in pairing %d, over: %v", c.serial, typ, n, c.paired, c.over)
	}
}

// checkPeople: online counts people for those who have asked for them.
func (c *client) checkPeople(rest []byte, direct bool) {
	w := c.world
	if c.can("people") && direct && w.plan.preempt == 0 && w.fleet == nil {
		if n := int(number(rest, `,"n":`)); n != w.pairs.Clients() {
			w.failf("client %d is told of %d people, there are %d", c.serial, n, w.pairs.Clients())
		}
	}
}

// can tells whether c and the server have agreed on a word.
func (c *client) can(word string) bool { return c.terms && slices.Contains(c.words, word) }

func followsLeft(b []byte) bool { return bytes.Contains(b, []byte(`"left"`)) }

// mayHaveEnded tells whether c itself has ended a pairing by a command.
func (c *client) mayHaveEnded() bool { return c.obeyed > 0 }

// checkCommon compares the interests that c shares with its partner with what the
// two have named.
func (c *client) checkCommon(b []byte, p *client) {
	list, _ := field(b, `"common":[`, ']')
	for interest := range strings.SplitSeq(strings.ReplaceAll(list, `"`, ""), ",") {
		if interest != "" && (!slices.Contains(interests, interest) || p.kind != richClient) {
			c.world.failf("client %d shares %q with client %d (%v)", c.serial, interest, p.serial, p.kind)
		}
	}
}

// field returns what stands in b between name and the next byte end, and what
// comes behind.
func field(b []byte, name string, end byte) (value string, rest []byte) {
	_, after, ok := bytes.Cut(b, []byte(name))
	if !ok {
		return "", b
	}
	i := bytes.IndexByte(after, end)
	if i < 0 {
		return "", b
	}
	return string(after[:i]), after[i:]
}

// number reads the number that follows name.
func number(b []byte, name string) (n uint32) {
	_, after, _ := bytes.Cut(b, []byte(name))
	for _, c := range after {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + uint32(c-'0')
	}
	return n
}

var interests = []string{"go", "chess", "music", "rust"}
