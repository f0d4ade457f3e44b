//go:build linux

package bench

import (
	"bytes"
	"context"
	"net"
	"time"
)

// A wanderer is a client that behaves, or does not, in one of many ways. What it
// gets is not checked: what matters is what it leaves behind.
type wanderer struct {
	net.Conn
	to    target
	frame stencil // for its mask alone
	buf   []byte
}

// wanderings are those ways. An error ends the session, and means nothing.
var wanderings = []func(w *wanderer) error{
	(*wanderer).chatter,
	func(w *wanderer) error { return w.say("GET /ws HTTP/1.1\r\nHost: x\r\nUpgr") },
	func(w *wanderer) error { return nil },
	func(w *wanderer) error { return w.page() },
	(*wanderer).chatter,
	func(w *wanderer) error { return w.offend("/ws", 0x81, []byte("\xff\xfe")) },    // no UTF-8
	func(w *wanderer) error { return w.offend("/echo", 0x83, []byte("x")) },         // no such opcode
	func(w *wanderer) error { return w.offend("/ws", 0x81, []byte("\x1enothing")) }, // no record
	(*wanderer).tooBig,
	(*wanderer).half,
	(*wanderer).chatter,
	(*wanderer).glutton,
	(*wanderer).stall,
}

// wander is one session; number chooses what happens in it and how it ends.
func wander(ctx context.Context, to target, number int) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tcp, err := new(net.Dialer).DialContext(ctx, "tcp", to.addr.String())
	if err != nil {
		pause(ctx, 10*time.Millisecond)
		return
	}
	defer tcp.Close()
	deadline, _ := ctx.Deadline()
	_ = tcp.SetDeadline(deadline) // fails only on a closed one
	w := &wanderer{Conn: tcp, to: to, frame: stencil{mask: [4]byte{1, 2, 3, 4}}, buf: make([]byte, 4<<10)}
	_ = wanderings[number%len(wanderings)](w)
	if number/len(wanderings)%2 == 0 {
		_ = tcp.(*net.TCPConn).SetLinger(0)
	}
}

func (w *wanderer) say(s string) error {
	_, err := w.Write([]byte(s))
	return err
}

// send sends a frame of at most 125 bytes.
func (w *wanderer) send(op byte, payload []byte) error {
	b := w.frame.appendControl(nil, op&15, payload)
	b[0] = op
	_, err := w.Write(b)
	return err
}

// upgrade makes the handshake.
func (w *wanderer) upgrade(path, header string) error {
	to := w.to
	to.path = path
	req, _ := request(to, 1, "")
	req = append(req[:len(req)-2], header+"\r\n"...)
	if _, err := w.Write(req); err != nil {
		return err
	}
	return w.until("\r\n\r\n")
}

// until reads until s has come, in one read.
func (w *wanderer) until(s string) error {
	for {
		n, err := w.Read(w.buf)
		if err != nil || bytes.Contains(w.buf[:n], []byte(s)) {
			return err
		}
	}
}

// toTheEnd reads until the server closes.
func (w *wanderer) toTheEnd() error {
	for {
		if _, err := w.Read(w.buf); err != nil {
			return err
		}
	}
}

func (w *wanderer) page() error {
	if err := w.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	return w.toTheEnd()
}

// chatter is a rich client that meets two others, talks, types, stops and leaves.
func (w *wanderer) chatter() error {
	if err := w.upgrade("/ws", "Sec-WebSocket-Protocol: roulette.v1\r\n"); err != nil {
		return err
	}
	for range 2 {
		if err := w.send(0x81, []byte("\x1e"+`{"type":"next","interests":["go","music"]}`)); err != nil {
			return err
		}
		if err := w.until(`"paired"`); err != nil {
			return err
		}
		for _, said := range []string{"\x1e" + `{"type":"typing","on":true}`, "hello", "good bye"} {
			if err := w.send(0x81, []byte(said)); err != nil {
				return err
			}
		}
	}
	if err := w.send(0x81, []byte("\x1e"+`{"type":"stop"}`)); err != nil {
		return err
	}
	if err := w.send(0x88, []byte{1000 >> 8, 1000 & 255}); err != nil {
		return err
	}
	return w.toTheEnd()
}

// offend sends one frame that should not be.
func (w *wanderer) offend(path string, op byte, payload []byte) error {
	if err := w.upgrade(path, ""); err != nil {
		return err
	}
	if err := w.send(op, payload); err != nil {
		return err
	}
	_, err := w.Read(w.buf)
	return err
}

// tooBig announces a message of 16 MiB.
func (w *wanderer) tooBig() error {
	if err := w.upgrade("/ws", ""); err != nil {
		return err
	}
	if _, err := w.Write([]byte{0x81, 0x80 | 127, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4}); err != nil {
		return err
	}
	return w.toTheEnd()
}

// long is a masked message of 60,000 bytes.
func (w *wanderer) long() []byte {
	return append([]byte{0x82, 0x80 | 126, 60000 >> 8, 60000 & 255, 0, 0, 0, 0}, make([]byte, 60000)...)
}

// half sends the half of a message.
func (w *wanderer) half() error {
	if err := w.upgrade("/echo", ""); err != nil {
		return err
	}
	if _, err := w.Write(w.long()[:30000]); err != nil {
		return err
	}
	_, err := w.Write([]byte{0}) // when this is through, so is the other, mostly
	return err
}

// glutton sends pings until it is sent away.
func (w *wanderer) glutton() error {
	if err := w.upgrade("/echo", ""); err != nil {
		return err
	}
	pings := bytes.Repeat(w.frame.appendControl(nil, 9, []byte("ping")), 200)
	for range 20 {
		if _, err := w.Write(pings); err != nil {
			return err
		}
	}
	return w.toTheEnd()
}

// stall has much coming, and reads none of it.
func (w *wanderer) stall() error {
	if err := w.upgrade("/echo", ""); err != nil {
		return err
	}
	message := w.long()
	if err := w.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	for range 80 {
		if _, err := w.Write(message); err != nil {
			return err
		}
	}
	return nil
}
