package server

import (
	"net/http"
	"testing"
	"time"

	"filippo.io/age"

	"roulette/cmd/roulette/internal/safety"
)

// TestShadow: whoever is in the shadow meets others who are and nobody else, is told
// nothing, and is among all again when it is over.
func TestShadow(t *testing.T) {
	s, addr, _ := guarded(t)
	bad, good := dialPage(t, addr, new(http.Cookie), nil), dialPage(t, addr, new(http.Cookie), nil)
	opening, _ := meetGuarded(t, good, bad)
	o, _ := s.known.stamper.Open(opening)
	people := []safety.Person{o.Reported}
	if err := s.Decide(safety.Verdict{Do: "shadow", People: people, Lasts: time.Hour, By: "me"}); err != nil {
		t.Fatal(err)
	}
	bad.next() // the chat that goes on was not ended
	good.event("left")
	bad.event("waiting")
	other := dialPage(t, addr, new(http.Cookie), nil)
	good.next()
	good.event("waiting")
	other.next()
	good.event("paired")
	other.event("paired")
	if n := s.pairs.Waiting(); n != 1 {
		t.Errorf("%d wait, beside whoever is in the shadow", n)
	}
	worse := dialPage(t, addr, new(http.Cookie), nil)
	worse.next()
	worse.event("waiting") // not for who waits in the shadow
	if err := s.Decide(safety.Verdict{Do: "lift", People: people, By: "me"}); err != nil {
		t.Fatal(err)
	}
	bad.next()
	bad.event("paired")
	worse.event("paired")
}

// TestReportedOften: with --safety on the rule has somebody in the shadow whom three have
// reported; with observe it only says so.
func TestReportedOften(t *testing.T) {
	for mode, want := range map[safety.Mode]bool{safety.On: true, safety.Observe: false} {
		s, addr := start(t, Config{Safety: mode, Reports: new(shelf)})
		bad, good := dialPage(t, addr, new(http.Cookie), nil), dialPage(t, addr, new(http.Cookie), nil)
		opening, _ := meetGuarded(t, good, bad)
		o, _ := s.known.stamper.Open(opening)
		for range 3 {
			s.weigh(&safety.Report{Reported: o.Reported, Reporter: safety.NewPerson()})
		}
		if s.scores.InShadow(o.Reported, s.clock()) != want || s.scores.Acted() != 1 {
			t.Errorf("%v: in the shadow: %t, the rule has acted %d times", mode, !want, s.scores.Acted())
		}
		if !want {
			continue
		}
		good.next()
		bad.event("left")
		good.event("waiting")
		other := dialPage(t, addr, new(http.Cookie), nil)
		bad.next()
		bad.event("waiting")
		other.next()
		other.event("paired")
		good.event("paired")
	}
}

// moderation: a report waits for a moderator, and people are banned and in the shadow,
// by verdicts and by the rule.
func (a *audit) moderation(t *testing.T) {
	moderator, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := safety.OpenInbox(t.TempDir(), []age.Recipient{moderator.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, Config{Safety: safety.On, Reports: inbox, Inbox: inbox})
	report := safety.Report{At: s.clock(), Reason: "spam", Reported: safety.NewPerson()}
	if err := inbox.Take(report); err != nil {
		t.Fatal(err)
	}
	for _, do := range []string{"ban", "shadow"} {
		if err := s.Decide(safety.Verdict{Do: do, People: []safety.Person{safety.NewPerson()}, Lasts: time.Hour, By: "me"}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		s.weigh(&safety.Report{Reported: report.Reported, Reporter: safety.NewPerson()})
	}
	a.awaits(t, s, "safety_people_banned{}", "safety_people_shadowed{}", "safety_reported_often{}", "safety_reports_undecided{}", "safety_oldest_report_timestamp_seconds{}")
}
