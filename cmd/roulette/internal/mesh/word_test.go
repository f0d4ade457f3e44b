package mesh

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// samples has a word of every op.
var samples = map[op]body{
	opOffer: {offer: 7, stranger: Stranger{
		Person: 1 << 50, Interests: []string{"go", "ΣΊΣΥΦΟΣ"}, Languages: []string{"de"}, Table: "kitchen", Patient: true, Resumes: true, Waited: 260, Who: Who{1, 15: 2}}},
	opAccept:     {offer: 7, mine: 9, stranger: Stranger{}},
	opDecline:    {offer: 7},
	opCommit:     {chat: 9, mine: 11},
	opAbort:      {chat: 9},
	opConfirm:    {chat: 11},
	opData:       {chat: 9, total: 1 << 40, texts: 1, binaries: 1, frames: []byte("\x81\x02hi\x82\x01\x1e")},
	opNote:       {chat: 9, note: Note{Kind: Resend, Generation: 3, N: 1 << 40, Lost: 2}},
	opMeet:       {meeting: Meeting{Token: "abc", Try: 3, Generation: 1 << 33, Over: true}},
	opJoin:       {mine: 4, meeting: Meeting{Token: "abc", Try: 3, Generation: 1 << 33}},
	opJoined:     {chat: 9, mine: 4},
	opEnd:        {chat: 9, reason: Next},
	opChatCredit: {chat: 9, total: 1 << 33},
	opNodeCredit: {total: 1 << 50},
	opTally:      {},
	opBroken:     {},
	opPing:       {total: 3},
	opPong:       {total: 3},
}

func TestWordsComeBack(t *testing.T) {
	for o := opBeat + 1; o < ops; o++ {
		want, ok := samples[o]
		if !ok {
			t.Errorf("no sample of op %d", o)
			continue
		}
		b := seal(want.append(header{MajorVersion, o, 3, 5, 1 << 60}.append(nil), o))
		h, rest, _, err := parseHeader(b)
		if err != nil || h != (header{MajorVersion, o, 3, 5, 1 << 60}) {
			t.Fatalf("op %d: %+v, %v", o, h, err)
		}
		var got body
		r := &reader{b: rest}
		if got.parse(r, o); r.failed || len(r.b) != 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("op %d: %+v, want %+v", o, got, want)
		}
		// A newer minor version may say more.
		if r := (&reader{b: append(bytes.Clone(rest), "more"...)}); o != opData {
			if got.parse(r, o); r.failed {
				t.Errorf("op %d: refused for a field at its end", o)
			}
		}
		for cut := range rest {
			r := &reader{b: rest[:cut]}
			if new(body).parse(r, o); !r.failed {
				t.Errorf("op %d: the first %d of %d bytes are taken", o, cut, len(rest))
			}
		}
	}
}

func TestBeatComesBack(t *testing.T) {
	want := Beat{Minor: 3, Draining: true, Open: true, Online: 1 << 20, Release: "v1.2.3", Name: "node-1", Tags: []uint64{1, 1 << 63}}
	b := want.append(nil)
	var got Beat
	r := &reader{b: b}
	if got.parse(r); r.failed || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	for cut := range b {
		r := &reader{b: b[:cut]}
		if new(Beat).parse(r); !r.failed {
			t.Errorf("the first %d bytes are taken", cut)
		}
	}
}

// TestFramesFromTheBus: what another node sends to somebody here is what a server
// may send: whole messages, valid text, no control record, and as many as it says.
func TestFramesFromTheBus(t *testing.T) {
	for _, c := range []struct {
		name            string
		frames          string
		texts, binaries int
		want            bool
	}{
		{"nothing", "", 0, 0, true},
		{"a text", "\x81\x02hi", 1, 0, true},
		{"both kinds", "\x81\x02hi\x82\x01\xff\x81\x00", 2, 1, true},
		{"length of two bytes", "\x82\x7e\x00\x7e" + strings.Repeat("x", 126), 0, 1, true},
		{"a record in a binary message", "\x82\x02\x1e{", 0, 1, true},
		{"more than it says", "\x81\x02hi\x81\x02hi", 1, 0, false},
		{"fewer than it says", "\x81\x02hi", 2, 0, false},
		{"a text called binary", "\x81\x02hi", 0, 1, false},
		{"cut", "\x81\x03hi", 1, 0, false},
		{"half a header", "\x81", 1, 0, false},
		{"half a length", "\x82\x7e\x00", 0, 1, false},
		{"masked", "\x81\x82\x00\x00\x00\x00hi", 1, 0, false},
		{"a fragment", "\x01\x02hi", 1, 0, false},
		{"a continuation", "\x80\x02hi", 1, 0, false},
		{"a reserved bit", "\xc1\x02hi", 1, 0, false},
		{"a close frame", "\x88\x02\x03\xe8", 0, 0, false},
		{"a ping", "\x89\x00", 0, 0, false},
		{"a control record", "\x81\x02\x1e{", 1, 0, false},
		{"text that is not UTF-8", "\x81\x01\xff", 1, 0, false},
		{"longer than can be", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 0, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := wholeFrames([]byte(c.frames), c.texts, c.binaries); got != c.want {
				t.Errorf("%t", got)
			}
		})
	}
}

// FuzzReceive: whatever comes from the bus, nothing breaks, and no chat that is
// going on ends but by a word that says so.
func FuzzReceive(f *testing.F) {
	for o, b := range samples {
		f.Add(seal(b.append(header{MajorVersion, o, 0, 5, 1}.append(nil), o)))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		w := &modelWorld{t: t, now: 1000}
		n := w.add()
		n.mesh.Tick(w.now)
		beat := seal((&Beat{Open: true}).append(header{MajorVersion, opBeat, n.mesh.world, 5, 0}.append(nil)))
		n.mesh.Receive(beat)
		n.mesh.Receive(data)
		if len(data) >= headerSize { // as if it were this world's, and from a node that is known
			word := header{MajorVersion, op(data[1]), n.mesh.world, 5, 1}.append(nil)
			n.mesh.Receive(seal(append(word, data[headerSize:]...)))
		}
		n.mesh.Tick(w.now + 100)
		if len(n.mesh.chats) != 0 {
			t.Errorf("a chat of nobody")
		}
	})
}
