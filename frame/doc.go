// Package frame is RFC 6455 as functions over byte slices: it takes a client's
// byte stream apart into whole messages and leaves each of them as the frame
// that a server sends, where possible in the very bytes it arrived in. It knows
// no sockets, starts no goroutines and reads no clock.
//
// # The wire (RFC 6455, section 5.2)
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	|F|R|R|R| opcode|M| Payload len |    Extended payload length    |
//	|I|S|S|S|  (4)  |A|     (7)     |    0, 16 or 64 bits           |
//	|N|V|V|V|       |S|             |    (if len is 126 or 127)     |
//	| |1|2|3|       |K|             |                               |
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	| Masking key, 4 bytes, clients only            | Payload ...   |
//	+-----------------------------------------------+---------------+
//
// # Relay in place
//
// The same message costs a server four bytes less than a client, because a
// server does not mask. So the frame for the receiver fits into the sender's
// frame, and nothing has to be copied but the header:
//
//	arrived   81 85 m0 m1 m2 m3 c0 c1 c2 c3 c4       client, masked
//	unmasked  81 85 m0 m1 m2 m3 'H' 'e' 'l' 'l' 'o'
//	sent                  81 05 'H' 'e' 'l' 'l' 'o'  server: b[4:]
//
// [Decoder.Next] does that for every unfragmented message that is whole in the
// bytes it is given. What is not whole, or comes in fragments, is gathered in a
// pooled buffer that grows with what was received, never with what was
// announced, and leaves room for the header in front of it; so the receiver
// sees one frame for one message, whatever the sender did.
//
// Several messages of one read become one write with [Join], which moves each
// down to the end of the one before:
//
//	read      |hdr mask payload|hdr mask payload|hdr ma...
//	Next      |     hdr payload|     hdr payload|  (gathered)
//	Join            hdr payload hdr payload
//
// # What a client may not do
//
// Each offence has one [Error] with its close code. It is found at the first
// byte that makes it certain: a reserved bit in the first byte of a header,
// a length above the limit in the length field, a text that cannot become UTF-8
// at the byte where it cannot, however the stream was cut. So no client can
// make its partner's browser hang up, and none can make the server hold memory by
// announcing what it does not send.
//
// # Who may call what
//
// A [Decoder] belongs to the goroutine that reads the connection. Everything
// else here is a function without state. The pools behind the gather buffers
// are safe for all goroutines.
//
// # Limitations
//
// Extensions are not supported (a reserved bit is an offence), and there is no
// decoder for the frames that a server sends. A flood of empty fragments holds
// no memory but takes time, and is to be limited by whoever reads.
package frame
