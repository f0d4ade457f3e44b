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
	for i := range safety.Rules {
		r := &safety.Rules[i]
		for n := range 2 * int(r.Least) {
			who := safety.Who{Person: safety.OfConnection(uint64(i)), Network: 7}
			if r.Of != safety.APerson {
				who.Person = safety.OfConnection(uint64(100 + n))
			}
			s.scores.Came(who.Person, 7)
			s.scores.Note(who, s.clock(), r.Signal)
		}
	}
	a.awaits(t, s, "safety_people_banned{}", "safety_people_shadowed{}", "safety_rules_acted_total{rule=client_speaks_at_once}", "safety_reports_undecided{}", "safety_oldest_report_timestamp_seconds{}")
}
