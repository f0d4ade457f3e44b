package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
)

// shutdown begins to shut s down, with all the time of the world, and returns what
// it will answer.
func shutdown(t *testing.T, s *Server, grace time.Duration) <-chan error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	t.Cleanup(cancel)
	answer := make(chan error, 1)
	go func() { answer <- s.Shutdown(ctx, grace) }()
	return answer
}

// finish lets the clock go on until Shutdown has returned without an error.
func (k *stoppedClock) finish(t *testing.T, s *Server, answer <-chan error) {
	t.Helper()
	servertest.Await(t, "Shutdown to return", func() bool {
		if s.awaited.Load() != nil { // so the workers live until the first of them has ticked
			k.now.Add(int64(moment))
			for _, fd := range slices.Backward(k.timers) {
				k.Signal(fd)
				<-k.ticked
			}
		}
		select {
		case err := <-answer:
			if err != nil {
				t.Error(err)
			}
			return true
		default:
			return false
		}
	})
}

// chats counts those who were not sent away yet.
func chats(t *testing.T, s *Server) (n int) {
	eachConn(t, s, func(_ *handler, c *netpoll.Conn) {
		if isOpen(c) {
			n++
		}
	})
	return n
}

// TestDrainIsEven: at each moment of the drain as many are gone as there should
// be, partners together, and whoever goes gets 1001 and a clean end.
func TestDrainIsEven(t *testing.T) {
	const couples, echoes, alone = 100, 20, 1
	const all = 2*couples + echoes + alone
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Workers: 3})
	var clients []*servertest.Conn
	for i := range all {
		path := "/ws"
		if i%11 == 0 && i/11 < echoes {
			path = "/echo"
		}
		clients = append(clients, servertest.Dial(t, addr, path))
	}
	servertest.Await(t, "the couples", func() bool {
		return s.pairs.Pairs() == couples && s.pairs.Waiting() == alone && chats(t, s) == all
	})
	answer := shutdown(t, s, 0)
	servertest.Await(t, "the drain to begin", func() bool { return s.drain.Load() != nil && s.awaited.Load() != nil })
	d := s.drain.Load()
	if d.total != all || d.spread != all*time.Millisecond {
		t.Fatalf("%d people in %v", d.total, d.spread)
	}
	const steps = 13 // which divides them into no whole numbers
	for i := 1; i < steps; i++ {
		k.advance(t, s, d.spread/steps)
		gone, due := all-chats(t, s), int(d.due(k.Now()))
		if gone < due || gone > due+2*s.config.Workers { // one couple of each worker more
			t.Errorf("after %d of %d steps %d are gone, want %d", i, steps, gone, due)
		}
		if s.pairs.Waiting() > alone {
			t.Errorf("after %d of %d steps %d wait, for their partners went without them", i, steps, s.pairs.Waiting())
		}
	}
	k.now.Add(int64(d.spread))
	read := make(chan error, 1)
	go func() {
		var errs []error
		for _, c := range clients {
			errs = append(errs, c.ReadClose(1001))
			c.Write(servertest.Close(1001, ""))
			c.TCP.Close()
		}
		read <- errors.Join(errs...)
	}()
	k.finish(t, s, answer)
	if err := <-read; err != nil {
		t.Error(err)
	}
}

// TestDrainGrace: for that long the server is not ready, and serves whoever comes.
func TestDrainGrace(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k})
	if s.NotReady() != "" {
		t.Error("not ready")
	}
	answer := shutdown(t, s, 10*time.Second)
	servertest.Await(t, "the grace", func() bool { return s.awaited.Load() != nil })
	if why := s.NotReady(); why != "draining" {
		t.Errorf("not ready: %q", why)
	}
	k.advance(t, s, 10*time.Second-moment)
	late := servertest.Dial(t, addr, "/echo")
	late.Write(text("just in time"))
	late.Expect(servertest.OpText, "just in time")
	k.now.Add(int64(moment))
	read := make(chan error, 1)
	go func() {
		read <- late.ReadClose(1001)
		late.TCP.Close()
	}()
	k.finish(t, s, answer)
	if err := <-read; err != nil {
		t.Error(err)
	}
	if _, err := servertest.TryConnect(t, addr); err == nil {
		t.Error("still accepts")
	}
}

// TestDrainTellsRichClients: what they read is that the partner has left, perhaps,
// and then 1001.
func TestDrainTellsRichClients(t *testing.T) {
	s, addr := start(t, Config{Workers: 2})
	a, b := richCouple(t, addr)
	lone := dialRich(t, addr)
	lone.next()
	lone.event("waiting")
	answer := shutdown(t, s, 0)
	for _, p := range []*person{a, b, lone} {
		for {
			_, payload, err := p.conn.Read(testContext(t))
			if err != nil {
				if websocket.CloseStatus(err) != websocket.StatusGoingAway {
					t.Errorf("closed by %v", err)
				}
				break
			}
			events, err := record.ParseEvents(payload)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Type != "left" || e.Reason != record.LeftDisconnected || p == lone {
					t.Errorf("told %+v", e)
				}
			}
		}
	}
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

// TestDrainAnswersRequests: whoever has begun to ask for something when the server
// goes down gets an answer.
func TestDrainAnswersRequests(t *testing.T) {
	s, addr := start(t, Config{})
	half := servertest.Connect(t, addr)
	half.Write([]byte("GET /ws HT"))
	servertest.Await(t, "it is read", func() bool {
		return total(t, s, func(c *metrics.Counters) uint64 { return c.NetworkReceiveBytes }) == 10
	})
	late := servertest.Connect(t, addr)
	servertest.Await(t, "both to be accepted", func() bool { return s.poller.Count() == 2 })
	keep := servertest.Dial(t, addr, "/echo") // so that there is a drain to speak of
	answer := shutdown(t, s, 0)
	keep.ExpectClose(1001)
	if r, err := half.Response("GET"); err != nil || r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("half a request: %v, %v", r, err)
	}
	half.TCP.Close()
	if _, err := late.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("a connection that asks for nothing: %v", err)
	}
	keep.TCP.Close()
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

// TestDrainWaitsForPages: who is being served one gets all of it.
func TestDrainWaitsForPages(t *testing.T) {
	s, addr := start(t, Config{})
	asked, goOn := make(chan struct{}), make(chan struct{})
	pages := s.http.std.Handler
	s.http.std.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-goOn
		pages.ServeHTTP(w, r)
	})
	settled(t, s) // and everybody knows of it
	c := servertest.Connect(t, addr)
	c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	<-asked
	answer := shutdown(t, s, 0)
	servertest.Await(t, "nobody else to be accepted", func() bool {
		late, err := servertest.TryConnect(t, addr)
		if err != nil {
			return true
		}
		late.TCP.Close()
		return false
	})
	servertest.Await(t, "the chats to be gone", func() bool { return s.drain.Load() != nil && s.poller.Count() == 0 })
	close(goOn)
	if r, err := c.Response("GET"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", r, err)
	}
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

// TestDrainCutsTheStubborn: in the end whoever does not go is cut, and counted.
func TestDrainCutsTheStubborn(t *testing.T) {
	s, addr := start(t, Config{Kernel: newStoppedClock()}) // the time of which never comes
	servertest.Dial(t, addr, "/echo")
	ctx, cancel := context.WithCancel(context.Background())
	answer := make(chan error, 1)
	go func() { answer <- s.Shutdown(ctx, 0) }()
	servertest.Await(t, "the drain to begin", func() bool { return s.awaited.Load() != nil })
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 connections cut") {
		t.Errorf("Shutdown: %v", err)
	}
}
