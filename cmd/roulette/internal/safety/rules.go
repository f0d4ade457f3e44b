package safety

import "time"

// Signal is what is noted of somebody, without a look at what they say.
type Signal uint8

const (
	Reported    Signal = iota // a verified report, by its reporter's own record (S3)
	Chatted                   // a chat is over
	LeftAtOnce                // within [AtOnce], by a partner who went on
	SpokeAtOnce               // the first message came sooner than anybody can read and write
	Stayed                    // a chat that lasted for [GoodChat]

	signals = iota
)

const (
	AtOnce    = 5 * time.Second
	TooSoon   = 300 * time.Millisecond // after a pairing, for a first message
	GoodChat  = 30 * time.Second
	HalfLife  = 10 * time.Minute // of what is noted in chats,
	WeightAge = 24 * time.Hour   // and of reports and good chats
)

// halves is in what time each is worth half.
var halves = [signals]time.Duration{WeightAge, HalfLife, HalfLife, HalfLife, WeightAge}

// Subject is whom a rule is about.
type Subject uint8

const (
	APerson  Subject = iota
	ANetwork         // whoever comes from there and has not stayed in a chat yet
	AClient          // likewise, of all whose handshake looks alike

	subjects = iota
)

// Sanction is what a rule does. Each ends by itself (S5).
type Sanction uint8

const (
	Warn   Sanction = iota // tells them, once
	Slow                   // has them meet each other, and all others only after a wait
	Shadow                 // has them meet each other and nobody else

	sanctions = iota
)

var sanctionNames = [sanctions]string{"warn", "slow", "shadow"}

// String is the Sanction in logs.
func (s Sanction) String() string { return sanctionNames[s] }

// Rule is when something is done about somebody without anybody deciding: a count of
// something that they, or their partners, did has come to Least, and to Share of their
// chats.
type Rule struct {
	Name   string // in logs, and the label of its metric
	Of     Subject
	Signal Signal
	Least  float64
	Share  float64 // 0: of however many
	Does   Sanction
	Lasts  time.Duration
}

// Rules are all of them. What many people may be is only ever made slower, and for an
// hour at most.
var Rules = [...]Rule{
	{"reported", APerson, Reported, 2, 0, Warn, 24 * time.Hour},
	{"reported_often", APerson, Reported, 3, 0, Shadow, 24 * time.Hour},
	{"speaks_at_once", APerson, SpokeAtOnce, 4, 0.7, Shadow, time.Hour},
	{"left_at_once", APerson, LeftAtOnce, 12, 0.9, Slow, 10 * time.Minute},
	{"network_speaks_at_once", ANetwork, SpokeAtOnce, 20, 0.5, Slow, time.Hour},
	{"client_speaks_at_once", AClient, SpokeAtOnce, 50, 0.7, Slow, 10 * time.Minute},
}

// longest is for how long each sanction lasts at most.
var longest = func() (all [sanctions]time.Duration) {
	for _, r := range Rules {
		all[r.Does] = max(all[r.Does], r.Lasts)
	}
	return all
}()

// slack is by how much a count may be short of Least: what was noted a while ago counts
// for less than one.
const slack = 0.25
