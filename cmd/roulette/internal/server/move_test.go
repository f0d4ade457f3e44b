package server

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
)

// moveTo moves all connections of a server to another one, through bytes.
func moveTo(t *testing.T, from, to *Server) {
	t.Helper()
	pairs, waiting, conns := from.pairs.Pairs(), from.pairs.Waiting(), from.poller.Count()
	fds, state, err := from.giveUp(from.still)
	if err != nil {
		t.Fatal(err)
	}
	if n := from.poller.Count(); n != 0 || from.pairs.Pairs()+from.pairs.Waiting() > 0 {
		t.Errorf("%d connections are left", n)
	}
	for _, n := range []int{0, 1, len(state) / 2, len(state) - 1} {
		if err := to.takeOver(to.still, fds, state[:n]); err == nil {
			t.Fatalf("%d of %d bytes are taken", n, len(state))
		}
	}
	if err := to.takeOver(to.still, fds[1:], state); err == nil {
		t.Fatal("a descriptor too few")
	}
	if err := to.takeOver(to.still, fds, state); err != nil {
		t.Fatal(err)
	}
	if to.poller.Count() != conns || to.pairs.Pairs() != pairs || to.pairs.Waiting() != waiting {
		t.Errorf("%d connections, %d pairs and %d waiting; there were %d, %d and %d",
			to.poller.Count(), to.pairs.Pairs(), to.pairs.Waiting(), conns, pairs, waiting)
	}
}

// TestMove: chats go from server to server, each with another number of workers,
// in the middle of whatever they do, and no client notices.
func TestMove(t *testing.T) { testMoves(t, moveTo) }

// testMoves: move moves all from one server to another.
func testMoves(t *testing.T, move func(t *testing.T, from, to *Server)) {
	servers := make([]*Server, 4)
	var addr string
	for i := range servers {
		s, a := start(t, Config{Workers: 1 + i%3, Settings: Settings{HandshakeTimeout: time.Hour, PingInterval: time.Hour, StallTimeout: 5 * time.Minute}})
		if servers[i] = s; i == 0 {
			addr = a
		}
	}
	// A stream that its receiver does not read at first: the sender is paused.
	const messages = 1500
	sender, receiver := couple(t, servers[0], addr)
	stalled := make(chan struct{})
	written, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		for i := range messages {
			sender.Write(enc(fin|servertest.OpBinary, payload(i)))
			if i == 0 {
				close(stalled)
			}
		}
	}()
	<-stalled
	servertest.Await(t, "backpressure", func() bool { f := flowOf(t, servers[0]); return f.paused > 0 && f.bytes > 0 })

	a, b := couple(t, servers[0], addr)
	long := bytes.Repeat([]byte("in many pieces "), 3000)
	message := enc(fin|textOp, long)
	anna, bert := richCouple(t, addr)
	echoed := servertest.Dial(t, addr, "/echo")
	half := servertest.Connect(t, addr)
	request := []byte(servertest.Request(addr, "/ws"))
	half.Write(request[:30])
	lone := dialRich(t, addr)
	lone.next("astronomy")
	lone.event("waiting")

	sent := 0
	for i, s := range servers[1:] {
		end := len(message) * (i + 1) / (len(servers) - 1)
		if i < len(servers)-2 {
			a.Write(message[sent:end])
			sent = end
		}
		move(t, servers[i], s)
		if i == 0 { // from here on it is read
			go func() { defer close(read); check(t, receiver, 0, messages) }()
		}
		b.Write(text(fmt.Sprintf("the other way %d", i)))
		a.Expect(textOp, fmt.Sprintf("the other way %d", i))
		anna.says(fmt.Sprintf("in server %d", i))
		bert.hears(fmt.Sprintf("in server %d", i))
		echoed.Write(text("echo"))
		echoed.Expect(textOp, "echo")
	}
	last := servers[len(servers)-1]
	a.Write(message[sent:])
	b.Expect(textOp, string(long))
	<-written
	<-read
	servertest.Await(t, "nobody paused", func() bool { return flowOf(t, last).paused == 0 })

	half.Write(request[30:])
	if err := half.Upgraded(); err != nil {
		t.Error(err)
	}
	// Pair numbers go on, and so do waits and the last partners' memories.
	anna.next("astronomy")
	if left := bert.event("left"); left.Pair != 1 {
		t.Errorf("left pairing %d", left.Pair)
	}
	if paired := anna.event("paired"); paired.Pair != 2 || len(paired.Common) != 1 {
		t.Errorf("paired: %+v", paired)
	}
	lone.event("paired")
	lone.says("I have waited in four servers")
	anna.hears("I have waited in four servers")
	if n := last.pairs.Pairs(); n != 3 {
		t.Errorf("%d pairs", n)
	}
}
