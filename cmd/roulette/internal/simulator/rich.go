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
			c.reactions = append(c.reactions, reaction{end, 0})
		} else if direct && p != nil && now == n {
			c.checkCommon(rest, p)
		}
		c.paired, c.over, c.waiting, c.pairSender = n, false, false, nil
	case "left":
		if n := number(rest, `,"pair":`); n != c.paired || c.over {
			w.failf("client %d is told that it was left in pairing %d, it is in pairing %d, over: %v", c.serial, n, c.paired, c.over)
		}
		c.over, c.waiting = true, false
		c.reactions = append(c.reactions, reaction{end, reactLeft})
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
	case "error":
		code, _ := field(rest, `,"code":"`, '"')
		if code == "rate_limited" && w.plan.rate == 0 {
			w.failf("client %d is limited without a limit", c.serial)
		}
	default:
		w.failf("client %d is sent the record %q", c.serial, clip(b))
	}
}

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
