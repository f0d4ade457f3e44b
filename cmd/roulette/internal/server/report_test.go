package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/stamp"
	"roulette/frame"
	"roulette/frame/record"
)

// shelf takes reports.
type shelf struct {
	mu    sync.Mutex
	taken []safety.Report
	fails error
}

func (s *shelf) Take(r safety.Report) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return s.fails
	}
	r.Lines = slices.Clone(r.Lines)
	for i := range r.Lines {
		r.Lines[i].Payload = slices.Clone(r.Lines[i].Payload)
	}
	s.taken = append(s.taken, r)
	return nil
}

// fail has Take fail from now on, or no longer.
func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = err
}

func (s *shelf) all() []safety.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

const canSafety = record.CanReport | record.CanBlock

// guarded is a server with --safety on.
func guarded(t *testing.T) (*Server, string, *shelf) {
	reports := new(shelf)
	s, addr := start(t, Config{Safety: safety.On, Reports: reports})
	return s, addr, reports
}

// meetGuarded has two meet who have said hello, and returns their openings.
func meetGuarded(t *testing.T, a, b *person) (openingA, openingB string) {
	t.Helper()
	a.next()
	a.event("waiting")
	b.next()
	openingA, openingB = a.event("paired").Opening, b.event("paired").Opening
	if openingA == "" || openingB == "" || openingA == openingB {
		t.Fatalf("openings %q and %q", openingA, openingB)
	}
	return openingA, openingB
}

// wronged is somebody to whom a stranger said "buy", and left; and their report, as true
// as it can be.
func wronged(t *testing.T, addr string) (*person, record.Command) {
	t.Helper()
	x, _ := dialGreeting(t, addr, canSafety)
	y, _ := dialGreeting(t, addr, canSafety)
	opening, _ := meetGuarded(t, x, y)
	y.says("buy")
	x.hears("buy")
	y.conn.CloseNow()
	mark := x.event("stamp").Mark
	x.event("left")
	return x, record.Command{Kind: record.Report, Opening: opening, Last: mark, Reason: "spam", Messages: relayed("buy")}
}

func relayed(texts ...string) (list []record.Relayed) {
	for _, text := range texts {
		list = append(list, record.Relayed{Payload: []byte(text)})
	}
	return list
}

// TestReport: what was said can be reported while the chat goes on and after it, once;
// what was not, or by somebody else, cannot.
func TestReport(t *testing.T) {
	s, addr, reports := guarded(t)
	a, _ := dialGreeting(t, addr, canSafety)
	b, _ := dialGreeting(t, addr, canSafety)
	_, opening := meetGuarded(t, a, b)
	var said []string
	var marks []string
	for i := range 70 {
		text := fmt.Sprintf("message %d", i)
		said = append(said, text)
		a.says(text)
		b.hears(text)
		if i%32 == 31 {
			e := b.event("stamp")
			if e.N != uint64(i+1) || e.Pair != 1 {
				t.Fatalf("got %+v", e)
			}
			marks = append(marks, e.Mark)
		}
	}
	b.command(record.Command{Kind: record.Report, Opening: opening, Last: marks[0], Reason: "spam", Text: "watches", Messages: relayed(said[:31]...)})
	b.refused("report_untrue")
	a.command(record.Command{Kind: record.Report, Opening: opening, Last: marks[0], Reason: "spam", Messages: relayed(said[:32]...)})
	a.refused("report_untrue") // it is not the one to whom it was said
	a.next()
	last := b.event("stamp")
	b.event("left")
	if last.N != 70 {
		t.Fatalf("got %+v", last)
	}
	report := record.Command{Kind: record.Report, Opening: opening, First: marks[1], Last: last.Mark, Reason: "spam", Text: "watches", Messages: relayed(said[64:]...)}
	reports.fail(errors.New("no room"))
	b.command(report)
	b.refused("report_lost")
	reports.fail(nil)
	b.command(report)
	b.event("reported")
	b.command(report)
	b.refused("report_twice")
	all := reports.all()
	if len(all) != 1 || len(all[0].Lines) != 6 || string(all[0].Lines[5].Payload) != "message 69" || all[0].Text != "watches" || all[0].Reason != "spam" ||
		!all[0].Reporter.Known() || !all[0].Reported.Known() || all[0].Reporter == all[0].Reported {
		t.Errorf("got %+v", all)
	}
	if n := s.pairs.Pairs(); n != 0 {
		t.Errorf("%d pairs", n)
	}
}

// TestManyReports: five in an hour.
func TestManyReports(t *testing.T) {
	_, addr, reports := guarded(t)
	a, _ := dialGreeting(t, addr, canSafety)
	for i := range 6 {
		b, _ := dialGreeting(t, addr, canSafety)
		opening, _ := meetGuarded(t, a, b)
		b.says("buy")
		a.hears("buy")
		b.conn.CloseNow()
		mark := a.event("stamp").Mark
		a.event("left")
		a.command(record.Command{Kind: record.Report, Opening: opening, Last: mark, Reason: "spam", Messages: relayed("buy")})
		if i < safety.ReportsAnHour {
			a.event("reported")
		} else {
			a.refused("too_many_reports")
		}
	}
	if n := len(reports.all()); n != safety.ReportsAnHour {
		t.Errorf("%d reports", n)
	}
}

// TestBlock: whoever is blocked is gone, is never met again, on whichever connection,
// and a name that the client kept does the same for a server that knows nothing of it.
func TestBlock(t *testing.T) {
	secret := safety.NewSecret()
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Safety: safety.On, PersonSecret: secret})
	jarA, jarB := new(http.Cookie), new(http.Cookie)
	a, b := dialPage(t, addr, jarA, nil), dialPage(t, addr, jarB, nil)
	opening, _ := meetGuarded(t, a, b)
	b.command(record.Command{Kind: record.Block, Opening: opening})
	b.refused("cannot_block") // it is the other's
	a.command(record.Command{Kind: record.Block, Opening: opening})
	name := a.event("blocked").Name
	if e := b.event("left"); e.Reason != record.LeftStop {
		t.Fatalf("got %+v", e)
	}
	apart := func(a, b *person) {
		t.Helper()
		a.next()
		a.event("waiting")
		b.next()
		b.event("waiting")
		k.advance(t, s, 6*time.Second) // more than anybody's patience
		third := dialRich(t, addr)
		third.next() // whoever is first takes one of them
		third.event("paired")
	}
	apart(a, b)
	a.conn.CloseNow()
	b.conn.CloseNow()
	a, b = dialPage(t, addr, jarA, nil), dialPage(t, addr, jarB, nil)
	a.next()
	b.next()
	a.event("waiting")
	b.event("waiting")

	k = newStoppedClock()
	s, addr = start(t, Config{Kernel: k, Safety: safety.On, PersonSecret: secret})
	a, b = dialPage(t, addr, jarA, []string{"x", name}), dialPage(t, addr, jarB, nil)
	apart(a, b)
}

// dialPage is a page that has said hello, in the browser whose cookie jar is.
func dialPage(t *testing.T, addr string, jar *http.Cookie, blocked []string) *person {
	t.Helper()
	header := http.Header{"Origin": {"http://" + addr}}
	if jar.Value != "" {
		header.Set("Cookie", "other=1; "+jar.Name+"="+jar.Value)
	}
	c, response, err := websocket.Dial(testContext(t), "ws://"+addr+"/ws", &websocket.DialOptions{Subprotocols: []string{record.Subprotocol}, HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	if set := response.Cookies(); len(set) == 1 && jar.Value == "" {
		*jar = *set[0]
		if !jar.HttpOnly || jar.SameSite != http.SameSiteStrictMode || jar.MaxAge != 30*24*60*60 || jar.Path != "/" {
			t.Fatalf("%+v", jar)
		}
	} else if len(set) != 0 || jar.Value == "" {
		t.Fatalf("%d cookies for who has %q", len(set), jar.Value)
	}
	p := &person{t: t, conn: c}
	p.event("hello")
	p.command(record.Command{Kind: record.Hello, Can: record.CanBlock, Blocked: blocked})
	if e := p.event("hello"); e.Terms.Can != record.CanBlock {
		t.Fatalf("got %+v", e)
	}
	return p
}

// TestNoSafety: a server without it gives no cookie, and nothing in a pairing.
func TestNoSafety(t *testing.T) {
	_, addr := start(t, Config{})
	c, response, err := websocket.Dial(testContext(t), "ws://"+addr+"/ws", &websocket.DialOptions{Subprotocols: []string{record.Subprotocol}, HTTPHeader: http.Header{"Origin": {"http://" + addr}}})
	if err != nil {
		t.Fatal(err)
	}
	c.CloseNow()
	if len(response.Cookies()) != 0 {
		t.Errorf("%v", response.Header)
	}
	a, _ := dialGreeting(t, addr, record.CanAway)
	b, _ := dialGreeting(t, addr, record.CanAway)
	a.next()
	a.event("waiting")
	b.next()
	if e := a.event("paired"); e.Opening != "" {
		t.Errorf("got %+v", e)
	}
	a.command(record.Command{Kind: record.Block, Opening: "x"})
	a.refused("bad_record")
}

func TestReasonsAreTheSame(t *testing.T) {
	if got, want := strings.Join(record.ReportReasons[:], " "), strings.Join(safety.Reasons[:], " "); got != want {
		t.Errorf("the protocol has %s, the moderators %s", got, want)
	}
}

// reports: people block and report each other, rightly, wrongly, late, twice, and when
// nobody can take it.
func (a *audit) reports(t *testing.T) {
	s, addr, shelf := guarded(t)
	x, report := wronged(t, addr)
	opening := report.Opening
	report.Messages = relayed("sell")
	x.command(report)
	x.refused("report_untrue")
	report.Messages = relayed("buy")
	shelf.fail(errors.New("full"))
	x.command(report)
	x.refused("report_lost")
	shelf.fail(nil)
	x.command(report)
	x.event("reported")
	x.command(report)
	x.refused("report_twice")
	first, ok := s.known.stamper.Open(opening)
	if !ok {
		t.Fatal("an opening that nobody can read")
	}
	who := first.Reporter
	for i := range safety.ReportsAnHour + 1 {
		o := stamp.Opening{Pair: [16]byte{byte(i)}, Reporter: who, Reported: safety.NewPerson()}
		c, w := s.known.stamper.Begin(1), new(stamp.Scratch)
		report.Opening = string(s.known.stamper.AppendOpening(nil, &c, &o, w))
		s.known.stamper.Add(&c, frame.AppendMessage(nil, opText, []byte("buy")), w)
		at := s.clock()
		if i == 0 {
			at = at.Add(-time.Hour)
		}
		report.Last = string(s.known.stamper.AppendMark(nil, &c, at, w))
		x.command(report)
		switch i {
		case 0:
			x.refused("report_late")
		case safety.ReportsAnHour:
			x.refused("too_many_reports")
		default:
			x.event("reported")
		}
	}
	x.command(record.Command{Kind: record.Block, Opening: opening})
	x.event("blocked")
	keys := []string{"safety_people{}", "safety_blocks_total{}"}
	for _, result := range []string{"taken", "untrue", "late", "twice", "too_many", "lost"} {
		keys = append(keys, "safety_reports_total{result="+result+"}")
	}
	a.awaits(t, s, keys...)
}

// TestPeopleMove: in a server that takes over, people are who they were, a chain goes on,
// what was stamped before counts, and whoever was blocked stays so.
func TestPeopleMove(t *testing.T) {
	from, addr := start(t, Config{Safety: safety.On, Reports: new(shelf)})
	reports := new(shelf)
	to, _ := start(t, Config{Safety: safety.On, Reports: reports})
	a, _ := dialGreeting(t, addr, canSafety)
	b, _ := dialGreeting(t, addr, canSafety)
	x, _ := dialGreeting(t, addr, canSafety)
	y, _ := dialGreeting(t, addr, canSafety)
	blocked, _ := meetGuarded(t, x, y)
	x.command(record.Command{Kind: record.Block, Opening: blocked})
	x.event("blocked")
	y.event("left")
	_, opening := meetGuarded(t, a, b)
	var said []string
	say := func(n int) {
		for range n {
			text := fmt.Sprint("message ", len(said))
			said = append(said, text)
			a.says(text)
			b.hears(text)
		}
	}
	say(20)
	moveTo(t, from, to)
	say(12)
	mark := b.event("stamp")
	if mark.N != 32 {
		t.Fatalf("got %+v", mark)
	}
	b.command(record.Command{Kind: record.Report, Opening: opening, Last: mark.Mark, Reason: "threat", Messages: relayed(said...)})
	b.event("reported")
	x.next()
	x.event("waiting")
	y.next()
	y.event("waiting")
	if n := to.pairs.Pairs(); n != 1 || len(reports.all()) != 1 {
		t.Errorf("%d pairs, %d reports", n, len(reports.all()))
	}
}

// TestBannedPerson: a verdict of a moderator ends the chats of a person, and keeps them
// out by their cookie; others of the same address come in.
func TestBannedPerson(t *testing.T) {
	reports := new(shelf)
	s, addr := start(t, Config{Safety: safety.On, Reports: reports})
	jar := new(http.Cookie)
	bad, good := dialPage(t, addr, jar, nil), dialPage(t, addr, new(http.Cookie), nil)
	openings, _ := meetGuarded(t, good, bad)
	o, _ := s.known.stamper.Open(openings)
	if err := s.Decide(safety.Verdict{Do: "ban", People: []safety.Person{o.Reported}, Lasts: time.Hour, By: "me"}); err != nil {
		t.Fatal(err)
	}
	bad.closedWith(4503)
	good.event("left")
	after, _ := strconv.Atoi(keptOut(t, addr, jar).Get("Retry-After"))
	if after < 3000 || after > 3600 {
		t.Errorf("for %d s", after)
	}
	dialPage(t, addr, new(http.Cookie), nil)
}

// keptOut demands that the page is refused in the browser whose cookie jar is, and
// returns the header of the answer.
func keptOut(t *testing.T, addr string, jar *http.Cookie) http.Header {
	t.Helper()
	c, response, err := websocket.Dial(testContext(t), "ws://"+addr+"/ws", &websocket.DialOptions{Subprotocols: []string{record.Subprotocol},
		HTTPHeader: http.Header{"Origin": {"http://" + addr}, "Cookie": {jar.Name + "=" + jar.Value}}})
	if err == nil {
		c.CloseNow()
		t.Fatal("they come in")
	}
	if response == nil || response.StatusCode != http.StatusForbidden {
		t.Fatalf("%v, %+v", err, response)
	}
	return response.Header
}
