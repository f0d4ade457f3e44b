package serve

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestNoTextInMemory: when a message has been delivered, or was not, nothing of it is in
// the server's memory any more, which is what a core dump holds.
func TestNoTextInMemory(t *testing.T) {
	servertest.Parallel(t)
	// Where the runtime interrupts a goroutine, its registers are saved, with what they have
	// of a text just then: a few dozen bytes, until the next time.
	p := program.Launch{Args: []string{"--safety", "on", "--message-rate=0"}, Env: []string{"GODEBUG=asyncpreemptoff=1"}}.Serve(t)
	a, b := program.Meet(t, p.Addr, p.Addr)
	b.Write(program.Text("here"))
	a.Expect(servertest.OpText, "here")
	said := 0
	const secret = "to be written down nowhere, and to be forgotten as soon as it has been said"
	last := ""
	canary := func() string { said++; last = fmt.Sprintf("<canary %d, %s>", said, secret); return last }
	long := func(n int) string {
		return strings.Repeat(".", n/2) + canary() + strings.Repeat(".", n/2-200) + canary()
	}
	say := func(texts ...string) {
		whole := strings.Join(texts, "")
		for i, s := range texts {
			first := byte(servertest.OpContinuation)
			if i == 0 {
				first = servertest.OpText
			}
			if i == len(texts)-1 {
				first |= servertest.Fin
			}
			a.Write(servertest.Encode(first, s))
		}
		b.Expect(servertest.OpText, whole)
	}
	say(canary())
	say(canary(), "fragment", canary())
	for _, n := range []int{1000, 10_000, 60_000} {
		say(long(n))
	}
	for _, c := range program.Text(canary()) { // a byte at a time
		a.Write([]byte{c})
	}
	b.Expect(servertest.OpText, last)
	var many []string // and one who takes nothing for a while
	for range 200 {
		many = append(many, long(30_000))
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		for _, s := range many {
			a.Write(program.Text(s))
		}
	}()
	servertest.Await(t, "a backlog", func() bool { return p.Metric(t, "roulette_send_backlog_bytes") > 0 })
	for _, s := range many {
		b.Expect(servertest.OpText, s)
	}
	<-written
	b.Leave()
	alone := servertest.Dial(t, p.Addr, "/ws") // meets a
	alone.Leave()
	a.Write(program.Text(canary())) // to nobody
	a.Expect(servertest.OpText, program.Sorry)

	if found := find(t, p.Cmd.Process.Pid, secret); len(found) > 0 {
		t.Errorf("of %d canaries, there are %d:\n%s", said, len(found), strings.Join(found, "\n"))
	}
	if len(find(t, p.Cmd.Process.Pid, "roulette_pairs")) == 0 {
		t.Error("not even what is there is found")
	}
}

// find says where text is in what a process could write, with what follows it.
func find(t *testing.T, pid int, text string) (places []string) {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to int64
		var may string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &may); err != nil || !strings.HasPrefix(may, "rw") {
			continue
		}
		content := make([]byte, to-from)
		n, err := memory.ReadAt(content, from)
		if err != nil && n == 0 {
			continue // such as [vvar]
		}
		for at := 0; ; at++ {
			i := bytes.Index(content[at:n], []byte(text))
			if i < 0 {
				break
			}
			at += i
			places = append(places, fmt.Sprintf("%#x: %.60q", from+int64(at), content[max(at-30, 0):n]))
		}
	}
	return places
}
