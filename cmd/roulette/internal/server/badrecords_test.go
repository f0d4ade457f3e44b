package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
)

// badRecords are all records that a client may send with each of their fields
// missing, of every wrong type, and out of range.
func badRecords() (all []string) {
	long, many := strings.Repeat("x", 65), strings.Repeat(`"de",`, 40)+`"de"`
	wrong := map[string][]string{
		"can":       {``, `null`, `7`, `"away"`, `{}`, `[7]`, `[["away"]]`, `[` + many + `]`},
		"n":         {``, `null`, `-1`, `1.5`, `1e3`, `"1"`, `9007199254740992`, `[1]`, `true`},
		"pair":      {`null`, `0`, `-1`, `-0`, `1.5`, `"1"`, `4294967296`, `[1]`, `{}`},
		"languages": {`null`, `7`, `"de"`, `{}`, `[7]`, `["d"]`, `["de-AT"]`, `["[["]`, `[""]`, `["abcdefghi"]`, `[` + many + `]`},
		"table":     {`null`, `7`, `["x"]`, `{}`, `" "`, `"\u0000"`, `"\u202e"`, `"\u200d"`, `"` + long + `"`},
	}
	for typ, fields := range map[string][]string{
		"hello": {"can"}, "ping": {"n"}, "again": {"pair"}, "next": {"pair", "languages", "table"},
	} {
		for _, field := range fields {
			for _, value := range wrong[field] {
				if typ == "next" && field == "pair" && value == "0" {
					continue // it is the pairing of a client that knows of none
				}
				if value == "" {
					all = append(all, fmt.Sprintf(`{"type":%q}`, typ))
				} else {
					all = append(all, fmt.Sprintf(`{"type":%q,%q:%s}`, typ, field, value))
				}
			}
		}
	}
	for _, server := range []string{"pong", "away", "back", "paired", "waiting", "left", "online"} { // are not a client's
		all = append(all, fmt.Sprintf(`{"type":%q,"pair":1,"n":1}`, server))
	}
	return all
}

// TestBadRecords: each is an error, and harms neither its sender nor their partner.
func TestBadRecords(t *testing.T) {
	_, addr := start(t, Config{Settings: Settings{MessageRate: 0, MaxAway: 1}})
	a, b := greetingCouple(t, addr, canAll)
	records := badRecords()
	if len(records) < 60 {
		t.Fatalf("only %d", len(records))
	}
	for _, text := range records {
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s is malformed in another way", text)
		}
		a.do([]byte("\x1e" + text + "\n"))
		if e := a.event("error"); e.Code != "bad_record" {
			t.Errorf("%s: %+v", text, e)
		}
	}
	a.says("still here")
	b.hears("still here")
	b.says("so am I")
	a.hears("so am I")
}

// TestRecordsAtTheWrongMoment: good records when they mean nothing.
func TestRecordsAtTheWrongMoment(t *testing.T) {
	s, addr := start(t, Config{Settings: Settings{MessageRate: 0, MaxAway: 1}})
	p, _ := dialGreeting(t, addr, canAll)
	again := func(pair uint32) {
		t.Helper()
		p.asks(record.Again, pair)
		p.refused("too_late")
	}
	for range 2 { // idle, and waiting
		again(1)
		p.asks(record.Hiding, 0)
		p.asks(record.Shown, 0)
		p.asks(record.Shown, 0)
		p.do(record.AppendTypingCommand(nil, true))
		p.do(record.AppendCommand(nil, &record.Command{Kind: record.Hello, Can: canAll}))
		p.refused("bad_record")
		p.next()
		p.event("waiting")
	}
	other := dial(t, addr, "/ws") // plain: cannot come back
	p.event("paired")
	again(1)
	p.asks(record.Hiding, 0)
	write(t, other, "hello")
	p.hears("hello")
	other.Close(1000, "")
	p.event("left")
	again(1)
	if s.pairs.Clients() != 1 {
		t.Errorf("%d people", s.pairs.Clients())
	}
}

// TestAThousandRecords: each kind has its place in the rate limit, and who sends
// a thousand is out, and nobody else.
func TestAThousandRecords(t *testing.T) {
	for _, cmd := range []record.Command{
		{Kind: record.Ping, N: 7}, {Kind: record.Hiding}, {Kind: record.Shown}, {Kind: record.Again, Pair: 1},
		{Kind: record.Hello, Can: canAll},
		{Kind: record.Next, HasTable: true, Table: "Ada's"},
		{Kind: record.Next, HasLanguages: true, Languages: []string{"de", "en"}},
	} {
		t.Run(cmd.Kind.String()+cmd.Table+strings.Join(cmd.Languages, ""), func(t *testing.T) {
			s, addr := start(t, Config{Settings: Settings{MessageRate: 20, MessageBurst: 60, MaxAway: 1}})
			x, y := couple(t, s, addr)
			c := rawGreeting(t, addr, canAll)
			for range 1000 {
				if _, err := c.TCP.Write(control(cmd)); err != nil {
					break
				}
			}
			for {
				f, err := c.Read()
				if err != nil {
					t.Fatal(err)
				}
				if f.Op == servertest.OpClose {
					if f.Code() != 4429 {
						t.Errorf("got %v", f)
					}
					break
				}
			}
			x.Write(text("hello"))
			y.Expect(servertest.OpText, "hello")
		})
	}
}

// TestRecordedConversation: what a rich client that says no hello sees, byte for
// byte, as it was before there was a hello. (Only the session is its own.)
func TestRecordedConversation(t *testing.T) {
	_, addr := start(t, Config{Settings: Settings{MaxAway: 1}})
	conn := func() *servertest.Conn {
		c := servertest.Connect(t, addr)
		c.Write([]byte(servertest.Request(addr, "/ws", "Sec-WebSocket-Protocol: "+record.Subprotocol)))
		if err := c.Upgraded(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	says := func(c *servertest.Conn, text string) { c.Write(enc(servertest.Fin|servertest.OpText, text)) }
	hello := func(c *servertest.Conn, online int) {
		t.Helper()
		f, err := c.Read()
		before, rest, _ := strings.Cut(string(f.Payload), `"session":"`)
		session, after, _ := strings.Cut(rest, `"`)
		if want := fmt.Sprintf(`,"online":%d,"max_message":65536}`+"\n", online); err != nil ||
			before != "\x1e"+`{"type":"hello",` || len(session) != 22 || after != want {
			t.Fatalf("got %q, %v", f.Payload, err)
		}
	}
	a := conn()
	hello(a, 1)
	says(a, "\x1e{\"type\":\"next\",\"interests\":[\"Go\",\"tea\"]}\n")
	a.Expect(servertest.OpText, "\x1e{\"type\":\"waiting\"}\n")
	b := conn()
	hello(b, 2)
	says(b, "\x1e{\"type\":\"next\",\"interests\":[\"go\"]}")
	for _, c := range []*servertest.Conn{a, b} {
		c.Expect(servertest.OpText, "\x1e{\"type\":\"paired\",\"pair\":1,\"common\":[\"go\"]}\n")
	}
	says(a, "\x1e{\"type\":\"typing\",\"on\":true}\n")
	b.Expect(servertest.OpText, "\x1e{\"type\":\"typing\",\"pair\":1,\"on\":true}\n")
	says(a, "hello")
	b.Expect(servertest.OpText, "\x1e{\"type\":\"typing\",\"pair\":1,\"on\":false}\n")
	b.Expect(servertest.OpText, "hello")
	says(b, "\x1e{\"type\":\"ping\",\"n\":1}\n") // a record of today
	b.Expect(servertest.OpText, "\x1e{\"type\":\"error\",\"code\":\"bad_record\",\"message\":\"unknown type\"}\n")
	says(b, "\x1e{\"type\":\"next\",\"pair\":1}\n")
	b.Expect(servertest.OpText, "\x1e{\"type\":\"waiting\"}\n")
	a.Expect(servertest.OpText, "\x1e{\"type\":\"left\",\"pair\":1,\"reason\":\"next\"}\n")
	says(a, "gone?")
	a.Expect(servertest.OpText, "\x1e{\"type\":\"undelivered\",\"pair\":1,\"n\":1}\n")
	c := conn()
	hello(c, 3)
	says(c, "\x1e{\"type\":\"next\",\"interests\":[\"GO\"]}\n")
	c.Expect(servertest.OpText, "\x1e{\"type\":\"paired\",\"pair\":1,\"common\":[\"go\"]}\n")
	b.Expect(servertest.OpText, "\x1e{\"type\":\"paired\",\"pair\":2,\"common\":[\"go\"]}\n")
	b.Write(servertest.Encode(servertest.Fin|servertest.OpClose, "\x03\xe9"))
	b.ExpectClose(1001)
	c.Expect(servertest.OpText, "\x1e{\"type\":\"left\",\"pair\":1,\"reason\":\"disconnected\"}\n")
}
