package server

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"roulette/cmd/roulette/internal/servertest"
)

// A conformance case says what a client sends and what has to come back, on
// /echo and likewise from a partner that sends everything back. What a suite
// such as Autobahn's would call OK is demanded, not what it would call
// non-strict.
type conformance struct {
	section string // of RFC 6455
	name    string
	steps   []step
	end     int // stays, noCode, or the code of the server's close frame

	// unordered: control frames may be answered before the messages that came
	// ahead of them have been to the partner and back.
	unordered bool
}

// A step sends its pieces, each with a write of its own, and waits for what has
// to come back.
type step struct {
	send [][]byte
	want []servertest.Frame
}

const (
	stays  = -1 // no close frame: the connection is as good as before
	noCode = 0  // a close frame without a payload
)

// one is the steps of a case that has a single one.
func one(want []servertest.Frame, send ...[]byte) []step { return []step{{send, want}} }

func frames(f ...servertest.Frame) []servertest.Frame { return f }

// together makes one piece of several.
func together(pieces ...[]byte) []byte { return bytes.Join(pieces, nil) }

// chopped cuts b into pieces of n bytes.
func chopped(n int, b ...[]byte) [][]byte {
	return slices.Collect(slices.Chunk(together(b...), n))
}

// content is n bytes that are different everywhere, and text.
func content(n int) []byte {
	b := make([]byte, 0, n+8)
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "%d,", i)
	}
	return b[:n]
}

func TestConformanceOfEcho(t *testing.T) {
	s, addr := start(t, Config{}) // no rate limit: some cases are many messages
	playOnEcho(t, s, addr, conformanceCases())
}

func TestConformanceOfPair(t *testing.T) {
	s, addr := start(t, Config{}) // no rate limit: some cases are many messages
	playOnPair(t, s, addr, conformanceCases())
}

// TestConformanceOfLimits: 10.4, for limits on both sides of every change in how
// a length is written.
func TestConformanceOfLimits(t *testing.T) {
	for _, limit := range []int{1, 125, 126, 127, 1000, 65535, 65536, 65537, 1 << 20} {
		s, addr := start(t, Config{Settings: Settings{MaxMessageSize: limit}})
		cases := limitCases(limit)
		for i := range cases {
			cases[i].name = fmt.Sprintf("limit %d, %s", limit, cases[i].name)
		}
		playOnEcho(t, s, addr, cases)
		playOnPair(t, s, addr, cases)
	}
}

func playOnEcho(t *testing.T, s *Server, addr string, cases []conformance) {
	for _, tc := range cases {
		t.Run(tc.section+" "+tc.name, func(t *testing.T) {
			c := servertest.Dial(t, addr, "/echo")
			tc.run(t, c, true)
		})
		awaitNobody(t, s)
	}
}

func playOnPair(t *testing.T, s *Server, addr string, cases []conformance) {
	for _, tc := range cases {
		t.Run(tc.section+" "+tc.name, func(t *testing.T) {
			mirror := startMirror(t, addr)
			c := servertest.Dial(t, addr, "/ws")
			servertest.Await(t, "a pair", func() bool { return s.pairs.Pairs() == 1 })
			tc.run(t, c, false)
			mirror.check(t, tc.messages())
		})
		awaitNobody(t, s)
	}
}

// messages are those that the case sends whole.
func (tc *conformance) messages() (m []servertest.Frame) {
	for _, s := range tc.steps {
		for _, f := range s.want {
			if f.Op < closeOp {
				m = append(m, f)
			}
		}
	}
	return m
}

// run plays the case on c. echo: the server itself sends back, so that all there
// is to come comes, in the order in which it was caused.
func (tc *conformance) run(t *testing.T, c *servertest.Conn, echo bool) {
	t.Helper()
	exact := echo || !tc.unordered
	for i, s := range tc.steps {
		c.Write(s.send...)
		if !echo && tc.end != stays && i == len(tc.steps)-1 {
			// A partner's answer is under way while the server ends the
			// connection of who sent: it may be lost. Nothing else may.
			tc.runLast(t, c, s.want)
			return
		}
		var come []servertest.Frame
		for range s.want {
			f, err := c.Read()
			if err != nil {
				t.Fatalf("step %d: read: %v, after %v; want %v", i, err, come, s.want)
			}
			come = append(come, f)
		}
		if !same(come, s.want, exact) {
			t.Fatalf("step %d: got %v, want %v", i, come, s.want)
		}
	}
	tc.finish(t, c)
}

// finish checks the end of the connection.
func (tc *conformance) finish(t *testing.T, c *servertest.Conn) {
	t.Helper()
	if tc.end == stays {
		c.Leave()
		return
	}
	c.ExpectClose(uint16(tc.end))
	c.TCP.Close()
}

// runLast reads the answers to a step that ends the connection, messages of
// which may be missing.
func (tc *conformance) runLast(t *testing.T, c *servertest.Conn, want []servertest.Frame) {
	t.Helper()
	var come []servertest.Frame
	for {
		f, err := c.Read()
		if err != nil {
			t.Fatalf("read: %v, after %v; want %v and close %d", err, come, want, tc.end)
		}
		if f.Op == closeOp {
			if int(f.Code()) != tc.end {
				t.Fatalf("got %v, want close %d", f, tc.end)
			}
			break
		}
		come = append(come, f)
	}
	if err := c.ReadEnd(); err != nil {
		t.Fatal(err)
	}
	c.TCP.Close()
	isControl := func(f servertest.Frame) bool { return f.Op >= closeOp }
	isMessage := func(f servertest.Frame) bool { return f.Op < closeOp }
	messages, wanted := filter(come, isMessage), filter(want, isMessage)
	if len(messages) > len(wanted) || !same(messages, wanted[:len(messages)], true) ||
		!same(filter(come, isControl), filter(want, isControl), true) {
		t.Fatalf("got %v, want %v", come, want)
	}
}

func filter(f []servertest.Frame, keep func(servertest.Frame) bool) []servertest.Frame {
	return slices.DeleteFunc(slices.Clone(f), func(f servertest.Frame) bool { return !keep(f) })
}

// same compares frames; unless exact, messages and control frames each in their
// own order.
func same(a, b []servertest.Frame, exact bool) bool {
	equal := func(a, b servertest.Frame) bool { return a.Op == b.Op && bytes.Equal(a.Payload, b.Payload) }
	if !exact {
		isMessage := func(f servertest.Frame) bool { return f.Op < closeOp }
		isControl := func(f servertest.Frame) bool { return f.Op >= closeOp }
		return slices.EqualFunc(filter(a, isMessage), filter(b, isMessage), equal) &&
			slices.EqualFunc(filter(a, isControl), filter(b, isControl), equal)
	}
	return slices.EqualFunc(a, b, equal)
}

// mirror is a client that sends back what it gets.
type mirror struct {
	conn *servertest.Conn
	done chan struct{}

	// Valid when done is closed.
	got []servertest.Frame
	err error
}

// startMirror connects a mirror, which waits for a partner then.
func startMirror(t *testing.T, addr string) *mirror {
	m := &mirror{conn: servertest.Dial(t, addr, "/ws"), done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for {
			f, err := m.conn.Read()
			switch {
			case err != nil:
				m.err = err
				return
			case f.Op == textOp && string(f.Payload) == sorryText: // who sent is gone
			case f.Op == textOp, f.Op == binaryOp:
				m.got = append(m.got, f)
				m.conn.Write(enc(fin|f.Op, f.Payload))
			case f.Op == pingOp:
				m.conn.Write(enc(fin|pongOp, f.Payload))
			case f.Op == closeOp:
				if m.err = m.conn.ReadEnd(); m.err == nil && f.Code() != 1000 {
					m.err = fmt.Errorf("got %v", f)
				}
				return
			}
		}
	}()
	return m
}

// check ends the mirror, which is unharmed whatever its partner did, and has got
// whole messages and nothing else.
func (m *mirror) check(t *testing.T, want []servertest.Frame) {
	t.Helper()
	m.conn.Write(servertest.Close(1000, ""))
	<-m.done
	m.conn.TCP.Close()
	if m.err != nil {
		t.Errorf("the partner: %v", m.err)
	}
	if !same(m.got, want, true) {
		t.Errorf("the partner got %v, want %v", m.got, want)
	}
}
