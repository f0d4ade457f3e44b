package netpoll

import (
	"math/bits"
	"time"

	easygo "github.com/mailru/easygo/netpoll"
)

// load finds out what a worker does with its time: how long it serves, and with
// how many events epoll_wait(2) returns. Easygo calls back for each event and
// does not say where one return ends and the next begins, and two looks at the
// clock for each event would cost some 3 % of what it takes to relay a message.
// So bursts of callbacks, one behind the other, are timed, and stand for all
// those since the burst before:
//
//	├┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┼────────│──│─────┼────│┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┼───│──┼──│┈┈…
//	   not timed       the burst   followed to     not timed
//	                               its end
//
// A return of epoll_wait shows as a gap between two callbacks. Measured on a
// virtual machine: within one return 30 to 70 ns, and up to 500 where there are so
// many connections that the next one is in no cache; around epoll_wait 330 and
// more if something was ready, longer with more events, 3.5 µs and more if it had
// to wait. Each return that begins in a burst is followed to its end, so that
// large and small ones are as likely to be seen.
//
// A quiet worker times nearly everything, for it never rests for more than a
// second; of a busy one's events it is one in 30 to 60. Callbacks that are no
// connection's are few and may take long, so they are timed one and all.
//
// Owned by the worker; time is an argument.
type load struct {
	next   uint64        // the event with which a burst begins, or has begun
	since  uint64        // the last event of the burst before
	others uint64        // callbacks since then that are no connection's and not of a burst
	began  time.Duration // the present callback
	stage  stage
	cold   bool // there are many connections

	// Of the burst.
	first   uint64        // its first event
	ended   time.Duration // the callback before
	gaps    uint64        // seen so far
	served  uint64        // callbacks of connections
	busy    time.Duration // spent in those
	woke    time.Duration // the return that is served, if its beginning was seen
	waiting uint64        // events of that return so far
	sizes   [WakeupSizes]float64
	weight  float64 // how many returns one of the burst stands for
}

type stage uint8

const (
	resting   stage = iota
	timing          // a burst is under way
	following       // the last return that began in it is
)

const (
	burst     = 32   // gaps
	rest      = 2016 // events
	restTicks = 4    // of the coarse clock: the longest rest

	// The shortest gap that is taken for a wait.
	waitGap     = 300 * time.Nanosecond
	waitGapCold = 500 * time.Nanosecond
	coldConns   = 256

	// What takes longer was interrupted and stands for nothing but itself.
	unusual = time.Millisecond
)

// WakeupSizes is how many classes of returns from epoll_wait(2) there are, by
// their events: 1, 2, up to 4, up to 8, …, up to 1024, more.
const WakeupSizes = 12

func wakeupSize(events uint64) int { return min(bits.Len64(events-1), WakeupSizes-1) }

// begin says that the callback of event s.Events begins.
func (l *load) begin(s *Stats, now time.Duration) {
	l.began = now
	switch {
	case l.stage != resting:
		gap := now - l.ended
		l.gap(s, gap >= waitGapCold || gap >= waitGap && !l.cold)
	case s.Events >= l.next:
		*l = load{next: l.next, since: l.since, others: l.others, cold: l.cold,
			stage: timing, first: s.Events, began: now, weight: 1}
	}
	if l.woke != 0 {
		l.waiting++
	}
}

// gap is what lies between two callbacks: epoll_wait, or nothing.
func (l *load) gap(s *Stats, wait bool) {
	if wait && l.woke != 0 {
		size := wakeupSize(l.waiting)
		l.sizes[size]++
		s.Wakeups[size] += l.weight
		l.woke = 0
	}
	if l.stage == timing {
		l.gaps++
		if wait {
			l.woke, l.waiting = l.began, 0
		}
	}
	if l.stage == following && l.woke == 0 {
		l.rest(s)
	}
}

// end says that a callback ends: a connection's, or another.
func (l *load) end(s *Stats, now time.Duration, connection bool) {
	took := now - l.began
	l.ended = now
	switch {
	case connection && l.stage == timing:
		s.Busy += took
		if took < unusual {
			l.served++
			l.busy += took
		}
	case !connection:
		s.Busy += took
		if l.stage != timing {
			l.others++
		}
	}
	if l.stage == timing && l.gaps >= burst && l.served > 0 {
		l.extrapolate(s)
		l.stage = following
		if l.woke == 0 {
			l.rest(s)
		}
	}
}

// extrapolate counts what the burst stands for besides itself.
func (l *load) extrapolate(s *Stats) {
	notTimed := l.first - 1 - l.since - l.others
	s.Busy += l.busy * time.Duration(notTimed) / time.Duration(l.served)
	l.weight = float64(s.Events-l.since) / float64(l.gaps)
	for size, n := range l.sizes {
		s.Wakeups[size] += n * (l.weight - 1)
	}
	l.since, l.others = s.Events, 0
}

func (l *load) rest(s *Stats) {
	l.stage, l.woke = resting, 0
	l.next = s.Events + rest
}

// tick is the coarse clock's: it ends a rest that is long enough.
func (l *load) tick(tick uint32, conns int) {
	l.cold = conns > coldConns
	if tick%restTicks == 0 && l.stage == resting {
		l.next = 0
	}
}

// callback makes f, of something that is no connection, a callback.
func (w *Worker) callback(f func()) func(easygo.EpollEvent) {
	return func(easygo.EpollEvent) {
		w.stats.Events++
		w.load.begin(&w.stats, w.kernel.Now())
		f()
		w.load.end(&w.stats, w.kernel.Now(), false)
	}
}

// Returned is when epoll_wait(2) returned with what is served now, and whether that
// is known: it is for a sample of what a worker does. Worker only.
func (w *Worker) Returned() (at time.Duration, known bool) { return w.load.woke, w.load.woke != 0 }
