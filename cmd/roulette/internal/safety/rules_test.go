package safety

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

// subjectOf is somebody whom a rule is about, and others who share nothing with them.
func subjectOf(s *Scores, r *Rule) (one, newcomer, other Who) {
	one, newcomer, other = Who{Person: who(1), Network: 11}, Who{Person: who(2)}, Who{Person: who(3), Network: 33}
	for n, client := range []uint32{0: 0, 1: 77, 2: 0, 3: 99} {
		s.Came(who(n), client)
	}
	switch r.Of {
	case APerson:
		newcomer = Who{Person: who(1), Network: 44} // the same person elsewhere
	case ANetwork:
		newcomer.Network = 11
	case AClient:
		s.Came(who(2), 77)
	}
	return one, newcomer, other
}

// noted has something noted n times, each time of another person if the rule is about no
// person, and tells whether the rule did something.
func noted(s *Scores, r *Rule, one Who, n int, chats float64, at time.Time) (acted int) {
	count := func(all []Acted) {
		for _, a := range all {
			if a.Rule == r {
				acted++
			}
		}
	}
	if r.Signal == Reported {
		for i := range n {
			count(s.Report(one.Person, who(100+i), at))
		}
		return acted
	}
	for i := range n {
		if r.Of != APerson {
			one.Person = who(1000 + i)
			s.Came(one.Person, 77)
		}
		for chats += 1 / max(r.Share, 0.01) * 0.999; chats >= 1; chats-- {
			count(s.Note(one, at, Chatted))
		}
		count(s.Note(one, at, r.Signal))
	}
	return acted
}

// TestRules: each rule acts when it says so and not before, on whom it is about and nobody
// else, and ends, whatever the clock does (S5).
func TestRules(t *testing.T) {
	for i := range Rules {
		r := &Rules[i]
		t.Run(r.Name, func(t *testing.T) {
			var s Scores
			least := int(math.Ceil(r.Least))
			one, newcomer, other := subjectOf(&s, r)
			if noted(&s, r, one, least-1, 0, start) != 0 {
				t.Fatal("too early")
			}
			if noted(&s, r, one, 1, 0, start) != 1 || s.ActedBy()[i] == 0 {
				t.Fatal("too late")
			}
			does := func(j Judgement) bool {
				return map[Sanction]bool{Warn: j.Warned, Slow: j.Slow, Shadow: j.Shadow}[r.Does]
			}
			if does(s.Judge(other, start)) {
				t.Error("somebody else suffers")
			}
			if !does(s.Judge(newcomer, start.Add(r.Lasts-time.Second))) {
				t.Error("nothing is done")
			}
			if r.Does == Warn && does(s.Judge(newcomer, start)) {
				t.Error("warned twice")
			}
			for _, ends := range []time.Time{start.Add(r.Lasts), start.AddDate(-1, 0, 0), start.AddDate(30, 0, 0)} {
				if does(s.Judge(newcomer, ends)) {
					t.Errorf("it goes on at %v", ends)
				}
			}
			if r.Of != APerson {
				if r.Does != Slow || r.Lasts > time.Hour {
					t.Error("many people may be one subject: slower is all, and for an hour")
				}
				s.Note(newcomer, start, Stayed)
				if does(s.Judge(newcomer, start)) {
					t.Error("whoever has stayed in a chat is judged by others")
				}
			}
		})
	}
}

// TestRulesSpare: what is rare among much else, or long ago, does nothing.
func TestRulesSpare(t *testing.T) {
	for i := range Rules {
		r := &Rules[i]
		if r.Share > 0 {
			var s Scores
			one, _, _ := subjectOf(&s, r)
			for n := range 20 * int(r.Least) {
				if r.Of != APerson {
					one.Person = who(1000 + n)
					s.Came(one.Person, 77)
				}
				s.Note(one, start, Chatted, Chatted, Chatted)
				s.Note(one, start, r.Signal)
			}
			if n := s.ActedBy()[i]; n != 0 {
				t.Errorf("%s acts on every third chat, %d times", r.Name, n)
			}
		}
		var s Scores
		one, _, _ := subjectOf(&s, r)
		for n := range 3 * int(r.Least) {
			noted(&s, r, one, 1, 0, start.Add(time.Duration(n)*2*halves[r.Signal]))
		}
		if n := s.ActedBy()[i]; n != 0 && r.Least > 2 {
			t.Errorf("%s acts on what was long ago, %d times", r.Name, n)
		}
	}
}

// TestReportedOften: a liar's reports count for little (S3), and a clock that goes back
// takes none away; who is only observed meets everybody.
func TestReportedOften(t *testing.T) {
	bad, liar := who(1), who(2)
	inShadow := func(s *Scores, at time.Time) bool { return s.Judge(Who{Person: bad}, at).Shadow }
	var lies Scores
	for range 5 {
		lies.WasFalse(liar)
	}
	for range 3 {
		lies.Report(bad, liar, start)
	}
	if inShadow(&lies, start) {
		t.Error("a liar's reports count in full")
	}
	var back Scores
	at := start
	for n := range 3 {
		at = start.Add(-time.Duration(n) * 24 * 365 * time.Hour)
		back.Report(bad, who(10+n), at)
	}
	if !inShadow(&back, at) {
		t.Error("a clock that goes back takes reports away")
	}
	watched := Scores{Observe: true}
	for n := range 3 {
		watched.Report(bad, who(10+n), start)
	}
	if watched.Acted() == 0 || inShadow(&watched, start) {
		t.Error("who is only observed is in the shadow")
	}
	var network Scores
	for n := range 9 {
		if network.Report(Person{ofNetwork, 1}, who(n), start) != nil {
			t.Error("something is done about whoever comes from a network")
		}
	}
}

// TestScoresBounded: those who come in great numbers do not make who is in the shadow
// forgotten, and there is an end to what is kept.
func TestScoresBounded(t *testing.T) {
	var s Scores
	for n := range 3 {
		s.Report(who(1), who(10+n), start)
	}
	for n := range 5 * maxScored {
		s.Came(NewPerson(), 1)
		if n%maxScored == 0 && !s.Judge(Who{Person: who(1)}, start).Shadow {
			t.Fatalf("forgotten after %d others", n)
		}
	}
	if n := len(s.young) + len(s.old); n > 2*maxScored {
		t.Errorf("%d people are remembered", n)
	}
}

// TestScoresMove: another process goes on with them.
func TestScoresMove(t *testing.T) {
	var s, heir Scores
	for n := range 3 {
		s.Report(who(1), who(10+n), start)
		s.Note(Who{Person: who(2)}, start, SpokeAtOnce)
	}
	acted := s.ActedBy()
	text, err := json.Marshal(s.All(start))
	if err != nil {
		t.Fatal(err)
	}
	var all []Scored
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	heir.Inherit(all, acted[:])
	if !heir.Judge(Who{Person: who(1)}, start).Shadow || heir.Acted() != s.Acted() {
		t.Error("the heir knows nothing")
	}
	if all := heir.Note(Who{Person: who(2)}, start, SpokeAtOnce); len(all) != 1 {
		t.Error("what was noted before is forgotten")
	}
}
