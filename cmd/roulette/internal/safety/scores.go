package safety

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// maxScored bounds the people in each of two generations (I4).
const maxScored = 1 << 16

// Scores are what is noted of people, of networks and of clients that look alike, and
// what the rules have done about it. The zero value knows nobody. Any goroutine may call
// any method.
type Scores struct {
	// Observe: the rules only say what they would do. Set before the first call.
	Observe bool

	mu sync.Mutex
	// Guarded by mu. Whoever was not heard of for longest is forgotten.
	young, old map[Person]*score

	acted [len(Rules)]atomic.Uint64
}

// score is what is known of somebody, in about a hundred bytes with its place.
type score struct {
	counts [signals]float32
	at     uint32 // Unix time of the counts
	until  [sanctions]uint32
	client uint32 // what their handshake looks like; 0: not known
	proved uint32 // until when they need no proof of work
	wrong  uint16 // reports of theirs that moderators found false
	told   bool   // of the warning
}

// Who is everything by which somebody is judged. Any of them may be missing. Person is
// one person for sure: of a cookie, or [OfConnection].
type Who struct {
	Person  Person
	Network uint64
	client  uint32
}

// ofNetworkKey and ofClientKey are under what networks and clients are kept, beside
// people: nobody's cookie begins so.
func ofNetworkKey(network uint64) (p Person) { return keyOf('n', network) }
func ofClientKey(client uint32) (p Person)   { return keyOf('c', uint64(client)) }

func keyOf(kind byte, n uint64) (p Person) {
	p[0], p[1] = ofNetwork, kind
	binary.BigEndian.PutUint64(p[8:], n)
	return p
}

// OfConnection is whoever is at the other end of a connection, and keeps no cookie.
func OfConnection(session uint64) Person { return keyOf('s', session) }

// Came notes what the handshake of somebody looks like.
func (s *Scores) Came(p Person, client uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(p).client = client
}

// Acted is what a rule has done, or would have with Observe.
type Acted struct {
	Rule  *Rule
	Until time.Time
}

// Note notes something of somebody, and returns what the rules do about it that was not
// so before.
func (s *Scores) Note(who Who, now time.Time, noted ...Signal) (all []Acted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for of := range Subject(subjects) {
		k := s.subject(of, &who)
		if k == nil {
			continue
		}
		k.age(now)
		for _, signal := range noted {
			k.counts[signal]++
		}
		all = s.judge(all, of, k, now)
	}
	return all
}

// subject is what is known of one of the subjects in who; nil: there is none. The lock is
// held.
func (s *Scores) subject(of Subject, who *Who) *score {
	switch {
	case of == APerson && who.Person.Known():
		k := s.of(who.Person)
		who.client = k.client
		return k
	case of == ANetwork && who.Network != 0:
		return s.of(ofNetworkKey(who.Network))
	case of == AClient && who.client != 0:
		return s.of(ofClientKey(who.client))
	}
	return nil
}

// Report notes a verified report about somebody, who may not be a network.
func (s *Scores) Report(who, by Person, now time.Time) (all []Acted) {
	if !who.Known() || who.Shared() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	weight := 1 / float32(1+s.of(by).wrong)
	k := s.of(who)
	k.age(now)
	k.counts[Reported] += weight
	return s.judge(nil, APerson, k, now)
}

// judge has the rules look at somebody. The lock is held.
func (s *Scores) judge(all []Acted, of Subject, k *score, now time.Time) []Acted {
	for i := range Rules {
		r := &Rules[i]
		n := float64(k.counts[r.Signal])
		if r.Of != of || n < r.Least-slack || n < r.Share*float64(k.counts[Chatted]) || k.sanctioned(r.Does, now) {
			continue
		}
		until := now.Add(r.Lasts)
		k.until[r.Does] = unix(until)
		if r.Does == Warn {
			k.told = false
		} else {
			k.counts[r.Signal] = 0 // for the next time there have to be others
		}
		s.acted[i].Add(1)
		all = append(all, Acted{r, until})
	}
	return all
}

// Judgement is what the rules have to say of somebody at a moment.
type Judgement struct {
	Slow, Shadow bool
	Warned       bool // they are to be told, this once
}

// Judge says what is to be done about somebody who looks for a partner. A person who has
// stayed in a chat lately is not judged by where they come from.
func (s *Scores) Judge(who Who, now time.Time) (j Judgement) {
	if s.Acted() == 0 || s.Observe {
		return j
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.find(who.Person); k != nil {
		k.age(now)
		j.Shadow = k.sanctioned(Shadow, now)
		j.Slow = k.sanctioned(Slow, now)
		if k.sanctioned(Warn, now) && !k.told {
			k.told, j.Warned = true, true
		}
		if who.client = k.client; k.counts[Stayed] >= 1-slack {
			return j
		}
	}
	for _, key := range [...]Person{ofNetworkKey(who.Network), ofClientKey(who.client)} {
		if k := s.find(key); k != nil && k.sanctioned(Slow, now) {
			j.Slow = true
		}
	}
	return j
}

// ProofLasts is for how long somebody who has proved some work is asked for none.
const ProofLasts = time.Hour

// Proved notes that somebody has proved some work.
func (s *Scores) Proved(p Person, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(p).proved = unix(now.Add(ProofLasts))
}

// IsNew tells whether somebody has neither stayed in a chat lately nor proved some work.
func (s *Scores) IsNew(p Person, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.find(p)
	if k == nil {
		return true
	}
	k.age(now)
	left := int64(k.proved) - int64(unix(now))
	return k.counts[Stayed] < 1-slack && (left <= 0 || left > int64(ProofLasts.Seconds()))
}

// WasFalse notes that a moderator found somebody's report false.
func (s *Scores) WasFalse(by Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.of(by); k.wrong < math.MaxUint16 {
		k.wrong++
	}
}

// Acted is how often the rules have done something.
func (s *Scores) Acted() (n uint64) {
	for i := range s.acted {
		n += s.acted[i].Load()
	}
	return n
}

// ActedBy is how often each has.
func (s *Scores) ActedBy() (n [len(Rules)]uint64) {
	for i := range n {
		n[i] = s.acted[i].Load()
	}
	return n
}

// find is what is known of p, nil if nothing is. The lock is held.
func (s *Scores) find(p Person) *score {
	if k := s.young[p]; k != nil {
		return k
	}
	return s.old[p]
}

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
		s.rotate()
	}
	s.young[p] = k
	return k
}

// rotate forgets the older generation, but for some of those who are not to get away by
// being lost among many.
func (s *Scores) rotate() {
	gone := s.old
	s.old, s.young = s.young, make(map[Person]*score)
	now := uint32(0)
	for _, k := range s.old { // a clock is not needed for how new they are
		now = max(now, k.at)
	}
	for p, k := range gone {
		if len(s.young) == maxScored/4 {
			return
		}
		if s.old[p] == nil && k.matters(now) {
			s.young[p] = k
		}
	}
}

// matters tells whether a score has more in it than that somebody was there.
func (k *score) matters(now uint32) bool {
	return k.wrong > 0 || k.counts[Reported] > 0.5 || k.until[Shadow] > now || k.until[Slow] > now || k.proved > now
}

// age has the counts be worth what they are now. A clock that has gone back takes nothing
// away.
func (k *score) age(now time.Time) {
	at := unix(now)
	if at > k.at && k.at != 0 {
		passed := float64(at - k.at)
		for i := range k.counts {
			k.counts[i] *= float32(math.Exp2(-passed / halves[i].Seconds()))
		}
	}
	k.at = at
}

// sanctioned tells whether a sanction goes on. What would last longer than any rule says,
// as a clock has gone back, has ended.
func (k *score) sanctioned(s Sanction, now time.Time) bool {
	left := int64(k.until[s]) - int64(unix(now))
	return left > 0 && left <= int64(longest[s].Seconds())
}

func unix(t time.Time) uint32 { return uint32(max(t.Unix(), 0)) }

// Scored is a score, for another process.
type Scored struct {
	Key    Person            `json:"key"`
	Counts [signals]float32  `json:"counts"`
	At     uint32            `json:"at"`
	Until  [sanctions]uint32 `json:"until"`
	Client uint32            `json:"client,omitempty"`
	Proved uint32            `json:"proved,omitempty"`
	Wrong  uint16            `json:"wrong,omitempty"`
	Told   bool              `json:"told,omitempty"`
}

// maxCarried bounds All: it is written down while everybody waits.
const maxCarried = 1 << 14

// All are those that matter, for another process.
func (s *Scores) All(now time.Time) (all []Scored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, generation := range []map[Person]*score{s.old, s.young} {
		for p, k := range generation {
			if len(all) == maxCarried {
				return all
			}
			if (k.matters(unix(now)) || k.counts[SpokeAtOnce] > 0) && (s.young[p] == nil || s.young[p] == k) {
				all = append(all, Scored{p, k.counts, k.at, k.until, k.client, k.proved, k.wrong, k.told})
			}
		}
	}
	return all
}

// Inherit takes over the scores of another process.
func (s *Scores) Inherit(all []Scored, acted []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range all[:min(len(all), 2*maxScored)] {
		*s.of(k.Key) = score{k.Counts, k.At, k.Until, k.Client, k.Proved, k.Wrong, k.Told}
	}
	for i := range acted[:min(len(acted), len(s.acted))] {
		s.acted[i].Add(acted[i])
	}
}
