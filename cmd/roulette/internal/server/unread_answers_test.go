package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/metrics"
)

// What a client is owed itself, and does not read, pauses it alone.

func TestEchoThatIsNotRead(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k})
	c := &pourer{Conn: servertest.Dial(t, addr, "/echo")}
	c.pour(t, s, 1)
	if f := flowOf(t, s); f.waiting != 1 || f.most > mostPending {
		t.Fatalf("%+v", f)
	}
	var writing sync.WaitGroup
	writing.Go(func() { c.finish() })
	check(t, c.Conn, 0, c.next)
	writing.Wait()
	servertest.Await(t, "it is read", func() bool { return flowOf(t, s) == flow{} })

	c.pour(t, s, 1)
	k.stall(t, s, "it ends", func() bool {
		return total(t, s, func(c *metrics.Counters) uint64 { return c.WriteStalls[metrics.StallClosed] }) == 1
	})
	for {
		f, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Op == servertest.OpClose {
			if f.Code() != 4408 {
				t.Errorf("got %v, want close 4408", f)
			}
			break
		}
	}
}

// Pings to a server whose pongs are not read: the server reads no more of them,
// and owes each pong when they are.
func TestPongsThatAreNotRead(t *testing.T) {
	const pings = 500 // in one write
	s, addr := start(t, Config{Kernel: newStoppedClock()})
	ping := func(i int) string { return fmt.Sprintf("%08d", i) + strings.Repeat("p", 117) }
	c := &pourer{Conn: servertest.Dial(t, addr, "/ws"), frame: func(i int) (b []byte) {
		for n := range pings {
			b = append(b, servertest.Encode(servertest.Fin|servertest.OpPing, ping(i*pings+n))...)
		}
		return b
	}}
	c.pour(t, s, 1)
	if f := flowOf(t, s); f.waiting != 1 || f.most > mostPending {
		t.Fatalf("%+v", f)
	}
	var writing sync.WaitGroup
	writing.Go(func() { c.finish() })
	for i := range c.next * pings {
		f, err := c.Read()
		if err != nil || f.Op != servertest.OpPong || string(f.Payload) != ping(i) {
			t.Fatalf("pong %d of %d: %v, %v", i, c.next*pings, f, err)
		}
	}
	writing.Wait()
	servertest.Await(t, "it is read", func() bool { return flowOf(t, s) == flow{} })
}
