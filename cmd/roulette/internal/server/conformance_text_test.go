package server

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"roulette/cmd/roulette/internal/servertest"
)

// validTexts are UTF-8, the ends of all ranges included (section 8.1, RFC 3629).
var validTexts = []struct{ name, text string }{
	{"ASCII", "Hello, world!"},
	{"Greek", "κόσμε"},
	{"several scripts", "Hello-µ@ßöäüàá-UTF-8!! 日本語 🎲"},
	{"NUL and DEL", "\x00\x7f"},
	{"the ends of two bytes", "\u0080\u07ff"},
	{"the ends of three bytes", "\u0800\uffff"},
	{"around the surrogates", "\ud7ff\ue000"},
	{"the replacement character", "\ufffd"},
	{"a byte order mark", "\ufeff"},
	{"the ends of four bytes", "\U00010000\U0010ffff"},
	{"no characters", "\ufdd0\ufffe\U0001fffe\U0002ffff\U000fffff\U0010fffe"},
}

// invalidTexts become impossible with their last byte, and not before.
var invalidTexts = []struct{ name, bytes string }{
	{"a lone continuation, the first", "\x80"},
	{"a lone continuation, the last", "\xbf"},
	{"a two-byte form of what is one byte (C0)", "\xc0"},
	{"a two-byte form of what is one byte (C1)", "\xc1"},
	{"a three-byte form of what is one byte", "\xe0\x80"},
	{"a three-byte form of what is two bytes", "\xe0\x9f"},
	{"a four-byte form of what is one byte", "\xf0\x80"},
	{"a four-byte form of what is three bytes", "\xf0\x8f"},
	{"the first surrogate", "\xed\xa0"},
	{"the last surrogate", "\xed\xbf"},
	{"beyond U+10FFFF", "\xf4\x90"},
	{"far beyond U+10FFFF", "\xf5"},
	{"a five-byte form", "\xf8"},
	{"a six-byte form", "\xfc"},
	{"FE", "\xfe"},
	{"FF", "\xff"},
	{"two bytes, broken off by ASCII", "\xc2 "},
	{"two bytes, broken off by another", "\xc2\xc2"},
	{"three bytes, broken off after one", "\xe1A"},
	{"three bytes, broken off after two", "\xe1\x80A"},
	{"four bytes, broken off after one", "\xf1A"},
	{"four bytes, broken off after two", "\xf1\x80A"},
	{"four bytes, broken off after three", "\xf1\x80\x80A"},
}

// unfinishedTexts lack their end.
var unfinishedTexts = []string{"\xc2", "\xe1", "\xe1\x80", "\xe0\xa0", "\xf1", "\xf1\x80", "\xf1\x80\x80", "\xf4\x8f\xbf"}

// textCases: text is UTF-8, and the first byte that cannot be ends the
// connection, however much of the message is still to come (8.1).
func textCases() (cases []conformance) {
	add := func(name string, want []servertest.Frame, end int, send ...[]byte) {
		cases = append(cases, conformance{"8.1", name, one(want, send...), end, false})
	}
	for _, v := range validTexts {
		want := frames(got(textOp, v.text))
		name := "valid: " + v.name
		add(name, want, stays, enc(fin|textOp, v.text))
		add(name+", segments of one byte", want, stays, chopped(1, enc(fin|textOp, v.text))...)
		var fragments [][]byte
		for i := range len(v.text) {
			fragments = append(fragments, enc(continuation, v.text[i:i+1]))
		}
		fragments[0][0] = textOp
		add(name+", a fragment each byte", want, stays, together(together(fragments...), enc(fin|continuation, "")))
		for cut := range len(v.text) + 1 {
			add(fmt.Sprintf("%s, in two fragments cut at %d", name, cut), want, stays,
				enc(textOp, v.text[:cut]), enc(fin|continuation, v.text[cut:]))
		}
	}
	const around = "κόσμε"
	for _, v := range invalidTexts {
		bad := around + v.bytes
		name := "invalid: " + v.name
		add(name, nil, 1007, enc(fin|textOp, bad))
		add(name+", more behind it", nil, 1007, enc(fin|textOp, bad+"edited"))
		add(name+", segments of one byte", nil, 1007, chopped(1, enc(fin|textOp, bad+"edited"))...)
		add(name+", binary", frames(got(binaryOp, bad)), stays, enc(fin|binaryOp, bad))

		// At the first impossible byte, with the frame not whole.
		whole := enc(fin|textOp, bad+strings.Repeat("x", 1000))
		add(name+", the frame not whole", nil, 1007, whole[:len(whole)-1000])
		// With the message not whole, and not a byte before: all but the last
		// byte is taken, as an answered ping shows.
		cases = append(cases, conformance{"8.1", name + ", the message not whole", []step{
			{[][]byte{enc(textOp, bad[:len(bad)-1]), enc(fin|pingOp, "fine so far?")}, frames(got(pongOp, "fine so far?"))},
			{[][]byte{enc(continuation, bad[len(bad)-1:])}, nil},
		}, 1007, false})
		// And with its frame announcing more.
		rest := enc(continuation, bad[len(bad)-1:]+"more to come")
		cases = append(cases, conformance{"8.1", name + ", neither the fragment nor the message whole", []step{
			{[][]byte{enc(textOp, bad[:len(bad)-1]), enc(fin|pingOp, "")}, frames(got(pongOp, ""))},
			{[][]byte{rest[:7]}, nil},
		}, 1007, false})
	}
	// At each position, between runes and inside of them.
	for i := range len(around) + 1 {
		bad := around[:i] + "\xff" + around[i:]
		add(fmt.Sprintf("invalid at %d of %d", i, len(around)), nil, 1007, enc(fin|textOp, bad))
		add(fmt.Sprintf("invalid at %d of %d, in two fragments", i, len(around)), nil, 1007, enc(textOp, bad[:i]), enc(fin|continuation, bad[i:]))
	}
	for _, v := range unfinishedTexts {
		name := fmt.Sprintf("unfinished: % x", v)
		add(name, nil, 1007, enc(fin|textOp, around+v))
		add(name+", in two fragments", nil, 1007, enc(textOp, around), enc(fin|continuation, v))
		cases = append(cases, conformance{"8.1", name + ", found at the end", []step{
			{[][]byte{enc(textOp, around+v), enc(fin|pingOp, "")}, frames(got(pongOp, ""))},
			{[][]byte{enc(fin|continuation, "")}, nil},
		}, 1007, false})
	}
	// A long text, whose error is far behind the first read.
	long := strings.Repeat("日本語 ", 4000)
	return append(cases,
		conformance{"8.1", "invalid at the end of a long text", one(nil, enc(fin|textOp, long+"\xff")), 1007, false},
		conformance{"8.1", "a message before one that is invalid", one(frames(got(textOp, "good")),
			together(enc(fin|textOp, "good"), enc(fin|textOp, "\xff"))), 1007, false})
}

// closeCases: the closing handshake (5.5.1, 7).
func closeCases() (cases []conformance) {
	closing := servertest.Close(1000, "")
	hello, back := enc(fin|textOp, "hello"), got(textOp, "hello")
	add := func(section, name string, want []servertest.Frame, end int, send ...[]byte) {
		cases = append(cases, conformance{section, name, one(want, send...), end, false})
	}
	add("5.5.1", "empty close", nil, noCode, enc(fin|closeOp, ""))
	add("5.5.1", "close of one byte", nil, 1002, enc(fin|closeOp, "a"))
	add("5.5.1", "close", nil, 1000, closing)
	add("5.5.1", "close in segments of one byte", nil, 1000, chopped(1, servertest.Close(1000, "bye"))...)
	add("5.5.1", "close with a reason", nil, 1000, servertest.Close(1000, "Hello World!"))
	add("5.5.1", "close with a reason of 123 bytes", nil, 1000, servertest.Close(1000, strings.Repeat("*", 123)))
	add("5.5.1", "close with a reason of 124 bytes", nil, 1002, servertest.Close(1000, strings.Repeat("*", 124)))
	add("5.5.1", "close with a reason that is not UTF-8", nil, 1007, servertest.Close(1000, "κόσμε\xed\xa0\x80edited"))
	add("5.5.1", "close with a reason that ends too early", nil, 1007, servertest.Close(1000, "κόσμ\xce"))
	add("5.5.1", "close behind a message", frames(back), 1000, together(hello, closing))
	add("5.5.1", "two closes", nil, 1000, closing, closing)
	add("5.5.1", "two closes in one segment", nil, 1000, together(closing, closing))
	add("5.5.1", "a message behind a close", nil, 1000, closing, hello)
	add("5.5.1", "a message behind a close in one segment", nil, 1000, together(closing, hello))
	add("5.5.1", "half a message behind a close", nil, 1000, closing, hello[:4])
	add("5.5.1", "a ping behind a close", nil, 1000, closing, enc(fin|pingOp, "anybody?"))
	add("5.5.1", "a ping behind a close in one segment", nil, 1000, together(closing, enc(fin|pingOp, "anybody?")))
	add("5.5.1", "256 KiB behind a close", nil, 1000, enc(textOp, "fragment1"), closing, make([]byte, 256<<10))
	add("5.5.1", "an offence behind a close", nil, 1000, closing, []byte{0xff, 0xff, 0xff})
	add("5.5.1", "messages before a close, many", frames(slices.Repeat(frames(back), 100)...), 1000,
		together(together(slices.Repeat([][]byte{hello}, 100)...), closing))

	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4408, 4999} {
		add("7.4", fmt.Sprintf("code %d", code), nil, int(code), servertest.Close(code, ""))
		add("7.4", fmt.Sprintf("code %d with a reason", code), nil, int(code), servertest.Close(code, "why not"))
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		add("7.4", fmt.Sprintf("invalid code %d", code), nil, 1002, servertest.Close(code, ""))
		add("7.4", fmt.Sprintf("invalid code %d with a reason", code), nil, 1002, servertest.Close(code, "why not"))
	}
	for _, c := range cases {
		for _, s := range c.steps {
			for _, f := range s.want {
				if f.Op == textOp && !utf8.Valid(f.Payload) {
					panic("a case that wants what it must not: " + c.name)
				}
			}
		}
	}
	return cases
}
