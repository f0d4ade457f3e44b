package server

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/handover"
	"roulette/cmd/roulette/internal/safety"
)

// late has something happen in the predecessor when the successor has been there for a
// while.
type late struct {
	handover.Successor
	happens func()
}

func (l late) Hello(h handover.Hello) (handover.Hello, error) {
	l.happens()
	return l.Successor.Hello(h)
}

// TestBannedMeanwhile: who is banned while a successor starts is banned there, and goes,
// though the predecessor has not come to sending them away.
func TestBannedMeanwhile(t *testing.T) {
	from, addr := start(t, Config{Workers: 1, Safety: safety.On})
	to, toAddr := start(t, Config{Workers: 1, Safety: safety.On})
	from.Started()
	jar := new(http.Cookie)
	bad, good := dialPage(t, addr, jar, nil), dialPage(t, addr, new(http.Cookie), nil)
	opening, _ := meetGuarded(t, good, bad)
	o, _ := from.known.stamper.Open(opening)
	elsewhere := netip.MustParsePrefix("192.0.2.0/24")
	_, handed, taken := handOver(t, from, late{to.Inherit(noListeners), func() {
		now := from.clock()
		err := errors.Join(from.bans.Decide(safety.Verdict{Do: "ban", People: []safety.Person{o.Reported}, Lasts: time.Hour, By: "me"}, now),
			from.bans.Ban([]netip.Prefix{elsewhere}, now.Add(time.Hour), "", "me", now))
		if err != nil {
			t.Error(err)
		}
	}})
	if handed != nil || taken != nil {
		t.Fatal(handed, taken)
	}
	bad.closedWith(4503)
	good.event("left")
	if all, _ := to.Bans(); len(all) != 1 || all[0].Network != elsewhere {
		t.Errorf("%+v", all)
	}
	keptOut(t, toAddr, jar)
	if err := from.Ban([]netip.Prefix{elsewhere}, time.Hour, "", "me"); !errors.Is(err, safety.ErrLeft) {
		t.Errorf("the predecessor decides: %v", err)
	}
}

// slowShelf takes a report when it is told to.
type slowShelf struct {
	shelf
	has, may chan struct{}
}

func (s *slowShelf) Take(r safety.Report) error {
	s.has <- struct{}{}
	<-s.may
	return s.shelf.Take(r)
}

// TestReportedMeanwhile: nothing is handed over between a report and the word that it was
// taken; what was reported before is not reported again to a successor.
func TestReportedMeanwhile(t *testing.T) {
	slow := &slowShelf{has: make(chan struct{}, 1), may: make(chan struct{})}
	from, addr := start(t, Config{Workers: 1, Safety: safety.On, Reports: slow})
	from.Started()
	a, report := wronged(t, addr)
	a.command(report)
	<-slow.has
	heir, _ := start(t, Config{Workers: 1, Safety: safety.On, Reports: new(shelf)})
	inherits := heir.Inherit(noListeners)
	if _, handed, _ := handOverWith(t, from, inherits, handover.Options{Freeze: 100 * time.Millisecond}); handed == nil {
		t.Fatal("handed over while a report is taken")
	}
	inherits.Close()
	close(slow.may)
	a.event("reported")

	heir, _ = start(t, Config{Workers: 1, Safety: safety.On, Reports: new(shelf)})
	handTo(t, from, heir)
	a.command(report)
	a.refused("report_twice")
}
