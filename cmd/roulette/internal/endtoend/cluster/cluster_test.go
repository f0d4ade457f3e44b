package cluster

import (
	"flag"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

var (
	meetings = flag.Int("meetings", 6, "how often two lone people are to meet")
	rounds   = flag.Int("rounds", 1, "how often the bus, or a node, is lost")
)

// TestLonePeopleMeet: on two of three nodes, and talk.
func TestLonePeopleMeet(t *testing.T) {
	nodes := startNodes(t, program.StartBus(t), 3)
	var took []time.Duration
	for i := range *meetings {
		a, b := arrive(t, nodes[i%3]), arrive(t, nodes[(i+1)%3])
		took = append(took, meet(a, b))
		talk(a, b, 20)
		b.conn.CloseNow()
		if e := a.until("left"); e.Reason != "disconnected" {
			t.Errorf("left: %+v", e)
		}
		a.conn.CloseNow()
		servertest.Await(t, "both to have gone", func() bool { return nodes[i%3].AtRest(t) && nodes[(i+1)%3].AtRest(t) })
	}
	slices.Sort(took)
	t.Logf("%d meetings: median %v, longest %v", len(took), took[len(took)/2], took[len(took)-1])
	status, body := program.Get(t, "http://"+nodes[0].Admin+"/statusz")
	if status != 200 || !strings.Contains(body, "node1") || !strings.Contains(body, "node2") {
		t.Errorf("/statusz: %d, and no other nodes", status)
	}
}

// scene is a pair on one node, and a pair of two.
type scene struct {
	t     *testing.T
	bus   *program.Bus
	nodes []*program.Process
	x, y  *person // on node 0
	a, b  *person // on nodes 0 and 1
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, bus: program.StartBus(t)}
	s.nodes = startNodes(t, s.bus, 3)
	s.x, s.y = arrive(t, s.nodes[0]), arrive(t, s.nodes[0])
	s.x.next()
	s.x.until("waiting")
	s.y.next()
	s.x.until("paired")
	s.y.until("paired")
	s.a, s.b = arrive(t, s.nodes[0]), arrive(t, s.nodes[1])
	meet(s.a, s.b)
	return s
}

// lost: who talks to another node goes on talking until they are told that it is over.
// What arrived was in order and without a gap; and the pair on one node notices
// nothing.
func (s *scene) lost(ends ...*person) {
	s.t.Helper()
	for _, p := range ends {
		told := make(chan event, 1)
		go func() {
			defer close(told) // also when it fails
			told <- p.until("left")
		}()
	said:
		for {
			talk(s.x, s.y, 5)
			select {
			case e := <-told:
				if e.Reason != "disconnected" {
					s.t.Errorf("left: %+v", e)
				}
				break said
			default:
				p.write(void)
			}
		}
	}
}

// again has the two meet once more.
func (s *scene) again() {
	s.t.Helper()
	awaitAll(s.t, s.nodes)
	s.a.conn.CloseNow()
	s.b.conn.CloseNow()
	s.a, s.b = arrive(s.t, s.nodes[0]), arrive(s.t, s.nodes[1])
	meet(s.a, s.b)
	talk(s.a, s.b, 10)
	talk(s.x, s.y, 10)
}

func TestBusIsKilled(t *testing.T) {
	s := newScene(t)
	for range *rounds {
		talk(s.a, s.b, 10)
		s.bus.Kill()
		s.lost(s.a, s.b)
		s.bus.Start()
		s.again()
	}
}

func TestBusIsStopped(t *testing.T) {
	s := newScene(t)
	for range *rounds {
		talk(s.a, s.b, 10)
		s.bus.Signal(syscall.SIGSTOP)
		s.lost(s.a, s.b)
		s.bus.Signal(syscall.SIGCONT)
		s.again()
	}
}

// TestNodesAreLost: one is killed, and one stopped for longer than the others wait for
// it. What that says late belongs to chats that are over.
func TestNodesAreLost(t *testing.T) {
	s := newScene(t)
	for range *rounds {
		c, d := arrive(t, s.nodes[0]), arrive(t, s.nodes[2])
		meet(c, d)
		talk(s.a, s.b, 10)
		talk(c, d, 10)
		s.nodes[1].Kill(t)
		s.nodes[2].Signal(t, syscall.SIGSTOP)
		s.lost(s.a, c)
		s.nodes[2].Signal(t, syscall.SIGCONT)
		s.lost(d)
		c.conn.CloseNow()
		d.conn.CloseNow()
		s.nodes[1] = program.Serve(t, "--cluster="+s.bus.URL(), "--node-name=another", "--message-rate=0")
		s.again()
	}
}

// TestNoBus: a node is ready without one, and joins when it comes.
func TestNoBus(t *testing.T) {
	b := program.StartBus(t)
	b.Kill()
	p := program.Serve(t, "--cluster="+b.URL())
	if status, body := program.Get(t, "http://"+p.Admin+"/readyz"); status != 200 {
		t.Errorf("/readyz: %d %q", status, body)
	}
	program.Converse(t, p.Addr)
	if p.Metric(t, "roulette_cluster_connected") != 0 || p.Metric(t, "roulette_cluster_nodes") != 1 {
		t.Error("it has a bus")
	}
	b.Start()
	awaitAll(t, []*program.Process{p})
}
