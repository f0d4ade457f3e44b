package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestFullHouse: who comes when all places are taken is told so, and has a place when
// one is free.
func TestFullHouse(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t, "--max-connections=10")
	var inside []*servertest.Conn
	for range 10 {
		inside = append(inside, servertest.Dial(t, p.Addr, "/echo"))
	}
	if status, body := program.Get(t, "http://"+p.Admin+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d %q", status, body)
	}
	for range 50 { // one after the other
		c := servertest.Connect(t, p.Addr)
		c.Write([]byte(servertest.Request(p.Addr, "/ws")))
		r, err := c.Response("GET")
		if err != nil || r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Fatalf("%v, %v", r, err)
		}
		if err := c.ReadEnd(); err != nil {
			t.Fatal(err)
		}
		c.TCP.Close()
	}
	for i, c := range inside {
		c.Write(program.Text("still here"))
		c.Expect(servertest.OpText, "still here")
		if i > 0 {
			c.Leave()
		}
	}
	servertest.Await(t, "a free place", func() bool { return p.Metrics(t)[`roulette_connections{state="idle"}`] == 1 })
	program.Converse(t, p.Addr)
	if got := p.Metric(t, `roulette_connections_rejected_total{reason="max_connections"}`); got != 50 {
		t.Errorf("%v rejected, want 50", got)
	}
	inside[0].Leave()
	p.Stop(t)
}

// TestOutOfDescriptors: the program runs into RLIMIT_NOFILE. Pages, which are
// not counted among the chats, take all descriptors; who comes then is refused
// in order, the processors rest, who is there talks on, and when the others have
// gone everything is as before.
func TestOutOfDescriptors(t *testing.T) {
	servertest.Parallel(t)
	const limit = 100
	// A page takes a goroutine and the buffers of net/http, 64 KiB at the most.
	const bound = calmGrowth + limit*64<<10
	c := startChaos(t, program.Launch{Descriptors: limit})
	p := c.Process
	a, b := program.Meet(t, p.Addr, p.Addr)
	talk := func() {
		t.Helper()
		b.Write(program.Text("hello"))
		a.Expect(servertest.OpText, "hello")
		a.Write(program.Text("good day"))
		b.Expect(servertest.OpText, "good day")
	}
	talk()
	// /readyz and /metrics need a descriptor as well: this one stays open.
	admin := servertest.Connect(t, p.Admin)
	refusedForDescriptors := func() (n int) {
		admin.Write([]byte("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))
		r, err := admin.Response("GET")
		if err != nil {
			t.Fatal(err)
		}
		return count(t, r, `roulette_connections_rejected_total{reason="fd_limit"}`)
	}
	if n := refusedForDescriptors(); n != 0 {
		t.Fatalf("%d refused before anything", n)
	}

	// come opens a connection, asks, and keeps it if it is served.
	var inside []*servertest.Conn
	told := 0 // those who were refused with a response
	come := func(request, method string, status int) bool {
		c, err := servertest.TryConnect(t, p.Addr)
		if err != nil {
			return false
		}
		c.Write([]byte(request))
		r, err := c.Response(method)
		if err != nil || r.StatusCode == http.StatusServiceUnavailable {
			if err == nil {
				told++
				err = c.ReadEnd() // its descriptor is free
			}
			c.TCP.Close()
			var timeout interface{ Timeout() bool }
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatalf("neither served nor refused: %v", err)
			}
			return false
		}
		if r.StatusCode != status {
			t.Fatalf("answered %s, want %d", r.Status, status)
		}
		inside = append(inside, c)
		return true
	}
	page := func() bool { return come("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD", http.StatusOK) }
	chat := func() bool { return come(servertest.Request(p.Addr, "/echo"), "GET", http.StatusSwitchingProtocols) }
	fill := func(one func() bool) (n int) {
		for one() {
			if n++; n > limit {
				t.Fatal("never refuses")
			}
		}
		return n
	}
	// On its way to net/http a page needs a second descriptor for a moment, so
	// the very last one is left for a chat.
	pages, chats := fill(page), fill(chat)
	if pages < limit/2 || told != 1 {
		t.Errorf("%d pages, and %d were told that there are no more", pages, told)
	}

	// Refused one after the other, each when the listener looks again.
	before, begin := cpu(t, p), time.Now()
	const more = 12
	for range more / 2 {
		if page() || chat() {
			t.Error("served without a descriptor")
		}
		talk()
	}
	used, took := cpu(t, p)-before, time.Since(begin)
	t.Logf("%d pages and %d chats fit; %d more were refused within %v, for %v of processor time", pages, chats, more, took, used)
	if used > took/4+50*time.Millisecond {
		t.Errorf("%v of processor time in %v", used, took)
	}
	if n := refusedForDescriptors(); n < more {
		t.Errorf("%d counted as refused, want %d at least", n, more)
	}
	if !strings.Contains(p.Stderr.String(), "reason=fd_limit") {
		t.Error("nothing of it in the log")
	}

	for _, c := range inside {
		c.TCP.Close()
	}
	servertest.Await(t, "pages to be served again", func() bool {
		status, _ := program.Get(t, "http://"+p.Addr+"/")
		return status == http.StatusOK
	})
	talk()
	last := servertest.Dial(t, p.Addr, "/echo")
	last.Write(program.Text("and chats"))
	last.Expect(servertest.OpText, "and chats")
	for _, s := range []*servertest.Conn{a, b, last} {
		s.Leave()
	}
	admin.TCP.Close()
	c.end(bound)
}

// TestChatsFillTheDescriptors: the limit of chats is below that of descriptors,
// and a storm against a full house is answered or cut short, but not left
// waiting.
func TestChatsFillTheDescriptors(t *testing.T) {
	servertest.Parallel(t)
	p := program.Launch{Descriptors: 100}.Serve(t)
	limit := int(p.Metric(t, "roulette_connections_limit"))
	if limit != 100-64 {
		t.Errorf("a limit of %d connections", limit)
	}
	var inside []*servertest.Conn
	for range limit {
		inside = append(inside, servertest.Dial(t, p.Addr, "/echo"))
	}
	// A storm: all at once, each gets an answer or is just closed.
	var outside []*servertest.Conn
	for range 200 {
		c := servertest.Connect(t, p.Addr)
		c.Write([]byte(servertest.Request(p.Addr, "/ws")))
		outside = append(outside, c)
	}
	told := 0
	for _, c := range outside {
		r, err := c.Response("GET")
		var timeout interface{ Timeout() bool }
		switch {
		case err == nil && r.StatusCode == http.StatusServiceUnavailable:
			told++
		case err == nil:
			t.Errorf("answered %s", r.Status)
		case errors.As(err, &timeout) && timeout.Timeout():
			t.Fatal("left waiting")
		}
		c.TCP.Close()
	}
	if told == 0 {
		t.Error("nobody was told why")
	}
	for _, c := range inside {
		c.Write(program.Text("still here"))
		c.Expect(servertest.OpText, "still here")
		c.Leave()
	}
	servertest.Await(t, "everybody to be gone", func() bool { return p.AtRest(t) })
	program.Converse(t, p.Addr)
	p.Stop(t)
}

// count reads one value of a response of /metrics.
func count(t *testing.T, r *http.Response, name string) int {
	t.Helper()
	body := new(strings.Builder)
	if err := r.Write(body); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(body.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// cpu is the processor time the program has used (proc_pid_stat(5)).
func cpu(t *testing.T, p *program.Process) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100 // USER_HZ
}
