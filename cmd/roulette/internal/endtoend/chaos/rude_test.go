package chaos

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/netpoll/nettest"
)

// TestChaosResets: clients that reset their connection (SO_LINGER of 0) at every
// stage of its life.
func TestChaosResets(t *testing.T) {
	servertest.Parallel(t)
	const each = 200
	// No more than each of them are connected at once. What one holds: a request
	// under way, 8 KiB; half a message, 64 KiB; what its partner's read brought,
	// 256 KiB, which the kernel takes here. The pools keep some of it.
	const bound = calmGrowth + each*(8<<10+64<<10)
	c := startChaos(t, program.Launch{Args: []string{"--message-rate=0"}})
	healthy := c.begin(c.healthyLoad(time.Hour))

	request := servertest.Request(c.Addr, "/ws")
	chat := func() *servertest.Conn { return servertest.Dial(t, c.Addr, "/ws") }
	connect := func(said string) []*servertest.Conn {
		s := servertest.Connect(t, c.Addr)
		s.Write([]byte(said))
		return []*servertest.Conn{s}
	}
	pair := func(said ...[]byte) []*servertest.Conn {
		a, b := chat(), chat() // mostly of each other
		a.Write(said...)
		b.Write(said...)
		return []*servertest.Conn{a, b}
	}
	long := servertest.Encode(servertest.Fin|servertest.OpText, strings.Repeat("x", 60<<10))
	for _, stage := range []struct {
		name  string
		reach func() []*servertest.Conn
	}{
		{"before the request", func() []*servertest.Conn { return connect("") }},
		{"in the request", func() []*servertest.Conn { return connect(request[:len(request)/2]) }},
		{"before the answer", func() []*servertest.Conn { return connect(request) }},
		{"on a page", func() []*servertest.Conn { return connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }},
		{"waiting", func() []*servertest.Conn { return []*servertest.Conn{chat()} }},
		{"paired", func() []*servertest.Conn { return pair() }},
		{"in a frame's header", func() []*servertest.Conn { return pair(program.Text("hello")[:3]) }},
		{"in a message", func() []*servertest.Conn { return pair(long[:40<<10]) }},
		{"between fragments", func() []*servertest.Conn { return pair(servertest.Encode(servertest.OpText, "once upon")) }},
		{"with messages unread", func() []*servertest.Conn { return pair(long, long, long) }},
		{"in the closing handshake", func() []*servertest.Conn { return pair(servertest.Close(1000, "")) }},
	} {
		begin := time.Now()
		var there []*servertest.Conn
		for len(there) < each {
			there = append(there, stage.reach()...)
		}
		for _, s := range there {
			s.TCP.SetLinger(0)
			s.TCP.Close()
		}
		t.Logf("%d resets %s in %v", len(there), stage.name, time.Since(begin))
	}
	// Those of the last stages may wait for each other still.
	servertest.Await(t, "the rude to be gone", func() bool {
		m := c.Metrics(t)
		return m[`roulette_connections{state="paired"}`] == 2*healthyPairs && m[`roulette_connections{state="waiting"}`] == 0
	})
	r := c.finish(healthy)
	t.Logf("beside them %d healthy messages, p99 %.0f µs", r.Messages, r.Latency.P99)
	c.end(bound)
}

// greed is what a client may send without end.
var greed = []struct {
	name  string
	piece []byte
}{
	{"pings", servertest.Encode(servertest.Fin|servertest.OpPing, "")},
	{"pings of 125 bytes", servertest.Encode(servertest.Fin|servertest.OpPing, strings.Repeat("p", 125))},
	{"pongs nobody asked for", servertest.Encode(servertest.Fin|servertest.OpPong, "")},
	{"empty messages", program.Text("")},
	{"fragments of one byte", servertest.Encode(servertest.OpContinuation, "x")},
	{"empty fragments", servertest.Encode(servertest.OpContinuation, "")},
	{"messages of one byte", program.Text("x")},
}

// TestChaosGreed: a client that sends nothing but one such thing, as fast as it
// can, is warned and closed with 4429.
func TestChaosGreed(t *testing.T) {
	servertest.Parallel(t)
	const bound = calmGrowth // the greedy are few, and hold a read's worth each
	c := startChaos(t, program.Launch{})
	healthy := c.begin(c.healthyLoad(time.Hour))
	for _, g := range greed {
		t.Run(g.name, func(t *testing.T) {
			s := servertest.Dial(t, c.Addr, "/echo")
			if g.piece[0]&0xf == servertest.OpContinuation {
				s.Write(servertest.Encode(servertest.OpText, "x"))
			}
			// Without end: what a server finds that did not run for a while, on a
			// busy machine, is not held against who sent it.
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				for err := error(nil); err == nil; {
					_, err = s.TCP.Write(bytes.Repeat(g.piece, 3000))
				}
			}()
			defer func() {
				s.TCP.Close()
				<-stopped
			}()
			for answers := 0; ; answers++ {
				f, err := s.Read()
				if err != nil {
					t.Fatalf("%d answers, %v; want close 4429", answers, err)
				}
				if f.Op == servertest.OpClose {
					if f.Code() != 4429 {
						t.Errorf("%v after %d answers", f, answers)
					}
					break
				}
			}
		})
	}
	r := c.finish(healthy)
	t.Logf("beside them %d healthy messages, p99 %.0f µs", r.Messages, r.Latency.P99)
	c.end(bound)
}

// TestChaosUnlimitedGreed: with no rate limit they are served, and the healthy
// beside them fairly.
func TestChaosUnlimitedGreed(t *testing.T) {
	servertest.Parallel(t)
	if nettest.RaceEnabled {
		t.Skip("skipped: is there for its figures")
	}
	// Each of them may have a read's worth of answers waiting, 256 KiB, and the
	// message it gathers, 64 KiB, in buffers of powers of two.
	const each = 2
	bound := calmGrowth + each*len(greed)*(512<<10+128<<10)
	c := startChaos(t, program.Launch{Args: []string{"--message-rate=0"}})
	for _, g := range greed {
		c.beside(fmt.Sprintf("beside %d that send %s", each, g.name), 1, 50*time.Millisecond, func() func() {
			var clients []*servertest.Conn
			var busy sync.WaitGroup
			for range each {
				s := servertest.Dial(t, c.Addr, "/echo")
				clients = append(clients, s)
				busy.Go(func() { _, _ = io.Copy(io.Discard, s.TCP) })
				busy.Go(func() { pour(s, g.piece) })
			}
			return func() {
				for _, s := range clients {
					s.TCP.Close()
				}
				busy.Wait()
			}
		})
	}
	c.end(bound)
}

// pour sends a piece over and over, fragments as a message of many of them, until
// the connection is closed.
func pour(s *servertest.Conn, piece []byte) {
	many := bytes.Repeat(piece, 1<<14)
	if piece[0]&0xf == servertest.OpContinuation {
		many = slices.Concat(servertest.Encode(servertest.OpText, "x"), many, servertest.Encode(servertest.Fin|servertest.OpContinuation, ""))
	}
	for {
		if _, err := s.TCP.Write(many); err != nil {
			return
		}
	}
}

// TestChaosGarbage: the garbage collector at work all the time.
func TestChaosGarbage(t *testing.T) {
	servertest.Parallel(t)
	const bound = calmGrowth
	c := startChaos(t, program.Launch{Env: []string{"GOGC=1"}})
	cycles := c.Metric(t, `go_gc_duration_seconds_count`)
	stop := make(chan struct{})
	var asked sync.WaitGroup
	for range 2 {
		asked.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					program.Get(t, "http://"+c.Admin+"/debug/pprof/heap?gc=1")
				}
			}
		})
	}
	r := c.healthyFor(2 * time.Second)
	close(stop)
	asked.Wait()
	t.Logf("%.0f collections beside %d healthy messages, p99 %.0f µs",
		c.Metric(t, `go_gc_duration_seconds_count`)-cycles, r.Messages, r.Latency.P99)
	c.end(bound)
}
