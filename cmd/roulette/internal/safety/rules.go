package safety

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Rule is when something is done about a person without anybody deciding.
type Rule struct {
	Name  string        // in logs
	Least float64       // the weight of reports about them, each by its reporter's own record (S3)
	Lasts time.Duration // in the shadow; every sanction ends by itself (S5)
}

// ReportedOften is the one rule there is: three verified reports in a day or so, by people
// none of whose were false.
var ReportedOften = Rule{"reported_often", 3, 24 * time.Hour}

const (
	weightHalves = 24 * time.Hour // of reports about somebody
	maxScored    = 1 << 16        // people in each of two generations (I4)
)

// Scores weigh reports about people, and keep whom the rule is for. The zero value knows
// nobody. Any goroutine may call any method.
type Scores struct {
	mu sync.Mutex
	// Guarded by mu. Whoever was not heard of for longest is forgotten.
	young, old map[Person]*score

	acted atomic.Int64
}

// score is what is known of somebody.
type score struct {
	weight  float64 // of reports about them, at the time
	weighed time.Time
	shadow  time.Time // until when
	wrong   int       // reports of theirs that moderators found false
}

// Reported notes a verified report about somebody, who may not be a network, and tells
// until when the rule has them in the shadow now that did not before; the zero Time: it
// does nothing new. With observe it is only told.
func (s *Scores) Reported(who, by Person, observe bool, now time.Time) (until time.Time) {
	if !who.Known() || who.Shared() {
		return until
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	weight := 1 / float64(1+s.of(by).wrong)
	k := s.of(who)
	age := max(now.Sub(k.weighed), 0) // a clock that has gone back takes nothing away
	k.weight = k.weight*math.Exp2(-age.Hours()/weightHalves.Hours()) + weight
	k.weighed = now
	if k.weight < ReportedOften.Least-0.25 || now.Before(k.shadow) {
		return until
	}
	k.weight = 0 // for the next time there have to be others
	until = now.Add(ReportedOften.Lasts)
	s.acted.Add(1)
	if !observe {
		k.shadow = until
	}
	return until
}

// WasFalse notes that a moderator found somebody's report false.
func (s *Scores) WasFalse(by Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(by).wrong++
}

// InShadow tells whether the rule has somebody in the shadow. What would last longer than
// it says, as a clock has gone back, has ended.
func (s *Scores) InShadow(who Person, now time.Time) bool {
	if s.acted.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.young[who]
	if k == nil {
		k = s.old[who]
	}
	if k == nil {
		return false
	}
	left := k.shadow.Sub(now)
	return left > 0 && left <= ReportedOften.Lasts
}

// Acted is how often the rule has done something.
func (s *Scores) Acted() int { return int(s.acted.Load()) }

// of is what is known of p. The lock is held.
func (s *Scores) of(p Person) *score {
	if k := s.young[p]; k != nil {
		return k
	}
	k := s.old[p]
	if k == nil {
		k = new(score)
	}
	if s.young == nil || len(s.young) >= maxScored {
		s.old, s.young = s.young, make(map[Person]*score)
	}
	s.young[p] = k
	return k
}
