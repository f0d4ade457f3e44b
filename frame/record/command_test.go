package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"roulette/frame"
)

type parsed struct {
	cmd Command
	err *Error
}

func parseAll(payload string) (all []parsed) {
	Parse([]byte(payload), func(cmd Command, err *Error) bool {
		all = append(all, parsed{cmd, err})
		return true
	})
	return all
}

// parseOne parses the text of one record.
func parseOne(t *testing.T, text string) (Command, *Error) {
	t.Helper()
	all := parseAll("\x1e" + text)
	if len(all) != 1 {
		t.Fatalf("%q: %d records, want 1", text, len(all))
	}
	return all[0].cmd, all[0].err
}

func interested(list ...string) Command {
	return Command{Kind: Next, HasInterests: true, Interests: append([]string{}, list...)}
}

func TestParse(t *testing.T) {
	tests := []struct {
		desc string
		text string
		want Command
	}{
		{"next", `{"type":"next"}` + "\n", Command{Kind: Next}},
		{"without LF", `{"type":"next"}`, Command{Kind: Next}},
		{"next with a pair", `{"type":"next","pair":7}`, Command{Kind: Next, Pair: 7, HasPair: true}},
		{"next with no pair known of", `{"type":"next","pair":0}`, Command{Kind: Next, HasPair: true}},
		{"the largest pair", `{"type":"next","pair":4294967295}`, Command{Kind: Next, Pair: 1<<32 - 1, HasPair: true}},
		{"next with interests", `{"type":"next","interests":["go","music"]}`, interested("go", "music")},
		{"no interests", `{"type":"next","interests":[ ]}`, interested()},
		{"10 interests", `{"type":"next","interests":["a","b","c","d","e","f","g","h","i","j"]}`,
			interested("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")},
		{"stop", `{"type":"stop"}`, Command{Kind: Stop}},
		{"typing", `{"type":"typing","on":true}`, Command{Kind: Typing, On: true}},
		{"typing no more", `{"type":"typing","on":false}`, Command{Kind: Typing}},
		{"type comes last", `{"on":true,"type":"typing"}`, Command{Kind: Typing, On: true}},
		{"white space everywhere", " {\t\"type\" :\r\n\"next\" , \"pair\" : 7 , \"interests\" : [ \"a\" , \"b\" ] } \r\n",
			Command{Kind: Next, Pair: 7, HasPair: true, HasInterests: true, Interests: []string{"a", "b"}}},
		{"escapes", `{"t\u0079pe":"\u006eex\u0074","interests":["\u00FCber\/\"\\","\ud83d\ude00"]}`, interested(`über/"\`, "😀")},
		{"escaped white space", `{"type":"next","interests":["\f\n\r\ta"]}`, interested("a")},
		{"unknown fields", `{"type":"stop","id":-0.5e+7,"x":{"y":[null,true,false,"\u001e"]},"":0}`, Command{Kind: Stop}},
		{"fields of other records", `{"type":"stop","on":null,"pair":"x","interests":7}`, Command{Kind: Stop}},
		{"keys are case-sensitive", `{"type":"stop","Type":"next","TYPE":1}`, Command{Kind: Stop}},
		{"the same key in two objects", `{"type":"stop","a":{"a":1},"b":{"a":1}}`, Command{Kind: Stop}},
		{"hello", `{"type":"hello","can":["heartbeat","tables"]}`, Command{Kind: Hello, Can: CanHeartbeat | CanTables}},
		{"hello, unknown words", `{"type":"hello","can":["","fly","AWAY","away","away"]}`, Command{Kind: Hello, Can: CanAway}},
		{"hello of who can nothing", `{"type":"hello","can":[ ]}`, Command{Kind: Hello}},
		{"hello, 32 words", `{"type":"hello","can":[` + strings.Repeat(`"x",`, 31) + `"again"]}`, Command{Kind: Hello, Can: CanAgain}},
		{"ping", `{"type":"ping","n":0}`, Command{Kind: Ping}},
		{"the largest ping", `{"type":"ping","n":9007199254740991}`, Command{Kind: Ping, N: 1<<53 - 1}},
		{"hiding", `{"type":"hiding"}`, Command{Kind: Hiding}},
		{"shown", `{"type":"shown"}`, Command{Kind: Shown}},
		{"again", `{"type":"again","pair":7}`, Command{Kind: Again, Pair: 7, HasPair: true}},
		{"languages", `{"type":"next","languages":["DE","en","de","abcdefgh"]}`,
			Command{Kind: Next, HasLanguages: true, Languages: []string{"de", "en", "abcdefgh"}}},
		{"no languages", `{"type":"next","languages":[]}`, Command{Kind: Next, HasLanguages: true, Languages: []string{}}},
		{"table", `{"type":"next","table":" Ada\t\u00FCber  Bar "}`, Command{Kind: Next, HasTable: true, Table: "Ada über Bar"}},
		{"no table", `{"type":"next","table":""}`, Command{Kind: Next, HasTable: true}},
		{"table of 64", `{"type":"next","table":"` + strings.Repeat("語", 64) + `"}`,
			Command{Kind: Next, HasTable: true, Table: strings.Repeat("語", 64)}},
		{"resume", `{"type":"resume","token":"A\u002d_","have":0,"try":4294967295}`,
			Command{Kind: Resume, Token: "A-_", Try: 1<<32 - 1}},
		{"the longest token", `{"type":"resume","token":"` + strings.Repeat("x", 128) + `","have":9007199254740991,"try":1}`,
			Command{Kind: Resume, Token: strings.Repeat("x", 128), N: 1<<53 - 1, Try: 1}},
		{"have", `{"type":"have","pair":7,"n":32}`, Command{Kind: Have, Pair: 7, HasPair: true, N: 32}},
		{"have, the answer to a sync", `{"type":"have","pair":7,"gen":5,"n":0}`, Command{Kind: Have, Pair: 7, HasPair: true, Generation: 5}},
		{"resend", `{"type":"resend","gen":5,"from":1,"lost":0}`, Command{Kind: Resend, Generation: 5, From: 1}},
		{"resend, all lost", `{"type":"resend","gen":5,"from":9007199254740991,"lost":9007199254740990}`,
			Command{Kind: Resend, Generation: 5, From: 1<<53 - 1, Lost: 1<<53 - 2}},
		{"4 deep", `{"type":"stop","x":[{"y":[]}]}`, Command{Kind: Stop}},
		{"32 fields", manyFields(32), Command{Kind: Stop}},
		{"4096 bytes", pad(`{"type":"stop"}`, 4096), Command{Kind: Stop}},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			cmd, err := parseOne(t, tt.text)
			if err != nil || !reflect.DeepEqual(cmd, tt.want) {
				t.Errorf("got %+v %v, want %+v", cmd, err, tt.want)
			}
		})
	}
}

// manyFields is a record with n fields.
func manyFields(n int) string {
	var b strings.Builder
	for i := range n - 1 {
		fmt.Fprintf(&b, `"%d":0,`, i)
	}
	return "{" + b.String() + `"type":"stop"}`
}

// pad makes text a record of size bytes, the separator counted.
func pad(text string, size int) string { return text + strings.Repeat(" ", size-1-len(text)) }

func TestParseRefuses(t *testing.T) {
	next := func(field string) string { return `{"type":"next",` + field + `}` }
	interests := func(list string) string { return next(`"interests":` + list) }
	tests := []struct {
		desc string
		text string
		err  *Error
	}{
		{"nothing", "", ErrBadRecord},
		{"LF alone", "\n", ErrBadRecord},
		{"text", "next", ErrBadRecord},
		{"array", `["next"]`, ErrBadRecord},
		{"string", `"next"`, ErrBadRecord},
		{"null", `null`, ErrBadRecord},
		{"no fields", `{}`, errType},
		{"no type", `{"pair":7}`, errType},
		{"type is a number", `{"type":1}`, errType},
		{"type is null", `{"type":null}`, errType},
		{"type in capitals", `{"TYPE":"next"}`, errType},
		{"unknown type", `{"type":"wave"}`, errUnknownType},
		{"the name for what is unknown", `{"type":"unknown"}`, errUnknownType},
		{"a server's type", `{"type":"pong","n":1}`, errUnknownType},
		{"a record to who returns", `{"type":"resumed","pair":1}`, errUnknownType},
		{"resume, no token", `{"type":"resume","have":1,"try":1}`, errToken},
		{"resume, token of null", `{"type":"resume","token":null,"have":1,"try":1}`, errToken},
		{"resume, empty token", `{"type":"resume","token":"","have":1,"try":1}`, errToken},
		{"resume, token too long", `{"type":"resume","token":"` + strings.Repeat("x", 129) + `","have":1,"try":1}`, errToken},
		{"resume, no have", `{"type":"resume","token":"x","try":1}`, errHave},
		{"resume, negative have", `{"type":"resume","token":"x","have":-1,"try":1}`, errHave},
		{"resume, have too large", `{"type":"resume","token":"x","have":9007199254740992,"try":1}`, errHave},
		{"resume, no try", `{"type":"resume","token":"x","have":1}`, errTry},
		{"resume, try 0", `{"type":"resume","token":"x","have":1,"try":0}`, errTry},
		{"resume, try too large", `{"type":"resume","token":"x","have":1,"try":4294967296}`, errTry},
		{"have, no pair", `{"type":"have","n":1}`, errAgainPair},
		{"have, pair 0", `{"type":"have","pair":0,"n":1}`, errPair},
		{"have, no n", `{"type":"have","pair":1}`, errN},
		{"have, n of text", `{"type":"have","pair":1,"n":"1"}`, errN},
		{"have, gen 0", `{"type":"have","pair":1,"gen":0,"n":1}`, errGeneration},
		{"have, gen of null", `{"type":"have","pair":1,"gen":null,"n":1}`, errGeneration},
		{"resend, no gen", `{"type":"resend","from":1,"lost":0}`, errGeneration},
		{"resend, no from", `{"type":"resend","gen":1,"lost":0}`, errFrom},
		{"resend from 0", `{"type":"resend","gen":1,"from":0,"lost":0}`, errFrom},
		{"resend, no lost", `{"type":"resend","gen":1,"from":1}`, errLost},
		{"resend, more lost than there was", `{"type":"resend","gen":1,"from":5,"lost":5}`, errLost},
		{"empty type", `{"type":""}`, errUnknownType},
		{"type with NUL", `{"type":"next\u0000"}`, errUnknownType},

		{"two objects", `{"type":"next"}{"type":"next"}`, ErrBadRecord},
		{"two objects in two lines", `{"type":"next"}` + "\n" + `{"type":"next"}`, ErrBadRecord},
		{"trailing junk", `{"type":"next"}x`, ErrBadRecord},
		{"trailing NUL", "{\"type\":\"next\"}\x00", ErrBadRecord},
		{"trailing comma", `{"type":"next",}`, ErrBadRecord},
		{"leading comma", `{,"type":"next"}`, ErrBadRecord},
		{"byte order mark", "\ufeff" + `{"type":"next"}`, ErrBadRecord},
		{"no-break space", "\u00a0" + `{"type":"next"}`, ErrBadRecord},
		{"comment", `{"type":"next"/**/}`, ErrBadRecord},
		{"single quotes", `{'type':'next'}`, ErrBadRecord},
		{"no quotes", `{type:"next"}`, ErrBadRecord},
		{"no colon", `{"type" "next"}`, ErrBadRecord},
		{"not closed", `{"type":"next"`, ErrBadRecord},
		{"closed as an array", `{"type":"next"]`, ErrBadRecord},

		{"type twice", `{"type":"next","type":"next"}`, ErrBadRecord},
		{"type twice, in two spellings", `{"type":"next","t\u0079pe":"stop"}`, ErrBadRecord},
		{"pair twice", next(`"pair":1,"pair":2`), ErrBadRecord},
		{"unknown key twice", next(`"x":1,"x":1`), ErrBadRecord},
		{"key twice, inside", next(`"x":[{"y":1,"y":1}]`), ErrBadRecord},
		{"33 fields", manyFields(33), ErrBadRecord},
		{"5 deep", next(`"x":[[[[]]]]`), ErrBadRecord},
		{"4000 deep", next(`"x":` + strings.Repeat("[", 4000)), ErrBadRecord},
		{"4000 deep in objects", next(`"x":` + strings.Repeat(`{"":`, 1000)), ErrBadRecord},
		{"4097 bytes", pad(`{"type":"stop"}`, 4097), errTooBig},
		{"64 KiB", pad(`{"type":"stop"}`, 64<<10), errTooBig},

		{"bad byte", next("\"x\":\"\xff\""), errUTF8},
		{"surrogate as UTF-8", next("\"x\":\"\xed\xa0\x80\""), errUTF8},
		{"overlong separator", next("\"x\":\"\xc0\x9e\""), errUTF8},
		{"bad byte behind the object", "{\"type\":\"stop\"}\xff", errUTF8},
		{"half a surrogate pair", next(`"x":"\ud83d"`), ErrBadRecord},
		{"half a surrogate pair and text", next(`"x":"\ud83dxxxxxx"`), ErrBadRecord},
		{"half a surrogate pair and LF", next(`"x":"\ud83d\n12345"`), ErrBadRecord},
		{"surrogates in the wrong order", next(`"x":"\ude00\ud83d"`), ErrBadRecord},
		{"surrogate and no surrogate", next(`"x":"\ud83d\u0041"`), ErrBadRecord},
		{"LF in a string", next("\"x\":\"\n\""), ErrBadRecord},
		{"unknown escape", next(`"x":"\x41"`), ErrBadRecord},
		{"escaped NUL byte", next("\"x\":\"\\\x00\""), ErrBadRecord},
		{"bad hexadecimal", next(`"x":"\u00g0"`), ErrBadRecord},
		{"signed hexadecimal", next(`"x":"\u+041"`), ErrBadRecord},
		{"word", next(`"x":True`), ErrBadRecord},
		{"half a word", next(`"x":tru`), ErrBadRecord},
		{"NaN", next(`"x":NaN`), ErrBadRecord},
		{"leading zero", next(`"x":01`), ErrBadRecord},
		{"plus", next(`"x":+1`), ErrBadRecord},
		{"minus alone", next(`"x":-`), ErrBadRecord},
		{"no fraction", next(`"x":1.`), ErrBadRecord},
		{"no integer", next(`"x":.1`), ErrBadRecord},
		{"no exponent", next(`"x":1e+`), ErrBadRecord},
		{"hexadecimal number", next(`"x":0x1`), ErrBadRecord},

		{"pair 00", next(`"pair":00`), ErrBadRecord},
		{"pair -0", next(`"pair":-0`), errPair},
		{"pair -1", next(`"pair":-1`), errPair},
		{"pair 2^32", next(`"pair":4294967296`), errPair},
		{"pair of 300 digits", next(`"pair":1` + strings.Repeat("0", 300)), errPair},
		{"pair with a fraction", next(`"pair":1.0`), errPair},
		{"pair with an exponent", next(`"pair":1e0`), errPair},
		{"pair is a string", next(`"pair":"7"`), errPair},
		{"pair is null", next(`"pair":null`), errPair},
		{"pair is true", next(`"pair":true`), errPair},

		{"interests is a string", interests(`"go"`), errInterests},
		{"interests is null", interests(`null`), errInterests},
		{"interests is an object", interests(`{}`), errInterests},
		{"interest is a number", interests(`["go",1]`), errInterests},
		{"interest is an array", interests(`[["go"]]`), errInterests},
		{"interest is null", interests(`[null]`), errInterests},
		{"11 interests", interests(`["a","b","c","d","e","f","g","h","i","j","k"]`), ErrTooManyInterests},
		{"11 times the same", interests(`["a"` + strings.Repeat(`,"a"`, 10) + `]`), ErrTooManyInterests},
		{"empty interest", interests(`["go",""]`), errInterestEmpty},
		{"interest of 33", interests(`["` + strings.Repeat("é", 33) + `"]`), errInterestLong},
		{"control character in an interest", interests(`["a\u0000b"]`), errInterestControl},
		{"separator in an interest", interests(`["\u001e"]`), errInterestControl},
		{"right-to-left override in an interest", interests(`["a\u202eb"]`), errInterestControl},

		{"languages is a string", next(`"languages":"de"`), errLanguages},
		{"languages is null", next(`"languages":null`), errLanguages},
		{"language is a number", next(`"languages":["de",1]`), errLanguages},
		{"6 languages", next(`"languages":["aa","bb","cc","dd","ee","ff"]`), errManyLanguages},
		{"6 times the same", next(`"languages":["de","de","de","de","de","de"]`), errManyLanguages},
		{"language of one letter", next(`"languages":["d"]`), errLanguage},
		{"language of 9", next(`"languages":["abcdefghi"]`), errLanguage},
		{"language with a region", next(`"languages":["de-AT"]`), errLanguage},
		{"language with white space", next(`"languages":[" de"]`), errLanguage},
		{"language of digits", next(`"languages":["419"]`), errLanguage},
		{"language that looks like letters when made lower case", next(`"languages":["[{"]`), errLanguage},
		{"language of other letters", next(`"languages":["дe"]`), errLanguage},
		{"table is a number", next(`"table":1`), errTable},
		{"table is null", next(`"table":null`), errTable},
		{"table of white space", next(`"table":" \t"`), errTableEmpty},
		{"table of joiners", next(`"table":"\u200d"`), errTableEmpty},
		{"table of 65", next(`"table":"` + strings.Repeat("é", 65) + `"`), errTableLong},
		{"control character in a table", next(`"table":"a\u0007"`), errTableControl},
		{"right-to-left override in a table", next(`"table":"a\u202eb"`), errTableControl},
		{"bad interests before a good table", next(`"interests":7,"table":"x"`), errInterests},

		{"hello without can", `{"type":"hello"}`, errCan},
		{"can is a string", `{"type":"hello","can":"away"}`, errCan},
		{"can is null", `{"type":"hello","can":null}`, errCan},
		{"a word is a number", `{"type":"hello","can":["away",7]}`, errCan},
		{"33 words", `{"type":"hello","can":[` + strings.Repeat(`"x",`, 32) + `"x"]}`, errCan},
		{"ping without n", `{"type":"ping"}`, errN},
		{"ping -1", `{"type":"ping","n":-1}`, errN},
		{"ping 2^53", `{"type":"ping","n":9007199254740992}`, errN},
		{"ping 2^64", `{"type":"ping","n":18446744073709551616}`, errN},
		{"ping with a fraction", `{"type":"ping","n":1.0}`, errN},
		{"ping with an exponent", `{"type":"ping","n":1e3}`, errN},
		{"ping with a string", `{"type":"ping","n":"1"}`, errN},
		{"ping with null", `{"type":"ping","n":null}`, errN},
		{"again without pair", `{"type":"again"}`, errAgainPair},
		{"again 0", `{"type":"again","pair":0}`, errPair},
		{"again with a string", `{"type":"again","pair":"7"}`, errPair},

		{"typing without on", `{"type":"typing"}`, errOn},
		{"on is a number", `{"type":"typing","on":1}`, errOn},
		{"on is a string", `{"type":"typing","on":"true"}`, errOn},
		{"on is null", `{"type":"typing","on":null}`, errOn},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			cmd, err := parseOne(t, tt.text)
			if err != tt.err || !reflect.DeepEqual(cmd, Command{}) {
				t.Errorf("got %+v %v, want %v", cmd, err, tt.err)
			}
			if want := tt.err.Code; want != ErrTooManyInterests.Code && !errors.Is(err, ErrBadRecord) {
				t.Errorf("%v is no bad record", err)
			}
		})
	}
}

func TestParseSeveral(t *testing.T) {
	const next, stop = "\x1e{\"type\":\"next\"}\n", "\x1e{\"type\":\"stop\"}\n"
	repeat := func(n int, k Kind, more ...*Error) (want []parsed) {
		for range n {
			want = append(want, parsed{Command{Kind: k}, nil})
		}
		for _, err := range more {
			want = append(want, parsed{err: err})
		}
		return want
	}
	tests := []struct {
		desc    string
		payload string
		want    []parsed
	}{
		{"not control", "hello", []parsed{{err: ErrBadRecord}}},
		{"empty", "", []parsed{{err: ErrBadRecord}}},
		{"in order", next + stop, []parsed{{cmd: Command{Kind: Next}}, {cmd: Command{Kind: Stop}}}},
		{"without LF between them", next[:len(next)-1] + stop, []parsed{{cmd: Command{Kind: Next}}, {cmd: Command{Kind: Stop}}}},
		{"a bad one in the middle", next + "\x1e{\"type\":\"st" + stop,
			[]parsed{{cmd: Command{Kind: Next}}, {err: ErrBadRecord}, {cmd: Command{Kind: Stop}}}},
		{"bad UTF-8 in the first", "\x1e\xff" + stop, []parsed{{err: errUTF8}, {cmd: Command{Kind: Stop}}}},
		{"a big one first", "\x1e" + strings.Repeat("x", 5000) + stop, []parsed{{err: errTooBig}, {cmd: Command{Kind: Stop}}}},
		{"separator twice", "\x1e" + stop, []parsed{{err: ErrBadRecord}, {cmd: Command{Kind: Stop}}}},
		{"separator at the end", stop + "\x1e", []parsed{{cmd: Command{Kind: Stop}}, {err: ErrBadRecord}}},
		{"chat behind a record", stop + "hello", []parsed{{err: ErrBadRecord}}},
		{"16", strings.Repeat(stop, 16), repeat(16, Stop)},
		{"17", strings.Repeat(stop, 17), repeat(16, Stop, errTooManyRecords)},
		{"64 KiB of them", strings.Repeat(stop, 64<<10/len(stop)), repeat(16, Stop, errTooManyRecords)},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			if got := parseAll(tt.payload); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}

	var n int
	Parse([]byte(next+stop), func(Command, *Error) bool { n++; return false })
	if n != 1 {
		t.Errorf("%d calls after do returned false, want 1", n)
	}
}

func TestParseNonsense(t *testing.T) {
	for _, unit := range []string{"\x1e", "\x00", "x", "[", `{"":`, `{"a":`, `"`, `\u`, "\xff", "\x1e{", "\x1e\"\\", "\x1e\\u", "é", " ", "1"} {
		payload := "\x1e" + strings.Repeat(unit, 64<<10/len(unit))
		all := parseAll(payload)
		if len(all) == 0 || len(all) > maxRecords+1 {
			t.Errorf("%q: %d calls", unit, len(all))
		}
		for _, p := range all {
			if !errors.Is(p.err, ErrBadRecord) {
				t.Errorf("%q: %+v %v", unit, p.cmd, p.err)
			}
		}
		if all := parseAll(payload + "\x1e" + `{"type":"stop"}`); strings.Count(payload, "\x1e") == 1 && all[1].cmd.Kind != Stop {
			t.Errorf("%q: the record behind it was not read", unit)
		}
	}
}

// A record is refused until its object is whole, and refused again with any one
// byte that makes it something else.
func TestParsePrefixes(t *testing.T) {
	for _, text := range []string{
		`{"type":"next","interests":["go","\u00fc\ud83d\ude00","\\é"],"pair":7,"x":[{"y":-1.5e+3}],"z":[true,false,null]}`,
		`{"type":"stop"}`,
		`{"type":"typing","on":true}`,
		`{"type":"hello","can":["heartbeat","away","\u0061gain","fly"]}`,
		`{"type":"ping","n":9007199254740991}`,
		`{"type":"hiding"}`,
		`{"type":"shown"}`,
		`{"type":"again","pair":7}`,
		`{"type":"hello","can":["report","block"],"blocked":["AbC-_9"]}`,
		`{"type":"block","opening":"AbC-_9"}`,
		`{"type":"report","opening":"AbC","first":"d","last":"e","reason":"spam","text":"\u00fc","messages":[{"text":"a\n"},{"binary":"AAA="}]}`,
		`{"type":"next","languages":["de","EN"],"table":"Ada's \u00fc"}`,
	} {
		for i := range len(text) {
			if cmd, err := parseOne(t, text[:i]); !errors.Is(err, ErrBadRecord) {
				t.Errorf("%q: %+v %v", text[:i], cmd, err)
			}
		}
		want, err := parseOne(t, text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		for _, tail := range []string{"\n", " ", "\r\n", "\n\n"} {
			if cmd, err := parseOne(t, text+tail); err != nil || !reflect.DeepEqual(cmd, want) {
				t.Errorf("%q: %+v %v", text+tail, cmd, err)
			}
		}
		for i := range len(text) {
			for c := range 256 {
				if c == separator {
					continue
				}
				changed := text[:i] + string([]byte{byte(c)}) + text[i+1:]
				if _, err := parseOne(t, changed); err == nil && !json.Valid([]byte(changed)) {
					t.Errorf("%q was accepted", changed)
				}
			}
		}
	}
}

// The rule is applied to the whole message, however it is cut.
func TestIsControlFragments(t *testing.T) {
	const message = "\x1e{\"type\":\"stop\"}\n"
	fragment := func(op ws.OpCode, fin bool, payload string) []byte {
		f := ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload)))
		return ws.MustCompileFrame(f)
	}
	for i := range len(message) + 1 {
		stream := slices.Concat(
			fragment(ws.OpText, false, ""),
			fragment(ws.OpContinuation, false, message[:i]),
			fragment(ws.OpPing, true, "between"),
			fragment(ws.OpContinuation, true, message[i:]))
		var d frame.Decoder
		var n int
		for rest := stream; ; {
			m, r, err := d.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			if rest = r; m.Op == ws.OpContinuation {
				break
			}
			if m.Op != ws.OpText {
				continue
			}
			if n++; !IsControl(m.Payload) {
				t.Errorf("cut at %d: %q is not control", i, m.Payload)
			}
			if all := parseAll(string(m.Payload)); len(all) != 1 || all[0].cmd.Kind != Stop {
				t.Errorf("cut at %d: %+v", i, all)
			}
		}
		if n != 1 {
			t.Errorf("cut at %d: %d messages", i, n)
		}
	}
}

func TestIsControl(t *testing.T) {
	for payload, want := range map[string]bool{
		"": false, "\x1e": true, "\x1ehello": true, "hello": false, " \x1e": false, "\n\x1e{}": false, "\x1f": false,
	} {
		if got := IsControl([]byte(payload)); got != want {
			t.Errorf("%q: %v", payload, got)
		}
	}
}

func TestParseKeepsNothing(t *testing.T) {
	payload := []byte("\x1e" + `{"type":"next","interests":["go","b\u006fard games"]}`)
	var got Command
	Parse(payload, func(cmd Command, err *Error) bool { got = cmd; return true })
	clear(payload)
	if want := interested("go", "board games"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestKindString(t *testing.T) {
	for k, want := range map[Kind]string{Unknown: "unknown", Next: "next", Stop: "stop", Typing: "typing", Hello: "hello", Ping: "ping", Hiding: "hiding", Shown: "shown", Again: "again", Report: "report", Block: "block", Kinds: "unknown", 99: "unknown"} {
		if k.String() != want {
			t.Errorf("%d: %q, want %q", k, k, want)
		}
	}
}

// encode is the record that a client sends for cmd.
func encode(cmd Command) []byte {
	return AppendCommand(nil, &cmd)
}

// FuzzParse: every record of a message is read as the reference reads it, and
// written again it is the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "\x1e", "hello",
		"\x1e{\"type\":\"next\",\"interests\":[\"Go\",\" b\\u00FCcher  x\"],\"pair\":7}\n",
		"\x1e{\"type\":\"stop\"}\n\x1e{\"type\":\"typing\",\"on\":true}\n",
		"\x1e{\"type\":\"stop\",\"x\":[{\"y\":[-1.5e3,null,\"\\ud83d\\ude00\"]}]}",
		"\x1e{\"type\":\"stop\",\"type\":\"stop\"}",
		"\x1e{\"type\":\"stop\",\"x\":\"\\ude00\\ud83d\"}\x1e{\"type\":\"stop\",\"x\":\"\\ud83d\\u0041\"}",
		"\x1e{\"type\":\"next\",\"interests\":[\"\xff\"]}",
		"\x1e{\"type\":\"hello\",\"can\":[\"heartbeat\",\"fly\",\"aw\\u0061y\"]}\x1e{\"type\":\"hello\"}",
		"\x1e{\"type\":\"ping\",\"n\":9007199254740991}\x1e{\"type\":\"ping\",\"n\":9007199254740992}\x1e{\"type\":\"ping\",\"n\":-0}",
		"\x1e{\"type\":\"hiding\"}\x1e{\"type\":\"shown\"}\x1e{\"type\":\"again\",\"pair\":7}\x1e{\"type\":\"again\"}",
		"\x1e{\"type\":\"next\",\"languages\":[\"DE\",\"en\",\"de\"],\"table\":\" Ada  x\"}\x1e{\"type\":\"next\",\"table\":\"\",\"languages\":[\"[{\"]}",
		"\x1e{\"type\":\"hello\",\"can\":[\"block\",\"resume\"],\"blocked\":[\"a\",\"\",\"a\"]}\x1e{\"type\":\"block\",\"opening\":\"\"}\x1e{\"type\":\"block\",\"opening\":\"x\"}",
		"\x1e{\"type\":\"report\",\"opening\":\"a\",\"last\":\"b\",\"reason\":\"sexual\",\"messages\":[{\"text\":\"\\ud83d\\ude00\"},{\"binary\":\"//8=\",\"x\":1},{\"text\":\"\"},{\"binary\":\"\"}]}",
		"\x1e{\"type\":\"report\",\"opening\":\"a\",\"last\":\"b\",\"reason\":\"spam\",\"messages\":[{\"text\":\"\",\"binary\":\"\"}]}\x1e{\"type\":\"report\",\"opening\":\"a\",\"last\":\"b\",\"reason\":\"spam\",\"messages\":[]}",
		"\x1e" + pad("{\"type\":\"report\",\"opening\":\"a\",\"last\":\"b\",\"reason\":\"spam\",\"messages\":[{\"text\":\"m\"}]}", 65536),
		"\x1e" + pad("{\"type\":\"report\",\"opening\":\"a\",\"last\":\"b\",\"reason\":\"spam\",\"messages\":[{\"text\":\"m\"}]}", 65537),
		"\x1e" + manyFields(32), "\x1e" + manyFields(33),
		"\x1e{\"type\":\"next\",\"pair\":4294967296}",
		"\x1e{\"type\":\"next\",\"pair\":-0}\x1e{\"type\":\"next\",\"pair\":0}",
		"\x1e{\"type\":\"stop\",\"x\":[[[]]]}\x1e{\"type\":\"stop\",\"x\":[[[[]]]]}",
		"\x1e" + pad("{\"type\":\"stop\"}", 4096) + "\x1e" + pad("{\"type\":\"stop\"}", 4097),
		"\x1e{\"type\":\"next\",\"interests\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\"]}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		var texts [][]byte
		if IsControl(payload) {
			texts = bytes.Split(payload[1:], []byte{separator})
		}
		all := parseAll(string(payload))
		if n := max(1, min(len(texts), maxRecords+1)); len(all) != n {
			t.Fatalf("%d calls for %d records", len(all), len(texts))
		}
		for i, p := range all {
			var want Command
			code := ErrBadRecord.Code
			if i < maxRecords && texts != nil {
				want, code = reference(texts[i])
			}
			got := ""
			if p.err != nil {
				got = p.err.Code
			}
			if got != code || !reflect.DeepEqual(p.cmd, want) {
				t.Fatalf("record %d of %q: %+v %v, want %+v %s", i, payload, p.cmd, p.err, want, code)
			}
			if p.err != nil {
				continue
			}
			again := parseAll(string(encode(p.cmd)))
			if len(again) != 1 || again[0].err != nil || !reflect.DeepEqual(again[0].cmd, p.cmd) {
				t.Fatalf("%+v became %+v", p.cmd, again)
			}
		}
		Parse(payload, func(Command, *Error) bool { return true })
		if !bytes.Equal(payload, before) {
			t.Fatal("the payload was changed")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, bm := range []struct{ desc, payload string }{
		{"typing", string(AppendTypingCommand(nil, true))},
		{"next", string(AppendNext(nil, nil, 7))},
		{"next/interests=3", string(AppendNext(nil, []string{"go", "music", "board games"}, 7))},
		{"nonsense=64KiB", "\x1e" + strings.Repeat("x", 64<<10)},
		{"worst=64KiB", strings.Repeat(worst(), 16)},
	} {
		b.Run(bm.desc, func(b *testing.B) {
			payload := []byte(bm.payload)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				Parse(payload, func(Command, *Error) bool { return true })
			}
		})
	}
}

// worst is the record that costs most that was thought of: full objects of keys
// that differ late and only when unescaped.
func worst() string {
	var b strings.Builder
	b.WriteString("\x1e{\"type\":\"stop\"")
	for i := 0; ; i++ {
		var o strings.Builder
		fmt.Fprintf(&o, `,"%d":{`, i)
		for j := range maxFields {
			if j > 0 {
				o.WriteByte(',')
			}
			fmt.Fprintf(&o, `"\n%02d":0`, j)
		}
		o.WriteByte('}')
		if b.Len()+o.Len()+1 > maxRecord {
			return b.String() + "}"
		}
		b.WriteString(o.String())
	}
}
