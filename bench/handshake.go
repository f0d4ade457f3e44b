//go:build linux

package bench

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// request builds the upgrade request, the same for every client of a loop, and the
// value that must come back in Sec-WebSocket-Accept.
func request(to target, seed uint64, protocol string) (req, accept []byte) {
	var nonce [16]byte
	for i := range nonce {
		nonce[i] = byte(seed >> (i % 8 * 8))
	}
	key := base64.StdEncoding.EncodeToString(nonce[:])
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	req = []byte("GET " + to.path + " HTTP/1.1\r\nHost: " + to.host + "\r\n" +
		"Upgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n")
	if protocol != "" {
		req = append(req, "Sec-WebSocket-Protocol: "+protocol+"\r\n"...)
	}
	req = append(req, "\r\n"...)
	return req, []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

// source is the address that the i-th connection comes from: one of several of
// 127.0.0.0/8 when the server is on the loopback, so that ports do not run out.
func (l *loop) source(i uint64) netip.Addr {
	a := l.run.target.addr.Addr()
	if l.run.config.Sources < 2 || !a.Is4() || !a.IsLoopback() {
		return netip.Addr{}
	}
	n := i % uint64(l.run.config.Sources)
	return netip.AddrFrom4([4]byte{127, 0, byte(n >> 7), byte(2 + n&127)})
}

// node is the number of the server that c is a client of. With Across the two of a pair
// have numbers that follow each other, see table.
func (l *loop) node(c *client) int { return int(c.id) % len(l.requests) }

// table has c ask for the table of its pair.
func (l *loop) table(c *client) {
	record := fmt.Appendf(nil, "%c{\"type\":\"next\",\"table\":\"bench-%x-%d\"}", recordMark, l.run.nonce, c.id/2)
	can := []byte(string(rune(recordMark)) + `{"type":"hello","can":["tables"]}`)
	l.scratch = l.stencil.appendControl(l.stencil.appendControl(l.scratch[:0], 1, can), 1, record)
	l.push(c, l.scratch)
}

// connect begins a connection in slot c.
func (l *loop) connect(c *client, now int64) {
	l.dialed++
	fd, done, err := dial(l.run.targets[l.node(c)].addr, l.source(l.dialed), l.run.config.SocketBuffer)
	if err != nil {
		l.errors["connect: "+err.Error()]++
		l.failed++
		return
	}
	c.fd, c.state, c.since = fd, connecting, now
	c.events = unix.EPOLLIN
	if !done {
		c.events = unix.EPOLLOUT
	}
	l.live++
	l.underway++
	if err := epollControl(l.ep, unix.EPOLL_CTL_ADD, fd, c.events, c.slot, c.generation); err != nil {
		l.end(c, "epoll: "+err.Error())
		return
	}
	if done {
		l.connected(c)
	}
}

func (l *loop) connected(c *client) {
	if e := socketError(c.fd); e != 0 {
		l.end(c, "connect: "+e.Error())
		return
	}
	if l.run.tls != nil {
		l.shakeHands(c)
		return
	}
	l.upgrade(c)
}

// upgrade asks for the upgrade.
func (l *loop) upgrade(c *client) {
	c.state = upgrading
	l.interest(c, unix.EPOLLIN)
	l.push(c, l.requests[l.node(c)])
}

// upgraded reads the response at p, or as much as has come, and returns what
// follows it.
func (l *loop) upgraded(c *client, p []byte) []byte {
	if len(c.in.control) > 0 {
		p = append(c.in.control, p...)
	}
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		if len(p) > 8<<10 {
			l.end(c, "handshake: response too long")
			return nil
		}
		c.in.control = append(c.in.control[:0], p...)
		return nil
	}
	c.in.control = nil
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 101 ")) {
		l.end(c, "handshake: "+string(p[:bytes.IndexByte(p, '\r')]))
		return nil
	}
	if !bytes.Contains(p[:end], l.accept) {
		l.end(c, "handshake: wrong Sec-WebSocket-Accept")
		return nil
	}
	now := l.now()
	c.state = open
	l.underway--
	l.open++
	l.handshakes++
	if l.measured(c.since) || !l.run.config.perHandshake() {
		l.connects.add(now - c.since)
	}
	c.since = now
	c.word = firstWord(chat, l.run.nonce, c.id)
	if l.run.target.echo() {
		l.join(c, c.id)
	}
	l.mode.opened(c, now)
	return p[end+4:]
}
