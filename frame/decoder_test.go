package frame

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"roulette/netpoll/nettest"

	"github.com/gobwas/ws"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// The examples of RFC 6455, section 5.7, that a client may send, and the
// unmasked ones as what a server makes of them.
func TestSection57(t *testing.T) {
	tests := []struct {
		desc    string
		stream  []byte
		op      ws.OpCode
		payload []byte
		frame   []byte
	}{
		{"masked text", unhex("81 85 37fa213d 7f9f4d5158"), ws.OpText, []byte("Hello"), unhex("81 05 48656c6c6f")},
		{"fragmented text", frames(first("Hel"), last("lo")), ws.OpText, []byte("Hello"), unhex("81 05 48656c6c6f")},
		{"masked pong", unhex("8a 85 37fa213d 7f9f4d5158"), ws.OpPong, []byte("Hello"), nil},
		{"256 bytes binary", frames(binaryOf(strings.Repeat("x", 256))), ws.OpBinary,
			bytes.Repeat([]byte("x"), 256), append(unhex("82 7e 0100"), bytes.Repeat([]byte("x"), 256)...)},
		{"64 KiB binary", frames(binaryOf(strings.Repeat("x", 65536))), ws.OpBinary,
			bytes.Repeat([]byte("x"), 65536), append(unhex("82 7f 0000000000010000"), bytes.Repeat([]byte("x"), 65536)...)},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			got, offence, _ := decode(t, new(Decoder), tt.stream)
			if offence != nil {
				t.Fatalf("refused: %v", offence)
			}
			sameMessages(t, got, []found{{tt.op, tt.frame, tt.payload}})
		})
	}
}

var hello, begun = frames(text("Hello")), frames(first("Hel"))

// offences, each found at the byte that proves it.
var offences = []struct {
	desc   string
	before []byte // valid
	bad    []byte // the last byte of it is the proof
	err    *Error
}{
	{"first reserved bit", hello, unhex("c1"), ErrReservedBits},
	{"second reserved bit", nil, unhex("a1"), ErrReservedBits},
	{"third reserved bit", nil, unhex("91"), ErrReservedBits},
	{"reserved bit on a continuation", begun, unhex("c0"), ErrReservedBits},
	{"reserved bit on a ping", nil, unhex("d9"), ErrReservedBits},
	{"opcode 3", nil, unhex("83"), ErrOpcode},
	{"opcode 7, unfinished", nil, unhex("07"), ErrOpcode},
	{"opcode 11", hello, unhex("8b"), ErrOpcode},
	{"opcode 15 inside a message", begun, unhex("8f"), ErrOpcode},
	{"fragmented close", nil, unhex("08"), ErrControlFragmented},
	{"fragmented ping", begun, unhex("09"), ErrControlFragmented},
	{"fragmented pong", nil, unhex("0a"), ErrControlFragmented},
	{"continuation of nothing", nil, unhex("80"), ErrContinuation},
	{"unfinished continuation after a message", hello, unhex("00"), ErrContinuation},
	{"text inside a message", begun, unhex("81"), ErrInterrupted},
	{"unfinished binary inside a message", begun, unhex("02"), ErrInterrupted},
	{"no mask", nil, unhex("8105"), ErrNotMasked},
	{"no mask on an empty ping", nil, unhex("8900"), ErrNotMasked},
	{"no mask, long", nil, unhex("827e"), ErrNotMasked},
	{"close of 126 bytes", nil, unhex("88fe"), ErrControlTooLong},
	{"ping of 127 and more", begun, unhex("89ff"), ErrControlTooLong},
	{"125 in two bytes", nil, unhex("82fe007d"), ErrLength},
	{"0 in two bytes", begun, unhex("80fe0000"), ErrLength},
	{"65535 in eight bytes", nil, unhex("82ff000000000000ffff"), ErrLength},
	{"5 in eight bytes", nil, unhex("81ff0000000000000005"), ErrLength},
	{"length with the most significant bit", nil, unhex("82ff80"), ErrLength},
	{"limit + 1", nil, unhex("82ff0000000000010001"), ErrTooBig},
	{"2^63 - 1", nil, unhex("82ff7fffffffffffffff"), ErrTooBig},
	{"fragments together", begun, unhex("80fffffffffffffffffe")[:3], ErrLength},
	{"fragments together 65535 + 3", begun, unhex("80feffff"), ErrTooBig},
	{"fragments together 65534 + 3", begun, unhex("00fefffe"), ErrTooBig},
	{"bad byte in text", hello, frames(text("ab\xff"))[:9], ErrUTF8},
	{"bad byte in a message not whole", nil, frames(first("ab\xc0"))[:9], ErrUTF8},
	{"bad byte in a long text", nil, frames(text("ab\xc0" + strings.Repeat("x", 300)))[:11], ErrUTF8},
	{"bad byte in a continuation", begun, frames(more("\x80"))[:7], ErrUTF8},
	{"surrogate", nil, frames(text("\xed\xa0\x80"))[:8], ErrUTF8},
	{"text ends inside a rune", nil, frames(text("\xe2\x82")), ErrUTF8},
	{"fragments end inside a rune", frames(first("\xe2")), frames(more("\x82"), last("")), ErrUTF8},
}

// Every offence is found at the byte that proves it, whatever comes after.
func TestOffences(t *testing.T) {
	for _, tt := range offences {
		t.Run(tt.desc, func(t *testing.T) {
			stream := append(bytes.Clone(tt.before), tt.bad...)
			proof := len(stream)
			stream = append(stream, make([]byte, 20)...)

			var d Decoder
			for i := range stream {
				_, _, err := d.Next(bytes.Clone(stream[i : i+1]))
				if err == nil {
					if i+1 == proof {
						t.Fatalf("no error at byte %d", i)
					}
					continue
				}
				if err != error(tt.err) {
					t.Fatalf("error %v, want %v", err, tt.err)
				}
				if i+1 != proof {
					t.Fatalf("error at byte %d, want at byte %d", i, proof-1)
				}
				break
			}
			d.Release()
			for i := range stream {
				sameAsReference(t, DefaultLimit, cut(stream, i)...)
			}
		})
	}
}

// streams are valid ones, and some that break off in the middle.
var streams = []struct {
	desc   string
	stream []byte
}{
	{"one text", frames(text("Hello"))},
	{"empty text", frames(text(""))},
	{"several messages", frames(text("one"), binaryOf("\x00\xff"), text(""), text("four"))},
	{"125 bytes", frames(text(strings.Repeat("x", 125)))},
	{"126 bytes", frames(text(strings.Repeat("x", 126)), text("y"))},
	{"fragments", frames(first("Hel"), more(""), more("l"), last("o"), text("next"))},
	{"empty fragments", frames(first(""), more(""), last(""), text("next"))},
	{"fragments with control frames between", frames(first("Hel"), ping("p1"), more("l"), ping(""), last("o"), ping("p2"))},
	{"long ping between fragments", frames(first(strings.Repeat("x", 70)), ping(strings.Repeat("p", 125)), last("o"))},
	{"ping before anything", frames(ping("hi"), text("Hello"))},
	{"ping after an empty fragment", frames(first(""), ping("hi"), last("Hello"))},
	{"close", frames(text("bye"), clientFrame{true, ws.OpClose, testMask, []byte("\x03\xe8bye")})},
	{"text after close", frames(clientFrame{true, ws.OpClose, testMask, nil}, text("late"))},
	{"runes of every length", frames(text("a£€\U0001f600"), first("a£€\U0001f600"), last("\U0010ffff"))},
	{"rune over three fragments", frames(first("\xf0"), more("\x9f\x98"), last("\x80"), text("x"))},
	{"rune over a ping", frames(first("\xf0\x9f"), ping("\xff"), last("\x98\x80"))},
	{"binary is not text", frames(binaryOf("\xff\xfe\xc0"), clientFrame{false, ws.OpBinary, testMask, []byte{0xff}}, last("\xc0"))},
	{"zero mask", frames(clientFrame{true, ws.OpText, [4]byte{}, []byte("plain")})},
	{"unfinished message", frames(text("whole"), first("not"))},
	{"unfinished payload", frames(text("whole"), text("not whole"))[:16]},
	{"bad UTF-8 after a good message", frames(text("whole"), first("x\xc3"), last("\x28"), text("never"))},
}

func TestEverySplit(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.desc, func(t *testing.T) {
			sameAsReference(t, DefaultLimit, tt.stream)
			sameAsReference(t, DefaultLimit, byteByByte(tt.stream)...)
			for i := range tt.stream {
				sameAsReference(t, DefaultLimit, tt.stream[:i]) // every prefix
				sameAsReference(t, DefaultLimit, cut(tt.stream, i)...)
				for j := i; j < len(tt.stream) && len(tt.stream) < 80; j++ {
					sameAsReference(t, DefaultLimit, cut(tt.stream, i, j)...)
				}
			}
		})
	}
}

func TestRandomStreams(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 400 {
		stream := randomStream(r, 1+r.IntN(12))
		limit := 1 << r.IntN(14)
		sameAsReference(t, limit, stream)
		var places []int
		for p := 0; p < len(stream); p += 1 + r.IntN(1+r.IntN(1+len(stream))) {
			places = append(places, p)
		}
		sameAsReference(t, limit, cut(stream, places...)...)
	}
}

func TestLimit(t *testing.T) {
	tests := []struct {
		desc   string
		limit  int
		frames []clientFrame
		code   ws.StatusCode
	}{
		{"at the default", 0, []clientFrame{binaryOf(strings.Repeat("x", DefaultLimit))}, 0},
		{"above the default", 0, []clientFrame{binaryOf(strings.Repeat("x", DefaultLimit+1))}, 1009},
		{"at the limit", 10, []clientFrame{text("0123456789")}, 0},
		{"above the limit", 10, []clientFrame{text("0123456789a")}, 1009},
		{"fragments at the limit", 10, []clientFrame{first("01234"), ping("longer than the limit"), last("56789")}, 0},
		{"fragments above the limit", 10, []clientFrame{first("01234"), last("56789a")}, 1009},
		{"a full message ends with an empty fragment", 10, []clientFrame{first("0123456789"), more(""), last("")}, 0},
		{"each message anew", 10, []clientFrame{first("01234"), last("56789"), first("01234"), last("56789"), text("0123456789")}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			stream := frames(tt.frames...)
			for _, parts := range [][][]byte{{stream}, cut(stream, 1), cut(stream, len(stream)/2)} {
				if _, offence, _ := decode(t, &Decoder{Limit: tt.limit}, parts...); codeOf(offence) != tt.code {
					t.Errorf("%v, want close code %d", offence, tt.code)
				}
			}
		})
	}
}

// Memory follows what was received, not what was announced.
func TestHeld(t *testing.T) {
	var d Decoder
	feed := func(b []byte) {
		t.Helper()
		if _, _, err := d.Next(bytes.Clone(b)); err != nil {
			t.Fatal(err)
		}
	}
	held := func(most int) {
		t.Helper()
		if d.Held() > most {
			t.Fatalf("holds %d bytes, want %d at most", d.Held(), most)
		}
	}

	big := frames(binaryOf(strings.Repeat("x", DefaultLimit)))
	for i := range big {
		feed(big[i : i+1])
		held(max(64, 2*i) + slack)
		if d.Held() > DefaultLimit+slack {
			t.Fatalf("holds %d bytes", d.Held())
		}
		if i < 14 && d.Held() != 0 {
			t.Fatalf("holds %d bytes for a header", d.Held())
		}
	}
	feed(nil)
	held(0)

	feed(frames(first("")))
	for range 100_000 {
		feed(frames(more("")))
	}
	held(0)
	for range 1000 {
		feed(frames(more("x")))
	}
	held(1024 + slack)
	feed(frames(ping(strings.Repeat("p", 125)))[:100])
	held(1024 + slack)

	d.Release()
	held(0)
	if !d.Empty() {
		t.Fatal("not empty after Release")
	}
}

// A message that came in pieces is handed out once and its buffer reused.
func TestGatheredStaysUntilNext(t *testing.T) {
	var d Decoder
	stream := frames(first("Hel"), last("lo"), text("next"))
	m, rest, err := d.Next(stream)
	if err != nil || !m.Gathered || string(m.Payload) != "Hello" {
		t.Fatalf("got %q, %v", m.Payload, err)
	}
	if d.Empty() {
		t.Fatal("empty while it holds the message")
	}
	if m, rest, err = d.Next(rest); err != nil || m.Gathered || string(m.Payload) != "next" {
		t.Fatalf("got %q, %v", m.Payload, err)
	}
	if !d.Empty() || len(rest) != 0 {
		t.Fatal("not empty after the last message")
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	tests := []struct {
		desc   string
		stream []byte
		pooled bool
	}{
		{"small text", frames(text("Hello")), false},
		{"16 KiB binary", frames(binaryOf(strings.Repeat("x", 16<<10))), false},
		{"64 KiB text", frames(text(strings.Repeat("x", 64<<10))), false},
		{"ping", frames(ping("hi")), false},
		{"several", frames(text("Hello"), ping("hi"), binaryOf("x")), false},
		{"an offence", unhex("c1"), false},
		{"fragments", frames(first("Hel"), ping("x"), last("lo")), true},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			if tt.pooled && nettest.RaceEnabled {
				t.Skip("sync.Pool loses on purpose under the race detector")
			}
			b := make([]byte, len(tt.stream))
			d := new(Decoder)
			n := testing.AllocsPerRun(100, func() {
				copy(b, tt.stream)
				for rest := b; ; {
					m, r, err := d.Next(rest)
					if err != nil || m.Op == 0 {
						break
					}
					rest = r
				}
			})
			if n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
