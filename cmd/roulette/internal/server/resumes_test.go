package server

import (
	"testing"
	"time"

	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/netpoll/nettest"
)

// TestThousandResumes: a thousand wishes to come back in one go, on one connection or on
// many, with tokens that are not genuine, or with a genuine one: a clear answer each, or
// the end of a connection; no seat is kept for them, and nobody else's chat is touched.
func TestThousandResumes(t *testing.T) {
	servertest.Parallel(t)
	settings := returning
	settings.MessageRate = 20
	s, addr := start(t, Config{Settings: settings})
	c, d, tokenC, _ := resumable(t, addr)
	forged := string(resume.NewKeys().Append(nil, resume.Token{Issued: time.Now()}))
	untouched := func() {
		t.Helper()
		c.says("still here")
		d.hears("still here")
		if away, n := s.breaks.away(), s.breaks.remembered(); away != 0 || n != 0 {
			t.Fatalf("%d are away, %d pairs are kept", away, n)
		}
	}

	const connections, wishes = 4, 300 // more than the rate lets through
	for range connections {
		p := dialCan(t, addr)
		for try := range wishes {
			if p.conn.Write(testContext(t), 1, record.AppendCommand(nil, &record.Command{Kind: record.Resume, Token: forged, Try: uint32(try + 1)})) != nil {
				break // it was closed by then
			}
		}
		p.closedWith(4429)
	}
	refused := total(t, s, func(c *metrics.Counters) uint64 { return c.Returns[metrics.ReturnRefused] })
	if refused == 0 || refused > connections*wishes/2 {
		t.Errorf("%d of %d were looked at", refused, connections*wishes)
	}
	untouched()

	a, b, token, _ := resumable(t, addr)
	for try := range uint32(100) { // each takes the place of the one before
		again := dialCan(t, addr)
		again.resumes(token, 0, try+1)
		again.event("resumed")
		a.closedWith(4409)
		a = again
	}
	late := dialCan(t, addr)
	late.resumes(token, 0, 50)
	late.closedWith(4409)
	meetLast(t, a, b)
	a.says("it is me")
	b.hears("it is me")
	if n := s.breaks.remembered(); n != 1 {
		t.Errorf("%d pairs are kept for one that comes back again and again", n)
	}
	b.asks(record.Stop, 1)
	a.event("left")
	nettest.Await(t, "nothing to be kept", func() bool { return s.breaks.remembered() == 0 })
	untouched()
	c.breaks()
	d.event("away")
	c = dialCan(t, addr)
	c.resumes(tokenC, 0, 1)
	c.event("resumed")
}

// meetLast goes through the rest of a return of which there were some before.
func meetLast(t *testing.T, came, stayed *person) {
	t.Helper()
	e := stayed.event("sync")
	for e.Generation < 100 {
		e = stayed.event("sync")
	}
	stayed.command(record.Command{Kind: record.Have, Pair: e.Pair, Generation: e.Generation})
	for _, p := range []*person{came, stayed} {
		p.event("back")
		p.command(record.Command{Kind: record.Resend, Generation: e.Generation, From: 1})
	}
	came.event("resend")
	stayed.event("resend")
}

// TestNothingKeptOfChats: while both of a pair are there, and have never been away, the
// server keeps not a byte of a chat that can be resumed: no pair, no seat for one who is
// away, and nothing besides the share that each rich client has of a block.
func TestNothingKeptOfChats(t *testing.T) {
	servertest.Parallel(t)
	const pairs = 20
	s, addr := start(t, Config{Settings: Settings{MaxAway: 1000}})
	for range pairs {
		a, b, _, _ := resumable(t, addr)
		for _, text := range []string{"one", "two"} {
			a.says(text)
			b.hears(text)
			b.says(text)
			a.hears(text)
		}
		b.command(record.Command{Kind: record.Have, Pair: 1, N: 2})
		if e := a.event("have"); e.N != 2 {
			t.Fatalf("got %+v", e)
		}
	}
	if n := s.pairs.Pairs(); n != pairs {
		t.Fatalf("%d pairs", n)
	}
	if n, away, used := s.breaks.remembered(), s.breaks.away(), s.standIns.used; n != 0 || away != 0 || used != 0 || s.breaks.pairs.buckets != nil {
		t.Errorf("%d pairs are kept, %d are away, %d seats were taken for such", n, away, used)
	}
	eachConn(t, s, func(_ *handler, c *netpoll.Conn) {
		if r := richOf(c); r == nil || r.extra.Load() != nil {
			t.Error("something is kept beside a connection")
		}
	})
}
