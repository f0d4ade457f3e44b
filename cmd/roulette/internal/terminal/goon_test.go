package terminal

import (
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/server"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
)

// startResuming serves chats that can be resumed, on an address of the loopback.
func startResuming(t *testing.T, settings server.Settings) (addr string) {
	t.Helper()
	servertest.CheckLeaks(t)
	s, err := server.New(server.Config{Workers: 1, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	at, err := s.Listen(loopback)
	if err != nil {
		t.Fatal(err)
	}
	return at.String()
}

// wire is a way to a server that can be cut.
type wire struct {
	addr string

	mu sync.Mutex
	// Guarded by mu.
	down bool
	open []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: listener.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			w.mu.Lock()
			w.open = append(w.open, near, far)
			if w.down {
				near.Close()
				far.Close()
			}
			w.mu.Unlock()
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				all.Go(func() {
					// Until it is cut, and without splice, whose pipes the runtime keeps.
					_, _ = io.Copy(struct{ io.Writer }{way[0]}, struct{ io.Reader }{way[1]})
					way[0].Close()
					way[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		listener.Close()
		w.set(true)
		all.Wait()
	})
	return w
}

// set cuts all connections, and lets none in while it is down.
func (w *wire) set(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for _, c := range w.open {
		c.Close()
	}
	w.open = nil
}

func (w *wire) cut() { w.set(false) }

// impatient comes back without waiting.
func impatient(c *Client) {
	c.returnDelay = func(websocket.StatusCode, int) time.Duration { return time.Millisecond }
}

// apart is two who have met, the first of them over a wire.
func apart(t *testing.T, settings server.Settings, change ...func(*Client)) (w *wire, a, b *person) {
	t.Helper()
	addr := startResuming(t, settings)
	w = newWire(t, addr)
	change = append(change, impatient)
	a = join(t, w.addr, change...)
	a.becomes(Looking)
	b = join(t, addr, change...)
	if e := a.event(Paired); !e.Keeps {
		t.Fatalf("%+v", e)
	}
	b.event(Paired)
	return w, a, b
}

var keeping = server.Settings{MaxAway: 100}

// TestChatGoesOn: what both say while a connection is away is heard once, in order, and
// each is told what happens.
func TestChatGoesOn(t *testing.T) {
	w, a, b := apart(t, keeping)
	a.says("one")
	b.hears("one")
	w.set(true)
	if e := a.becomes(Reconnecting); !e.Keeps || e.Err == nil {
		t.Fatalf("%+v", e)
	}
	if e := b.event(Away); !e.On || e.Reason != record.AwayLost || e.State != Chatting {
		t.Fatalf("%+v", e)
	}
	a.says("two")
	b.says("uno")
	b.says("dos")
	w.set(false)
	a.hears("uno")
	a.hears("dos")
	b.hears("two")
	a.says("three")
	b.hears("three")
	for range haveEvery {
		b.says("filler")
		a.hears("filler")
	}
	var shown []int // one and two were shown when b came back
	for len(shown) < 2 {
		shown = append(shown, b.event(Delivered).IDs...)
	}
	if !slices.Equal(shown[:2], []int{1, 2}) {
		t.Errorf("shown %v", shown)
	}
}

const haveEvery = resume.HaveEvery

// TestResumedIsTold: the one whose connection broke is back with the stranger, the other
// one has the stranger back.
func TestResumedIsTold(t *testing.T) {
	w, a, b := apart(t, keeping)
	w.cut()
	if e := a.event(Resumed); !e.On || e.N != 0 || e.State != Chatting {
		t.Errorf("%+v", e)
	}
	if e := b.event(Resumed); e.On || e.N != 0 || e.State != Chatting {
		t.Errorf("%+v", e)
	}
}

// TestManyCuts: numbered messages from both sides through cuts at any time.
func TestManyCuts(t *testing.T) {
	w, a, b := apart(t, server.Settings{MaxAway: 100, MessageRate: 100000})
	const messages = 60
	var all sync.WaitGroup
	for _, p := range []*person{a, b} {
		all.Go(func() {
			for n := range messages {
				if n%10 == 5 && p == a {
					w.cut()
				}
				p.says(strconv.Itoa(n))
			}
		})
	}
	for _, p := range []*person{a, b} {
		all.Go(func() {
			for n := 0; n < messages; {
				switch e := <-p.Events(); e.Kind {
				case Message:
					if e.Text != strconv.Itoa(n) {
						t.Errorf("heard %q, want message %d", e.Text, n)
						return
					}
					n++
				case Parted, Undelivered, Over:
					t.Errorf("%+v", e)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestFates: what became of each message when a chat ends, by who ends it and how.
func TestFates(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(w *wire, a, b *person)
		want map[Kind][]int // of a's messages 1, which was shown, and 2 and 3
	}{
		"the stranger goes on while we are away": {func(w *wire, a, b *person) {
			b.Next(0)
			b.becomes(Looking)
			w.set(false)
		}, map[Kind][]int{Uncertain: {1}, Undelivered: {2, 3}}},
		"we stop while we are away": {func(w *wire, a, b *person) { a.Stop() }, map[Kind][]int{Uncertain: {1}, Undelivered: {2, 3}}},
		"the stranger goes on when we are back, and has shown all": {func(w *wire, a, b *person) {
			w.set(false)
			b.hears("waits")
			b.hears("waits, too")
			b.Next(0)
		}, map[Kind][]int{Delivered: {1, 2, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			w, a, b := apart(t, keeping)
			a.says("shown")
			b.hears("shown")
			w.set(true)
			a.becomes(Reconnecting)
			b.event(Away)
			a.says("waits")
			a.says("waits, too")
			test.end(w, a, b)
			got := map[Kind][]int{}
			for n := 0; n < 3; {
				e := a.await(func(e Event) bool { return e.Kind == Delivered || e.Kind == Undelivered || e.Kind == Uncertain })
				got[e.Kind] = append(got[e.Kind], e.IDs...)
				n += len(e.IDs)
			}
			if !maps.EqualFunc(got, test.want, slices.Equal) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

// TestLeftWhileAway: who goes on without a connection is missed no longer than until
// there is one again.
func TestLeftWhileAway(t *testing.T) {
	w, a, b := apart(t, keeping)
	w.set(true)
	a.becomes(Reconnecting)
	b.event(Away)
	a.Next(0)
	w.set(false)
	if e := b.event(Parted); e.Reason != record.LeftNext {
		t.Fatalf("%+v", e)
	}
	a.becomes(Looking)
	other := join(t, w.addr)
	a.event(Paired)
	other.event(Paired)
	a.says("for the new one")
	other.hears("for the new one")
}

// TestChatOverWhenBack: a chat that ended while we were away.
func TestChatOverWhenBack(t *testing.T) {
	w, a, b := apart(t, keeping)
	w.set(true)
	a.becomes(Reconnecting)
	b.event(Away)
	b.Stop()
	b.becomes(Idle)
	w.set(false)
	if e := a.event(Parted); e.Reason != Lost || e.State != Left {
		t.Fatalf("%+v", e)
	}
}

// TestPatientGoodbye: who has said the last word while the connection is away waits until
// it was heard.
func TestPatientGoodbye(t *testing.T) {
	w, a, b := apart(t, keeping, func(c *Client) { c.config.Patient = true })
	w.set(true)
	a.becomes(Reconnecting)
	b.event(Away)
	a.says("and good bye")
	a.Close()
	w.set(false)
	b.hears("and good bye")
	if e := a.event(Over); e.Err != nil {
		t.Fatalf("%+v", e)
	}
	b.event(Parted)
}

// TestPatientGoodbyeToOneAway: likewise while the stranger is.
func TestPatientGoodbyeToOneAway(t *testing.T) {
	w, a, b := apart(t, keeping, func(c *Client) { c.config.Patient = true })
	w.set(true)
	b.event(Away)
	b.says("good bye")
	b.Close()
	a.becomes(Reconnecting)
	w.set(false)
	a.hears("good bye")
	if e := b.event(Over); e.Err != nil {
		t.Fatalf("%+v", e)
	}
}

// TestHeartbeats: the client keeps its promise, and notices a server that is silent.
func TestHeartbeats(t *testing.T) {
	silent := make(chan struct{})
	addr := fake(t, func(c *websocket.Conn) {
		terms := record.Terms{Can: record.CanHeartbeat, Heartbeat: time.Second}
		_ = c.Write(t.Context(), websocket.MessageText, record.AppendTerms(nil, terms))
		for pings := 0; ; {
			_, data, err := c.Read(t.Context())
			if err != nil {
				return
			}
			record.Parse(data, func(cmd record.Command, _ *record.Error) bool {
				if cmd.Kind != record.Ping {
					return true
				}
				select {
				case <-silent:
					return true
				default:
				}
				if pings++; cmd.N != uint64(pings) {
					t.Errorf("ping %d is number %d", pings, cmd.N)
				}
				if pings == 2 {
					close(silent)
					return true
				}
				_ = c.Write(t.Context(), websocket.MessageText, record.AppendPong(nil, cmd.N))
				return true
			})
		}
	})
	p := join(t, addr, func(c *Client) { c.patience = [...]time.Duration{time.Millisecond, time.Millisecond} })
	if e := p.await(func(e Event) bool { return e.Kind == Slow && isClosed(silent) }); !e.On {
		t.Fatalf("%+v", e)
	}
	if e := p.becomes(Reconnecting); e.Err != errSilent {
		t.Fatalf("%+v", e)
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestTooMuchWaits: what the ledger could not keep is refused, and not lost.
func TestTooMuchWaits(t *testing.T) {
	w, a, b := apart(t, keeping)
	w.set(true)
	a.becomes(Reconnecting)
	for range mostWaiting {
		a.says("waits")
	}
	id := a.says("one more")
	if e := a.event(Undelivered); !slices.Equal(e.IDs, []int{id}) || e.Text == "" {
		t.Fatalf("%+v", e)
	}
	w.set(false)
	b.hears("waits")
}

// TestForgotten: a stranger who has less than the ring holds hears how much was lost, and
// the sender what.
func TestForgotten(t *testing.T) {
	w, a, b := apart(t, keeping)
	w.set(true)
	a.becomes(Reconnecting)
	const big, messages = 60 << 10, 6 // more than the ring takes
	for n := range messages {
		a.says(fmt.Sprintf("%d %*s", n, big, ""))
	}
	w.set(false)
	first := 0
	if e := a.event(Undelivered); e.N == 0 || e.IDs[0] != 1 {
		t.Fatalf("%+v", e)
	} else {
		first = int(e.N)
	}
	if e := b.event(Resumed); int(e.N) != first {
		t.Fatalf("%+v, want %d", e, first)
	}
	for n := first; n < messages; n++ {
		if e := b.event(Message); e.Text[:2] != fmt.Sprintf("%d ", n) {
			t.Fatalf("%.10q, want %d", e.Text, n)
		}
	}
}
