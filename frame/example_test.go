package frame_test

import (
	"fmt"

	"github.com/gobwas/ws"

	"roulette/frame"
)

// A worker's loop over what one read brought: relay data, answer pings, and
// stop at an offence.
func ExampleDecoder() {
	// "Hello" as a client sends it (RFC 6455, section 5.7), a ping, the text
	// "!", and then a frame without a mask.
	read := []byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" +
		"\x89\x82\x00\x00\x00\x00hi" +
		"\x81\x81\x00\x00\x00\x00!" +
		"\x81\x01?")

	var d frame.Decoder
	var out []byte // frames for the partner, not written yet
	for rest := read; ; {
		m, r, offence := d.Next(rest)
		if offence != nil {
			fmt.Printf("to the sender  %q\n", frame.AppendClose(nil, offence.Code, offence.Reason))
			break
		}
		rest = r
		if m.Op == ws.OpContinuation {
			break // used up; read again
		}
		switch m.Op {
		case ws.OpText, ws.OpBinary:
			if m.Gathered {
				fmt.Printf("to the partner %q, %q\n", out, m.Frame)
				out = nil
				continue
			}
			joined, ok := frame.Join(out, m.Frame)
			if !ok {
				fmt.Printf("to the partner %q\n", out)
				joined = m.Frame
			}
			out = joined
		case ws.OpPing:
			fmt.Printf("to the sender  %q\n", frame.AppendMessage(nil, ws.OpPong, m.Payload))
		}
	}
	fmt.Printf("to the partner %q\n", out)
	// Output:
	// to the sender  "\x8a\x02hi"
	// to the sender  "\x88\x15\x03\xeaframe is not masked"
	// to the partner "\x81\x05Hello\x81\x01!"
}
