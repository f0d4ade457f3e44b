package terminal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/server"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
)

// startAt serves on an address of the loopback.
func startAt(t *testing.T, addr string) (s *server.Server, bound string) {
	t.Helper()
	s, err := server.New(server.Config{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // again, where the test has
	at, err := s.Listen(netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	return s, at.String()
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// start serves until the test ends. Nothing may be left behind then.
func start(t *testing.T) (addr string) {
	t.Helper()
	servertest.CheckLeaks(t)
	_, addr = startAt(t, "127.0.0.1:0")
	return addr
}

// fake is a server of one connection after the other, each of which serve gets
// with a hello said.
func fake(t *testing.T, serve func(c *websocket.Conn)) (addr string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{record.Subprotocol}})
		if err != nil {
			return // the client says why
		}
		defer c.CloseNow()
		if c.Write(r.Context(), websocket.MessageText, record.AppendHello(nil, "s", 1, 100)) == nil {
			serve(c)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// person is a Client in a test.
type person struct {
	t *testing.T
	*Client
	ids int
}

func join(t *testing.T, addr string, change ...func(*Client)) *person {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c, err := newClient(ctx, Config{URL: "ws://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	c.delay = func(websocket.StatusCode, int) time.Duration { return time.Millisecond }
	for _, f := range change {
		f(c)
	}
	go c.serve()
	t.Cleanup(func() {
		cancel()
		<-c.done
	})
	return &person{t: t, Client: c}
}

// event is the next one of this kind; those of others are skipped.
func (p *person) event(kind Kind) Event {
	p.t.Helper()
	return p.await(func(e Event) bool { return e.Kind == kind })
}

func (p *person) becomes(s State) Event {
	p.t.Helper()
	return p.await(func(e Event) bool { return e.State == s })
}

func (p *person) await(wanted func(Event) bool) Event {
	p.t.Helper()
	timeout := time.NewTimer(servertest.Patience)
	defer timeout.Stop()
	var seen []Event
	for {
		select {
		case e, ok := <-p.Events():
			if !ok {
				p.t.Fatalf("ended after %+v", seen)
			}
			if wanted(e) {
				return e
			}
			seen = append(seen, e)
		case <-timeout.C:
			p.t.Fatalf("waited in vain after %+v", seen)
		}
	}
}

func (p *person) says(text string) (id int) {
	p.ids++
	p.Say(p.ids, text)
	return p.ids
}

func (p *person) hears(want string) {
	p.t.Helper()
	if e := p.event(Message); e.Text != want {
		p.t.Fatalf("heard %+v, want %q", e, want)
	}
}

// couple is two who have met.
func couple(t *testing.T, addr string, change ...func(*Client)) (a, b *person) {
	t.Helper()
	a = join(t, addr, change...)
	a.becomes(Looking)
	b = join(t, addr, change...)
	a.event(Paired)
	b.event(Paired)
	return a, b
}

func TestConversation(t *testing.T) {
	a, b := couple(t, start(t))
	a.Typing(true)
	a.Typing(true) // told once
	if e := b.event(Typing); !e.On {
		t.Fatalf("%+v", e)
	}
	id := a.says("hello")
	if e := a.event(Sent); e.ID != id {
		t.Fatalf("%+v", e)
	}
	if e := b.event(Typing); e.On { // ended by the message
		t.Fatalf("%+v", e)
	}
	b.hears("hello")
	b.says("hi")
	a.hears("hi")
	a.Next(0)
	a.becomes(Looking)
	if e := b.event(Parted); e.Reason != record.LeftNext || e.State != Left {
		t.Fatalf("%+v", e)
	}
	// Nobody is there, and it is known here already.
	id = b.says("too late")
	if e := b.event(Undelivered); e.N != 1 || !slices.Equal(e.IDs, []int{id}) || e.Text == "" {
		t.Fatalf("%+v", e)
	}
	b.Stop()
	b.becomes(Idle)
	a.Close()
	if e := a.event(Over); e.Err != nil || e.State != Ended {
		t.Fatalf("%+v", e)
	}
	if _, open := <-a.Events(); open {
		t.Fatal("an event behind the last one")
	}
	a.Next(0) // nobody is there, which does no harm
}

func TestInterests(t *testing.T) {
	addr := start(t)
	a := join(t, addr, func(c *Client) { c.interests = []string{"go"} })
	a.becomes(Looking)
	b := join(t, addr, func(c *Client) { c.interests = []string{"tea"} })
	b.becomes(Looking)
	b.SetInterests([]string{"Go", "tea"})
	for _, p := range []*person{a, b} {
		if e := p.event(Paired); !slices.Equal(e.Common, []string{"go"}) {
			t.Fatalf("%+v", e)
		}
	}
	a.Next(0)
	b.event(Parted)
	a.SetInterests(slices.Repeat([]string{"x"}, 11))
	if e := a.event(Refused); e.State != Idle || !strings.Contains(e.Text, "too_many_interests") {
		t.Fatalf("%+v", e)
	}
}

func TestAgain(t *testing.T) {
	addr := start(t)
	a, b := couple(t, addr)
	a.Again() // they are together
	a.event(NotPossible)
	a.Next(0)
	a.becomes(Looking)
	b.event(Parted)
	b.Stop()
	b.becomes(Idle)
	a.Again()
	b.event(WantedBack)
	b.Again()
	for _, p := range []*person{a, b} {
		if e := p.event(Paired); !e.Again || e.Pair != 2 || e.State != Chatting {
			t.Fatalf("%+v", e)
		}
	}
	a.says("there you are")
	b.hears("there you are")

	// Who has somebody else by then is told that it is too late, and looks on.
	b.Next(0)
	b.becomes(Looking)
	a.event(Parted)
	c := join(t, addr)
	c.event(Paired)
	if e := b.event(Paired); e.Again {
		t.Fatalf("%+v", e)
	}
	a.Next(0)
	a.becomes(Looking)
	a.Again()
	if e := a.event(NotPossible); e.State != Looking {
		t.Fatalf("%+v", e)
	}
}

// A next that was meant for an earlier stranger does not skip the new one.
func TestStaleNext(t *testing.T) {
	a, b := couple(t, start(t))
	a.Next(99)
	a.says("still here")
	b.hears("still here")
	a.Next(1)
	b.event(Parted)
}

// With Patient, what is said while nobody is there waits; what waits when it is
// given up comes back.
func TestPatience(t *testing.T) {
	patient := func(c *Client) { c.config.Patient = true }
	addr := start(t)
	a := join(t, addr, patient)
	a.says("first, before there is a connection")
	a.becomes(Looking)
	a.says("second")
	b := join(t, addr)
	b.hears("first, before there is a connection")
	b.hears("second")
	a.Next(0)
	a.becomes(Looking)
	b.event(Parted)
	id := a.says("for nobody")
	a.Stop()
	if e := a.event(Undelivered); !slices.Equal(e.IDs, []int{id}) {
		t.Fatalf("%+v", e)
	}
}

// What may not be sent is not.
func TestRefusedHere(t *testing.T) {
	addr := fake(t, func(c *websocket.Conn) {
		_ = c.Write(t.Context(), websocket.MessageText, record.AppendPaired(nil, 1, false, nil, nil, nil, nil)) // the client is there
		for {
			_, m, err := c.Read(t.Context())
			if err != nil {
				return
			}
			if !record.IsControl(m) {
				t.Errorf("%q was sent", m)
			}
		}
	})
	p := join(t, addr)
	p.event(Paired)
	for _, text := range []string{strings.Repeat("x", 101), "\x1e{\"type\":\"stop\"}", "\xff"} {
		id := p.says(text)
		if e := p.event(Undelivered); e.Text == "" || !slices.Equal(e.IDs, []int{id}) {
			t.Errorf("%q: %+v", text, e)
		}
	}
	p.Close()
	if e := p.event(Over); e.Err != nil {
		t.Error(e.Err)
	}
}

// Late messages are told by their count; which ones they are is known here.
func TestUndelivered(t *testing.T) {
	addr := fake(t, func(c *websocket.Conn) {
		ctx := t.Context()
		_ = c.Write(ctx, websocket.MessageText, record.AppendPaired(nil, 1, false, nil, nil, nil, nil)) // all fails together
		for n := 0; n < 3; {
			_, m, err := c.Read(ctx)
			if err != nil {
				return
			}
			if !record.IsControl(m) {
				n++
			}
		}
		_ = c.Write(ctx, websocket.MessageText, record.AppendUndelivered(record.AppendLeft(nil, 1, record.LeftStop), 1, 2))
		_, _, _ = c.Read(ctx) // until the client goes
	})
	p := join(t, addr)
	p.event(Paired)
	for _, text := range []string{"one", "two", "three"} {
		p.says(text)
	}
	if e := p.event(Undelivered); e.N != 2 || !slices.Equal(e.IDs, []int{2, 3}) {
		t.Fatalf("%+v", e)
	}
}

func TestBinaryMessage(t *testing.T) {
	addr := start(t)
	p := join(t, addr)
	p.becomes(Looking)
	c, _, err := websocket.Dial(t.Context(), "ws://"+addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	p.event(Paired)
	// It begins as a record does, and is none.
	if err := c.Write(t.Context(), websocket.MessageBinary, []byte("\x1e{\"type\":\"left\",\"pair\":1}")); err != nil {
		t.Fatal(err)
	}
	if e := p.event(Message); e.Binary == "" || e.Text != "" || e.Size != 25 || e.State != Chatting {
		t.Fatalf("%+v", e)
	}
}

// The server goes and comes back: who was looking looks, who was chatting has
// lost his stranger and is told so.
func TestServerComesBack(t *testing.T) {
	servertest.CheckLeaks(t)
	s, addr := startAt(t, "127.0.0.1:0")
	a, b := couple(t, addr)
	c := join(t, addr)
	c.becomes(Looking)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*person{a, b} { // one may have heard of the other's end
		if e := p.event(Parted); e.Reason != Lost && e.Reason != record.LeftDisconnected {
			t.Fatalf("%+v", e)
		}
	}
	if e := c.await(func(e Event) bool { return e.Retry > 0 }); e.State != Reconnecting || e.Err == nil {
		t.Fatalf("%+v", e)
	}
	_, again := startAt(t, addr)
	if again != addr {
		t.Fatal(again)
	}
	a.becomes(Left)
	b.becomes(Left)
	c.becomes(Looking)
	id := a.says("for the one I have lost")
	if e := a.event(Undelivered); !slices.Equal(e.IDs, []int{id}) {
		t.Fatalf("%+v", e)
	}
	a.Next(0)
	a.event(Paired)
	c.event(Paired)
	a.says("for the new one")
	c.hears("for the new one")
}

func TestCloseCodes(t *testing.T) {
	for code, again := range map[websocket.StatusCode]bool{
		1001: true, 4408: true, 4453: true, 1009: false, 4500: false, 1000: false,
	} {
		addr := fake(t, func(c *websocket.Conn) {
			_ = c.Close(code, "because\x1b[2J") // the client says what came
		})
		p := join(t, addr, func(c *Client) {
			c.delay = func(got websocket.StatusCode, _ int) time.Duration {
				if got != code {
					t.Errorf("code %d, want %d", got, code)
				}
				return time.Millisecond
			}
		})
		if again {
			for range 3 {
				p.becomes(Reconnecting)
				p.becomes(Looking)
			}
			continue
		}
		e := p.event(Over)
		if e.Err == nil || !strings.Contains(e.Err.Error(), "because<U+001B>[2J") {
			t.Errorf("%d: %+v", code, e)
		}
	}
}

// After a time of failures it is enough, if that was asked for.
func TestGivesUp(t *testing.T) {
	s, addr := startAt(t, "127.0.0.1:0")
	p := join(t, addr, func(c *Client) {
		c.config.RetryFor = time.Hour
		c.delay = func(_ websocket.StatusCode, attempts int) time.Duration {
			if attempts < 3 {
				return time.Millisecond
			}
			return time.Hour
		}
	})
	p.becomes(Looking)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if e := p.event(Over); e.Err == nil {
		t.Fatalf("%+v", e)
	}
}

func TestNoConnection(t *testing.T) {
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "full", http.StatusServiceUnavailable)
	}))
	defer full.Close()
	for name, test := range map[string]struct{ addr, want string }{
		"nobody there": {"127.0.0.1:1", "refused"},
		"full":         {strings.TrimPrefix(full.URL, "http://"), "503 Service Unavailable"},
	} {
		p := join(t, test.addr)
		if e := p.event(Over); e.Err == nil || !strings.Contains(e.Err.Error(), test.want) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for _, url := range []string{"", "localhost:8080", "ftp://h/", "ws://"} {
		if _, err := Open(t.Context(), Config{URL: url}); err == nil {
			t.Errorf("%q is no URL", url)
		}
	}
}

func TestAddress(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://h":             "ws://h/ws",
		"http://h:1/":        "ws://h:1/ws",
		"https://h/chat?x=1": "wss://h/chat?x=1",
		"wss://[::1]:8080":   "wss://[::1]:8080/ws",
	} {
		if got, err := address(raw); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", raw, got, err, want)
		}
	}
}
