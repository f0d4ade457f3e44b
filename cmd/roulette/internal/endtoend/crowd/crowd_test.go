package crowd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestCrowd: a hundred clients connect, talk, leave in good order and come back,
// at random. Plain clients part only when one of the two leaves, and who leaves
// reads to the end, so what must hold is exact: each message that was sent has
// arrived once, at the partner, or was answered with the sorry text.
func TestCrowd(t *testing.T) {
	servertest.Parallel(t)
	crowdTest(t, &crowd{clients: 100, lasts: 3 * time.Second})
}

// TestCrowdThatVanishes: some of the connections are cut. What was under way to
// them is lost; nothing else changes.
func TestCrowdThatVanishes(t *testing.T) {
	servertest.Parallel(t)
	crowdTest(t, &crowd{clients: 100, lasts: 2 * time.Second, vanish: 0.3})
}

func crowdTest(t *testing.T, c *crowd) {
	c.seed = program.Seed(t)
	p := program.Serve(t, "--message-rate=0")
	c.addr = p.Addr
	program.Converse(t, p.Addr) // so that whatever is made at first use exists
	program.Get(t, "http://"+p.Addr+"/")
	servertest.Await(t, "the first two to be gone", func() bool { return p.AtRest(t) })
	before := p.Metrics(t)
	descriptors, goroutines := p.Descriptors(t), p.Goroutines(t)

	c.run(t)
	c.check(t)

	after := p.Metrics(t)
	count := func(name string) int { return int(after[name] - before[name]) }
	relayed := count(`roulette_relayed_messages_total{opcode="text"}`) + count(`roulette_relayed_messages_total{opcode="binary"}`)
	undelivered := count(`roulette_undelivered_messages_total`)
	if c.vanish == 0 && (relayed != c.delivered || undelivered != c.sorry) {
		t.Errorf("the server says: %d relayed, %d undelivered", relayed, undelivered)
	}
	servertest.Await(t, "everybody to be gone", func() bool { return p.AtRest(t) })
	// Fewer is as good: a connection of the page or of a scrape may have been on
	// its way out when it was counted.
	servertest.Await(t, fmt.Sprintf("%d descriptors and %d goroutines, as before", descriptors, goroutines), func() bool {
		return p.Descriptors(t) <= descriptors && p.Goroutines(t) <= goroutines
	})
	program.Converse(t, p.Addr)
	p.Stop(t)
}

// crowd is the clients and what happened to them.
type crowd struct {
	addr    string
	seed    uint64
	clients int
	lasts   time.Duration
	vanish  float64 // share of the sessions that are cut

	clock     atomic.Int64 // counts what has happened, for what came first
	delivered int
	sorry     int

	mu       sync.Mutex
	sessions []*session // guarded by mu
}

// session is one connection of a client.
type session struct {
	// Immutable.
	id     int
	vanish bool

	// Owned by the session's goroutines; read when all have ended.
	sent     int       // messages 0 … sent-1
	sorry    int       // answers to messages that reached nobody
	received []receipt // in their order
	leaving  int64     // crowd.clock before it said goodbye
	err      error
}

// receipt is a message that arrived.
type receipt struct {
	from, number int
	at           int64 // crowd.clock afterwards
}

func (c *crowd) now() int64 { return c.clock.Add(1) }

func (c *crowd) run(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), c.lasts)
	defer cancel()
	var wg sync.WaitGroup
	for i := range c.clients {
		r := rand.New(rand.NewPCG(c.seed, uint64(i)))
		wg.Go(func() {
			for ctx.Err() == nil {
				s := c.newSession(r.Float64() < c.vanish)
				if s.err = c.play(ctx, s, r); s.err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}

func (c *crowd) newSession(vanish bool) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &session{id: len(c.sessions), vanish: vanish}
	c.sessions = append(c.sessions, s)
	return s
}

// play is a session from the handshake to the end.
func (c *crowd) play(ctx context.Context, s *session, r *rand.Rand) error {
	dial := dialCoder
	if r.IntN(2) == 0 {
		dial = dialGorilla
	}
	conn, err := dial(c.addr)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer conn.cut()
	ended := make(chan error, 1)
	go func() { ended <- c.listen(conn, s) }()

	pace := time.NewTimer(0)
	defer pace.Stop()
	for range r.IntN(60) {
		if r.IntN(3) > 0 {
			pace.Reset(time.Duration(r.IntN(int(8 * time.Millisecond))))
			select {
			case <-pace.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			break
		}
		binary, b := message(s.id, s.sent)
		if err := conn.send(binary, b); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		s.sent++
	}

	s.leaving = c.now()
	if s.vanish {
		conn.cut()
		<-ended
		return nil
	}
	if err := conn.leave(); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return <-ended
}

// listen takes down what arrives, until the closing handshake is through.
func (c *crowd) listen(conn talker, s *session) error {
	for {
		binary, b, err := conn.receive()
		switch {
		case errors.Is(err, errLeft):
			return nil
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		case string(b) == program.Sorry:
			s.sorry++
			continue
		}
		from, number, err := parseMessage(binary, b)
		if err != nil {
			return err
		}
		s.received = append(s.received, receipt{from, number, c.now()})
	}
}

// message is the content of a session's message: who and which, and a filling
// that is different everywhere; now and then a long one.
func message(from, number int) (binary bool, b []byte) {
	length := (from*7919 + number*104729) % 300
	if (from+number)%41 == 0 {
		length = 65536 - 40
	}
	b = fmt.Appendf(make([]byte, 0, length+40), "%d %d\n", from, number)
	for i := range length {
		b = append(b, 'a'+byte((from+number+i)%26))
	}
	return (from+number)%3 == 0, b
}

func parseMessage(binary bool, b []byte) (from, number int, err error) {
	head, _, _ := strings.Cut(string(b[:min(len(b), 40)]), "\n")
	who, which, _ := strings.Cut(head, " ")
	from, err1 := strconv.Atoi(who)
	number, err2 := strconv.Atoi(which)
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, fmt.Errorf("received %.60q: %w", b, err)
	}
	if asBinary, want := message(from, number); asBinary != binary || string(want) != string(b) {
		return 0, 0, fmt.Errorf("message %d of %d was changed: binary %v, %.60q", number, from, binary, b)
	}
	return from, number, nil
}

// delivery is where a message has arrived, and when.
type delivery struct {
	to int
	at int64 // 0: not yet
}

// check compares what was sent with what arrived.
func (c *crowd) check(t *testing.T) {
	t.Helper()
	deliveries := make([][]delivery, len(c.sessions))
	for i, s := range c.sessions {
		if s.err != nil {
			t.Errorf("session %d: %v", i, s.err)
		}
		deliveries[i] = make([]delivery, s.sent)
	}
	for _, s := range c.sessions {
		for _, r := range s.received {
			if r.from >= len(c.sessions) || r.number >= c.sessions[r.from].sent {
				t.Errorf("session %d got message %d of %d, which nobody has sent", s.id, r.number, r.from)
				continue
			}
			d := &deliveries[r.from][r.number]
			if d.at != 0 {
				t.Errorf("message %d of %d arrived at %d and at %d", r.number, r.from, d.to, s.id)
			}
			*d = delivery{s.id, r.at}
		}
	}
	sent, met := 0, 0
	for i, s := range c.sessions {
		delivered := 0
		for _, d := range deliveries[i] {
			if d.at != 0 {
				delivered++
			}
		}
		sent += s.sent
		c.delivered += delivered
		c.sorry += s.sorry
		if c.vanish == 0 && delivered+s.sorry != s.sent {
			t.Errorf("session %d sent %d messages, %d arrived, %d were answered with sorry", i, s.sent, delivered, s.sorry)
		}
		met += c.checkPartners(t, s, deliveries[i])
	}
	t.Logf("%d sessions, %d messages sent, %d arrived, %d program.Sorry, %.1f partners a session",
		len(c.sessions), sent, c.delivered, c.sorry, float64(met)/float64(len(c.sessions)))
	if c.delivered < sent/2 || len(c.sessions) <= c.clients { // however slow the machine
		t.Error("that is no crowd")
	}
}

// checkPartners demands that s had one partner at a time: messages of each, and
// to each, in order and without a gap, and the next one not before the one
// before had said goodbye. It returns how many there were.
func (c *crowd) checkPartners(t *testing.T, s *session, deliveries []delivery) int {
	t.Helper()
	first := make(map[int]int64) // by partner: when it is first known to be one
	known := func(partner int, at int64) {
		if before, ok := first[partner]; !ok || at < before {
			first[partner] = at
		}
	}
	order := func(what string, partner, number *int, p, n int, done map[int]bool) {
		switch {
		case p == *partner && n != *number+1:
			t.Errorf("session %d: message %d %s %d follows on %d", s.id, n, what, p, *number)
		case p != *partner && done[p]:
			t.Errorf("session %d: message %d %s %d, after another partner", s.id, n, what, p)
		}
		*partner, *number = p, n
		done[p] = true
	}
	partner, number, done := -1, -1, make(map[int]bool)
	for _, r := range s.received {
		order("from", &partner, &number, r.from, r.number, done)
		known(r.from, r.at)
	}
	partner, number, done = -1, -1, make(map[int]bool)
	for n, d := range deliveries {
		if d.at != 0 {
			order("to", &partner, &number, d.to, n, done)
			known(d.to, d.at)
		}
	}
	for p, pAt := range first {
		if p == s.id {
			t.Errorf("session %d talks to itself", s.id)
		}
		for q, qAt := range first {
			if p < q && c.sessions[p].leaving > qAt && c.sessions[q].leaving > pAt {
				t.Errorf("session %d has partners %d and %d at the same time", s.id, p, q)
			}
		}
	}
	return len(first)
}

// talker is a client of some library.
type talker interface {
	send(binary bool, b []byte) error
	receive() (binary bool, b []byte, err error) // errLeft after leave
	leave() error                                // says goodbye; what is still to come can be received
	cut()
}

// errLeft: the server has answered the goodbye.
var errLeft = errors.New("left")

type coderClient struct {
	conn *websocket.Conn
	tcp  net.Conn
}

func dialCoder(addr string) (talker, error) {
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
	defer cancel()
	var c coderClient
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		tcp, err := new(net.Dialer).DialContext(ctx, network, addr)
		c.tcp = tcp
		return tcp, err
	}}
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/ws", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(-1)
	c.conn = conn
	return &c, nil
}

func (c *coderClient) send(binary bool, b []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
	defer cancel()
	kind := websocket.MessageText
	if binary {
		kind = websocket.MessageBinary
	}
	return c.conn.Write(ctx, kind, b)
}

func (c *coderClient) receive() (bool, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
	defer cancel()
	kind, b, err := c.conn.Read(ctx)
	if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
		err = errLeft
	}
	return kind == websocket.MessageBinary, b, err
}

// leave sends the close frame itself: the library's own Close throws away what
// arrives before the answer.
func (c *coderClient) leave() error {
	_, err := c.tcp.Write(servertest.Close(1000, ""))
	return err
}

func (c *coderClient) cut() { c.conn.CloseNow() }

type gorillaClient struct{ conn *gorilla.Conn }

func dialGorilla(addr string) (talker, error) {
	dialer := gorilla.Dialer{HandshakeTimeout: servertest.Patience}
	conn, _, err := dialer.Dial("ws://"+addr+"/ws", nil)
	if err != nil {
		return nil, err
	}
	return &gorillaClient{conn}, nil
}

func (c *gorillaClient) send(binary bool, b []byte) error {
	c.conn.SetWriteDeadline(time.Now().Add(servertest.Patience))
	kind := gorilla.TextMessage
	if binary {
		kind = gorilla.BinaryMessage
	}
	return c.conn.WriteMessage(kind, b)
}

func (c *gorillaClient) receive() (bool, []byte, error) {
	c.conn.SetReadDeadline(time.Now().Add(servertest.Patience))
	kind, b, err := c.conn.ReadMessage()
	if gorilla.IsCloseError(err, gorilla.CloseNormalClosure) {
		err = errLeft
	}
	return kind == gorilla.BinaryMessage, b, err
}

func (c *gorillaClient) leave() error {
	return c.conn.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(gorilla.CloseNormalClosure, ""), time.Now().Add(servertest.Patience))
}

func (c *gorillaClient) cut() { c.conn.Close() }
