//go:build long

package safety

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/cmd/roulette/internal/stamp"
	"roulette/frame/record"
)

var meetingsFlag = flag.Int("meetings", 10, "how many partners each of the two who must not meet has between two changes")

// node is a server that can be upgraded, on a bus with others.
type node struct {
	addr, admin, dir string
}

func startNode(t *testing.T, bus *program.Bus, name, key string) *node {
	t.Helper()
	n := &node{addr: "127.0.0.1:" + program.FreePort(t), admin: "127.0.0.1:" + program.FreePort(t), dir: filepath.Join(t.TempDir(), "state")}
	// Whoever says their name at once is taken for a bot, so rules only observe.
	p := program.Launch{Args: []string{"--listen", n.addr, "--admin", n.admin, "--state-dir", n.dir, "--workers", "1", "--person-key", key,
		"--cluster", bus.URL(), "--node-name", name, "--message-rate", "0", "--safety", "observe", "--upgrade-freeze", "30s"}}.Run(t)
	p.Await(t, program.Listening)
	return n
}

var tookOver = regexp.MustCompile(`(?m)^(\d+) has taken over: `)

// upgrade has a successor take over from the process that is the node.
func (n *node) upgrade(t *testing.T) {
	t.Helper()
	cmd := exec.Command(program.Path(t), "upgrade", "--state-dir", n.dir)
	cmd.Env = program.Environment()
	out, err := cmd.CombinedOutput()
	m := tookOver.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("upgrade: %v\n%s", err, out)
	}
	pid, _ := strconv.Atoi(string(m[1]))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // or a later one has taken over
}

// wanderer goes from partner to partner, and tells each who they are.
type wanderer struct {
	*client
	browser
	name  string
	shuns string // whom they must not meet
	names []string
}

// comes has the wanderer connect to a node, once more perhaps, as the same person.
func (w *wanderer) comes(ctx context.Context, t *testing.T, to *node) {
	t.Helper()
	if w.client != nil {
		w.leave()
		w.browser.cookie = w.client.cookie
	}
	c, err := w.dial(ctx, to.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.leave)
	w.client = c
}

// meets goes on to the next partner, and returns what the server says of them.
func (w *wanderer) meets(ctx context.Context) (paired record.Event, err error) {
	if err := w.next(ctx); err != nil {
		return paired, err
	}
	for {
		_, events, err := w.hears(ctx, nil)
		if err != nil {
			return paired, err
		}
		for _, e := range events {
			if e.Type == record.TypePaired {
				return e, nil
			}
		}
	}
}

// wanders has so many partners; 0: until ctx is over.
func (w *wanderer) wanders(ctx context.Context, partners int) error {
	for n := 0; partners == 0 || n < partners; n++ {
		if _, err := w.meets(ctx); err != nil {
			return err
		}
		if err := w.say(ctx, w.name); err != nil {
			return err
		}
		for over := false; !over; {
			text, events, err := w.hears(ctx, nil)
			switch {
			case err != nil:
				return err
			case text == w.shuns && text != "":
				return fmt.Errorf("%s has met %s", w.name, text)
			case text != "":
				w.names, over = append(w.names, text), true
			}
			over = over || slices.ContainsFunc(events, func(e record.Event) bool { return e.Type == record.TypeLeft })
		}
	}
	return nil
}

// blocks has the wanderer block the partner of a pairing.
func (w *wanderer) blocks(ctx context.Context, t *testing.T, paired record.Event) {
	t.Helper()
	if err := w.command(ctx, record.Command{Kind: record.Block, Opening: paired.Opening}); err != nil {
		t.Fatal(err)
	}
	for {
		_, events, err := w.hears(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			switch e.Type {
			case record.TypeBlocked:
				w.blocked = append(w.blocked, e.Name)
				return
			case record.TypeError:
				t.Fatalf("%s cannot block: %s", w.name, e.Code)
			}
		}
	}
}

// waitingFor are people who have all blocked each other, so that they wait for others.
func waitingFor(t *testing.T, key string, n int) (all []*wanderer) {
	t.Helper()
	secret, err := safety.LoadSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	names := stamp.NewBlocks(secret)
	people := make([]safety.Person, n)
	for i := range people {
		people[i] = safety.NewPerson()
	}
	for i, p := range people {
		w := &wanderer{name: strconv.Itoa(i), browser: browser{agent: "Mozilla/5.0", can: record.CanBlock,
			cookie: "roulette=" + string(secret.AppendCookie(nil, p, time.Now()))}}
		for _, other := range people {
			if other != p {
				w.blocked = append(w.blocked, string(names.AppendName(nil, p, other)))
			}
		}
		all = append(all, w)
	}
	return all
}

// TestNeverAgain: two who have blocked each other never meet again among 50, on one node
// or on two, after an upgrade, and on new connections.
func TestNeverAgain(t *testing.T) {
	servertest.Parallel(t)
	bus := program.StartBus(t)
	key := filepath.Join(t.TempDir(), "key")
	here, there := startNode(t, bus, "here", key), startNode(t, bus, "there", key)
	ctx, cancel := context.WithTimeout(t.Context(), 2*servertest.Patience)
	defer cancel()

	anna, ben := &wanderer{name: "Anna", shuns: "Ben"}, &wanderer{name: "Ben", shuns: "Anna"}
	two := []*wanderer{anna, ben}
	var opened [2]record.Event
	meeting := make(chan error)
	for i, w := range two {
		w.browser = browser{agent: "Mozilla/5.0", can: record.CanBlock}
		w.comes(ctx, t, there)
		go func() {
			var err error
			opened[i], err = w.meets(ctx)
			meeting <- err
		}()
	}
	if err := errors.Join(<-meeting, <-meeting); err != nil {
		t.Fatal(err)
	}
	for i, w := range two {
		w.blocks(ctx, t, opened[i])
	}

	crowd, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer stop()
	for _, w := range waitingFor(t, key, 48) {
		w.comes(ctx, t, there)
		others.Go(func() {
			if err := w.wanders(crowd, 0); crowd.Err() == nil {
				t.Errorf("%s: %v", w.name, err)
			}
		})
	}
	wander := func(where string) {
		t.Helper()
		began := time.Now()
		for _, w := range two {
			go func() { meeting <- w.wanders(ctx, *meetingsFlag) }()
		}
		if err := errors.Join(<-meeting, <-meeting); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		t.Logf("%s: %v", where, time.Since(began))
	}
	wander("on one node")
	there.upgrade(t)
	wander("after its upgrade")
	anna.comes(ctx, t, there)
	ben.comes(ctx, t, there)
	wander("on new connections")
	anna.comes(ctx, t, here)
	wander("on two nodes")
	here.upgrade(t)
	wander("on two nodes, one of them upgraded")
	ben.comes(ctx, t, here)
	wander("on the other node, together")
	t.Logf("Anna has met %v, Ben %v", anna.names, ben.names)
}
