package limit

import "math"

// unit is the resolution of the rates, in parts of a millisecond. A reading
// wraps after 74 hours, which looks like a fresh bucket.
const unit = 16

// Rate is a limit of so many a second with a burst, as the generic cell rate
// algorithm (ATM Forum TM 4.0, 4.4.2) has it: all the state there is for one
// client is one number, the theoretical arrival time. The zero value is no limit.
type Rate struct {
	interval uint32 // between two at the steady rate, in 1/unit ms; 0: no limit
	burst    uint32 // in intervals, the same unit
	grace    uint32 // how far beyond burst one may go before it is too much
}

// NewRate makes a limit; with perSecond 0 there is none. A burst is at least 1.
func NewRate(perSecond, burst int) Rate {
	if perSecond <= 0 {
		return Rate{}
	}
	interval := max(uint32(1000*unit/perSecond), 1)
	n := uint32(min(max(burst, 1), 1<<30/int(interval))) // what the arithmetic below has room for
	return Rate{interval: interval, burst: interval * n, grace: interval * (n/2 + 1)}
}

// Portable is a theoretical arrival time for who has another clock: how far it is
// ahead of now. Reading makes it one by that clock.
func Portable(tat, now uint32) uint32 { return tat - now*unit }

// Reading is the inverse of Portable.
func Reading(portable, now uint32) uint32 { return portable + now*unit }

// Verdict is what a Rate says of something that is counted.
type Verdict uint8

const (
	Within  Verdict = iota // the burst
	Over                   // the burst, and within the grace: to be warned of
	TooMuch                // the grace is used up
)

// Take counts n at the time now, in milliseconds, against the arrival time that
// *tat holds.
func (r Rate) Take(tat *uint32, now uint32, n int) Verdict {
	if r.interval == 0 {
		return Within
	}
	next := r.ahead(*tat, now) + uint32(n)*r.interval
	*tat = now*unit + next
	switch {
	case next <= r.burst:
		return Within
	case next <= r.burst+r.grace:
		return Over
	}
	return TooMuch
}

// ahead is how far the arrival time is ahead of now, in 1/unit ms.
func (r Rate) ahead(tat, now uint32) uint32 {
	ahead := int32(tat - now*unit)
	if ahead < 0 || uint32(ahead) > r.burst+r.grace+r.interval { // long ago, or so long that it wrapped
		return 0
	}
	return uint32(ahead)
}

// Allowance is how many more there may be now before it is too much.
func (r Rate) Allowance(tat, now uint32) int {
	if r.interval == 0 {
		return math.MaxInt
	}
	ahead := r.ahead(tat, now)
	if ahead > r.burst+r.grace {
		return 0
	}
	return int((r.burst + r.grace - ahead) / r.interval)
}

// recovered tells whether nothing is left in tat of what was counted.
func recovered(tat, now uint32) bool { return int32(tat-now*unit) <= 0 }
