package chaos

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roulette/bench"
	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/netpoll/nettest"
)

// TestChaosDribble: thousands whose messages come a byte a second, beside the
// healthy. Every one of their messages arrives as well.
func TestChaosDribble(t *testing.T) {
	servertest.Parallel(t)
	if nettest.RaceEnabled {
		t.Skip("skipped: is there for its figures")
	}
	n := min(5000, program.RaiseDescriptors(t)/2-500) &^ 1
	// A message that is not whole is gathered in a small pooled buffer, with a
	// decoder, some 300 bytes; a connection is about 100; each is allowed a
	// kilobyte, and the requests of all who came at once 1 KiB more.
	bound := calmGrowth + n*2<<10
	c := startChaos(t, program.Launch{})
	// A second: when so many have come, the program gives memory back, once.
	c.beside(fmt.Sprintf("beside %d senders of a byte a second", n), 1, 1200*time.Millisecond, func() func() {
		w := c.begin(bench.Config{
			URL: "ws://" + c.Addr + "/ws", Mode: bench.Dribble, Connections: n, Duration: time.Hour,
			Drain: servertest.Patience, Timeout: servertest.Patience,
		})
		return func() {
			if r := c.finish(w); r != nil && r.Connected != n {
				t.Errorf("%d of %d were there to the end", r.Connected, n)
			}
			c.awaitRest() // or the survivors of pairs that part would meet the healthy
		}
	})
	c.end(bound)
}

// TestChaosZeroWindow: receivers that stop reading while their partners send all
// they can. What waits for each is bounded, each is closed with 4408 when it has
// taken nothing for the stall time, its partner is told and finds another; and who
// reads again after all finds what was relayed, whole and in order, and why it was
// closed.
func TestChaosZeroWindow(t *testing.T) {
	servertest.Parallel(t)
	const n = 100
	// One read of the sender waits for each receiver, 256 KiB, with the message that
	// it completed, in a buffer of a power of two; the message under way, 64 KiB,
	// for each sender likewise.
	const backlog = 256<<10 + 64<<10
	const bound = calmGrowth + n*(512<<10+128<<10)
	c := startChaos(t, program.Launch{Args: []string{"--message-rate=0", "--stall-timeout=1s"}})
	healthy := c.begin(c.healthyLoad(time.Hour))

	pairs := make([]*flood, n)
	for i := range pairs {
		pairs[i] = newFlood(t, c.Addr, i)
	}
	var floods sync.WaitGroup
	for _, f := range pairs {
		floods.Go(func() { f.send(t) })
		floods.Go(func() { f.watch(t, f.number < n/10) })
	}
	most, begin := 0.0, time.Now()
	const closed = `roulette_connections_closed_total{code="4408",initiator="server"}`
	servertest.Await(t, "all who do not read to be closed", func() bool {
		m := c.Metrics(t)
		most = max(most, m["roulette_send_backlog_bytes"])
		return m[closed] == n
	})
	t.Logf("all closed after %v", time.Since(begin))
	floods.Wait()
	t.Logf("and all met again after %v", time.Since(begin))
	t.Logf("%.1f MiB waited for %d receivers at most", most/(1<<20), n)
	if most == 0 || most > n*backlog {
		t.Errorf("%.0f bytes waited, at most %d may", most, n*backlog)
	}
	r := c.finish(healthy)
	t.Logf("beside them %d healthy messages, p99 %.0f µs", r.Messages, r.Latency.P99)
	for _, f := range pairs {
		f.sender.TCP.Close()
		f.receiver.TCP.Close()
	}
	c.end(bound)
}

// flood is a pair whose sender sends all it can to a receiver that does not read.
type flood struct {
	number           int
	sender, receiver *servertest.Conn // rich, plain
	left             atomic.Bool      // the sender was told that the receiver has gone
	sent             chan struct{}    // closed when nothing more is sent because of it
}

func newFlood(t *testing.T, addr string, number int) *flood {
	t.Helper()
	f := &flood{
		number: number, sent: make(chan struct{}),
		sender: servertest.Connect(t, addr), receiver: servertest.Connect(t, addr),
	}
	// Small buffers of the kernel, so that it is soon the program's that fill.
	if err := errors.Join(f.receiver.TCP.SetReadBuffer(64<<10), f.sender.TCP.SetWriteBuffer(64<<10)); err != nil {
		t.Fatal(err)
	}
	f.receiver.Write([]byte(servertest.Request(addr, "/ws")))
	f.sender.Write([]byte(servertest.Request(addr, "/ws", "Sec-WebSocket-Protocol: roulette.v1")))
	for _, c := range []*servertest.Conn{f.receiver, f.sender} {
		if err := c.Upgraded(); err != nil {
			t.Fatal(err)
		}
	}
	f.sender.Write(next)
	if _, err := f.until(`"type":"paired"`); err != nil {
		t.Fatal(err)
	}
	return f
}

var next = program.Text("\x1e" + `{"type":"next"}`)

// floodBody is what follows on the head of a message, as it is and masked.
var (
	floodBody   = strings.Repeat("abcdefghijklmnopqrstuvwxyz012345", 256)
	floodMasked = servertest.Mask([]byte(floodBody))
)

// head is of a length that keeps the mask of the body in step.
func (f *flood) head(number int) string { return fmt.Sprintf("%7d %7d ", f.number, number) }

// until reads the sender's frames until one has part in it.
func (f *flood) until(part string) (servertest.Frame, error) {
	for {
		frame, err := f.sender.Read()
		if err != nil {
			return frame, fmt.Errorf("flood %d: %w; want %q", f.number, err, part)
		}
		if strings.Contains(string(frame.Payload), part) {
			return frame, nil
		}
		if frame.Op == servertest.OpClose {
			return frame, fmt.Errorf("flood %d: %v; want %q", f.number, frame, part)
		}
	}
}

// send sends until the receiver has gone, and then asks for another.
func (f *flood) send(t *testing.T) {
	defer close(f.sent)
	for number := 0; !f.left.Load() && !t.Failed(); number++ {
		head := f.head(number)
		b := servertest.Header(servertest.Fin|servertest.OpText, uint64(len(head)+len(floodBody)), servertest.Minimal)
		f.sender.Write(append(append(b, servertest.Mask([]byte(head))...), floodMasked...))
	}
	f.sender.Write(next)
}

// watch reads what the sender is told: that the receiver has gone, and who comes
// then. The receiver reads on, if it is to.
func (f *flood) watch(t *testing.T, readsOn bool) {
	frame, err := f.until(`"type":"left"`)
	f.left.Store(true)
	if err == nil && !strings.Contains(string(frame.Payload), `"reason":"stalled"`) {
		err = fmt.Errorf("flood %d: %v", f.number, frame)
	}
	if err == nil && readsOn {
		err = f.drink()
	}
	if err == nil {
		_, err = f.until(`"pair":2`)
	}
	<-f.sent
	f.sender.Write(program.Text("here I am"))
	if err == nil {
		_, err = f.until("here I am")
	}
	if err != nil {
		t.Error(err)
	}
}

// drink reads what waits for the receiver, and why it was closed.
func (f *flood) drink() error {
	for number := 0; ; number++ {
		frame, err := f.receiver.Read()
		switch {
		case err != nil:
			return fmt.Errorf("receiver %d after %d messages: %w", f.number, number, err)
		case frame.Op == servertest.OpClose && frame.Code() == 4408 && number > 0:
			return f.receiver.ReadEnd()
		case frame.Op != servertest.OpText || string(frame.Payload) != f.head(number)+floodBody:
			return fmt.Errorf("receiver %d: %v, want message %d", f.number, frame, number)
		}
	}
}
