package server

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
	"roulette/netpoll"
)

// audit knows of all series of the server whether they were ever seen to move.
type audit struct {
	moved map[string]bool
}

// seriesOf gathers all of a server's own series, histograms as their count.
func seriesOf(t *testing.T, s *Server) map[string]float64 {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		name, ours := strings.CutPrefix(f.GetName(), "roulette_")
		if !ours {
			continue
		}
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			key := fmt.Sprintf("%s{%s}", name, strings.Join(labels, ","))
			switch {
			case m.Counter != nil:
				all[key] = m.Counter.GetValue()
			case m.Gauge != nil:
				all[key] = m.Gauge.GetValue()
			default:
				all[key] = float64(m.Histogram.GetSampleCount())
			}
		}
	}
	return all
}

// look notes what is not zero now.
func (a *audit) look(t *testing.T, s *Server) {
	t.Helper()
	for key, v := range seriesOf(t, s) {
		a.moved[key] = a.moved[key] || v != 0
	}
}

// awaits looks until these series have moved.
func (a *audit) awaits(t *testing.T, s *Server, keys ...string) {
	t.Helper()
	a.awaitsWhile(t, s, func() {}, keys...)
}

// TestEverySeriesMoves drives servers until each series has been seen to be other
// than zero: what is on a dashboard is fed. What cannot happen is a close by the
// server for which its table of reasons has no row.
func TestEverySeriesMoves(t *testing.T) {
	servertest.Parallel(t)
	a := &audit{moved: map[string]bool{}}
	for _, part := range []struct {
		name string
		play func(t *testing.T)
	}{
		{"people", a.people}, {"breaks", a.breaks}, {"nodes", a.nodes}, {"closes", a.closes}, {"handshakes", a.handshakes}, {"refusals", a.refusals}, {"bans", a.bans}, {"reports", a.reports}, {"moderation", a.moderation}, {"proofs", a.proofs},
		{"TLS", a.tls}, {"a slow receiver", a.slowReceiver}, {"accept", a.accepts}, {"memory", a.memory},
		{"a successor", a.successor}, {"the end", a.end},
	} {
		t.Run(part.name, part.play)
	}
	impossible := map[string]bool{}
	for code := metrics.CloseNormal; code <= metrics.CloseOther; code++ {
		impossible[fmt.Sprintf("connections_closed_total{code=%s,initiator=server}", code)] = true
	}
	for _, e := range endings {
		if e.by == metrics.ByServer {
			delete(impossible, fmt.Sprintf("connections_closed_total{code=%s,initiator=server}", e.label))
		}
	}
	if len(a.moved) < 80 {
		t.Errorf("only %d series", len(a.moved))
	}
	for key, moved := range a.moved {
		if moved == impossible[key] {
			t.Errorf("%s has moved: %v", key, moved)
		}
	}
}

// breaks: people lose their connections and come back, here and from another
// process, too late, too often, and never.
func (a *audit) breaks(t *testing.T) {
	settings := returning
	settings.ResumeGrace = 500 * time.Millisecond
	s, addr := start(t, Config{Workers: 1, Settings: settings})
	x, y, token, _ := resumable(t, addr)
	x.breaks()
	y.event("away")
	a.awaits(t, s, "resume_away_seats{}", "resume_breaks_total{}")
	old := dialCan(t, addr)
	old.resumes(token, 0, 2)
	token = old.event("resumed").Token
	late := dialCan(t, addr)
	late.resumes(token, 0, 1)
	late.closedWith(4409)
	x = dialCan(t, addr)
	x.resumes("x", 0, 1)
	x.event("error")
	x.resumes(string(s.breaks.keys.Append(nil, resume.Token{Node: s.breaks.node + 1, Issued: time.Now()})), 0, 1)
	x.event("resumed")
	x.event("away")
	x.event("left")
	a.awaits(t, s, "resume_returns_total{result=back}", "resume_returns_total{result=older}", "resume_returns_total{result=refused}",
		"resume_returns_total{result=met}", "resume_returns_total{result=lapsed}", "resume_away_seconds{}",
		"connections_closed_total{code=4409,initiator=server}")
}

// successor: one fails to take over, another does.
func (a *audit) successor(t *testing.T) {
	from, _ := start(t, Config{Workers: 1})
	from.Started()
	leaving, err := from.Leave(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	leaving.Failed()
	leaving.End()
	to, _ := start(t, Config{Workers: 1})
	handTo(t, from, to)
	a.awaits(t, to, "handover_attempts_total{result=done}", "handover_attempts_total{result=failed}", "handover_frozen_seconds{}")
}

// bans: somebody is banned in the middle.
func (a *audit) bans(t *testing.T) {
	k, s, addr := startAfar(t, Config{Workers: 1})
	k.set("192.0.2.1")
	c := servertest.Dial(t, addr, "/ws")
	ban(t, s, "192.0.2.0/24")
	c.ExpectClose(4503)
	a.awaits(t, s, "safety_bans{}", "connections_closed_total{code=4503,initiator=server}")
}

// people meet, talk, go on, stop, and leave.
func (a *audit) people(t *testing.T) {
	s, addr := start(t, Config{Workers: 1})
	idle := servertest.Connect(t, addr)
	a.awaits(t, s, "connections{state=handshaking}")
	idle.TCP.Close()

	x, y := richCouple(t, addr)
	a.awaits(t, s, "pairs{}", "connections{state=paired}")
	x.says("hello")
	y.hears("hello")
	x.next()
	y.event("left")
	x.event("waiting")
	a.awaits(t, s, "connections{state=waiting}", "connections{state=idle}", "pairing_oldest_wait_timestamp_seconds{}")
	y.says("too late")
	y.event("undelivered")
	z := dialRich(t, addr)
	z.next()
	z.event("paired")
	x.event("paired")
	z.do([]byte("\x1e" + `{"type":"stop"}`))
	x.event("left")

	b, c := couple(t, s, addr)
	b.Write(enc(fin|binaryOp, "bytes"))
	c.Expect(servertest.OpBinary, "bytes")
	b.Leave()
	c.Leave()

	// Enough for the sample of what the worker does.
	e := servertest.Dial(t, addr, "/echo")
	a.awaitsWhile(t, s, func() {
		for range 100 {
			e.Write(text("x"))
			e.Expect(servertest.OpText, "x")
		}
	}, "worker_wakeups_total{worker=0}", "worker_busy_seconds_total{worker=0}", "worker_events_per_wakeup{}", "relay_latency_seconds{}")
}

// awaitsWhile does something before each look.
func (a *audit) awaitsWhile(t *testing.T, s *Server, meanwhile func(), keys ...string) {
	t.Helper()
	servertest.Await(t, fmt.Sprint(keys, " to move"), func() bool {
		meanwhile()
		a.look(t, s)
		for _, key := range keys {
			if !a.moved[key] {
				return false
			}
		}
		return true
	})
}

// closes of all kinds, by clients and by the server.
func (a *audit) closes(t *testing.T) {
	s, addr := start(t, Config{Kernel: newStoppedClock(), Settings: Settings{MessageRate: 1, MessageBurst: 10}})
	for _, code := range []uint16{1000, 1001, 1002, 1007, 1009, 4408, 4409, 4429, 4453, 4503, 3000} {
		c := servertest.Dial(t, addr, "/ws")
		c.Write(servertest.Close(code, ""))
		c.ExpectClose(code)
		c.TCP.Close()
	}
	c := servertest.Dial(t, addr, "/ws")
	c.Write(enc(fin|servertest.OpClose, ""))
	c.ExpectClose(0)
	c.TCP.Close()
	servertest.Dial(t, addr, "/ws").TCP.Close() // 1006
	for _, offence := range []struct {
		code uint16
		send []byte
	}{
		{1002, []byte{0xff, 0x80, 0, 0, 0, 0}},
		{1007, enc(fin|textOp, "\xff")},
		{1009, servertest.Header(fin|textOp, 1<<20, servertest.Minimal)},
		{4429, []byte(strings.Repeat(string(text("x")), 30))},
		{4429, []byte(strings.Repeat(string(enc(fin|servertest.OpPing, "x")), 30))},
	} {
		offender, victim := couple(t, s, addr)
		offender.Write(offence.send)
		for {
			f, err := offender.Read()
			if err != nil {
				t.Fatal(err)
			}
			if f.Op == servertest.OpClose {
				if f.Code() != offence.code {
					t.Errorf("got %v, want %d", f, offence.code)
				}
				break
			}
		}
		a.awaits(t, s, "connections{state=closing}") // until it has closed too
		offender.TCP.Close()
		victim.TCP.Close()
	}
	awaitNobody(t, s)
	a.look(t, s)
}

// handshakes that come to nothing.
func (a *audit) handshakes(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k})
	for request, status := range map[string]int{
		servertest.Request(addr, "/ws", "Sec-WebSocket-Version: 12"):           426,
		servertest.Request(addr, "/ws", "Origin: https://evil.example"):        403,
		servertest.Request(addr, "/chat"):                                      404,
		servertest.Request(addr, "/ws", "X: "+strings.Repeat("x", maxRequest)): 431,
	} {
		if c, got := ask(t, addr, request); got != status {
			t.Errorf("answered %d, want %d", got, status)
		} else {
			c.TCP.Close()
		}
	}
	c := servertest.Connect(t, addr)
	a.awaits(t, s, "connections{state=handshaking}")
	k.advance(t, s, 5*time.Second)
	c.TCP.Close()
	a.awaits(t, s, "handshakes_total{result=timeout}")
}

func (a *audit) refusals(t *testing.T) {
	for _, r := range refusalCases(t) {
		t.Run(r.why.String(), func(t *testing.T) {
			_, s, addr := r.start(t, nil)
			if _, status := ask(t, addr, r.request(addr)); status != r.status {
				t.Fatalf("answered %d", status)
			}
			a.look(t, s)
		})
	}
}

// memory is so short that who holds much of it goes.
func (a *audit) memory(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Workers: 1, Settings: Settings{MemoryShare: 90, PingInterval: time.Hour},
		memory: func() (uint64, uint64) { return 1_000_000, 960_000 }})
	c := servertest.Dial(t, addr, "/echo")
	c.Write(text(strings.Repeat("l", 60_000))[:30_000])
	servertest.Await(t, "memory to be dire", func() bool {
		k.advance(t, s, 2*time.Second)
		return total(t, s, func(c *metrics.Counters) uint64 { return c.Closed[metrics.CloseOverloaded][metrics.ByServer] }) > 0
	})
	a.look(t, s)
}

// slowReceiver recovers once, and then does not.
func (a *audit) slowReceiver(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k})
	x, y := stalledCouple(t, s, addr)
	a.awaits(t, s, "send_backlog_bytes{}", "send_backlog_connections{}", "read_pauses_total{}")
	var writing sync.WaitGroup
	writing.Go(func() { x.finish() })
	check(t, y, 0, x.next)
	writing.Wait()
	a.awaits(t, s, "write_stalls_total{result=recovered}")
	x.pour(t, s, 1)
	k.stall(t, s, "the receiver is gone", func() bool {
		return total(t, s, func(c *metrics.Counters) uint64 { return c.PairsEnded[metrics.EndStalled] }) == 1
	})
	a.look(t, s)
}

// failingAccept is a kernel whose accept4 fails first.
type failingAccept struct {
	netpoll.Kernel
	mu    sync.Mutex
	fails []unix.Errno // guarded by mu
}

func (k *failingAccept) Accept(fd int) (int, netip.AddrPort, unix.Errno) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.fails) > 0 {
		errno := k.fails[0]
		k.fails = k.fails[1:]
		if errno != 0 {
			return -1, netip.AddrPort{}, errno
		}
	}
	return k.Kernel.Accept(fd)
}

func (a *audit) accepts(t *testing.T) {
	errnos := []unix.Errno{unix.ECONNABORTED, unix.EPERM, unix.ENETDOWN, unix.EINVAL,
		unix.ENFILE, 0, unix.ENOBUFS, 0, unix.ENOMEM, 0, unix.EMFILE, 0} // 0: the one that is refused with the spare descriptor
	k := &failingAccept{Kernel: netpoll.Linux(), fails: errnos}
	s, addr := start(t, Config{Kernel: k, Workers: 1})
	a.awaitsWhile(t, s, func() {
		if c, err := servertest.TryConnect(t, addr); err == nil {
			c.TCP.Close()
		}
	}, "accept_errors_total{errno=EMFILE}", "connections_rejected_total{reason=fd_limit}")
}

// The end of the server: some are sent away, one is cut.
func (a *audit) end(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k})
	c := servertest.Dial(t, addr, "/ws")
	answer := shutdown(t, s, 0)
	servertest.Await(t, "the close frame", func() bool {
		k.advance(t, s, time.Second)
		a.look(t, s)
		return a.moved["connections_closed_total{code=1001,initiator=server}"]
	})
	c.ExpectClose(1001)
	c.TCP.Close()
	k.finish(t, s, answer)
	a.look(t, s)

	s, addr = start(t, Config{})
	for range 20 {
		servertest.Dial(t, addr, "/ws")
	}
	// Scrapes in the middle of it, for the race detector.
	var scrapes sync.WaitGroup
	over := make(chan struct{})
	scrapes.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				_, _ = s.registry.Gather() // what it says is not of interest here
			}
		}
	})
	err := s.Close()
	close(over)
	scrapes.Wait()
	if err != nil {
		t.Fatal(err)
	}
	a.look(t, s) // of workers that have ended
}
