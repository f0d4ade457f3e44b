package server

import (
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/pairing"
)

// TestRulesHaveMetrics: each rule is a label, in one order.
func TestRulesHaveMetrics(t *testing.T) {
	var names []string
	for _, r := range safety.Rules {
		names = append(names, r.Name)
	}
	if !slices.Equal(names, metrics.SafetyRules[:]) {
		t.Errorf("the rules are %q, and their metrics %q", names, metrics.SafetyRules)
	}
}

// TestReportedOften: with --safety on somebody whom two have reported is warned, once, and
// whom three have is in the shadow; with observe there is only a line in the log.
func TestReportedOften(t *testing.T) {
	for _, mode := range []safety.Mode{safety.On, safety.Observe} {
		t.Run(mode.String(), func(t *testing.T) {
			var log logged
			s, addr := start(t, Config{Safety: mode, Reports: new(shelf), Logger: log.logger(slog.LevelInfo)})
			bad, _ := dialGreeting(t, addr, canSafety)
			reported := safety.OfConnection(7)
			if place, ok := s.seatOf(bad); ok {
				p, _ := s.pairs.Who(place)
				reported = safety.Person(p)
			}
			good := dialPage(t, addr, new(http.Cookie), nil)
			report := func(n int) {
				for range n {
					s.weigh(&safety.Report{Reported: reported, Reporter: safety.NewPerson()})
				}
			}
			report(2)
			bad.next()
			if mode == safety.On {
				if e := bad.event("warned"); e.Code != record.WarnedReported {
					t.Errorf("warned of %q", e.Code)
				}
			}
			bad.event("waiting")
			report(1)
			bad.next()
			bad.event("waiting")
			good.next()
			if mode == safety.Observe {
				bad.event("paired")
				if got := log.lines("rule would have acted", "reason=reported_often"); len(got) != 1 {
					t.Errorf("logged %q", got)
				}
				return
			}
			good.event("waiting")
			if got := log.lines("rule acted", "reason=reported_often"); len(got) != 1 {
				t.Errorf("logged %q", got)
			}
		})
	}
}

// seatOf finds the only client that is there besides nobody.
func (s *Server) seatOf(*person) (place seat, ok bool) {
	for id := range seat(64) {
		if p, _ := s.pairs.Who(id); p != (pairing.Person{}) {
			return id, true
		}
	}
	return 0, false
}

// TestSpeaksAtOnce: whoever says something the moment it is paired, again and again, is in
// the shadow soon, and whom it met is not.
func TestSpeaksAtOnce(t *testing.T) {
	s, addr := start(t, Config{Safety: safety.On, Kernel: newStoppedClock()})
	bot := dialRich(t, addr)
	for n := range 5 {
		someone := dialRich(t, addr)
		bot.next()
		bot.event("waiting")
		someone.next()
		someone.event("paired")
		bot.event("paired")
		if n == 4 {
			t.Fatal("five times the first to speak, and among all")
		}
		bot.says("buy")
		someone.hears("buy")
		someone.conn.CloseNow()
		bot.event("left")
		servertest.Await(t, "what it did to be noted", func() bool { return s.pairs.Clients() == 1 })
		if s.scores.Acted() > 0 {
			break
		}
	}
	someone, other := dialRich(t, addr), dialRich(t, addr)
	bot.next()
	bot.event("waiting")
	someone.next()
	someone.event("waiting")
	other.next()
	other.event("paired")
	someone.event("paired")
}

// TestPlainClients: they meet anybody, each other, or nobody, as it is set.
func TestPlainClients(t *testing.T) {
	for _, mode := range []safety.Mode{safety.Off, safety.On} {
		for _, whom := range []Plain{PlainAllow, PlainApart, PlainOff} {
			t.Run(mode.String()+" "+whom.String(), func(t *testing.T) {
				s, addr := start(t, Config{Safety: mode, Plain: whom})
				rich := dialRich(t, addr)
				rich.next()
				rich.event("waiting")
				if whom == PlainOff {
					if _, status := ask(t, addr, servertest.Request(addr, "/ws")); status != 403 {
						t.Errorf("a plain client is answered %d", status)
					}
					servertest.Dial(t, addr, "/echo")
					return
				}
				first := servertest.Dial(t, addr, "/ws")
				if whom == PlainAllow {
					rich.event("paired")
					return
				}
				second := servertest.Dial(t, addr, "/ws")
				servertest.Await(t, "the plain ones to meet", func() bool { return s.pairs.Pairs() == 1 })
				first.Write(enc(fin|textOp, "hello"))
				second.Expect(textOp, "hello")
				second.Leave()
				servertest.Await(t, "one to leave", func() bool { return s.pairs.Pairs() == 0 })
				if n := s.pairs.Waiting(); n != 2 {
					t.Errorf("%d wait", n)
				}
			})
		}
	}
}

// TestJudgedAfterUpgrade: what was noted of people, and done about it, goes along.
func TestJudgedAfterUpgrade(t *testing.T) {
	from, addr := start(t, Config{Workers: 1, Safety: safety.On})
	from.Started()
	p := dialRich(t, addr)
	place, _ := from.seatOf(p)
	who, _ := from.pairs.Who(place)
	for range 3 {
		from.weigh(&safety.Report{Reported: safety.Person(who), Reporter: safety.NewPerson()})
	}
	to, _ := start(t, Config{Workers: 1, Safety: safety.On})
	handTo(t, from, to)
	if !to.scores.Judge(safety.Who{Person: safety.Person(who)}, to.clock().Add(time.Minute)).Shadow {
		t.Error("the successor has them among all")
	}
	if to.scores.Acted() != from.scores.Acted() {
		t.Errorf("the rules have acted %d times, %d before", to.scores.Acted(), from.scores.Acted())
	}
}
