package upgrade

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
)

// crowding is what a crowd is told first.
type crowding struct {
	Plain, Secure string        // addresses; every second client speaks TLS; by default the server's
	Clients       int           // an even number, who find whom they find
	Slow          int           // of them, who read a message now and then until they are told to
	Apart         bool          // one pair after the other comes, for the two are served apart
	Every         time.Duration // how often a client says something, give or take half
}

// tally is what a crowd has seen.
type tally struct {
	Heard   int64         // messages
	Longest time.Duration // that one was under way since the last tally
	Wrong   []string      // lost, doubled, altered, out of order, or closed; a few of them
}

// What a crowd can be told.
const (
	tellTally = "tally"
	letRead   = "read" // who is slow is slow no more
	letEnd    = "end"  // each says one thing more, all of which must arrive
)

// crowd is many clients in a process of their own, which has its own descriptors.
type crowd struct {
	t   *testing.T
	in  io.Writer
	out *json.Decoder

	longest time.Duration // that a message was under way, since slowest was called
}

// crowdVariable tells a process of the test's program that it is a crowd.
const crowdVariable = "UPGRADE_TEST_CROWD"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(crowdVariable) != "":
		os.Exit(beCrowd(os.Stdin, os.Stdout))
	case os.Getenv(middleVariable) != "":
		os.Exit(beMiddle())
	}
	os.Exit(m.Run())
}

// gather starts a crowd, and returns when each has found a partner. It ends with its
// standard input, and so not later than the test: a parent's-death signal would come as
// soon as the thread ends that started it, and a thread that has had a server ends with that.
func gather(t *testing.T, s *served, c crowding) *crowd {
	t.Helper()
	c.Plain, c.Secure = cmp.Or(c.Plain, s.plain), cmp.Or(c.Secure, s.secure)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crowdVariable+"=1")
	var complaints servertest.Buffer
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unless it has ended
		_ = cmd.Wait()
		if b := complaints.Bytes(); len(bytes.TrimSpace(b)) > 0 {
			t.Logf("the crowd says: %s", b)
		}
	})
	all := &crowd{t: t, in: in, out: json.NewDecoder(bufio.NewReader(out))}
	if err := json.NewEncoder(in).Encode(c); err != nil {
		t.Fatal(err)
	}
	all.answer()
	return all
}

// answer reads a tally; what is wrong in it fails the test.
func (c *crowd) answer() (a tally) {
	c.t.Helper()
	if err := c.out.Decode(&a); err != nil {
		c.t.Fatalf("the crowd is gone: %v", err)
	}
	c.longest = max(c.longest, a.Longest)
	for _, w := range a.Wrong {
		c.t.Errorf("in the crowd: %s", w)
	}
	return a
}

// tell tells the crowd something, and returns what it has seen.
func (c *crowd) tell(what string) tally {
	c.t.Helper()
	fmt.Fprintln(c.in, what) // an error shows in the answer
	return c.answer()
}

// slowest is how long the slowest message was under way since the last call.
func (c *crowd) slowest() time.Duration {
	c.tell(tellTally)
	longest := c.longest
	c.longest = 0
	return longest
}

// awaits waits until so many more messages have been heard.
func (c *crowd) awaits(more int) {
	c.t.Helper()
	least := c.tell(tellTally).Heard + int64(more)
	servertest.Await(c.t, "messages", func() bool { return c.tell(tellTally).Heard >= least || c.t.Failed() })
}
