package server

import (
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
)

// dialGreeting is a rich client that has said hello.
func dialGreeting(t *testing.T, addr string, can record.Can) (p *person, terms record.Terms) {
	t.Helper()
	p = dialRich(t, addr)
	p.do(record.AppendCommand(nil, &record.Command{Kind: record.Hello, Can: can}))
	e := p.event("hello")
	if e.Terms == nil || e.Terms.Can != can {
		t.Fatalf("got %+v, want an answer to what it can, %b", e, can)
	}
	return p, *e.Terms
}

// greetingCouple is two of them, who have met.
func greetingCouple(t *testing.T, addr string, can record.Can) (a, b *person) {
	a, _ = dialGreeting(t, addr, can)
	b, _ = dialGreeting(t, addr, can)
	a.next()
	a.event("waiting")
	b.next()
	a.event("paired")
	b.event("paired")
	return a, b
}

func (p *person) asks(kind record.Kind, pair uint32) {
	p.t.Helper()
	p.do(record.AppendCommand(nil, &record.Command{Kind: kind, Pair: pair}))
}

func (p *person) refused(code string) {
	p.t.Helper()
	if e := p.event("error"); e.Code != code {
		p.t.Fatalf("got %+v, want %s", e, code)
	}
}

// canAll is what a server without Config.Safety knows.
const canAll = record.CanAll &^ (record.CanReport | record.CanBlock | record.CanProof)

func TestHello(t *testing.T) {
	_, addr := start(t, Config{Settings: Settings{PingInterval: 20 * time.Second, HiddenTimeout: time.Minute, MaxAway: 1}})
	_, terms := dialGreeting(t, addr, canAll)
	if terms != (record.Terms{Can: canAll, Heartbeat: 20 * time.Second, Hidden: time.Minute, People: 1}) {
		t.Errorf("got %+v", terms)
	}
	all := dialRich(t, addr)
	all.do(record.AppendCommand(nil, &record.Command{Kind: record.Hello, Can: record.CanAll}))
	if e := all.event("hello"); e.Terms.Can != canAll {
		t.Errorf("got %b", e.Terms.Can)
	}
	p, terms := dialGreeting(t, addr, record.CanAway)
	if terms != (record.Terms{Can: record.CanAway}) {
		t.Errorf("got %+v", terms)
	}
	p.do(record.AppendCommand(nil, &record.Command{Kind: record.Hello, Can: canAll}))
	p.refused("bad_record")
	p.asks(record.Again, 1) // not agreed on
	p.refused("bad_record")

	late := dialRich(t, addr)
	late.do(record.AppendStop(nil))
	late.do(record.AppendCommand(nil, &record.Command{Kind: record.Hello}))
	late.refused("bad_record")
	mumbling := dialRich(t, addr)
	mumbling.do([]byte("\x1e{"))
	mumbling.refused("bad_record")
	mumbling.do(record.AppendCommand(nil, &record.Command{Kind: record.Hello}))
	mumbling.refused("bad_record")
	for _, kind := range []record.Kind{record.Ping, record.Hiding, record.Shown, record.Again} {
		stranger := dialRich(t, addr)
		stranger.asks(kind, 1)
		if e := stranger.event("error"); e.Code != "bad_record" || e.Message != "unknown type" {
			t.Errorf("%v without hello: %+v", kind, e)
		}
	}
}

func TestPingIsAnswered(t *testing.T) {
	_, addr := start(t, Config{})
	p, _ := dialGreeting(t, addr, record.CanHeartbeat)
	var several []byte
	for _, n := range []uint64{0, 7, 1<<53 - 1} {
		several = record.AppendCommand(several, &record.Command{Kind: record.Ping, N: n})
	}
	p.do(several)
	for _, n := range []uint64{0, 7, 1<<53 - 1} {
		if e := p.event("pong"); e.N != n {
			t.Fatalf("got %+v, want %d", e, n)
		}
	}
}

// rawGreeting is a rich client that has promised something, seen frame by frame.
func rawGreeting(t *testing.T, addr string, can record.Can) *servertest.Conn {
	t.Helper()
	c := servertest.Connect(t, addr)
	c.Write([]byte(servertest.Request(addr, "/ws", "Sec-WebSocket-Protocol: "+record.Subprotocol)))
	if err := c.Upgraded(); err != nil {
		t.Fatal(err)
	}
	c.Write(enc(servertest.Fin|servertest.OpText, record.AppendCommand(nil, &record.Command{Kind: record.Hello, Can: can})))
	for range 2 {
		if f, err := c.Read(); err != nil || f.Op != servertest.OpText {
			t.Fatalf("got %v, %v", f, err)
		}
	}
	return c
}

func control(cmd record.Command) []byte {
	return enc(servertest.Fin|servertest.OpText, record.AppendCommand(nil, &cmd))
}

// TestHeartbeats: whoever has promised them is not pinged, and not judged by
// pongs.
func TestHeartbeats(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: 20 * time.Second, PongTimeout: 10 * time.Second}})
	c := rawGreeting(t, addr, record.CanHeartbeat)
	heard := func(what string, sent []byte) {
		t.Helper()
		before := total(t, s, func(c *metrics.Counters) uint64 { return c.NetworkReceiveBytes })
		c.Write(sent)
		servertest.Await(t, what, func() bool {
			return total(t, s, func(c *metrics.Counters) uint64 { return c.NetworkReceiveBytes }) == before+len(sent)
		})
	}
	for i := range uint64(3) {
		k.advance(t, s, 20*time.Second)
		k.advance(t, s, 10*time.Second-moment)
		c.Write(control(record.Command{Kind: record.Ping, N: i}))
		c.Expect(servertest.OpText, string(record.AppendPong(nil, i)))
		k.advance(t, s, 0)
	}
	// Chat is a sign of life too, though it reaches nobody.
	k.advance(t, s, 20*time.Second)
	c.Write(text("anybody?"))
	c.Expect(servertest.OpText, string(record.AppendUndelivered(nil, 0, 1)))
	k.advance(t, s, 20*time.Second)
	// A pong, or a ping of the protocol, is none: the browser sends it.
	heard("a pong", enc(servertest.Fin|servertest.OpPong, ""))
	c.Write(enc(servertest.Fin|servertest.OpPing, ""))
	c.Expect(servertest.OpPong, "")
	k.advance(t, s, 10*time.Second-moment)
	if s.poller.Count() != 1 {
		t.Fatal("closed too early")
	}
	k.advance(t, s, moment)
	c.ExpectClose(4408)
}

// TestHeartbeatsAfterAFreeze: the time for the next one begins anew, also when the
// whole process was frozen.
func TestHeartbeatsAfterAFreeze(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: 20 * time.Second, PongTimeout: 10 * time.Second}})
	c := rawGreeting(t, addr, record.CanHeartbeat)
	k.advance(t, s, time.Hour)
	k.advance(t, s, 10*time.Second-moment)
	if s.poller.Count() != 1 {
		t.Fatal("closed too early")
	}
	k.advance(t, s, moment)
	c.ExpectClose(4408)
}

// TestHidden: a page in the background is pinged as others are, and may say
// nothing for a while; but not for ever.
func TestHidden(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: 20 * time.Second, PongTimeout: 10 * time.Second, HiddenTimeout: time.Minute}})
	c := rawGreeting(t, addr, record.CanHeartbeat|record.CanAway)
	hides := func() {
		t.Helper()
		c.Write(control(record.Command{Kind: record.Hiding}))
		servertest.Await(t, "it hides", func() bool {
			hides := false
			eachConn(t, s, func(_ *handler, c *netpoll.Conn) { hides = has(c, hiding) })
			return hides
		})
	}
	pong := func() {
		t.Helper()
		c.Expect(servertest.OpPing, "")
		c.Write(enc(servertest.Fin|servertest.OpPong, ""))
		servertest.Await(t, "the pong is heard", func() bool {
			heard := false
			eachConn(t, s, func(h *handler, c *netpoll.Conn) { heard = h.worker.Now() == c.Heard() })
			return heard
		})
		k.advance(t, s, 0)
	}
	hides()
	for range 3 {
		k.advance(t, s, 20*time.Second)
		pong()
	}
	c.Write(control(record.Command{Kind: record.Shown}))
	c.Write(control(record.Command{Kind: record.Ping, N: 1}))
	c.Expect(servertest.OpText, string(record.AppendPong(nil, 1)))
	hides()
	for range 3 {
		k.advance(t, s, 20*time.Second)
		pong()
	}
	k.advance(t, s, 10*time.Second-moment)
	if s.poller.Count() != 1 {
		t.Fatal("closed too early")
	}
	k.advance(t, s, moment)
	c.ExpectClose(4408)

	dead := rawGreeting(t, addr, record.CanHeartbeat|record.CanAway)
	dead.Write(control(record.Command{Kind: record.Hiding}))
	k.advance(t, s, 20*time.Second)
	k.advance(t, s, 10*time.Second)
	for { // there are records of how many are online
		f, err := dead.Read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Op == servertest.OpClose {
			if f.Code() != 4408 { // its connection is dead, whatever the page may do
				t.Errorf("got %v", f)
			}
			break
		}
	}
}

// TestNewTerms: clients that have promised heartbeats hear how often they are
// wanted from now on.
func TestNewTerms(t *testing.T) {
	s, addr := start(t, Config{})
	p, _ := dialGreeting(t, addr, record.CanHeartbeat)
	other := dialRich(t, addr)
	settings := s.Settings()
	settings.PingInterval = 5 * time.Second
	if err := s.Apply(settings); err != nil {
		t.Fatal(err)
	}
	if e := p.event("hello"); e.Terms == nil || e.Terms.Heartbeat != 5*time.Second {
		t.Errorf("got %+v", e)
	}
	other.next()
	other.event("waiting")
}

func TestAwayAndBack(t *testing.T) {
	_, addr := start(t, Config{})
	a, b := greetingCouple(t, addr, record.CanAway)
	for range 2 {
		a.asks(record.Hiding, 0)
		a.asks(record.Hiding, 0) // no news
		if e := b.event("away"); e.Pair != 1 || e.Reason != record.AwayHidden {
			t.Fatalf("got %+v", e)
		}
		a.says("still here")
		b.hears("still here")
		a.asks(record.Shown, 0)
		a.asks(record.Shown, 0)
		if e := b.event("back"); e.Pair != 1 {
			t.Fatalf("got %+v", e)
		}
	}
	// Whoever is in the background already is so for the next partner.
	a.asks(record.Hiding, 0)
	b.event("away")
	b.next()
	a.event("left")
	b.event("waiting")
	c, _ := dialGreeting(t, addr, record.CanAway)
	c.next()
	c.event("paired")
	b.event("paired")
	b.asks(record.Stop, 0)
	c.event("left")
	a.next()
	a.event("waiting")
	c.next()
	a.event("paired")
	c.event("paired")
	if e := c.event("away"); e.Pair != 2 {
		t.Fatalf("got %+v", e)
	}
	// Whoever has not said that it understands is told nothing.
	d := dialRich(t, addr)
	c.next()
	a.event("left")
	c.event("waiting")
	a.next()
	a.event("waiting")
	d.next()
	d.event("paired")
	d.says("hello")
	a.asks(record.Shown, 0)
}

func TestClosed(t *testing.T) {
	for _, test := range []struct {
		desc    string
		greets  bool
		leaves  func(*websocket.Conn)
		told    record.Reason
		counted metrics.EndReason
	}{
		{"closed", true, func(c *websocket.Conn) { c.Close(1001, "") }, record.LeftClosed, metrics.EndClosed},
		{"closed, to one who said no hello", false, func(c *websocket.Conn) { c.Close(1001, "") }, record.LeftDisconnected, metrics.EndClosed},
		{"lost", true, func(c *websocket.Conn) { c.CloseNow() }, record.LeftDisconnected, metrics.EndDisconnected},
	} {
		t.Run(test.desc, func(t *testing.T) {
			s, addr := start(t, Config{})
			a := dialRich(t, addr)
			b := dialRich(t, addr)
			if test.greets {
				b, _ = dialGreeting(t, addr, 0)
			}
			a.next()
			a.event("waiting")
			b.next()
			b.event("paired")
			test.leaves(a.conn)
			if e := b.event("left"); e.Reason != test.told {
				t.Errorf("got %+v", e)
			}
			if n := total(t, s, func(c *metrics.Counters) uint64 { return c.PairsEnded[test.counted] }); n != 1 {
				t.Errorf("%d counted", n)
			}
		})
	}
}

// TestPeople: who counts people is told at once when it matters, and sockets are
// not people.
func TestPeople(t *testing.T) {
	s, addr := start(t, Config{})
	a, _ := dialGreeting(t, addr, record.CanPeople)
	servertest.Connect(t, addr)       // a socket that a browser has opened in advance
	servertest.Dial(t, addr, "/echo") // talks to itself
	servertest.Await(t, "they are there", func() bool { return s.poller.Count() == 3 })
	a.next()
	if e := a.event("waiting"); !e.Alone {
		t.Errorf("it is alone, and told %+v", e)
	}
	dial(t, addr, "/ws")
	if e := a.event("online"); e.N != 2 {
		t.Errorf("got %+v", e)
	}
	a.event("paired")
	b, terms := dialGreeting(t, addr, record.CanPeople)
	if terms.People != 3 {
		t.Errorf("got %+v", terms)
	}
	b.next()
	if e := b.event("waiting"); e.Alone || e.Patience != 0 {
		t.Errorf("got %+v", e)
	}
}

func TestLanguagesAndTables(t *testing.T) {
	_, addr := start(t, Config{})
	seeks := func(p *person, cmd record.Command) {
		t.Helper()
		cmd.Kind = record.Next
		p.do(record.AppendCommand(nil, &cmd))
	}
	a, _ := dialGreeting(t, addr, 0)
	seeks(a, record.Command{HasLanguages: true, Languages: []string{"de", "en"}, HasInterests: true, Interests: []string{"go"}})
	if e := a.event("waiting"); e.Patience < 7*time.Second || e.Patience > 8*time.Second {
		t.Errorf("got %+v", e)
	}
	b := dialRich(t, addr) // says no hello
	seeks(b, record.Command{HasLanguages: true, Languages: []string{"fr", "de"}, HasInterests: true, Interests: []string{"go"}})
	for _, p := range []*person{a, b} {
		if e := p.event("paired"); !slices.Equal(e.Common, []string{"go"}) || !slices.Equal(e.Languages, []string{"de"}) {
			t.Errorf("got %+v", e)
		}
	}
	// They sit down at tables, and keep what else they want.
	table := func(name string) record.Command { return record.Command{HasTable: true, Table: name} }
	seeks(a, table("Ada's"))
	b.event("left")
	if e := a.event("waiting"); e.Patience != 0 {
		t.Errorf("got %+v", e)
	}
	seeks(b, table("Bob's"))
	b.event("waiting")
	dial(t, addr, "/ws") // waits for anybody
	c := dialRich(t, addr)
	seeks(c, table("Ada's"))
	c.event("paired")
	if e := a.event("paired"); e.Pair != 2 || e.Languages == nil {
		t.Errorf("got %+v", e)
	}
	seeks(b, table("")) // leaves the table
	if e := b.event("waiting"); e.Patience != 0 {
		t.Errorf("who said no hello is told %+v", e)
	}
}

func TestGoBack(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k})
	a, b := greetingCouple(t, addr, record.CanAgain)
	a.asks(record.Again, 1) // they are together
	a.refused("too_late")
	a.next()
	a.event("waiting")
	if e := b.event("left"); e.Reason != record.LeftNext {
		t.Fatalf("got %+v", e)
	}
	b.asks(record.Again, 2) // no pairing of b's
	b.refused("too_late")
	k.advance(t, s, 4*time.Second)
	a.asks(record.Again, 1)
	a.asks(record.Again, 1) // no news
	a.asks(record.Again, 2) // no pairing of a's, so both have been heard when that is answered
	a.refused("too_late")
	if e := b.event("again"); e.Pair != 1 {
		t.Fatalf("got %+v", e)
	}
	b.asks(record.Again, 1)
	for _, p := range []*person{a, b} {
		if e := p.event("paired"); e.Pair != 2 || !e.Again {
			t.Fatalf("got %+v", e)
		}
	}
	a.says("sorry")
	b.hears("sorry")
	b.says("me too")
	a.hears("me too")

	b.asks(record.Stop, 0)
	a.event("left")
	a.asks(record.Again, 2)
	b.event("again")
	b.asks(record.Stop, 0) // does not want
	a.asks(record.Next, 0)
	a.event("waiting")
	k.advance(t, s, 5*time.Second)
	b.asks(record.Again, 2)
	b.refused("too_late")
	if s.pairs.Pairs() != 0 {
		t.Error("they are together")
	}

	// Whoever left for good, or cannot again, does not come back.
	c := dialRich(t, addr)
	c.next()
	for _, p := range []*person{a, c} {
		if e := p.event("paired"); e.Again {
			t.Fatalf("got %+v", e)
		}
	}
	c.do(record.AppendStop(nil))
	a.event("left")
	a.asks(record.Again, 3)
	a.refused("too_late")
	b.next()
	b.event("waiting")
	a.next()
	a.event("waiting") // b had a last, and avoids it for a while
	k.advance(t, s, 6*time.Second)
	a.event("paired")
	b.event("paired")
	b.conn.Close(1000, "")
	a.event("left")
	a.asks(record.Again, 4)
	a.refused("too_late")
}

// TestQuietChat counts frames: heartbeats cost no more than pings do, and who
// sends them is sent nothing else.
func TestQuietChat(t *testing.T) {
	servertest.Parallel(t)
	const interval, minutes = 20 * time.Second, 10
	frames := func(can record.Can) (n int) {
		k := newStoppedClock()
		s, addr := start(t, Config{Kernel: k, Settings: Settings{PingInterval: interval}})
		c := rawGreeting(t, addr, can)
		for passed := time.Second; passed <= minutes*time.Minute; passed += time.Second {
			k.advance(t, s, time.Second)
			pinged := pingedConns(t, s) > 0
			switch heartbeats := can&record.CanHeartbeat != 0; {
			case heartbeats && passed%interval == 0:
				c.Write(control(record.Command{Kind: record.Ping}))
				c.Expect(servertest.OpText, string(record.AppendPong(nil, 0)))
				n += 2
			case !heartbeats && pinged:
				c.Expect(servertest.OpPing, "")
				c.Write(enc(servertest.Fin|servertest.OpPong, ""))
				servertest.Await(t, "the pong is heard", func() bool {
					heard := false
					eachConn(t, s, func(h *handler, c *netpoll.Conn) { heard = h.worker.Now() == c.Heard() })
					return heard
				})
				k.advance(t, s, 0)
				n += 2
			}
		}
		return n
	}
	before, now := frames(0), frames(record.CanHeartbeat)
	t.Logf("%d frames with pings, %d with heartbeats", before, now)
	if now > before {
		t.Errorf("%d frames, %d before", now, before)
	}
}

// TestNextThatCrosses: a next that names the pairing its client knows of ends no other,
// and whoever has ended one unknowingly is told so.
func TestNextThatCrosses(t *testing.T) {
	_, addr := start(t, Config{})
	a, _ := dialGreeting(t, addr, 0)
	b, _ := dialGreeting(t, addr, 0)
	nextAfter := func(p *person, pair uint32, interests ...string) {
		p.do(record.AppendCommand(nil, &record.Command{Kind: record.Next, HasPair: true, Pair: pair, HasInterests: true, Interests: interests}))
	}
	nextAfter(a, 0)
	a.event("waiting")
	nextAfter(a, 0, "go") // as it waits: for other wishes
	a.event("waiting")
	nextAfter(a, 0)
	a.event("waiting")
	nextAfter(b, 0)
	a.event("paired")
	b.event("paired")

	// Other wishes, which have crossed paired: the pairing goes on.
	nextAfter(a, 0, "go", "chess")
	a.says("still here")
	b.hears("still here")

	// A stop that has crossed paired: what is said to the partner is for nobody, also
	// when somebody else has come.
	c, _ := dialGreeting(t, addr, 0)
	nextAfter(c, 0)
	c.event("waiting")
	a.do(record.AppendStop(nil))
	nextAfter(a, 0)
	a.says("for b alone")
	if e := a.event("left"); e.Pair != 1 || e.Reason != record.LeftStop {
		t.Errorf("got %+v", e)
	}
	a.event("undelivered")
	b.event("left")
	nextAfter(a, 1)
	if e := a.event("paired"); e.Pair != 2 {
		t.Errorf("got %+v", e)
	}
	a.says("for c")
	c.event("paired")
	c.hears("for c")
}
