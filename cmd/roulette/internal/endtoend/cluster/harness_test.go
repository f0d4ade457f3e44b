// Package cluster tests several nodes of the real program on a real NATS server.
package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// startNodes starts so many nodes on the bus, which know each other.
func startNodes(t testing.TB, b *program.Bus, n int, flags ...string) (nodes []*program.Process) {
	t.Helper()
	for i := range n {
		settings := append([]string{"--cluster=" + b.URL(), "--node-name=node" + strconv.Itoa(i), "--message-rate=0"}, flags...)
		nodes = append(nodes, program.Serve(t, settings...))
	}
	awaitAll(t, nodes)
	return nodes
}

func awaitAll(t testing.TB, nodes []*program.Process) {
	t.Helper()
	servertest.Await(t, "the nodes to know each other", func() bool {
		for _, p := range nodes {
			if m := p.Metrics(t); m["roulette_cluster_nodes"] != float64(len(nodes)) || m["roulette_cluster_connected"] != 1 {
				return false
			}
		}
		return true
	})
}

// person is a rich client.
type person struct {
	t    *testing.T
	conn *websocket.Conn
	said int // messages to the present partner
	got  int // messages of theirs, which came in order
}

// void is said when a chat may be over, and may arrive or not.
const void = "into the void"

// event is a record of the server, as far as these tests look.
type event struct {
	Type, Reason string
	Pair         int
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
	t.Cleanup(cancel)
	return ctx
}

func arrive(t *testing.T, node *program.Process) *person {
	t.Helper()
	c, _, err := websocket.Dial(within(t), "ws://"+node.Addr+"/ws", &websocket.DialOptions{Subprotocols: []string{"roulette.v1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return &person{t: t, conn: c}
}

// next looks for somebody, and returns when the server knows.
func (p *person) next() {
	p.t.Helper()
	p.write("\x1e" + `{"type":"next"}`)
}

func (p *person) write(text string) {
	p.t.Helper()
	if err := p.conn.Write(within(p.t), websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// say says the next message, which has its number.
func (p *person) say() {
	p.t.Helper()
	p.said++
	p.write(fmt.Sprintf("message %d", p.said))
}

// until reads until a record of one of these types comes, and checks that the
// messages before it are whole, in order, and each there once.
func (p *person) until(types ...string) event {
	p.t.Helper()
	for {
		_, b, err := p.conn.Read(within(p.t))
		if err != nil {
			p.t.Fatalf("waiting for %q: %v", types, err)
		}
		text, isRecord := strings.CutPrefix(string(b), "\x1e")
		if !isRecord {
			if text == void {
				continue
			}
			if p.got++; text != fmt.Sprintf("message %d", p.got) {
				p.t.Fatalf("got %q, want message %d", text, p.got)
			}
			continue
		}
		for line := range strings.SplitSeq(text, "\x1e") {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				p.t.Fatalf("%q: %v", line, err)
			}
			if e.Type == "paired" || e.Type == "left" {
				p.said = 0
			}
			if e.Type == "paired" {
				p.got = 0
			}
			for _, want := range types {
				if e.Type == want {
					return e
				}
			}
		}
	}
}

// hears reads so many messages.
func (p *person) hears(n int) {
	p.t.Helper()
	for until := p.got + n; p.got < until; {
		_, b, err := p.conn.Read(within(p.t))
		if err != nil {
			p.t.Fatal(err)
		}
		if strings.HasPrefix(string(b), "\x1e") {
			if strings.Contains(string(b), `"left"`) {
				p.t.Fatalf("got %q", b)
			}
			continue
		}
		if p.got++; string(b) != fmt.Sprintf("message %d", p.got) {
			p.t.Fatalf("got %q, want message %d", b, p.got)
		}
	}
}

// meet has two people on two nodes, and nobody else, find each other; took is the time
// since both were waiting.
func meet(a, b *person) (took time.Duration) {
	a.t.Helper()
	a.next()
	a.until("waiting")
	b.next()
	b.until("waiting")
	began := time.Now()
	a.until("paired")
	b.until("paired")
	return time.Since(began)
}

// talk has two who have met say so many messages to each other.
func talk(a, b *person, n int) {
	a.t.Helper()
	for range n {
		a.say()
		b.say()
	}
	a.hears(n)
	b.hears(n)
}
