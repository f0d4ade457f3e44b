package upgrade

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// series is a number of upgrades, one after the other, while a crowd talks.
type series struct {
	crowding
	upgrades int
	binaries []string // in turn
}

// TestUpgrades: one upgrade after the other while people talk, in the clear and over
// TLS, and others do not read: nothing is lost, doubled, altered, closed or out of order.
func TestUpgrades(t *testing.T) {
	t.Parallel()
	other := program.Variant(t, "other", "-ldflags=-X main.release=0.0.1-other")
	series{crowding{Clients: 120, Slow: 6, Every: 30 * time.Millisecond}, 4, []string{other, program.Path(t)}}.run(t)
}

var frozen = regexp.MustCompile(`frozen for (\S+)`)

// run runs the series, and returns how long nobody was served and how long the slowest
// message was under way, for each upgrade; and how long that was without one.
func (u series) run(t *testing.T) (stood, longest []time.Duration, usual time.Duration) {
	s := serve(t)
	c := gather(t, s, u.crowding)
	servertest.Await(t, "a backlog", func() bool { return u.Slow == 0 || s.metric("roulette_send_backlog_connections") > 0 })
	c.slowest() // when all came
	c.awaits(2 * u.Clients)
	usual = c.slowest()
	for i := range u.upgrades {
		before, counted := s.pid, s.counters()
		if len(counted) < 50 {
			t.Fatalf("%d counters", len(counted))
		}
		out, err := s.upgrade(nil, "--binary", u.binaries[i%len(u.binaries)])
		if err != nil || s.pid == before {
			t.Fatalf("upgrade %d: %v\n%s", i, err, out)
		}
		took, _ := time.ParseDuration(strings.TrimSpace(frozen.FindStringSubmatch(out)[1]))
		c.awaits(u.Clients)
		stood, longest = append(stood, took), append(longest, c.slowest())
		if n := s.metric(`roulette_handover_attempts_total{result="done"}`); n != float64(i+1) {
			t.Errorf("%v upgrades are counted, there were %d", n, i+1)
		}
		for series, n := range s.counters() {
			if n < counted[series] {
				t.Errorf("%s is %v; it was %v before upgrade %d", series, n, counted[series], i)
			}
			delete(counted, series)
		}
		if len(counted) > 0 {
			t.Errorf("not counted any more behind upgrade %d: %v", i, counted)
		}
		if n := s.metric("roulette_pairs"); n != float64(u.Clients/2) {
			t.Errorf("%v pairs behind upgrade %d", n, i)
		}
		servertest.Await(t, fmt.Sprintf("process %d to be gone", before), func() bool { return !lives(before) })
	}
	if frozen := s.metric("roulette_handover_frozen_seconds"); frozen <= 0 {
		t.Errorf("frozen for %v s, by the metric", frozen)
	}
	if _, body := program.Get(t, "http://"+s.admin+"/statusz"); !strings.Contains(body, "It took over from ") {
		t.Errorf("/statusz does not say from whom it took over:\n%s", body)
	}
	c.tell(letRead)
	end := c.tell(letEnd)
	t.Logf("%d clients, %d of them slow: %d messages over %d upgrades; frozen for %v, the slowest message was under way for %v, and %v without an upgrade",
		u.Clients, u.Slow, end.Heard, u.upgrades, stood, longest, usual)
	return stood, longest, usual
}
