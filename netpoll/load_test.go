package netpoll

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// workday is a worker as load sees it, and the truth beside what load finds out.
type workday struct {
	load  load
	stats Stats
	now   time.Duration
	tick  time.Duration // when the next one is due
	ticks uint32
	timed int

	busy    time.Duration
	wakeups [WakeupSizes]float64
}

const dayTick = 250 * time.Millisecond

// callback is what Conn.ready and Worker.callback do.
func (d *workday) callback(connection bool, took time.Duration) {
	d.stats.Events++
	d.busy += took
	if connection && d.stats.Events < d.load.next {
		d.now += took
		return
	}
	d.timed++
	d.load.begin(&d.stats, d.now)
	d.now += took
	d.load.end(&d.stats, d.now, connection)
}

// wake is one return of epoll_wait, after so long, with so many events, which
// take took on the average.
func (d *workday) wake(rng *rand.Rand, after time.Duration, events int, took time.Duration) {
	d.now += after
	d.wakeups[wakeupSize(uint64(events))]++
	ticking := -1
	if d.now >= d.tick {
		d.tick = d.now + dayTick
		ticking = rng.IntN(events)
	}
	for i := range events {
		d.now += time.Duration(50 + rng.IntN(350))
		if i != ticking {
			d.callback(true, took/2+time.Duration(rng.Int64N(int64(took)+1)))
			continue
		}
		d.callback(false, 300*time.Microsecond) // a sweep of many connections
		d.ticks++
		d.load.tick(d.ticks, 1000)
	}
}

func (d *workday) wakeupsFound() (found, truth float64) {
	for size, n := range d.stats.Wakeups {
		found += n
		truth += d.wakeups[size]
	}
	return found, truth
}

// What load finds out of a sample is near the truth, for quiet and busy workers,
// and for those that are both.
func TestLoad(t *testing.T) {
	type spell struct {
		last   time.Duration
		after  time.Duration // between two returns
		events int           // of a return, on the average
		took   time.Duration // a callback, on the average
	}
	nothing := spell{20 * time.Second, dayTick, 1, 30 * time.Microsecond}
	quiet := spell{20 * time.Second, 10 * time.Millisecond, 2, 20 * time.Microsecond}
	busy := spell{5 * time.Second, 5 * time.Microsecond, 8, 3 * time.Microsecond}
	saturated := spell{60 * time.Second, 30 * time.Microsecond, 500, 4 * time.Microsecond}
	for _, tt := range []struct {
		description string
		spells      []spell
		within      float64 // relative error
		most        float64 // share of the callbacks that is timed
	}{
		{"only the clock", []spell{nothing}, 0.1, 1},
		{"quiet", []spell{quiet}, 0.1, 1},
		{"busy", []spell{busy}, 0.05, 0.02},
		{"saturated", []spell{saturated}, 0.15, 0.05},
		{"a busy minute in a quiet day", []spell{nothing, quiet, busy, quiet, nothing}, 0.05, 0.1},
		{"by turns", []spell{busy, saturated, busy, quiet}, 0.1, 0.05},
	} {
		t.Run(tt.description, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var d workday
			for _, s := range tt.spells {
				for end := d.now + s.last; d.now < end; {
					after := waitGapCold + time.Duration(rng.ExpFloat64()*float64(s.after))
					d.wake(rng, after, 1+rng.IntN(2*s.events-1), s.took)
				}
			}
			near := func(what string, within, got, want float64) {
				t.Helper()
				if math.Abs(got-want) > within*want {
					t.Errorf("%s: %.4g, and it was %.4g", what, got, want)
				}
			}
			near("busy", tt.within, d.stats.Busy.Seconds(), d.busy.Seconds())
			found, truth := d.wakeupsFound()
			near("returns", tt.within, found, truth)
			for size, want := range d.wakeups {
				if want > 0.1*truth {
					near("returns of one size", 2*tt.within, d.stats.Wakeups[size], want)
				}
			}
			if share := float64(d.timed) / float64(d.stats.Events); share > tt.most {
				t.Errorf("%.3f of the callbacks were timed", share)
			}
		})
	}
}

// A clock that stands still, as tests have it, sees no returns and harms nothing.
func TestLoadWithoutTime(t *testing.T) {
	var d workday
	d.tick = math.MaxInt64
	for range 10_000 {
		d.callback(true, 0)
	}
	if found, _ := d.wakeupsFound(); found != 0 || d.stats.Busy != 0 {
		t.Errorf("%v returns, busy for %v", found, d.stats.Busy)
	}
}

func TestWakeupSize(t *testing.T) {
	for events, want := range map[uint64]int{1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 1024: 10, 1025: 11, 32768: 11} {
		if got := wakeupSize(events); got != want {
			t.Errorf("%d events: class %d, want %d", events, got, want)
		}
	}
}

// A real worker's returns and time are found out too.
func TestLoadOfAWorker(t *testing.T) {
	p := open(t, Config{Workers: 1}, hooks{read: echo})
	client := dial(t, listenOn(t, p, "127.0.0.1:0"))
	const n = 10_000
	b := make([]byte, 1)
	for range n {
		if _, err := client.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	var stats Stats
	on(t, p.workers[0], func() { stats = *p.workers[0].Stats() })
	var returns float64
	for _, n := range stats.Wakeups {
		returns += n
	}
	// Each message came in a return of its own. The last rest is not counted yet,
	// and a machine that does something else may change any of them.
	if stats.Events < n || returns < n/10 || returns > float64(stats.Events) || stats.Busy <= 0 {
		t.Errorf("%d events in %.0f returns, busy for %v", stats.Events, returns, stats.Busy)
	}
}
