package differential

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gobwas/ws"

	"roulette/frame"
)

// limit is small, so that streams reach it.
const limit = 200

// outcome is what becomes of a client's stream.
type outcome struct {
	messages []message // text and binary
	pongs    []string  // what pings were answered with
	end      int       // open, dropped, or the code of the server's close frame
}

type message struct {
	op      byte
	payload string
}

const (
	open    = 0    // more is waited for
	dropped = -1   // the connection is cut without a close frame
	noCode  = 1005 // a close frame without a payload
)

func (o outcome) String() string {
	end := map[int]string{open: "open", dropped: "dropped"}[o.end]
	if end == "" {
		end = fmt.Sprint(o.end)
	}
	return fmt.Sprintf("messages %q, pongs %q, %s", o.messages, o.pongs, end)
}

// ours is what package frame makes of stream, byte by byte. read is how much of
// it: all, or up to the byte that ends the connection. offence is why, if it is
// the client's fault.
func ours(stream []byte) (o outcome, read int, offence *frame.Error) {
	d := frame.Decoder{Limit: limit}
	defer d.Release()
	for i, c := range stream {
		for rest := []byte{c}; ; {
			m, r, offence := d.Next(rest)
			if offence == nil && m.Op == ws.OpClose {
				var code ws.StatusCode
				if code, _, offence = frame.ParseClose(m.Payload); offence == nil {
					o.end = int(code)
					return o, i + 1, nil
				}
			}
			if offence != nil {
				o.end = int(offence.Code)
				return o, i + 1, offence
			}
			switch rest = r; m.Op {
			case ws.OpText, ws.OpBinary:
				o.messages = append(o.messages, message{byte(m.Op), string(m.Payload)})
			case ws.OpPing:
				o.pongs = append(o.pongs, string(m.Payload))
			}
			if m.Op == ws.OpContinuation {
				break
			}
		}
	}
	return o, len(stream), nil
}

// written is the outcome that a server's side of a connection shows.
func written(frames []byte, o outcome) (outcome, error) {
	r := bytes.NewReader(frames)
	for r.Len() > 0 {
		f, err := ws.ReadFrame(r)
		switch {
		case err != nil:
			return o, err
		case f.Header.OpCode == ws.OpPong:
			o.pongs = append(o.pongs, string(f.Payload))
		case f.Header.OpCode != ws.OpClose || r.Len() > 0 || len(f.Payload) == 1:
			return o, fmt.Errorf("unexpected frame %+v", f)
		case len(f.Payload) == 0:
			o.end = noCode
		default:
			o.end = int(binary.BigEndian.Uint16(f.Payload))
		}
	}
	return o, nil
}

// completed returns stream with what makes its last message whole: the rest of a
// header, least lengths that are minimal, a payload of zeros, and a last
// fragment. A frame that is far too big gets as much as shows it.
func completed(stream []byte) []byte {
	stream = bytes.Clone(stream)
	inMessage := false
	for at := 0; at < len(stream) || inMessage; {
		if at == len(stream) { // between fragments
			stream = append(stream, 0x80, 0x80)
		}
		first := stream[at]
		if at+1 == len(stream) {
			stream = append(stream, 0x80)
		}
		second := stream[at+1]
		at += 2
		var extended []byte
		switch second & 0x7f {
		case 126:
			extended = []byte{0, 126}
		case 127:
			extended = []byte{0, 0, 0, 0, 0, 1, 0, 0}
		}
		if have := len(stream) - at; have < len(extended) {
			stream = append(stream, extended[have:]...)
		}
		extended = append(make([]byte, 8-len(extended)), stream[at:at+len(extended)]...)
		size := uint64(second & 0x7f)
		if size >= 126 {
			size = binary.BigEndian.Uint64(extended)
		}
		switch second & 0x7f {
		case 126:
			at += 2
		case 127:
			at += 8
		}
		if second&0x80 != 0 {
			at += 4
		}
		at += int(min(size, 1<<16+limit+1))
		if at > len(stream) {
			stream = append(stream, make([]byte, at-len(stream))...)
		}
		if first&0x08 == 0 {
			inMessage = first&0x80 == 0
		}
	}
	return stream
}
