package differential

import (
	"encoding/binary"
	"slices"
	"testing"

	"roulette/frame"
)

// An exception is a difference that is meant.
type exception struct {
	section string // of RFC 6455
	why     string
	stream  []byte // shows it

	// What it is known by: our offence, or our close code, and their end. There
	// may be more messages and pongs for them than for us.
	offence *frame.Error
	code    int
	ends    []int // nil: any
}

// What follows a length that is not minimal may be as good or bad as anything.
var (
	lengthNotMinimal = client(0x82, 5, 16)
	goesOn           = []int{open, 1007, 1009}
	lengthNegative   = client(0x82, 1<<63, 64)
)

var exceptionsOfGorilla = []exception{
	{section: "5.2", why: "a length MUST be written in the least number of bytes; gorilla takes any",
		stream: lengthNotMinimal, offence: frame.ErrLength, ends: goesOn},
	{section: "5.2", why: "the most significant bit of a length MUST be 0; gorilla hangs up without a close frame",
		stream: lengthNegative, offence: frame.ErrLength, ends: []int{dropped}},
	{section: "5.5.1", why: "a payload begins with a code of two bytes; gorilla takes one byte for none",
		stream: closing("\x03"), offence: frame.ErrClosePayload, ends: []int{noCode}},
	{section: "7.4.1", why: "1014 (Bad Gateway) is in the registry that 11.7 sets up; gorilla's list is older",
		stream: closing("\x03\xf6"), code: 1014, ends: []int{1002}},
	{section: "8.1", why: "what should be UTF-8 and is not ends with 1007; gorilla's code for a reason is 1002",
		stream: closing("\x03\xe8\xff"), offence: frame.ErrCloseReason, ends: []int{1002}},
	{section: "10.4", why: "a message that exceeds the limit ends with 1009; gorilla hangs up where fragments exceed 2^63 bytes",
		stream: slices.Concat(client(0x02, 1, 7), []byte("a"), client(0x80, 1<<63-1, 64)), offence: frame.ErrTooBig, ends: []int{dropped}},
}

var exceptionsOfCoder = []exception{
	{section: "5.1", why: "who gets a frame without a mask MAY send 1002; coder hangs up without a close frame",
		stream: []byte{0x81, 0}, offence: frame.ErrNotMasked, ends: []int{dropped}},
	{section: "5.2", why: "a length MUST be written in the least number of bytes; coder takes any",
		stream: lengthNotMinimal, offence: frame.ErrLength, ends: goesOn},
	{section: "5.2", why: "the most significant bit of a length MUST be 0; coder hangs up without a close frame",
		stream: lengthNegative, offence: frame.ErrLength, ends: []int{dropped}},
	{section: "8.1", why: "a reason is UTF-8; coder answers with the code it came with",
		stream: closing("\x03\xe8\xff"), offence: frame.ErrCloseReason},
}

// client is a client's frame of n bytes, whose length is written in 7, 16 or 64
// bits.
func client(first byte, n uint64, bits int) []byte {
	b := []byte{first}
	switch bits {
	case 16:
		b = binary.BigEndian.AppendUint16(append(b, 0xfe), uint16(n))
	case 64:
		b = binary.BigEndian.AppendUint64(append(b, 0xff), n)
	default:
		b = append(b, 0x80|byte(n))
	}
	return append(b, 0, 0, 0, 0)
}

// closing is a client's close frame.
func closing(payload string) []byte {
	return append(client(0x88, uint64(len(payload)), 7), payload...)
}

// compare returns the exception by which the stream has another outcome than
// ours, if it has. Any other difference fails the test.
func compare(t testing.TB, stream []byte, of func(testing.TB, []byte) outcome, exceptions []exception) *exception {
	t.Helper()
	us, read, offence := ours(stream)
	stream = stream[:read]
	if offence != nil {
		stream = completed(stream)
	}
	them := of(t, stream)
	if us.end == them.end && slices.Equal(us.messages, them.messages) && slices.Equal(us.pongs, them.pongs) {
		return nil
	}
	for i, e := range exceptions {
		known := e.offence != nil && e.offence == offence || e.code != 0 && e.code == us.end
		if known && (e.ends == nil || slices.Contains(e.ends, them.end)) && begins(them.messages, us.messages) && begins(them.pongs, us.pongs) {
			return &exceptions[i]
		}
	}
	t.Fatalf("stream %x\nours   %v (%v)\ntheirs %v", stream, us, offence, them)
	return nil
}

func begins[E comparable](list, beginning []E) bool {
	return len(list) >= len(beginning) && slices.Equal(list[:len(beginning)], beginning)
}

// Every exception is one.
func TestExceptions(t *testing.T) {
	for library, exceptions := range map[string][]exception{"gorilla": exceptionsOfGorilla, "coder": exceptionsOfCoder} {
		for i, e := range exceptions {
			t.Run(library+"/"+e.section+" "+e.why, func(t *testing.T) {
				if got := compare(t, e.stream, libraries[library], exceptions); got != &exceptions[i] {
					t.Errorf("the exception is %+v", got)
				}
			})
		}
	}
}

var libraries = map[string]func(testing.TB, []byte) outcome{"gorilla": ofGorilla, "coder": ofCoder}

// seeds are the edges of each section. All libraries agree with us about them,
// and with the end that stands here.
var seeds = []struct {
	section, name string
	stream        []byte
	end           int
}{
	{"5.1", "masked", slices.Concat(client(0x81, 2, 7), []byte("ab")), open},
	{"5.2", "125 bytes", slices.Concat(client(0x82, 125, 7), make([]byte, 125)), open},
	{"5.2", "126 bytes", slices.Concat(client(0x82, 126, 16), make([]byte, 126)), open},
	{"5.2", "127 bytes", slices.Concat(client(0x81, 127, 16), make([]byte, 127)), open},
	{"5.2", "first reserved bit", client(0xc1, 0, 7), 1002},
	{"5.2", "second reserved bit", client(0xa1, 0, 7), 1002},
	{"5.2", "third reserved bit on a ping", client(0x99, 0, 7), 1002},
	{"5.2", "opcode 3", client(0x83, 0, 7), 1002},
	{"5.2", "opcode 7, its first byte", []byte{0x07}, 1002},
	{"5.2", "opcode 11", client(0x8b, 0, 7), 1002},
	{"5.2", "opcode 15 inside a message", slices.Concat(client(1, 0, 7), client(0x8f, 0, 7)), 1002},
	{"5.4", "fragments", slices.Concat(client(1, 1, 7), []byte("a"), client(0, 0, 7), client(0x80, 1, 7), []byte("b")), open},
	{"5.4", "continuation of nothing", client(0x80, 0, 7), 1002},
	{"5.4", "text inside a message", slices.Concat(client(2, 0, 7), client(0x81, 0, 7)), 1002},
	{"5.4", "fragments that do not end", slices.Concat(client(2, 0, 7), client(0, 0, 7)), open},
	{"5.5", "fragmented ping", client(0x09, 0, 7), 1002},
	{"5.5", "fragmented close", client(0x08, 0, 7), 1002},
	{"5.5", "pong of 126 bytes", []byte{0x8a, 0xfe}, 1002},
	{"5.5", "close of more", []byte{0x88, 0xff}, 1002},
	{"5.5.1", "close", closing(""), noCode},
	{"5.5.1", "close with a reason", closing("\x03\xe8bye"), 1000},
	{"5.5.1", "ping behind a close", slices.Concat(closing(""), client(0x89, 0, 7)), noCode},
	{"5.5.2", "ping of 125 bytes", slices.Concat(client(0x89, 125, 7), make([]byte, 125)), open},
	{"5.5.2", "ping between fragments", slices.Concat(client(1, 0, 7), client(0x89, 1, 7), []byte("p"), client(0x80, 0, 7)), open},
	{"5.5.3", "pong", client(0x8a, 0, 7), open},
	{"7.4.1", "1003", closing("\x03\xeb"), 1003},
	{"7.4.1", "1004", closing("\x03\xec"), 1002},
	{"7.4.1", "1005", closing("\x03\xed"), 1002},
	{"7.4.1", "1006", closing("\x03\xee"), 1002},
	{"7.4.1", "1007", closing("\x03\xef"), 1007},
	{"7.4.1", "1012", closing("\x03\xf4"), 1012},
	{"7.4.1", "1015", closing("\x03\xf7"), 1002},
	{"7.4.2", "999", closing("\x03\xe7"), 1002},
	{"7.4.2", "1016", closing("\x03\xf8"), 1002},
	{"7.4.2", "2999", closing("\x0b\xb7"), 1002},
	{"7.4.2", "3000", closing("\x0b\xb8"), 3000},
	{"7.4.2", "4999", closing("\x13\x87"), 4999},
	{"7.4.2", "5000", closing("\x13\x88"), 1002},
	{"8.1", "an impossible byte, more announced", slices.Concat(client(0x81, 100, 7), []byte("a\xc0")), 1007},
	{"8.1", "an impossible byte in a fragment", slices.Concat(client(1, 1, 7), []byte("\xe2"), client(0, 9, 7), []byte("(")), 1007},
	{"8.1", "unfinished", slices.Concat(client(0x81, 2, 7), []byte("\xe2\x82")), 1007},
	{"8.1", "a rune over a ping", slices.Concat(client(1, 1, 7), []byte("\xc3"), client(0x89, 0, 7), client(0x80, 1, 7), []byte("\xa9")), open},
	{"10.4", "the limit", slices.Concat(client(0x82, limit, 16), make([]byte, limit)), open},
	{"10.4", "the limit and an empty fragment", slices.Concat(client(2, limit, 16), make([]byte, limit), client(0x80, 0, 7)), open},
	{"10.4", "a byte more", client(0x82, limit+1, 16), 1009},
	{"10.4", "a byte more in two fragments", slices.Concat(client(2, limit, 16), make([]byte, limit), client(0x80, 1, 7)), 1009},
	{"10.4", "2^63-1", client(0x82, 1<<63-1, 64), 1009},
}

// At the edges of the sections all agree.
func TestSections(t *testing.T) {
	for _, s := range seeds {
		t.Run(s.section+" "+s.name, func(t *testing.T) {
			if got, _, _ := ours(s.stream); got.end != s.end {
				t.Errorf("our end is %d, want %d", got.end, s.end)
			}
			for _, of := range libraries {
				compare(t, s.stream, of, nil)
			}
		})
	}
}

func fuzz(f *testing.F, of func(testing.TB, []byte) outcome, exceptions []exception) {
	for _, s := range seeds {
		f.Add(s.stream)
	}
	for _, e := range slices.Concat(exceptionsOfGorilla, exceptionsOfCoder) {
		f.Add(e.stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) { compare(t, stream, of, exceptions) })
}

func FuzzGorilla(f *testing.F) { fuzz(f, ofGorilla, exceptionsOfGorilla) }
func FuzzCoder(f *testing.F)   { fuzz(f, ofCoder, exceptionsOfCoder) }
