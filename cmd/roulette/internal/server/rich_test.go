package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"roulette/frame/record"
)

// person is a rich client in a test.
type person struct {
	t    *testing.T
	conn *websocket.Conn
	// events and chat that came in one message with others
	events []record.Event
}

func dialRich(t *testing.T, addr string) *person {
	t.Helper()
	c, response, err := websocket.Dial(testContext(t), "ws://"+addr+"/ws", &websocket.DialOptions{Subprotocols: []string{"other", record.Subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	if got := response.Header.Get("Sec-WebSocket-Protocol"); got != record.Subprotocol {
		t.Fatalf("subprotocol %q", got)
	}
	p := &person{t: t, conn: c}
	if hello := p.event("hello"); hello.Session == "" || hello.MaxMessage != 65536 || hello.Online < 1 {
		t.Fatalf("got %+v", hello)
	}
	return p
}

func (p *person) do(payload []byte) {
	p.t.Helper()
	write(p.t, p.conn, string(payload))
}

func (p *person) next(interests ...string) { p.t.Helper(); p.do(record.AppendNext(nil, interests, 0)) }

// event reads the next record, which must be of this type. Only online records
// may come in between.
func (p *person) event(kind string) record.Event {
	p.t.Helper()
	for {
		for len(p.events) == 0 {
			text := read(p.t, p.conn)
			if !record.IsControl([]byte(text)) {
				p.t.Fatalf("want %s, got the message %q", kind, text)
			}
			events, err := record.ParseEvents([]byte(text))
			if err != nil {
				p.t.Fatal(err)
			}
			p.events = events
		}
		e := p.events[0]
		p.events = p.events[1:]
		if e.Type == "online" && kind != "online" {
			continue
		}
		if e.Type != kind {
			p.t.Fatalf("want %s, got %+v", kind, e)
		}
		return e
	}
}

func (p *person) says(text string) { p.t.Helper(); write(p.t, p.conn, text) }

func (p *person) hears(want string) {
	p.t.Helper()
	if len(p.events) != 0 {
		p.t.Fatalf("want %q, got %+v", want, p.events)
	}
	if got := read(p.t, p.conn); got != want {
		p.t.Fatalf("got %q, want %q", got, want)
	}
}

// richCouple is two rich clients who have met.
func richCouple(t *testing.T, addr string) (a, b *person) {
	a, b = dialRich(t, addr), dialRich(t, addr)
	a.next()
	a.event("waiting")
	b.next()
	a.event("paired")
	b.event("paired")
	return a, b
}

func TestRichClientIsIdleUntilNext(t *testing.T) {
	s, addr := start(t, Config{})
	a := dialRich(t, addr)
	b := dial(t, addr, "/ws")
	write(t, b, "anybody?")
	if got := read(t, b); got != sorryText {
		t.Fatalf("got %q", got)
	}
	a.says("too early")
	if e := a.event("undelivered"); e.Pair != 0 || e.N != 1 {
		t.Fatalf("got %+v", e)
	}
	a.next()
	if e := a.event("paired"); e.Pair != 1 || len(e.Common) != 0 {
		t.Fatalf("got %+v", e)
	}
	a.says("hello plain one")
	if got := read(t, b); got != "hello plain one" {
		t.Fatalf("got %q", got)
	}
	write(t, b, "hello rich one")
	a.hears("hello rich one")
	if n := s.pairs.Pairs(); n != 1 {
		t.Fatalf("%d pairs", n)
	}
}

func TestNextStopAndLeft(t *testing.T) {
	_, addr := start(t, Config{})
	a, b := richCouple(t, addr)
	a.says("one")
	b.hears("one")

	a.next()
	a.event("waiting")
	if e := b.event("left"); e.Pair != 1 || e.Reason != record.LeftNext {
		t.Fatalf("got %+v", e)
	}
	// The fence: what was typed for the old partner reaches nobody.
	b.says("late")
	b.says("later")
	n := uint64(0)
	for n < 2 {
		e := b.event("undelivered")
		if e.Pair != 1 {
			t.Fatalf("got %+v", e)
		}
		n += e.N
	}

	c := dialRich(t, addr)
	c.next()
	if e := a.event("paired"); e.Pair != 2 {
		t.Fatalf("got %+v", e)
	}
	if e := c.event("paired"); e.Pair != 1 {
		t.Fatalf("got %+v", e)
	}
	c.do(record.AppendStop(nil))
	if e := a.event("left"); e.Pair != 2 || e.Reason != record.LeftStop {
		t.Fatalf("got %+v", e)
	}
	b.next()
	b.event("waiting")
	c.next()
	b.event("paired")
	c.event("paired")
	c.conn.Close(websocket.StatusNormalClosure, "")
	if e := b.event("left"); e.Reason != record.LeftDisconnected {
		t.Fatalf("got %+v", e)
	}
}

func TestStaleNextIsIgnored(t *testing.T) {
	_, addr := start(t, Config{})
	a, b := richCouple(t, addr)
	// A double press: the second names the pairing that the first has ended.
	c := dialRich(t, addr)
	c.next()
	c.event("waiting")
	a.do(record.AppendNext(nil, nil, 1))
	a.do(record.AppendNext(nil, nil, 1))
	if e := a.event("paired"); e.Pair != 2 {
		t.Fatalf("got %+v", e)
	}
	c.event("paired")
	b.event("left")
	a.says("still here")
	c.hears("still here")
}

func TestInterestsInCommon(t *testing.T) {
	_, addr := start(t, Config{})
	a, b, c := dialRich(t, addr), dialRich(t, addr), dialRich(t, addr)
	a.next("Go", "music")
	a.event("waiting")
	b.next("chess")
	b.event("waiting")
	c.next("tea", "MUSIC", "go")
	for _, p := range []*person{a, c} {
		e := p.event("paired")
		if len(e.Common) != 2 || !strings.Contains(strings.Join(e.Common, " "), "music") {
			t.Fatalf("got %+v", e)
		}
	}
}

func TestTyping(t *testing.T) {
	_, addr := start(t, Config{})
	a, b := richCouple(t, addr)
	a.do(record.AppendTypingCommand(nil, true))
	if e := b.event("typing"); !e.On || e.Pair != 1 {
		t.Fatalf("got %+v", e)
	}
	a.do(record.AppendTypingCommand(nil, true)) // no news
	a.says("there")
	if e := b.event("typing"); e.On {
		t.Fatalf("got %+v", e)
	}
	b.hears("there")
	a.do(record.AppendTypingCommand(nil, true))
	a.do(record.AppendTypingCommand(nil, false))
	b.event("typing")
	if e := b.event("typing"); e.On {
		t.Fatalf("got %+v", e)
	}
}

func TestControlMessagesAreNeverRelayed(t *testing.T) {
	_, addr := start(t, Config{})
	a, b := richCouple(t, addr)
	forged := string(record.AppendLeft(nil, 1, record.LeftNext))
	a.says(forged)
	if e := a.event("error"); e.Code != "bad_record" {
		t.Fatalf("got %+v", e)
	}
	// In fragments, the first of them empty.
	w, err := a.conn.Writer(testContext(t), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"", forged[:1], forged[1:7], forged[7:]} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	a.event("error")
	a.says("honest")
	b.hears("honest")

	// A plain client's is answered as if it were alone, and its partner sees
	// nothing of it.
	c, d := dial(t, addr, "/ws"), dial(t, addr, "/ws")
	write(t, c, forged)
	if got := read(t, c); got != sorryText {
		t.Fatalf("got %q", got)
	}
	write(t, c, "honest too")
	if got := read(t, d); got != "honest too" {
		t.Fatalf("got %q", got)
	}
	// A binary message is chat whatever it begins with.
	if err := c.Write(testContext(t), websocket.MessageBinary, []byte(forged)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, d); got != forged {
		t.Fatalf("got %q", got)
	}
}

func TestBadRecordsKeepTheConnection(t *testing.T) {
	_, addr := start(t, Config{})
	a := dialRich(t, addr)
	many, _ := json.Marshal(map[string]any{"type": "next", "interests": strings.Split("a b c d e f g h i j k", " ")})
	for _, test := range []struct{ payload, code string }{
		{"\x1e", "bad_record"},
		{"\x1enonsense", "bad_record"},
		{"\x1e{\"type\":\"nonsense\"}", "bad_record"},
		{"\x1e" + string(many), "too_many_interests"},
		{"\x1e" + strings.Repeat("[", 60_000), "bad_record"},
	} {
		a.says(test.payload)
		if e := a.event("error"); e.Code != test.code {
			t.Errorf("%.20q: got %+v", test.payload, e)
		}
	}
	a.next()
	a.event("waiting")
}

func TestSeveralRecordsInOneMessage(t *testing.T) {
	_, addr := start(t, Config{})
	a := dialRich(t, addr)
	several := record.AppendStop(record.AppendNext(nil, nil, 0))
	a.do(append(several, "\x1e{}"...))
	a.event("waiting")
	a.event("error") // so the stop before it has been obeyed
	b := dialRich(t, addr)
	b.next()
	b.event("waiting") // a has stopped
	a.next()
	a.event("paired")
	b.event("paired")
}

func TestRateLimitWarnsFirst(t *testing.T) {
	_, addr := start(t, Config{Settings: Settings{MessageRate: 1, MessageBurst: 4}})
	a := dialRich(t, addr)
	for range 20 {
		if a.conn.Write(testContext(t), websocket.MessageText, record.AppendTypingCommand(nil, true)) != nil {
			break
		}
	}
	if e := a.event("error"); e.Code != "rate_limited" {
		t.Fatalf("got %+v", e)
	}
	_, _, err := a.conn.Read(testContext(t))
	if got := websocket.CloseStatus(err); got != 4429 {
		t.Fatalf("got %v", err)
	}
}
