package server

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/resume"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll/nettest"
)

// returning are settings with which chats are resumed.
var returning = Settings{MaxAway: 100}

// dialCan is a rich client that has said hello.
func dialCan(t *testing.T, addr string) *person {
	t.Helper()
	p := dialRich(t, addr)
	p.do(record.AppendCommand(nil, &record.Command{Kind: record.Hello, Can: record.CanResume}))
	if e := p.event("hello"); e.Terms == nil || e.Terms.Can != record.CanResume {
		t.Fatalf("got %+v", e)
	}
	return p
}

func (p *person) command(cmd record.Command) { p.t.Helper(); p.do(record.AppendCommand(nil, &cmd)) }

func (p *person) resumes(token string, have uint64, try uint32) {
	p.t.Helper()
	p.command(record.Command{Kind: record.Resume, Token: token, N: have, Try: try})
}

// breaks cuts the connection without a word.
func (p *person) breaks() { p.conn.CloseNow() }

// closed reads the close code that the server sends.
func (p *person) closedWith(code websocket.StatusCode) {
	p.t.Helper()
	for {
		_, _, err := p.conn.Read(testContext(p.t))
		if err == nil {
			continue
		}
		if got := websocket.CloseStatus(err); got != code {
			p.t.Fatalf("closed with %v; want %v", err, code)
		}
		return
	}
}

// resumable is two clients who have met and can resume, with their tokens.
func resumable(t *testing.T, addr string) (a, b *person, tokenA, tokenB string) {
	t.Helper()
	a, b = dialCan(t, addr), dialCan(t, addr)
	a.next()
	a.event("waiting")
	b.next()
	tokenA, tokenB = a.event("paired").Token, b.event("paired").Token
	if tokenA == "" || tokenB == "" || tokenA == tokenB {
		t.Fatalf("tokens %q and %q", tokenA, tokenB)
	}
	for _, p := range []*person{a, b} {
		p.command(record.Command{Kind: record.Have, Pair: 1}) // they have them
	}
	return a, b, tokenA, tokenB
}

// meet goes through the rest of a return behind resumed: who came back has shown
// haveCame of the other's messages, who stayed haveStayed.
func meet(t *testing.T, came, stayed *person, haveCame, haveStayed uint64) {
	t.Helper()
	sync := stayed.event("sync")
	stayed.command(record.Command{Kind: record.Have, Pair: sync.Pair, Generation: sync.Generation, N: haveStayed})
	for _, p := range []struct {
		person *person
		have   uint64
	}{{came, haveStayed}, {stayed, haveCame}} {
		if e := p.person.event("back"); e.Have != p.have || e.Generation != sync.Generation {
			t.Fatalf("back %+v; want %d of generation %d", e, p.have, sync.Generation)
		}
		p.person.command(record.Command{Kind: record.Resend, Generation: sync.Generation, From: p.have + 1})
	}
	if e := stayed.event("resend"); e.From != haveStayed+1 || e.Lost != 0 {
		t.Fatalf("resend %+v", e)
	}
	if e := came.event("resend"); e.From != haveCame+1 || e.Lost != 0 {
		t.Fatalf("resend %+v", e)
	}
}

func TestChatOutlivesItsConnection(t *testing.T) {
	s, addr := start(t, Config{Settings: returning})
	a, b, token, _ := resumable(t, addr)
	a.says("one")
	b.hears("one")
	b.says("uno")
	a.hears("uno")
	b.command(record.Command{Kind: record.Have, Pair: 1, N: 1})
	if e := a.event("have"); e.N != 1 || e.Pair != 1 {
		t.Fatalf("got %+v", e)
	}
	a.breaks()
	if e := b.event("away"); e.Reason != record.AwayLost || e.Pair != 1 {
		t.Fatalf("got %+v", e)
	}
	b.says("into the void") // in b's ring
	if n := s.breaks.away(); n != 1 {
		t.Errorf("%d away", n)
	}

	a = dialCan(t, addr)
	a.resumes(token, 1, 1)
	again := a.event("resumed")
	if again.Pair != 1 || again.Token == "" {
		t.Fatalf("got %+v", again)
	}
	a.says("too early") // before its resend: in its ring
	meet(t, a, b, 1, 1)
	b.says("into the void")
	a.hears("into the void")
	a.says("two")
	b.hears("two")

	// And once more, with the new token, while the server believes in the old one.
	old := a
	a = dialCan(t, addr)
	a.resumes(again.Token, 2, 2)
	a.event("resumed")
	old.closedWith(4409)
	meet(t, a, b, 2, 2)
	a.says("three")
	b.hears("three")
	if n := s.breaks.away(); n != 0 || s.pairs.Pairs() != 1 {
		t.Errorf("%d away, %d pairs", n, s.pairs.Pairs())
	}

	// The pair's end is the end of it.
	b.next()
	b.event("waiting")
	if e := a.event("left"); e.Pair != 1 || e.Reason != record.LeftNext {
		t.Fatalf("got %+v", e)
	}
	a.breaks()
	late := dialCan(t, addr)
	late.resumes(again.Token, 2, 3)
	if e := late.event("error"); e.Code != record.ErrNoSuchChat.Code {
		t.Fatalf("got %+v", e)
	}
	late.next() // it is an idle client like any other
	late.event("paired")
	b.event("paired")
	if n := s.breaks.remembered(); n != 0 {
		t.Errorf("%d pairs are kept", n)
	}
}

// remembered is how many pairs are kept.
func (r *breaks) remembered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pairs.n
}

// TestBothAway: both lose their connections, and come back one after the other, in
// either order.
func TestBothAway(t *testing.T) {
	for _, first := range []int{0, 1} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			s, addr := start(t, Config{Settings: returning})
			a, b, tokenA, tokenB := resumable(t, addr)
			tokens := []string{tokenA, tokenB}
			a.breaks()
			b.event("away")
			b.breaks()
			nettest.Await(t, "both to be away", func() bool { return s.breaks.away() == 2 })
			x := dialCan(t, addr)
			x.resumes(tokens[first], 0, 1)
			x.event("resumed")
			if e := x.event("away"); e.Reason != record.AwayLost {
				t.Fatalf("got %+v", e)
			}
			y := dialCan(t, addr)
			y.resumes(tokens[1-first], 0, 1)
			y.event("resumed")
			meet(t, y, x, 0, 0)
			x.says("hello again")
			y.hears("hello again")
		})
	}
}

// TestAfterTheServerDied: another process with the same key knows neither of the
// two, and brings them together by their tokens, though not by one of them twice.
func TestAfterTheServerDied(t *testing.T) {
	keys := resume.NewKeys()
	_, dead := start(t, Config{Settings: returning, ResumeKeys: keys})
	s, addr := start(t, Config{Settings: returning, ResumeKeys: keys})
	_, _, tokenA, tokenB := resumable(t, dead)
	a := dialCan(t, addr)
	a.resumes(tokenA, 3, 1)
	if e := a.event("resumed"); e.Pair != 1 {
		t.Fatalf("got %+v", e)
	}
	a.event("away")
	bystander := dialCan(t, addr)
	bystander.next()
	bystander.event("waiting") // and not paired with a seat that is kept
	again := dialCan(t, addr)
	again.resumes(tokenA, 3, 2)
	again.event("resumed")
	again.event("away")
	a.closedWith(4409)
	b := dialCan(t, addr)
	b.resumes(tokenB, 2, 1)
	b.event("resumed")
	meet(t, b, again, 2, 3)
	b.says("here I am")
	again.hears("here I am")
	if n := s.breaks.away(); n != 0 {
		t.Errorf("%d away", n)
	}
	again.command(record.Command{Kind: record.Stop})
	if e := b.event("left"); e.Reason != record.LeftStop {
		t.Fatalf("got %+v", e)
	}
}

// TestSeatLapses: who does not come back in time is gone, and what came too late
// finds nothing.
func TestSeatLapses(t *testing.T) {
	settings := returning
	settings.ResumeGrace = 100 * time.Millisecond
	s, addr := start(t, Config{Settings: settings})
	a, b, token, _ := resumable(t, addr)
	a.breaks()
	b.event("away")
	if e := b.event("left"); e.Reason != record.LeftDisconnected {
		t.Fatalf("got %+v", e)
	}
	late := dialCan(t, addr)
	late.resumes(token, 0, 1)
	if e := late.event("error"); e.Code != record.ErrNoSuchChat.Code {
		t.Fatalf("got %+v", e)
	}
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Returns[metrics.ReturnLapsed] }); n != 1 {
		t.Errorf("%d lapsed", n)
	}
	b.breaks()
	late.breaks()
	nettest.Await(t, "all seats to be free", func() bool { return s.pairs.Clients() == 0 })
}

// TestWhatKeepsASeat: a connection that is lost, closed with 1001 as a page that is
// loaded again does, or with 4408 as a client that heard nothing does; no other close, and no partner who cannot resume.
func TestWhatKeepsASeat(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave func(*person)
		keeps bool
	}{
		{"lost", (*person).breaks, true},
		{"closed with 1001", func(p *person) { _ = p.conn.Close(websocket.StatusGoingAway, "") }, true},
		{"closed with 4408", func(p *person) { _ = p.conn.Close(4408, "") }, true},
		{"closed with 1000", func(p *person) { _ = p.conn.Close(websocket.StatusNormalClosure, "") }, false},
		{"closed with 3000", func(p *person) { _ = p.conn.Close(3000, "") }, false},
		{"breaks the protocol", func(p *person) {
			_ = p.conn.Write(testContext(p.t), websocket.MessageText, []byte("\xff"))
		}, false},
		{"stops", func(p *person) { p.command(record.Command{Kind: record.Stop}) }, false},
		{"goes on", func(p *person) { p.next() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, addr := start(t, Config{Settings: returning})
			a, b, _, _ := resumable(t, addr)
			c.leave(a)
			if c.keeps {
				b.event("away")
			} else {
				b.event("left")
			}
		})
	}
	t.Run("a plain partner", func(t *testing.T) {
		s, addr := start(t, Config{Settings: returning})
		plain := dial(t, addr, "/ws")
		a := dialCan(t, addr)
		a.next()
		if e := a.event("paired"); e.Token != "" {
			t.Fatalf("got %+v", e)
		}
		write(t, plain, "hi")
		a.hears("hi")
		a.breaks()
		nettest.Await(t, "the plain one to be free at once", func() bool { return s.pairs.Waiting() == 1 })
		other := dialCan(t, addr)
		other.next()
		other.event("paired")
	})
	t.Run("switched off", func(t *testing.T) {
		_, addr := start(t, Config{})
		p := dialRich(t, addr)
		p.command(record.Command{Kind: record.Hello, Can: record.CanResume})
		if e := p.event("hello"); e.Terms.Can != 0 {
			t.Fatalf("got %+v", e)
		}
		p.resumes("x", 0, 1)
		if e := p.event("error"); e.Code != record.ErrBadRecord.Code {
			t.Fatalf("got %+v", e)
		}
	})
}

// TestOldestSeatGivesWay: there are as many seats as the setting says, and who is
// away longest gives theirs up.
func TestOldestSeatGivesWay(t *testing.T) {
	settings := returning
	settings.MaxAway = 2
	s, addr := start(t, Config{Settings: settings})
	var stayed []*person
	for range 4 {
		a, b, _, _ := resumable(t, addr)
		a.breaks()
		b.event("away")
		stayed = append(stayed, b)
	}
	stayed[0].event("left")
	stayed[1].event("left")
	nettest.Await(t, "two to be away", func() bool { return s.breaks.away() == 2 })
}

// TestTokensRefused: of another key, of an ended pair, altered, at the wrong moment:
// an error, an idle client, and nobody's chat touched.
func TestTokensRefused(t *testing.T) {
	s, addr := start(t, Config{Settings: returning})
	_, other := start(t, Config{Settings: returning})
	a, b, token, tokenB := resumable(t, addr)
	_, _, foreign, _ := resumable(t, other)
	late := s.breaks.keys.Append(nil, resume.Token{Node: s.breaks.node + 1, Issued: time.Now().Add(-25 * time.Hour)})
	future := s.breaks.keys.Append(nil, resume.Token{Node: s.breaks.node + 1, Issued: time.Now().Add(time.Hour)})
	genuine, err := s.breaks.keys.Open(token)
	if err != nil {
		t.Fatal(err)
	}
	otherSide, otherHolder, otherSeat := genuine, genuine, genuine
	otherSide.Side = 1 - otherSide.Side
	otherHolder.Holder++
	otherSeat.Seat += 1000
	for _, c := range []struct{ name, token string }{
		{"garbage", "x"},
		{"cut", token[:len(token)-1]},
		{"altered", strings.ToUpper(token)},
		{"of another key", foreign},
		{"of another day", string(late)},
		{"from the future", string(future)},
		{"of the other side", string(s.breaks.keys.Append(nil, otherSide))},
		{"of another person", string(s.breaks.keys.Append(nil, otherHolder))},
		{"of another seat", string(s.breaks.keys.Append(nil, otherSeat))},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := dialCan(t, addr)
			p.resumes(c.token, 0, 7)
			if e := p.event("error"); e.Code != record.ErrNoSuchChat.Code {
				t.Fatalf("got %+v", e)
			}
			p.breaks()
		})
	}
	busy, partner := dialCan(t, addr), dialCan(t, addr)
	busy.next()
	busy.event("waiting")
	busy.resumes(tokenB, 0, 9)
	if e := busy.event("error"); e.Code != record.ErrTooLate.Code {
		t.Fatalf("got %+v", e)
	}
	partner.next()
	partner.event("paired")
	busy.event("paired")
	for _, cmd := range []record.Command{
		{Kind: record.Have, Pair: 1, Generation: 1, N: 5},
		{Kind: record.Have, Pair: 9, N: 5},
		{Kind: record.Resend, Generation: 1, From: 1},
	} {
		a.command(cmd) // nothing is broken
	}
	a.says("still here")
	b.hears("still here")
}

// TestTriesAndTurns: an older try is closed with 4409, and words of another
// generation, or at the wrong moment, change nothing.
func TestTriesAndTurns(t *testing.T) {
	_, addr := start(t, Config{Settings: returning})
	a, b, token, _ := resumable(t, addr)
	a.breaks()
	b.event("away")
	a = dialCan(t, addr)
	a.resumes(token, 0, 5)
	a.event("resumed")
	late := dialCan(t, addr)
	late.resumes(token, 0, 4)
	late.closedWith(4409)
	sync := b.event("sync")
	for _, c := range []struct {
		name string
		from *person
		cmd  record.Command
		told bool
	}{
		{"resend before back", b, record.Command{Kind: record.Resend, Generation: sync.Generation, From: 1}, true},
		{"resend of a generation to come", b, record.Command{Kind: record.Resend, Generation: sync.Generation + 1, From: 1}, true},
		{"an old resend", b, record.Command{Kind: record.Resend, Generation: sync.Generation - 1, From: 1}, false},
		{"an old count", b, record.Command{Kind: record.Have, Pair: 1, Generation: sync.Generation + 1, N: 1}, false},
		{"a second count", a, record.Command{Kind: record.Have, Pair: 1, Generation: sync.Generation, N: 1}, false},
	} {
		if c.cmd.Generation == 0 {
			continue
		}
		c.from.command(c.cmd)
		if c.told {
			if e := c.from.event("error"); e.Code != record.ErrBadRecord.Code {
				t.Fatalf("%s: %+v", c.name, e)
			}
		}
	}
	b.command(record.Command{Kind: record.Have, Pair: 1, Generation: sync.Generation, N: 0})
	a.event("back")
	b.event("back")
	b.command(record.Command{Kind: record.Resend, Generation: sync.Generation, From: 2}) // not where a stopped
	b.event("error")
	b.command(record.Command{Kind: record.Resend, Generation: sync.Generation, From: 3, Lost: 2})
	if e := a.event("resend"); e.From != 3 || e.Lost != 2 {
		t.Fatalf("got %+v", e)
	}
	b.says("three")
	a.hears("three")
	a.says("not yet") // a has not said resend
	a.command(record.Command{Kind: record.Resend, Generation: sync.Generation, From: 1})
	a.says("now")
	b.event("resend")
	b.hears("now")
}

// TestDrainKeepsChats: people who are sent away come back to the next process, and
// are told of no parting.
func TestDrainKeepsChats(t *testing.T) {
	keys := resume.NewKeys()
	s, addr := start(t, Config{Settings: returning, ResumeKeys: keys})
	_, next := start(t, Config{Settings: returning, ResumeKeys: keys})
	a, b, tokenA, tokenB := resumable(t, addr)
	a.says("before")
	b.hears("before")
	gone := make(chan error, 1)
	go func() { gone <- s.Shutdown(context.Background(), 0) }()
	for _, p := range []*person{a, b} {
		for {
			_, data, err := p.conn.Read(testContext(t))
			if err != nil {
				if websocket.CloseStatus(err) != websocket.StatusGoingAway {
					t.Fatal(err)
				}
				break
			}
			if strings.Contains(string(data), `"left"`) {
				t.Fatalf("told %q", data)
			}
		}
	}
	if err := <-gone; err != nil {
		t.Fatal(err)
	}
	b = dialCan(t, next)
	b.resumes(tokenB, 1, 1)
	b.event("resumed")
	b.event("away")
	a = dialCan(t, next)
	a.resumes(tokenA, 0, 1)
	a.event("resumed")
	meet(t, a, b, 0, 1)
	b.says("after")
	a.hears("after")
}
