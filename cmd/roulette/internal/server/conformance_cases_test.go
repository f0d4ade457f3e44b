package server

import (
	"fmt"
	"slices"
	"strings"

	"roulette/cmd/roulette/internal/servertest"
)

func conformanceCases() []conformance {
	return slices.Concat(
		framingCases(), maskCases(), lengthCases(), reservedCases(), controlCases(), fragmentCases(),
		textCases(), closeCases(), limitCases(64<<10), announcedCases(),
	)
}

// framingCases: messages of one frame, of every form of length.
func framingCases() (cases []conformance) {
	for _, op := range []byte{textOp, binaryOp} {
		kind := map[byte]string{textOp: "text", binaryOp: "binary"}[op]
		for _, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
			message := content(n)
			want := frames(got(op, message))
			frame := enc(fin|op, message)
			name := fmt.Sprintf("%s of %d bytes", kind, n)
			cases = append(cases,
				conformance{"5.2", name, one(want, frame), stays, false},
				conformance{"5.2", name + " in segments of 997", one(want, chopped(997, frame)...), stays, false},
				conformance{"5.2", name + ", header and payload apart", one(want, frame[:len(frame)-n], frame[len(frame)-n:]), stays, false})
			if n <= 128 || op == textOp && n == 65535 {
				cases = append(cases, conformance{"5.2", name + " in segments of one byte", one(want, chopped(1, frame)...), stays, false})
			}
		}
		a, b := content(300), content(7)
		cases = append(cases,
			conformance{"5.2", kind + ", three messages in one segment",
				one(frames(got(op, a), got(op, b), got(op, a)), together(enc(fin|op, a), enc(fin|op, b), enc(fin|op, a))), stays, false},
			conformance{"5.2", kind + ", a message and a half, then the rest",
				one(frames(got(op, a), got(op, b)), together(enc(fin|op, a), enc(fin|op, b)[:9]), enc(fin|op, b)[9:]), stays, false})
	}
	var many [][]byte
	var all []servertest.Frame
	for i := range 400 {
		m := content(i)
		many, all = append(many, enc(fin|binaryOp, m)), append(all, got(binaryOp, m))
	}
	return append(cases, conformance{"5.2", "400 messages in one write", one(all, together(many...)), stays, false})
}

// lengthCases: the length is written in as few bytes as it can be, the most
// significant bit is 0, and the client masks.
func lengthCases() []conformance {
	long := func(l servertest.Length, n int) []byte {
		return together(servertest.Header(fin|binaryOp, uint64(n), l), servertest.Mask(content(n)))
	}
	bad := func(name string, send ...[]byte) conformance {
		return conformance{"5.2", name, one(nil, send...), 1002, false}
	}
	return []conformance{
		bad("length 0 in 16 bits", long(servertest.Sixteen, 0)),
		bad("length 5 in 16 bits", long(servertest.Sixteen, 5)),
		bad("length 125 in 16 bits", long(servertest.Sixteen, 125)),
		bad("length 5 in 64 bits", long(servertest.Eight, 5)),
		bad("length 126 in 64 bits", long(servertest.Eight, 126)),
		bad("length 65535 in 64 bits", long(servertest.Eight, 65535)),
		bad("length 2^63", servertest.Header(fin|binaryOp, 1<<63, servertest.Eight)),
		bad("length 2^64-1", servertest.Header(fin|textOp, 1<<64-1, servertest.Eight)),
		bad("length 2^63, its first byte alone", servertest.Header(fin|binaryOp, 1<<63, servertest.Eight)[:3]),
		bad("unmasked text", together(servertest.UnmaskedHeader(fin|textOp, 5, servertest.Minimal), []byte("hello"))),
		bad("unmasked empty text", servertest.UnmaskedHeader(fin|textOp, 0, servertest.Minimal)),
		bad("unmasked binary of 64 KiB", together(servertest.UnmaskedHeader(fin|binaryOp, 65536, servertest.Minimal), content(65536))),
		bad("unmasked ping", servertest.UnmaskedHeader(fin|pingOp, 0, servertest.Minimal)),
		bad("unmasked close", servertest.UnmaskedHeader(fin|closeOp, 0, servertest.Minimal)),
		bad("unmasked continuation", enc(textOp, "a"), together(servertest.UnmaskedHeader(fin|continuation, 1, servertest.Minimal), []byte("b"))),
		{"5.2", "a message, then an unmasked one in the same segment", one(frames(got(textOp, "good")),
			together(enc(fin|textOp, "good"), servertest.UnmaskedHeader(fin|textOp, 2, servertest.Minimal), []byte("no"))), 1002, false},
	}
}

// reservedCases: nobody has negotiated an extension, so the reserved bits are 0
// and the reserved opcodes mean nothing.
func reservedCases() (cases []conformance) {
	hello := enc(fin|textOp, "hello")
	for rsv := byte(1); rsv < 8; rsv++ {
		bits := rsv << 4
		add := func(name string, want []servertest.Frame, send ...[]byte) {
			cases = append(cases, conformance{"5.2", fmt.Sprintf("reserved bits %03b, %s", rsv, name), one(want, send...), 1002, false})
		}
		add("text", nil, enc(fin|bits|textOp, "hello"))
		add("text, header alone", nil, enc(fin|bits|textOp, "hello")[:1])
		add("binary behind a message in one segment", frames(got(textOp, "hello")),
			together(hello, enc(fin|bits|binaryOp, "hello"), enc(fin|pingOp, "")))
		add("text behind a message, segments of one byte", frames(got(textOp, "hello")),
			chopped(1, hello, enc(fin|bits|textOp, "hello"), enc(fin|pingOp, ""))...)
		add("ping", nil, enc(fin|bits|pingOp, ""))
		add("close", nil, enc(fin|bits|closeOp, ""))
		add("continuation", nil, enc(textOp, "a"), enc(fin|bits|continuation, "b"))
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		add := func(name string, want []servertest.Frame, send ...[]byte) {
			cases = append(cases, conformance{"5.2", fmt.Sprintf("opcode %d, %s", op, name), one(want, send...), 1002, false})
		}
		add("empty", nil, enc(fin|op, ""))
		add("with a payload", nil, enc(fin|op, "reserved"))
		add("behind a message in one segment", frames(got(textOp, "hello")), together(hello, enc(fin|op, "x"), enc(fin|pingOp, "")))
		add("segments of one byte", frames(got(textOp, "hello")), chopped(1, hello, enc(fin|op, ""), enc(fin|pingOp, ""))...)
		add("inside a message", nil, enc(textOp, "a"), enc(fin|op, ""))
	}
	return cases
}

// controlCases: ping and pong (5.5.2, 5.5.3), and what no control frame may be
// (5.5).
func controlCases() (cases []conformance) {
	for n := range 126 {
		payload := content(n)
		if n%5 == 0 || n > 120 {
			payload = []byte(strings.Repeat("\x00\xff\xfe", 42))[:n]
		}
		cases = append(cases, conformance{"5.5.2", fmt.Sprintf("ping of %d bytes", n), one(frames(got(pongOp, payload)), enc(fin|pingOp, payload)), stays, false})
	}
	var ten [][]byte
	var tenPongs []servertest.Frame
	for i := range 10 {
		p := fmt.Sprintf("payload-%d", i)
		ten, tenPongs = append(ten, enc(fin|pingOp, p)), append(tenPongs, got(pongOp, p))
	}
	big := content(126)
	tooLong := func(op byte) []byte {
		return together(servertest.Header(fin|op, 126, servertest.Sixteen), servertest.Mask(big))
	}
	hello, back := enc(fin|textOp, "hello"), got(textOp, "hello")
	return append(cases,
		conformance{"5.5.2", "ping of 125 bytes in segments of one byte", one(frames(got(pongOp, big[:125])), chopped(1, enc(fin|pingOp, big[:125]))...), stays, false},
		conformance{"5.5.2", "ten pings", one(tenPongs, ten...), stays, false},
		conformance{"5.5.2", "ten pings in one segment", one(tenPongs, together(ten...)), stays, false},
		conformance{"5.5.2", "ten pings in segments of one byte", one(tenPongs, chopped(1, ten...)...), stays, false},
		conformance{"5.5.2", "ping before a message in one segment", one(frames(got(pongOp, "p"), back), together(enc(fin|pingOp, "p"), hello)), stays, false},
		conformance{"5.5.2", "ping behind a message in one segment", one(frames(back, got(pongOp, "p")), together(hello, enc(fin|pingOp, "p"))), stays, true},
		conformance{"5.5.2", "pings and messages by turns in one segment", one(
			frames(got(pongOp, "1"), back, got(pongOp, "2"), got(pongOp, "3"), back, back, got(pongOp, "4")),
			together(enc(fin|pingOp, "1"), hello, enc(fin|pingOp, "2"), enc(fin|pingOp, "3"), hello, hello, enc(fin|pingOp, "4"))), stays, true},
		conformance{"5.5.3", "a pong nobody asked for", one(frames(back), enc(fin|pongOp, ""), hello), stays, false},
		conformance{"5.5.3", "a pong nobody asked for, with a payload", one(frames(back), enc(fin|pongOp, "unsolicited"), hello), stays, false},
		conformance{"5.5.3", "a pong nobody asked for, then a ping", one(frames(got(pongOp, "ping")), enc(fin|pongOp, "unsolicited"), enc(fin|pingOp, "ping")), stays, false},
		conformance{"5.5", "ping of 126 bytes", one(nil, tooLong(pingOp)), 1002, false},
		conformance{"5.5", "ping of 126 bytes, header alone", one(nil, tooLong(pingOp)[:2]), 1002, false},
		conformance{"5.5", "pong of 126 bytes", one(nil, tooLong(pongOp)), 1002, false},
		conformance{"5.5", "close of 126 bytes", one(nil, tooLong(closeOp)), 1002, false},
		conformance{"5.5", "ping of 5 bytes with 16 bits of length", one(nil, together(servertest.Header(fin|pingOp, 5, servertest.Sixteen), servertest.Mask(big[:5]))), 1002, false},
		conformance{"5.5", "ping in two fragments", one(nil, enc(pingOp, "fragment1"), enc(fin|continuation, "fragment2")), 1002, false},
		conformance{"5.5", "pong in two fragments", one(nil, enc(pongOp, "fragment1"), enc(fin|continuation, "fragment2")), 1002, false},
		conformance{"5.5", "close in two fragments", one(nil, enc(closeOp, "\x03"), enc(fin|continuation, "\xe8")), 1002, false},
	)
}

// fragmentCases: messages of several frames (5.4).
func fragmentCases() []conformance {
	const a, b = "fragment1", "fragment2"
	first, last := enc(textOp, a), enc(fin|continuation, b)
	ping, pong := enc(fin|pingOp, "ping payload"), got(pongOp, "ping payload")
	whole := got(textOp, a+b)
	hello, back := enc(fin|textOp, "Hello, world!"), got(textOp, "Hello, world!")

	var cases []conformance
	// Each of these in three ways, none of which may make a difference.
	ways := func(name string, want []servertest.Frame, end int, send ...[]byte) {
		cases = append(cases,
			conformance{"5.4", name, one(want, send...), end, false},
			conformance{"5.4", name + ", in one segment", one(want, together(send...)), end, false},
			conformance{"5.4", name + ", in segments of one byte", one(want, chopped(1, send...)...), end, false})
	}
	ways("text in two fragments", frames(whole), stays, first, last)
	ways("ping between fragments", frames(pong, whole), stays, first, ping, last)
	ways("pong between fragments", frames(whole), stays, first, enc(fin|pongOp, "x"), last)
	ways("continuation of nothing, final", nil, 1002, enc(fin|continuation, "non-continuation payload"), hello)
	ways("continuation of nothing, not final", nil, 1002, enc(continuation, "non-continuation payload"), hello)
	ways("continuation behind a finished message", frames(whole), 1002, first, last, enc(fin|continuation, "x"))
	ways("continuation behind a message of one frame", frames(back), 1002, hello, enc(continuation, "x"))
	ways("text inside a fragmented message", nil, 1002, first, enc(fin|textOp, b))
	ways("binary inside a fragmented message", nil, 1002, first, enc(fin|binaryOp, b))
	ways("a fragment of a new message inside a message", nil, 1002, first, enc(textOp, b), last)
	ways("two fragmented messages", frames(whole, got(binaryOp, b+a)), stays, first, last, enc(binaryOp, b), enc(fin|continuation, a))
	ways("empty fragments all over", frames(got(textOp, "")), stays, enc(textOp, ""), enc(continuation, ""), enc(fin|continuation, ""))
	ways("empty fragments around a full one", frames(got(textOp, "middle")), stays, enc(textOp, ""), enc(continuation, "middle"), enc(fin|continuation, ""))
	ways("empty last fragment", frames(got(binaryOp, a)), stays, enc(binaryOp, a), enc(fin|continuation, ""))
	ways("empty fragments, pings between", frames(got(pongOp, ""), got(pongOp, "2"), got(textOp, "")), stays,
		enc(textOp, ""), enc(fin|pingOp, ""), enc(continuation, ""), enc(fin|pingOp, "2"), enc(fin|continuation, ""))
	ways("an empty message between others", frames(back, got(textOp, ""), back), stays, hello, enc(textOp, ""), enc(fin|continuation, ""), hello)

	var five [][]byte
	var fiveWant string
	for i := range 5 {
		first, part := byte(continuation), fmt.Sprintf("fragment%d", i+1)
		switch i {
		case 0:
			first = textOp
		case 4:
			first = fin | continuation
		}
		five = append(five, enc(first, part))
		fiveWant += part
	}
	five = slices.Insert(five, 4, enc(fin|pingOp, "pongme 2!"))
	five = slices.Insert(five, 2, enc(fin|pingOp, "pongme 1!"))
	ways("five fragments, two pings between", frames(got(pongOp, "pongme 1!"), got(pongOp, "pongme 2!"), got(textOp, fiveWant)), stays, five...)
	cases = append(cases, conformance{"5.4", "five fragments, two pings that are waited for", []step{
		{five[:3], frames(got(pongOp, "pongme 1!"))},
		{five[3:6], frames(got(pongOp, "pongme 2!"))},
		{five[6:], frames(got(textOp, fiveWant))},
	}, stays, false})

	closing := enc(fin|closeOp, "")
	ways("close inside a fragmented message", nil, noCode, first, closing)

	var thousand [][]byte
	message := content(60_000)
	for i, part := range slices.Collect(slices.Chunk(message, 60)) {
		switch i {
		case 0:
			thousand = append(thousand, enc(binaryOp, part))
		case 999:
			thousand = append(thousand, enc(fin|continuation, part))
		default:
			thousand = append(thousand, enc(continuation, part))
		}
	}
	return append(cases, conformance{"5.4", "a thousand fragments", one(frames(got(binaryOp, message)), together(thousand...)), stays, false})
}

// limitCases: the largest message, and what is larger.
func limitCases(limit int) (cases []conformance) {
	add := func(name string, want []servertest.Frame, end int, send ...[]byte) {
		cases = append(cases, conformance{"10.4", name, one(want, send...), end, false})
	}
	header := func(first byte, n int) []byte { return servertest.Header(first, uint64(n), servertest.Minimal) }
	largest, over := content(limit), content(limit+1)
	first, rest := largest[:limit/2], largest[limit/2:]
	add("a byte less", frames(got(textOp, largest[1:])), stays, enc(fin|textOp, largest[1:]))
	add("the largest message", frames(got(textOp, largest)), stays, enc(fin|textOp, largest))
	add("the largest message twice", frames(got(binaryOp, largest), got(textOp, largest)), stays, enc(fin|binaryOp, largest), enc(fin|textOp, largest))
	add("the largest message in two fragments", frames(got(binaryOp, largest)), stays, enc(binaryOp, first), enc(fin|continuation, rest))
	add("the largest message, and an empty fragment", frames(got(binaryOp, largest)), stays, enc(binaryOp, largest), enc(fin|continuation, ""))
	add("the largest message, a ping inside", frames(got(pongOp, content(125)), got(binaryOp, largest)), stays,
		enc(binaryOp, first), enc(fin|pingOp, content(125)), enc(fin|continuation, rest))
	add("a byte more", nil, 1009, enc(fin|textOp, over))
	add("a byte more, announced and never sent", nil, 1009, header(fin|binaryOp, limit+1))
	add("a byte more in two fragments", nil, 1009, enc(binaryOp, largest), enc(fin|continuation, "x"))
	add("a byte more in two fragments, announced and never sent", nil, 1009, enc(textOp, first), header(continuation, len(rest)+1))
	add("a byte more behind an empty fragment", nil, 1009, enc(binaryOp, ""), header(fin|continuation, limit+1))
	return cases
}

// announcedCases: what is far too large is refused when it is announced.
func announcedCases() []conformance {
	header := func(first byte, n uint64) []byte { return servertest.Header(first, n, servertest.Minimal) }
	return []conformance{
		{"10.4", "16 MiB announced and never sent", one(nil, header(fin|binaryOp, 16<<20)), 1009, false},
		{"10.4", "2^63-1 announced and never sent", one(nil, header(fin|binaryOp, 1<<63-1)), 1009, false},
		{"10.4", "2^63-1 announced as the second fragment", one(nil, enc(textOp, "a"), header(fin|continuation, 1<<63-1)), 1009, false},
		{"10.4", "16 MiB announced, the header without its mask", one(nil, header(fin|binaryOp, 16<<20)[:10]), 1009, false},
		{"10.4", "4 MiB sent all the same", one(nil, header(fin|binaryOp, 4<<20), make([]byte, 4<<20)), 1009, false},
		{"10.4", "a message before one that is too big", one(frames(got(textOp, "good")), together(enc(fin|textOp, "good"), header(fin|textOp, 1<<20))), 1009, false},
	}
}

// maskCases: every frame has a mask of its own, whatever it is (5.3).
func maskCases() (cases []conformance) {
	masked := func(mask [4]byte, first byte, payload []byte) []byte {
		b := enc(first, payload)
		header := b[:len(b)-len(payload)]
		copy(header[len(header)-4:], mask[:])
		for i, c := range payload {
			b[len(header)+i] = c ^ mask[i%4]
		}
		return b
	}
	masks := [][4]byte{{}, {0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 1}, {0x80, 0, 0, 0}, {'3', 0x1e, 0x81, 0x00}, {1, 2, 3, 4}}
	for i, mask := range masks {
		name := fmt.Sprintf("mask % x", mask)
		add := func(what string, want []servertest.Frame, send ...[]byte) {
			cases = append(cases, conformance{"5.3", name + ", " + what, one(want, send...), stays, false})
		}
		other := masks[(i+1)%len(masks)]
		var text, binary, pings [][]byte
		var texts, binaries, pongs []servertest.Frame
		for n := range 12 {
			text, texts = append(text, masked(mask, fin|textOp, content(n))), append(texts, got(textOp, content(n)))
			binary, binaries = append(binary, masked(mask, fin|binaryOp, content(300+n))), append(binaries, got(binaryOp, content(300+n)))
			pings, pongs = append(pings, masked(mask, fin|pingOp, content(n))), append(pongs, got(pongOp, content(n)))
		}
		add("texts of 0 to 11 bytes", texts, together(text...))
		add("texts in segments of one byte", texts, chopped(1, text...)...)
		add("messages of 300 to 311 bytes", binaries, together(binary...))
		add("messages in segments of 7 bytes", binaries, chopped(7, binary...)...)
		add("pings", pongs, together(pings...))
		add("pings in segments of 3 bytes", pongs, chopped(3, pings...)...)
		message := content(2 * (0 + 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8))
		var fragments [][]byte
		for n, at := 0, 0; n < 9; n++ { // each begins with the first byte of its mask
			op := byte(continuation)
			if n == 0 {
				op = textOp
			}
			fragments = append(fragments, masked(mask, op, message[at:at+n]), masked(other, continuation, message[at+n:at+2*n]))
			at += 2 * n
		}
		fragments = append(fragments, masked(mask, fin|continuation, nil))
		add("fragments with another by turns", frames(got(textOp, message)), together(fragments...))
		add("fragments with another by turns, in segments of 5 bytes", frames(got(textOp, message)), chopped(5, fragments...)...)
	}
	return cases
}
