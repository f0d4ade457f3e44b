package safety

import (
	"testing"
	"time"
)

// TestReportedOften: three reports are enough and two are not; a liar's count for little
// (S3), those of days ago for nothing, and it ends (S5), whatever the clock does.
func TestReportedOften(t *testing.T) {
	bad, liar := who(1), who(2)
	three := func(s *Scores, by func(n int) Person, apart time.Duration, observe bool) (acted int) {
		for n := range 3 {
			if until := s.Reported(bad, by(n), observe, start.Add(time.Duration(n)*apart)); !until.IsZero() {
				acted++
			}
		}
		return acted
	}
	others := func(n int) Person { return who(10 + n) }
	var s Scores
	if three(&s, others, time.Minute, false) != 1 || s.Acted() != 1 || !s.InShadow(bad, start.Add(time.Hour)) || s.InShadow(others(0), start) {
		t.Error("three reports do nothing, or too much")
	}
	if s.InShadow(bad, start.Add(ReportedOften.Lasts+time.Hour)) || s.InShadow(bad, start.AddDate(-1, 0, 0)) {
		t.Error("for ever")
	}
	var two Scores
	two.Reported(bad, who(3), false, start)
	two.Reported(bad, who(4), false, start)
	if two.Acted() != 0 {
		t.Error("two reports are enough")
	}
	var lies Scores
	for range 5 {
		lies.WasFalse(liar)
	}
	if three(&lies, func(int) Person { return liar }, 0, false) != 0 {
		t.Error("a liar's reports count in full")
	}
	var slow Scores
	if three(&slow, others, 48*time.Hour, false) != 0 {
		t.Error("reports of days ago count")
	}
	var back Scores
	if three(&back, others, -24*365*time.Hour, false) != 1 {
		t.Error("a clock that goes back takes reports away")
	}
	var watched Scores
	if three(&watched, others, 0, true) != 1 || watched.InShadow(bad, start) {
		t.Error("who is only observed is in the shadow")
	}
	var network Scores
	for n := range 9 {
		if !network.Reported(Person{ofNetwork, 1}, who(n), false, start).IsZero() {
			t.Error("whoever comes from a network is in the shadow")
		}
	}
	for n := range 3 * maxScored {
		s.Reported(who(n), who(n+1), false, start)
	}
	if n := len(s.young) + len(s.old); n > 2*maxScored {
		t.Errorf("%d people are remembered", n)
	}
}
