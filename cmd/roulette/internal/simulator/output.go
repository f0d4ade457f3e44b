package simulator

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"time"
)

// output is what the server has sent to a client, as a client with good ears
// understands it. It is looked at when the server writes it, and not when the
// client reads it, so that a violation is found in the step in which it happens.
type output struct {
	status    int    // of the HTTP response; 0: none yet
	pending   []byte // of a response or a frame that is not whole
	body      int    // bytes of a refusal's body that are to come
	sent      int64  // bytes, those included that wait in a backlog
	reactions []reaction
	closing   bool // a close frame was sent
	said      bool // a whole refusal was

	// Chat.
	delivered   int     // of its messages, to others
	undelivered int     // it was told
	from        *client // who has sent it the last message
	last        int     // and its number
	backlogged  bool    // something had to wait
	diedFull    bool    // and was lost
	settled     int     // messages that the server had read when it closed the chat
	direct      bool    // what is looked at does not stand behind a backlog
	readPartner *client // when the server has read from it last
	readNumber  uint32
	readAt      time.Duration
	pingAt      time.Duration // when it was pinged; 0: never

	// Rich.
	hello          bool
	terms          bool   // it was told what both can
	paired         uint32 // the pairing it was told of last
	over           bool   // and that it is over, or that another is looked for
	waiting        bool   // it was told last
	pairSender     *client
	end            *end // of the chat whose place it was given last
	resumeAnswered bool
	hidden         bool // it was told that its partner is
}

// reaction is something that the client has to answer when it has read so far.
type reaction struct {
	at   int64
	kind byte // an opcode, reactLeft or reactHear
	op   byte
	said []byte // to be heard
}

const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
	finBit         = 0x80

	reactLeft = 0xff
	reactHear = 0xfe
)

// see looks at what the server sends to c: all that it is committed to, of which
// the kernel may take a part later. direct: nothing else waits.
func (c *client) see(b []byte, direct bool) {
	if len(b) == 0 {
		return
	}
	c.direct = direct
	if !direct {
		c.backlogged = true
	}
	c.sent += int64(len(b))
	known := len(c.reactions)
	if c.coded != nil {
		b = c.opened(b)
	}
	rest := b
	if len(c.pending) > 0 {
		c.pending = append(c.pending, b...)
		rest = c.pending
	}
	whole := len(rest)
	for len(rest) > 0 {
		end := c.sent - int64(len(rest))
		var n int
		if c.status != 101 {
			n = c.response(rest)
		} else {
			n = c.frame(rest, end, direct)
		}
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	if len(rest) < whole || len(c.pending) == 0 {
		c.pending = append(c.pending[:0], rest...)
	}
	if c.coded != nil { // it reads records, and these are whole
		for i := range c.reactions[known:] {
			c.reactions[known+i].at = c.sent
		}
		if c.coded.refused && !c.coded.told {
			c.refusedRecord()
		}
	}
}

var (
	blankLine     = []byte("\r\n\r\n")
	contentLength = []byte("Content-Length: ")
)

// response reads an HTTP response and returns its length, 0 if it is not whole.
func (c *client) response(b []byte) int {
	w := c.world
	if c.body > 0 {
		n := min(len(b), c.body)
		c.body -= n
		c.said = c.body == 0
		return n
	}
	if c.status != 0 {
		w.failf("client %d is sent %q behind its response %d", c.serial, clip(b), c.status)
	}
	head, _, ok := bytes.Cut(b, blankLine)
	if !ok {
		return 0
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) || len(head) < 12 {
		w.failf("client %d is answered %q", c.serial, clip(head))
	}
	c.status, _ = strconv.Atoi(string(head[9:12]))
	if c.status != 101 {
		if _, length, ok := bytes.Cut(head, contentLength); ok {
			length, _, _ = bytes.Cut(length, []byte("\r"))
			c.body, _ = strconv.Atoi(string(length))
		}
	}
	c.checkResponse(head)
	return len(head) + len(blankLine)
}

// frame reads a frame that begins at an offset of the stream, and returns its
// length, 0 if it is not whole.
func (c *client) frame(b []byte, begin int64, direct bool) int {
	w := c.world
	if c.closing {
		w.failf("client %d is sent %q behind its close frame", c.serial, clip(b))
	}
	if len(b) < 2 {
		return 0
	}
	op, n, size := b[0]&0xf, int(b[1]), 2
	switch n {
	case 126:
		if len(b) < 4 {
			return 0
		}
		n, size = int(binary.BigEndian.Uint16(b[2:])), 4
		if n < 126 {
			w.failf("client %d is sent a length that is not minimal", c.serial)
		}
	case 127:
		if len(b) < 10 {
			return 0
		}
		n, size = int(binary.BigEndian.Uint64(b[2:])), 10
		if n < 1<<16 {
			w.failf("client %d is sent a length that is not minimal", c.serial)
		}
	}
	if b[0]&0xf0 != finBit || n > 1<<20 || b[1] > 127 || op >= opClose && n > 125 {
		w.failf("client %d is sent the frame header %#x", c.serial, b[:2])
	}
	if len(b) < size+n {
		return 0
	}
	payload := b[size : size+n]
	end := begin + int64(size+n)
	switch op {
	case opText, opBinary:
		c.data(op, payload, end, direct)
	case opPing:
		c.pingAt = w.now
		c.reactions = append(c.reactions, reaction{at: end, kind: opPing})
	case opPong:
		if len(c.pings) == 0 || !bytes.Equal(c.pings[0], payload) {
			w.failf("client %d is sent the pong %q, its pings are %q", c.serial, payload, c.pings)
		}
		c.pings = c.pings[1:]
	case opClose:
		c.closing = true
		c.reactions = append(c.reactions, reaction{at: end, kind: opClose})
		c.checkClose(payload)
	default:
		w.failf("client %d is sent opcode %d", c.serial, op)
	}
	return size + n
}

const sorryText = "Sorry you dont have partner yet, check back in a minute"

func (c *client) data(op byte, payload []byte, end int64, direct bool) {
	if c.person != nil {
		c.reactions = append(c.reactions, reaction{end, reactHear, op, bytes.Clone(payload)})
	}
	switch {
	case op == opText && len(payload) > 0 && payload[0] == controlByte && c.kind != echoClient:
		if c.kind != richClient {
			c.world.failf("client %d (%v) is sent a control message: %q", c.serial, c.kind, clip(payload))
		}
		c.event(payload, end, direct)
	case c.kind == plainClient && op == opText && string(payload) == sorryText:
		c.undelivered++
	default:
		if c.kind == richClient && !c.hello {
			c.world.failf("client %d is sent a message before hello", c.serial)
		}
		c.chat(op, payload, direct)
	}
}
