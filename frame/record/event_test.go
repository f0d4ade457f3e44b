package record

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Every record that the server sends, byte for byte, and as a client reads it.
var serverRecords = []struct {
	desc   string
	append func(dst []byte) []byte
	want   string
	event  Event
}{
	{"hello", func(b []byte) []byte { return AppendHello(b, "k3J-9", 12573, 65536) },
		`{"type":"hello","session":"k3J-9","online":12573,"max_message":65536}`,
		Event{Type: TypeHello, Session: "k3J-9", Online: 12573, MaxMessage: 65536}},
	{"hello, the second", func(b []byte) []byte {
		return AppendTerms(b, Terms{Can: CanAll, Heartbeat: 25 * time.Second, Hidden: 90500 * time.Millisecond, People: 2})
	},
		`{"type":"hello","can":["heartbeat","away","people","again","languages","tables","resume","notice","report","block","proof"],"heartbeat":25,"hidden":90.5,"people":2}`,
		Event{Type: TypeHello, Terms: &Terms{CanAll, 25 * time.Second, 90500 * time.Millisecond, 2}}},
	{"hello of who can nothing", func(b []byte) []byte { return AppendTerms(b, Terms{Heartbeat: time.Second, People: 2}) },
		`{"type":"hello","can":[]}`, Event{Type: TypeHello, Terms: &Terms{}}},
	{"waiting", func(b []byte) []byte { return AppendWaiting(b, false, 0) }, `{"type":"waiting"}`, Event{Type: TypeWaiting}},
	{"waiting alone", func(b []byte) []byte { return AppendWaiting(b, true, 1500*time.Millisecond) },
		`{"type":"waiting","alone":true,"patience":1.5}`,
		Event{Type: TypeWaiting, Alone: true, Patience: 1500 * time.Millisecond}},
	{"paired in a language", func(b []byte) []byte { return AppendPaired(b, 7, false, nil, []string{"de", "en"}, nil, nil) },
		`{"type":"paired","pair":7,"common":[],"common_languages":["de","en"]}`,
		Event{Type: TypePaired, Pair: 7, Common: []string{}, Languages: []string{"de", "en"}}},
	{"no language in common", func(b []byte) []byte { return AppendPaired(b, 7, false, nil, []string{}, nil, nil) },
		`{"type":"paired","pair":7,"common":[],"common_languages":[]}`,
		Event{Type: TypePaired, Pair: 7, Common: []string{}, Languages: []string{}}},
	{"paired again", func(b []byte) []byte { return AppendPaired(b, 8, true, nil, nil, nil, nil) },
		`{"type":"paired","pair":8,"again":true,"common":[]}`,
		Event{Type: TypePaired, Pair: 8, Again: true, Common: []string{}}},
	{"closed", func(b []byte) []byte { return AppendLeft(b, 7, LeftClosed) },
		`{"type":"left","pair":7,"reason":"closed"}`, Event{Type: TypeLeft, Pair: 7, Reason: LeftClosed}},
	{"pong", func(b []byte) []byte { return AppendPong(b, 1<<53-1) },
		`{"type":"pong","n":9007199254740991}`, Event{Type: TypePong, N: 1<<53 - 1}},
	{"away", func(b []byte) []byte { return AppendAway(b, 7, AwayHidden) },
		`{"type":"away","pair":7,"reason":"hidden"}`, Event{Type: TypeAway, Pair: 7, Reason: AwayHidden}},
	{"back", func(b []byte) []byte { return AppendBack(b, 7) }, `{"type":"back","pair":7}`, Event{Type: TypeBack, Pair: 7}},
	{"notice", func(b []byte) []byte { return AppendNotice(b, NoticeRestart, 1767225600) },
		`{"type":"notice","code":"restart","until":1767225600}`, Event{Type: TypeNotice, Code: "restart", Until: 1767225600}},
	{"notice taken back", func(b []byte) []byte { return AppendNotice(b, NoticeNone, 0) },
		`{"type":"notice","code":"none"}`, Event{Type: TypeNotice, Code: "none"}},
	{"again", func(b []byte) []byte { return AppendAgain(b, 7) }, `{"type":"again","pair":7}`, Event{Type: TypeAgain, Pair: 7}},
	{"resumed", func(b []byte) []byte { return AppendResumed(b, 2, []byte("AbC-_9"), nil) },
		`{"type":"resumed","pair":2,"resume":"AbC-_9"}`, Event{Type: TypeResumed, Pair: 2, Token: "AbC-_9"}},
	{"paired, to be reported", func(b []byte) []byte { return AppendPaired(b, 7, false, nil, nil, []byte("A"), []byte("B")) },
		`{"type":"paired","pair":7,"common":[],"resume":"A","opening":"B"}`,
		Event{Type: TypePaired, Pair: 7, Common: []string{}, Token: "A", Opening: "B"}},
	{"resumed, to be reported", func(b []byte) []byte { return AppendResumed(b, 2, []byte("A"), []byte("B")) },
		`{"type":"resumed","pair":2,"resume":"A","opening":"B"}`, Event{Type: TypeResumed, Pair: 2, Token: "A", Opening: "B"}},
	{"stamp", func(b []byte) []byte { return AppendStamp(b, 7, 4294967295, []byte("Ab-")) },
		`{"type":"stamp","pair":7,"n":4294967295,"mark":"Ab-"}`, Event{Type: TypeStamp, Pair: 7, N: 4294967295, Mark: "Ab-"}},
	{"reported", AppendReported, `{"type":"reported"}`, Event{Type: TypeReported}},
	{"proof", func(b []byte) []byte { return AppendProof(b, "AbC-", 5) },
		`{"type":"proof","seed":"AbC-","bits":5}`, Event{Type: TypeProof, Token: "AbC-", Bits: 5}},
	{"warned", func(b []byte) []byte { return AppendWarned(b, WarnedReported) },
		`{"type":"warned","code":"reported"}`, Event{Type: TypeWarned, Code: "reported"}},
	{"blocked", func(b []byte) []byte { return AppendBlocked(b, []byte("Ab-")) },
		`{"type":"blocked","name":"Ab-"}`, Event{Type: TypeBlocked, Name: "Ab-"}},
	{"sync", func(b []byte) []byte { return AppendSync(b, 2, 1<<53-1) },
		`{"type":"sync","pair":2,"gen":9007199254740991}`, Event{Type: TypeSync, Pair: 2, Generation: 1<<53 - 1}},
	{"back after a break", func(b []byte) []byte { return AppendReturned(b, 2, 5, 31) },
		`{"type":"back","pair":2,"gen":5,"have":31}`, Event{Type: TypeBack, Pair: 2, Generation: 5, Have: 31}},
	{"have", func(b []byte) []byte { return AppendHave(b, 2, 32) },
		`{"type":"have","pair":2,"n":32}`, Event{Type: TypeHave, Pair: 2, N: 32}},
	{"resend", func(b []byte) []byte { return AppendResend(b, 2, 34, 2) },
		`{"type":"resend","pair":2,"from":34,"lost":2}`, Event{Type: TypeResend, Pair: 2, From: 34, Lost: 2}},
	{"lost", func(b []byte) []byte { return AppendAway(b, 7, AwayLost) },
		`{"type":"away","pair":7,"reason":"lost"}`, Event{Type: TypeAway, Pair: 7, Reason: AwayLost}},
	{"paired", func(b []byte) []byte { return AppendPaired(b, 7, false, []string{"go", "music"}, nil, nil, nil) },
		`{"type":"paired","pair":7,"common":["go","music"]}`,
		Event{Type: TypePaired, Pair: 7, Common: []string{"go", "music"}}},
	{"nothing in common", func(b []byte) []byte { return AppendPaired(b, math.MaxUint32, false, nil, nil, nil, nil) },
		`{"type":"paired","pair":4294967295,"common":[]}`,
		Event{Type: TypePaired, Pair: math.MaxUint32, Common: []string{}}},
	{"common to be escaped", func(b []byte) []byte { return AppendPaired(b, 1, false, []string{`"\`, "</b>😀"}, nil, nil, nil) },
		`{"type":"paired","pair":1,"common":["\"\\","</b>😀"]}`,
		Event{Type: TypePaired, Pair: 1, Common: []string{`"\`, "</b>😀"}}},
	{"left", func(b []byte) []byte { return AppendLeft(b, 7, LeftDisconnected) },
		`{"type":"left","pair":7,"reason":"disconnected"}`,
		Event{Type: TypeLeft, Pair: 7, Reason: LeftDisconnected}},
	{"typing", func(b []byte) []byte { return AppendTyping(b, 7, true) },
		`{"type":"typing","pair":7,"on":true}`,
		Event{Type: TypeTyping, Pair: 7, On: true}},
	{"typing no more", func(b []byte) []byte { return AppendTyping(b, 7, false) },
		`{"type":"typing","pair":7,"on":false}`,
		Event{Type: TypeTyping, Pair: 7}},
	{"online", func(b []byte) []byte { return AppendOnline(b, 12600) },
		`{"type":"online","n":12600}`,
		Event{Type: TypeOnline, N: 12600}},
	{"undelivered", func(b []byte) []byte { return AppendUndelivered(b, 0, math.MaxUint64) },
		`{"type":"undelivered","pair":0,"n":18446744073709551615}`,
		Event{Type: TypeUndelivered, N: math.MaxUint64}},
	{"error", func(b []byte) []byte { return AppendError(b, ErrTooManyInterests) },
		`{"type":"error","code":"too_many_interests","message":"more than 10 interests"}`,
		Event{Type: TypeError, Code: "too_many_interests", Message: "more than 10 interests"}},
}

func TestServerRecords(t *testing.T) {
	var all []byte
	for _, tt := range serverRecords {
		t.Run(tt.desc, func(t *testing.T) {
			got := tt.append([]byte("before"))
			if want := "before\x1e" + tt.want + "\n"; string(got) != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			events, err := ParseEvents(got[len("before"):])
			if err != nil || len(events) != 1 || !reflect.DeepEqual(events[0], tt.event) {
				t.Errorf("got %+v %v, want %+v", events, err, tt.event)
			}
		})
		all = tt.append(all)
	}
	events, err := ParseEvents(all)
	if err != nil || len(events) != len(serverRecords) {
		t.Fatalf("in one message: %d %v", len(events), err)
	}
	for i, tt := range serverRecords {
		if !reflect.DeepEqual(events[i], tt.event) {
			t.Errorf("in one message: %+v, want %+v", events[i], tt.event)
		}
	}
}

func TestClientRecords(t *testing.T) {
	tests := []struct {
		desc string
		got  []byte
		want string
	}{
		{"next", AppendNext(nil, nil, 0), `{"type":"next"}`},
		{"next with a pair", AppendNext(nil, nil, 7), `{"type":"next","pair":7}`},
		{"no interests", AppendNext(nil, []string{}, 0), `{"type":"next","interests":[]}`},
		{"interests", AppendNext(nil, []string{"Go", `"`}, 7), `{"type":"next","interests":["Go","\""],"pair":7}`},
		{"stop", AppendStop(nil), `{"type":"stop"}`},
		{"typing", AppendTypingCommand(nil, true), `{"type":"typing","on":true}`},
		{"typing no more", AppendTypingCommand(nil, false), `{"type":"typing","on":false}`},
		{"all of next", AppendCommand(nil, &Command{
			Kind: Next, Pair: 7, HasPair: true, HasInterests: true, Interests: []string{"go"},
			HasLanguages: true, Languages: []string{"de", "en"}, HasTable: true, Table: `Ada's "Inn"`,
		}), `{"type":"next","interests":["go"],"languages":["de","en"],"table":"Ada's \"Inn\"","pair":7}`},
		{"leave the table", AppendCommand(nil, &Command{Kind: Next, HasTable: true}), `{"type":"next","table":""}`},
		{"hello", AppendCommand(nil, &Command{Kind: Hello, Can: CanHeartbeat | CanAgain}), `{"type":"hello","can":["heartbeat","again"]}`},
		{"ping", AppendCommand(nil, &Command{Kind: Ping, N: 1<<53 - 1}), `{"type":"ping","n":9007199254740991}`},
		{"hiding", AppendCommand(nil, &Command{Kind: Hiding}), `{"type":"hiding"}`},
		{"shown", AppendCommand(nil, &Command{Kind: Shown}), `{"type":"shown"}`},
		{"again", AppendCommand(nil, &Command{Kind: Again, Pair: 7}), `{"type":"again","pair":7}`},
		{"again, as the server says it", AppendAgain(nil, 7), `{"type":"again","pair":7}`},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			if want := "\x1e" + tt.want + "\n"; string(tt.got) != want {
				t.Errorf("got %q, want %q", tt.got, want)
			}
			if _, err := parseOne(t, string(tt.got[1:])); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whatever a text is, it makes one record, in UTF-8, and is read again as it was.
func TestEscaping(t *testing.T) {
	texts := []string{"", `"`, `\`, `\u0041`, "\x1e", "\x1e{\"type\":\"left\"}\n", "\n", "\x7f", "\u2028", "😀", "\xff", "a\xed\xa0\x80b", "\xf0\x9f"}
	for c := range 256 {
		texts = append(texts, string([]byte{byte(c)}), string(rune(c)))
	}
	for _, text := range texts {
		b := AppendError(nil, &Error{text, text})
		if n := strings.Count(string(b), "\x1e"); n != 1 || !utf8.Valid(b) || !json.Valid(b[1:]) {
			t.Errorf("%q became %q", text, b)
		}
		want := strings.Map(func(r rune) rune { return r }, text) // each bad byte replaced
		events, err := ParseEvents(b)
		if err != nil || len(events) != 1 || events[0].Code != want || events[0].Message != want {
			t.Errorf("%q became %+v %v", text, events, err)
		}
	}
}

func TestParseEventsIsLenient(t *testing.T) {
	waiting := []Event{{Type: TypeWaiting}}
	tests := []struct {
		desc    string
		payload string
		want    []Event
		ok      bool
	}{
		{"unknown type", "\x1e{\"type\":\"weather\",\"pair\":{},\"n\":-1}\n\x1e{\"type\":\"waiting\"}\n", waiting, true},
		{"no type", "\x1e{}\x1e{\"type\":\"waiting\"}", waiting, true},
		{"unknown fields", "\x1e{\"type\":\"waiting\",\"since\":[[[[[[1]]]]]],\"pair\":\"x\"}", waiting, true},
		{"unknown reason", "\x1e{\"type\":\"left\",\"pair\":1,\"reason\":\"asleep\"}", []Event{{Type: TypeLeft, Pair: 1, Reason: "asleep"}}, true},
		{"missing fields", "\x1e{\"type\":\"paired\"}", []Event{{Type: TypePaired}}, true},
		{"unknown words", "\x1e{\"type\":\"hello\",\"can\":[\"fly\",\"away\"],\"people\":7}", []Event{{Type: TypeHello, Terms: &Terms{Can: CanAway}}}, true},
		{"seconds below 0", "\x1e{\"type\":\"waiting\",\"patience\":-1}\x1e{\"type\":\"waiting\"}", waiting, false},
		{"seconds without end", "\x1e{\"type\":\"waiting\",\"patience\":1e9}\x1e{\"type\":\"waiting\"}", waiting, false},
		{"null", "\x1e{\"type\":\"paired\",\"pair\":null,\"common\":null}", []Event{{Type: TypePaired}}, true},
		{"key in capitals", "\x1e{\"type\":\"left\",\"PAIR\":1}", []Event{{Type: TypeLeft}}, true},
		{"separator twice", "\x1e\x1e{\"type\":\"waiting\"}\x1e", waiting, true},
		{"larger than a client's may be", "\x1e{\"type\":\"waiting\"" + strings.Repeat(" ", 64<<10) + "}", waiting, true},
		{"wrong type of a field", "\x1e{\"type\":\"paired\",\"pair\":\"7\"}\x1e{\"type\":\"waiting\"}", waiting, false},
		{"number out of range", "\x1e{\"type\":\"paired\",\"pair\":4294967296}\x1e{\"type\":\"waiting\"}", waiting, false},
		{"no object", "\x1e7\x1e{\"type\":\"waiting\"}", waiting, false},
		{"cut off", "\x1e{\"type\":\"waiting\"}\x1e{\"type\":\"wait", waiting, false},
		{"type is a number", "\x1e{\"type\":7}", nil, false},
		{"chat", "hello", nil, false},
		{"empty", "", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			got, err := ParseEvents([]byte(tt.payload))
			if !reflect.DeepEqual(got, tt.want) || (err == nil) != tt.ok {
				t.Errorf("got %+v %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	if got, want := ErrRateLimited.Error(), "record: too many messages (rate_limited)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(errPair, ErrBadRecord) || errors.Is(errPair, ErrRateLimited) || errors.Is(errPair, errNotControl) {
		t.Error("errors.Is does not go by the code")
	}
}

func TestAllocations(t *testing.T) {
	dst := make([]byte, 0, 1<<10)
	common := []string{"go", "board games", "é\"\n"}
	var kind Kind
	do := func(cmd Command, err *Error) bool { kind = cmd.Kind; return err == nil }
	typing, next, bad := AppendTypingCommand(nil, true), AppendNext(nil, nil, 7), []byte("\x1e{\"type\":\"x\",\"y\":[{}]}")
	ping := &Command{Kind: Ping, N: 7}
	token := []byte("AbC-_9")
	having := AppendCommand(nil, &Command{Kind: Have, Pair: 7, N: 32})
	resending := AppendCommand(nil, &Command{Kind: Resend, Generation: 5, From: 34, Lost: 2})
	pinging, hello := AppendCommand(nil, ping), AppendCommand(nil, &Command{Kind: Hello, Can: CanAll})
	calls := map[string]func(){
		"AppendHello":         func() { AppendHello(dst, "session", 1000, 65536) },
		"AppendWaiting":       func() { AppendWaiting(dst, true, time.Second) },
		"AppendTerms":         func() { AppendTerms(dst, Terms{CanAll, time.Second, time.Second, 1}) },
		"AppendPong":          func() { AppendPong(dst, 1<<53-1) },
		"AppendAway":          func() { AppendAway(dst, 7, AwayHidden) },
		"AppendBack":          func() { AppendBack(dst, 7) },
		"AppendAgain":         func() { AppendAgain(dst, 7) },
		"AppendResumed":       func() { AppendResumed(dst, 7, token, nil) },
		"AppendStamp":         func() { AppendStamp(dst, 7, 32, token) },
		"AppendReported":      func() { AppendReported(dst) },
		"AppendBlocked":       func() { AppendBlocked(dst, token) },
		"AppendSync":          func() { AppendSync(dst, 7, 5) },
		"AppendReturned":      func() { AppendReturned(dst, 7, 5, 31) },
		"AppendHave":          func() { AppendHave(dst, 7, 32) },
		"AppendResend":        func() { AppendResend(dst, 7, 34, 2) },
		"Parse have":          func() { Parse(having, do) },
		"Parse resend":        func() { Parse(resending, do) },
		"AppendCommand":       func() { AppendCommand(dst, ping) },
		"Parse ping":          func() { Parse(pinging, do) },
		"Parse hello":         func() { Parse(hello, do) },
		"AppendPaired":        func() { AppendPaired(dst, 7, false, common, common, token, nil) },
		"AppendLeft":          func() { AppendLeft(dst, 7, LeftNext) },
		"AppendTyping":        func() { AppendTyping(dst, 7, true) },
		"AppendOnline":        func() { AppendOnline(dst, 1000) },
		"AppendUndelivered":   func() { AppendUndelivered(dst, 7, 1000) },
		"AppendError":         func() { AppendError(dst, ErrBadRecord) },
		"AppendNext":          func() { AppendNext(dst, common, 7) },
		"AppendStop":          func() { AppendStop(dst) },
		"AppendTypingCommand": func() { AppendTypingCommand(dst, true) },
		"Parse typing":        func() { Parse(typing, do) },
		"Parse next":          func() { Parse(next, do) },
		"Parse bad record":    func() { Parse(bad, do) },
	}
	for name, call := range calls {
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	_ = kind
}

// sealed is what the server seals, as text.
var sealed = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)

func FuzzEvents(f *testing.F) {
	for _, tt := range serverRecords {
		f.Add(tt.append(nil))
	}
	f.Add([]byte("\x1e\x1e{\"type\":\"weather\"}\n\x1e{\"type\":\"waiting\""))
	f.Fuzz(func(t *testing.T, payload []byte) {
		events, _ := ParseEvents(payload)
		for _, e := range events {
			if e.Type != TypeUndelivered && max(e.N, e.Generation, e.Have, e.From, e.Lost) > math.MaxInt {
				continue // cannot be appended
			}
			if !sealed.MatchString(e.Token+e.Opening+e.Mark+e.Name) || e.Type == TypeStamp && e.N > math.MaxUint32 {
				continue // appended as it is; what the server seals needs no escapes
			}
			b := encodeEvent(e)
			again, err := ParseEvents(b)
			if e.Common == nil && e.Type == TypePaired {
				e.Common = []string{} // missing or null
			}
			if err != nil || len(again) != 1 || !reflect.DeepEqual(again[0], e) {
				t.Fatalf("%+v became %q, and that %+v %v", e, b, again, err)
			}
		}
	})
}

// encodeEvent is the server's record for e.
func encodeEvent(e Event) []byte {
	switch e.Type {
	case TypeHello:
		if e.Terms != nil {
			return AppendTerms(nil, *e.Terms)
		}
		return AppendHello(nil, e.Session, e.Online, e.MaxMessage)
	case TypeWaiting:
		return AppendWaiting(nil, e.Alone, e.Patience)
	case TypePaired:
		return AppendPaired(nil, e.Pair, e.Again, e.Common, e.Languages, []byte(e.Token), []byte(e.Opening))
	case TypeLeft:
		return AppendLeft(nil, e.Pair, e.Reason)
	case TypeTyping:
		return AppendTyping(nil, e.Pair, e.On)
	case TypeOnline:
		return AppendOnline(nil, int(e.N))
	case TypeUndelivered:
		return AppendUndelivered(nil, e.Pair, e.N)
	case TypePong:
		return AppendPong(nil, e.N)
	case TypeAway:
		return AppendAway(nil, e.Pair, e.Reason)
	case TypeBack:
		if e.Generation != 0 || e.Have != 0 {
			return AppendReturned(nil, e.Pair, e.Generation, e.Have)
		}
		return AppendBack(nil, e.Pair)
	case TypeResumed:
		return AppendResumed(nil, e.Pair, []byte(e.Token), []byte(e.Opening))
	case TypeStamp:
		return AppendStamp(nil, e.Pair, uint32(e.N), []byte(e.Mark))
	case TypeReported:
		return AppendReported(nil)
	case TypeProof:
		return AppendProof(nil, e.Token, e.Bits)
	case TypeWarned:
		return AppendWarned(nil, e.Code)
	case TypeBlocked:
		return AppendBlocked(nil, []byte(e.Name))
	case TypeSync:
		return AppendSync(nil, e.Pair, e.Generation)
	case TypeHave:
		return AppendHave(nil, e.Pair, e.N)
	case TypeResend:
		return AppendResend(nil, e.Pair, e.From, e.Lost)
	case TypeAgain:
		return AppendAgain(nil, e.Pair)
	case TypeNotice:
		return AppendNotice(nil, NoticeCode(e.Code), e.Until)
	}
	return AppendError(nil, &Error{e.Code, e.Message})
}
