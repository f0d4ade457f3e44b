package servertest

import (
	"encoding/binary"
	"fmt"
)

// Opcodes of RFC 6455, section 5.2, and the FIN bit they go with in the first
// byte of a frame.
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xa

	Fin = 0x80
)

var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d} // of the examples in section 5.7

// Length says how the length of a payload is written.
type Length int

const (
	Minimal Length = iota
	Seven          // 7 bits
	Sixteen        // 126 and 2 bytes
	Eight          // 127 and 8 bytes
)

// Header is a masked client's frame header: first holds FIN, the reserved bits
// and the opcode; n need not be the truth.
func Header(first byte, n uint64, l Length) []byte {
	b := UnmaskedHeader(first, n, l)
	b[1] |= 0x80
	return append(b, mask[:]...)
}

// UnmaskedHeader is what a client must not send.
func UnmaskedHeader(first byte, n uint64, l Length) []byte {
	if l == Minimal {
		switch {
		case n < 126:
			l = Seven
		case n < 1<<16:
			l = Sixteen
		default:
			l = Eight
		}
	}
	switch l {
	case Seven:
		return []byte{first, byte(n)}
	case Sixteen:
		return binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n))
	}
	return binary.BigEndian.AppendUint64([]byte{first, 127}, n)
}

// Mask is payload as it stands behind a [Header].
func Mask(payload []byte) []byte {
	masked := make([]byte, len(payload))
	for i, c := range payload {
		masked[i] = c ^ mask[i%4]
	}
	return masked
}

// Encode is a well-formed frame of a client, whatever its first byte says.
func Encode[T string | []byte](first byte, payload T) []byte {
	return append(Header(first, uint64(len(payload)), Minimal), Mask([]byte(payload))...)
}

// Close is a client's close frame with a code and a reason.
func Close(code uint16, reason string) []byte {
	return Encode(Fin|OpClose, append(binary.BigEndian.AppendUint16(nil, code), reason...))
}

// Frame is what a server has sent.
type Frame struct {
	Op      byte
	Payload []byte
}

// Code is the status code in a close frame, 0 if there is none.
func (f Frame) Code() uint16 {
	if f.Op != OpClose || len(f.Payload) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(f.Payload)
}

func (f Frame) String() string {
	if f.Op == OpClose && len(f.Payload) >= 2 {
		return fmt.Sprintf("close %d %q", f.Code(), f.Payload[2:])
	}
	name := map[byte]string{OpText: "text", OpBinary: "binary", OpClose: "close", OpPing: "ping", OpPong: "pong"}[f.Op]
	if len(f.Payload) > 64 {
		return fmt.Sprintf("%s %q… (%d bytes)", name, f.Payload[:64], len(f.Payload))
	}
	return fmt.Sprintf("%s %q", name, f.Payload)
}
