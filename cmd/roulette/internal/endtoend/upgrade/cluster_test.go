package upgrade

import (
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestNodes: people talk to people on another node while both nodes are upgraded, one
// after the other and at the same time. The chats go on, with nothing lost, doubled or
// out of order, also those with somebody who does not read; and new ones begin.
func TestNodes(t *testing.T) {
	t.Parallel()
	bus := program.StartBus(t).URL()
	nodes := []*served{serve(t, "--cluster", bus, "--node-name", "a"), serve(t, "--cluster", bus, "--node-name", "b")}
	know := func() {
		t.Helper()
		for _, s := range nodes {
			servertest.Await(t, "the nodes to know each other", func() bool { return s.metric("roulette_cluster_nodes") == 2 })
		}
	}
	know()
	across := crowding{Plain: nodes[0].plain, Secure: nodes[1].secure, Apart: true, Every: 20 * time.Millisecond}
	across.Clients, across.Slow = 12, 2
	c := gather(t, nodes[0], across)
	goesOn := func() {
		t.Helper()
		c.awaits(10 * across.Clients)
		know()
		for i, s := range nodes {
			if n := s.metric("roulette_cluster_chats"); n != float64(across.Clients/2) {
				t.Errorf("node %d has %v chats with the other", i, n)
			}
		}
	}
	goesOn()
	for _, s := range []*served{nodes[0], nodes[1], nodes[0]} {
		if out, err := s.upgrade(nil); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		goesOn()
	}
	both := make(chan error)
	for _, s := range nodes {
		go func() {
			_, err := s.upgrade(nil)
			both <- err
		}()
	}
	for range nodes {
		if err := <-both; err != nil {
			t.Fatal(err)
		}
	}
	goesOn()
	across.Clients, across.Slow = 2, 0
	gather(t, nodes[0], across).tell(letEnd)
	c.tell(letRead)
	end := c.tell(letEnd)
	t.Logf("%d messages between two nodes over five upgrades", end.Heard)
}

// TestNodesServeOn: an upgrade with a successor that is no such node changes nothing.
func TestNodesServeOn(t *testing.T) {
	t.Parallel()
	bus := program.StartBus(t).URL()
	brief := []string{"--cluster", bus, "--upgrade-freeze", "2s"} // or the other node takes a silent one for dead
	a, b := serve(t, brief...), serve(t, brief...)
	for _, s := range []*served{a, b} {
		servertest.Await(t, "the nodes to know each other", func() bool { return s.metric("roulette_cluster_nodes") == 2 })
	}
	c := gather(t, a, crowding{Plain: a.plain, Secure: b.secure, Apart: true, Clients: 4, Every: 20 * time.Millisecond})
	self := program.Path(t)
	with := func(flags string) string {
		return script(t, "exec "+self+" serve --listen 127.0.0.1:0 --listen-tls 127.0.0.1:0 --tls-self-signed --admin '' "+flags)
	}
	for _, tc := range []struct{ name, binary, want string }{
		{"of no cluster", with(""), "by its settings the successor is not"},
		{"of another world", with("--cluster " + bus + " --cluster-world other"), `one of "other"`},
		{"on a bus that does not answer", with("--cluster nats://127.0.0.1:" + program.FreePort(t)), "the bus answers the predecessor"},
		{"that is killed in the freeze", meddling{predecessor, "state", kill + successor}.binary(t, self), "gone"},
		{"that is not heard any more in the freeze", meddling{successor, "ready", hang}.binary(t, self), "in time"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if out, err := a.upgrade(nil, "--binary", tc.binary); err == nil || !strings.Contains(out, tc.want) {
				t.Errorf("%v\n%s", err, out)
			}
			c.awaits(40)
		})
	}
	if out, err := a.upgrade(nil, "--dry-run"); err != nil {
		t.Errorf("rehearsal: %v\n%s", err, out)
	}
	c.awaits(40)
	c.tell(letEnd)
}
