//go:build linux

package bench

import (
	"bytes"
	"encoding/binary"
)

// An inbox is what has come of the present frame and message of one client. A
// message's body is compared as it comes; nothing is kept of it.
type inbox struct {
	header    [10]byte // of a frame, until it is whole
	headerLen uint8
	op        byte // of the present frame
	fin       bool
	inFrame   bool
	inMessage bool
	wrong     bool   // the message's body differs
	left      uint64 // payload bytes of the frame still to come
	pos       int    // payload bytes of the message so far
	slot      int    // of its body, once the head is whole
	head      [headSize]byte
	control   []byte // payload of a control frame; the response during the handshake
}

// recordMark is what a control record begins with.
const recordMark = 0x1e

// feed takes the bytes of one read.
func (l *loop) feed(c *client, p []byte, now int64) {
	in, s := &c.in, l.stencil
	whole := len(s.reply) + s.size
	for len(p) > 0 && c.state == open {
		// Nearly always: a whole message of the kind that was sent.
		if !in.inFrame && !in.inMessage && in.headerLen == 0 &&
			len(p) >= whole && bytes.Equal(p[:len(s.reply)], s.reply) {
			if m := p[len(s.reply):whole]; !l.expected(c, m, now) {
				h, ok := parseHead(m)
				ok = ok && bytes.Equal(m[headSize:], s.body(s.slot(h.id, h.seq)))
				l.message(c, h, ok, now)
			}
			p = p[whole:]
			continue
		}
		p = l.piece(c, p, now)
	}
	if c.state == parting && len(p) > 0 {
		l.parted(c, len(p))
	}
}

// headerSize is how long the present frame's header is, as far as is known.
func (in *inbox) headerSize() int {
	if in.headerLen >= 2 {
		switch in.header[1] & 127 {
		case 126:
			return 4
		case 127:
			return 10
		}
	}
	return 2
}

// piece takes one step of what feed does not take at once, and returns the rest.
func (l *loop) piece(c *client, p []byte, now int64) []byte {
	in := &c.in
	if !in.inFrame {
		for int(in.headerLen) < in.headerSize() {
			if len(p) == 0 {
				return nil
			}
			n := copy(in.header[in.headerLen:in.headerSize()], p)
			in.headerLen += uint8(n)
			p = p[n:]
		}
		need := in.headerSize()
		in.headerLen = 0
		if !l.frame(c, need) {
			return nil
		}
	}
	n := int(min(uint64(len(p)), in.left))
	part := p[:n]
	in.left -= uint64(n)
	if in.op >= 8 {
		in.control = append(in.control, part...)
	} else {
		l.payload(c, part)
	}
	if in.left == 0 {
		in.inFrame = false
		l.endFrame(c, now)
	}
	return p[n:]
}

// frame begins the frame whose header of n bytes is whole.
func (l *loop) frame(c *client, n int) bool {
	in := &c.in
	h := in.header[:n]
	in.op, in.fin, in.inFrame = h[0]&15, h[0]&0x80 != 0, true
	switch n {
	case 2:
		in.left = uint64(h[1] & 127)
	case 4:
		in.left = uint64(binary.BigEndian.Uint16(h[2:]))
	default:
		in.left = binary.BigEndian.Uint64(h[2:])
	}
	wrong := h[0]&0x70 != 0 || h[1]&0x80 != 0
	switch in.op {
	case 0:
		wrong = wrong || !in.inMessage
	case 1, 2:
		wrong = wrong || in.inMessage
		in.inMessage, in.wrong, in.pos = true, false, 0
		// A hello is text always; nothing else may change its kind on the way.
		if in.op != l.stencil.reply[0]&15 && in.left > headSize {
			in.wrong = true
		}
	case 8, 9, 10:
		wrong = wrong || in.left > 125 || !in.fin
		in.control = in.control[:0]
	default:
		wrong = true
	}
	if wrong {
		l.end(c, "protocol error of the server")
	}
	return !wrong
}

// payload compares a piece of a message with what it must be.
func (l *loop) payload(c *client, p []byte) {
	in, s := &c.in, l.stencil
	if in.pos < headSize {
		n := copy(in.head[in.pos:], p)
		in.pos += n
		p = p[n:]
		if in.pos == headSize {
			h, ok := parseHead(in.head[:])
			in.wrong = in.wrong || !ok
			in.slot = s.slot(h.id, h.seq)
		}
	}
	if len(p) == 0 {
		return
	}
	at := in.pos - headSize
	body := s.body(in.slot)
	if at+len(p) > len(body) || !bytes.Equal(p, body[at:at+len(p)]) {
		in.wrong = true
	}
	in.pos += len(p)
}

func (l *loop) endFrame(c *client, now int64) {
	in := &c.in
	switch in.op {
	case 8:
		code := 1005
		if len(in.control) >= 2 {
			code = int(binary.BigEndian.Uint16(in.control))
		}
		l.farewell(c, code, now)
		return
	case 9:
		l.pings++
		l.scratch = l.stencil.appendControl(l.scratch[:0], 10, in.control)
		l.push(c, l.scratch)
		return
	case 10:
		return
	}
	if !in.fin {
		return
	}
	in.inMessage = false
	if l.run.config.protocol() != "" && in.pos > 0 && in.head[0] == recordMark {
		return
	}
	if bytes.HasPrefix(in.head[:min(in.pos, headSize)], []byte("Sorry you dont have partner yet")) {
		l.alone(c)
		return
	}
	h, ok := parseHead(in.head[:])
	ok = ok && in.pos >= headSize
	if ok && h.kind == hello && in.pos == headSize {
		l.greeted(c, h, now)
		return
	}
	l.message(c, h, ok && !in.wrong && in.pos == l.stencil.size, now)
}
