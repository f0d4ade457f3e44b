package handover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roulette/netpoll/nettest"
)

// old is a predecessor whose connections are pipes.
type old struct {
	t         *testing.T
	hello     Hello
	accept    error
	version   int // of the state that was agreed
	listening []Listener
	here      []Connection
	came      []Connection
	gone      []uint64
	state     []byte
	sums      Sums
	freeze    func(context.Context) error
	steps     []string
}

func (o *old) note(step string) { o.steps = append(o.steps, step) }

func (o *old) Hello() Hello { return o.hello }
func (o *old) Accept(_ Hello, state int) error {
	o.version = state
	return o.accept
}
func (o *old) Listeners() []Listener     { return o.listening }
func (o *old) Connections() []Connection { return o.here }
func (o *old) Thaw()                     { o.note("thaw") }
func (o *old) Release()                  { o.note("release") }
func (o *old) Freeze(ctx context.Context) (*Frozen, error) {
	o.note("freeze")
	if o.freeze != nil {
		if err := o.freeze(ctx); err != nil {
			return nil, err
		}
	}
	return &Frozen{Came: o.came, Gone: o.gone, State: o.state, Sums: o.sums}, nil
}

// heir is a successor that remembers what it was given.
type heir struct {
	hello     Hello
	refuse    error
	sums      *Sums // instead of what State has counted
	fail      string
	listening map[string]int
	held      map[uint64]int
	state     []byte
	served    bool
}

func newHeir() *heir {
	return &heir{hello: Hello{OldestState: 1, NewestState: 2}, listening: map[string]int{}, held: map[uint64]int{}}
}

func (h *heir) Hello(Hello) (Hello, error) { return h.hello, h.refuse }

func (h *heir) Listener(name string, fd int) error {
	h.listening[name] = fd
	return h.failAt("listener")
}

func (h *heir) Connection(id uint64, fd int) error {
	h.held[id] = fd
	return h.failAt("connection")
}

func (h *heir) failAt(step string) error {
	if h.fail == step {
		return errors.New("fails at " + step)
	}
	return nil
}

func (h *heir) Gone(id uint64) {
	_ = unix.Close(h.held[id])
	delete(h.held, id)
}

func (h *heir) State(b []byte) (Sums, error) {
	h.state = b
	if h.sums != nil {
		return *h.sums, nil
	}
	return Sums{Connections: len(h.held)}, h.failAt("state")
}

func (h *heir) Serve() error {
	h.served = true
	return h.failAt("serve")
}

func (h *heir) close() {
	for _, fd := range h.held {
		_ = unix.Close(fd)
	}
	for _, fd := range h.listening {
		_ = unix.Close(fd)
	}
}

// pipes returns n connections, each the reading end of a pipe in which its ID stands.
func pipes(t *testing.T, first uint64, n int) (all []Connection) {
	t.Helper()
	for i := range n {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, first+uint64(i))
		w.Close()
		fd, err := unix.Dup(int(r.Fd()))
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		all = append(all, Connection{first + uint64(i), fd})
	}
	return all
}

// reads says what a held pipe has.
func reads(fd int) string {
	b := make([]byte, 32)
	n, _ := unix.Read(fd, b)
	return string(b[:max(n, 0)])
}

func anOld(t *testing.T) *old {
	o := &old{t: t, hello: Hello{OldestState: 2, NewestState: 2}, here: pipes(t, 1000, 600), state: []byte("everything")}
	o.listening = []Listener{{"tcp 127.0.0.1:8080", o.here[0].FD}, {"unix /run/x", o.here[1].FD}}
	o.came, o.gone = pipes(t, 5000, 300), []uint64{1000, 1599, 1300}
	o.sums = Sums{Connections: 600 + 300 - 3}
	return o
}

// both runs the two halves; meddle, if not nil, gets the successor's end instead.
func both(t *testing.T, o *old, h *heir, options Options, meddle func(*Conn)) (r Report, handed, taken error) {
	t.Helper()
	mine, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(theirs.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	other := NewConn(fd)
	done := make(chan error)
	go func() {
		defer close(done)
		defer other.Close()
		if meddle != nil {
			meddle(other)
			return
		}
		done <- Take(t.Context(), other, h)
	}()
	r, handed = Hand(t.Context(), mine, o, options)
	mine.Close()
	taken = <-done
	t.Cleanup(h.close)
	return r, handed, taken
}

func TestHandOver(t *testing.T) {
	nettest.CheckLeaks(t)
	o, h := anOld(t), newHeir()
	var progress []int
	r, handed, taken := both(t, o, h, Options{Progress: func(n, _ int) { progress = append(progress, n) }}, nil)
	if handed != nil || taken != nil {
		t.Fatal(handed, taken)
	}
	if !h.served || string(h.state) != "everything" || len(h.held) != 897 || len(h.listening) != 2 {
		t.Errorf("served %t, state %q, %d connections, %d listeners", h.served, h.state, len(h.held), len(h.listening))
	}
	for id, fd := range h.held {
		if got := reads(fd); got != fmt.Sprint(id) {
			t.Errorf("connection %d is that of %q", id, got)
		}
	}
	if !slices.Equal(o.steps, []string{"freeze", "release"}) {
		t.Errorf("the predecessor: %v", o.steps)
	}
	if r.Ahead != 600 || r.Late != 300 || r.Sums != o.sums || r.Frozen <= 0 || r.Successor.PID != os.Getpid() || !slices.Equal(progress, []int{253, 506, 600}) {
		t.Errorf("%+v, progress %v", r, progress)
	}
}

// TestVersions: the newest version of the state that both know is taken, up and down.
func TestVersions(t *testing.T) {
	for _, c := range []struct {
		writes, reads [2]int
		want          int
	}{
		{[2]int{1, 1}, [2]int{1, 1}, 1},
		{[2]int{1, 1}, [2]int{1, 2}, 1}, // to the next release
		{[2]int{1, 2}, [2]int{1, 1}, 1}, // and back
		{[2]int{2, 4}, [2]int{1, 3}, 3},
		{[2]int{1, 1}, [2]int{2, 3}, 0},
		{[2]int{2, 3}, [2]int{1, 1}, 0},
	} {
		o, h := anOld(t), newHeir()
		o.hello = Hello{OldestState: c.writes[0], NewestState: c.writes[1]}
		h.hello = Hello{OldestState: c.reads[0], NewestState: c.reads[1]}
		_, handed, taken := both(t, o, h, Options{}, nil)
		if ok := c.want > 0; o.version != c.want || (handed == nil) != ok || (taken == nil) != ok || h.served != ok {
			t.Errorf("%d written, %d read: version %d, %v, %v", c.writes, c.reads, o.version, handed, taken)
		}
	}
}

func TestRehearsal(t *testing.T) {
	o, h := anOld(t), newHeir()
	r, handed, taken := both(t, o, h, Options{DryRun: true}, nil)
	var told *RefusedError
	if handed != nil || r.Ahead != 600 || !errors.As(taken, &told) || len(o.steps) != 0 || h.served {
		t.Errorf("%v, %v, %+v, steps %v", handed, taken, r, o.steps)
	}
}

// TestServesOn: whatever goes wrong before commit, the predecessor serves on, is
// thawed if it was frozen, and says why in one line.
func TestServesOn(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*old, *heir)
		options Options
		want    string
		frozen  bool
	}{
		{"a successor from the past", func(o *old, h *heir) { h.hello.NewestState = 1 }, Options{}, "reads states 1 to 1", false},
		{"a successor from the future", func(o *old, h *heir) { h.hello.OldestState, h.hello.NewestState = 3, 4 }, Options{}, "reads states 3 to 4", false},
		{"the successor is not wanted", func(o *old, h *heir) { o.accept = errors.New("other settings") }, Options{}, "other settings", false},
		{"the successor does not want", func(o *old, h *heir) { h.refuse = errors.New("too old") }, Options{}, "too old", false},
		{"fails at a listener", func(o *old, h *heir) { h.fail = "listener" }, Options{}, "fails at listener", false},
		{"fails at a connection", func(o *old, h *heir) { h.fail = "connection" }, Options{}, "fails at connection", false},
		{"fails at the state", func(o *old, h *heir) { h.fail = "state" }, Options{}, "fails at state", true},
		{"counts otherwise", func(o *old, h *heir) { h.sums = &Sums{Pairs: 7} }, Options{}, "should be", true},
		{"cannot freeze", func(o *old, h *heir) { o.freeze = func(context.Context) error { return errors.New("a worker hangs") } }, Options{}, "a worker hangs", false},
		{"freezes for too long", func(o *old, h *heir) {
			o.freeze = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		}, Options{Freeze: time.Millisecond}, "deadline", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			nettest.CheckLeaks(t)
			o, h := anOld(t), newHeir()
			c.change(o, h)
			_, handed, taken := both(t, o, h, c.options, nil)
			if handed == nil || taken == nil || h.served {
				t.Fatalf("%v, %v, served %t", handed, taken, h.served)
			}
			if !strings.Contains(handed.Error(), c.want) || strings.Contains(handed.Error(), "\n") {
				t.Errorf("%v; want %q", handed, c.want)
			}
			if thawed := slices.Contains(o.steps, "thaw"); thawed != c.frozen || slices.Contains(o.steps, "release") {
				t.Errorf("steps %v", o.steps)
			}
		})
	}
}

// good says what a successor says at each step, until it does something else at one.
func good(t *testing.T, c *Conn, until int, otherwise func(*word)) {
	t.Helper()
	for step := 0; ; step++ {
		w, fds, err := c.hear()
		if err != nil {
			return
		}
		closeAll(fds)
		if step == until {
			otherwise(w)
			return
		}
		switch w.Type {
		case hello:
			_ = c.say(&word{Type: hello, Hello: &Hello{Protocol: Protocol, OldestState: 1, NewestState: 2}})
		case state:
			_ = c.say(&word{Type: ready, Sums: w.Sums})
		case commit:
			_ = c.say(&word{Type: serving})
			return
		default:
			_ = c.say(&word{Type: received, Count: len(fds)})
		}
	}
}

// TestSuccessorAtEachStep: one that is gone, says garbage, the wrong thing, or too
// much, at any step before commit, changes nothing; behind commit all is its own.
func TestSuccessorAtEachStep(t *testing.T) {
	steps := []string{hello, listeners, connections, connections, connections, connections, connections, gone, state, commit}
	for step, name := range steps {
		for _, c := range []struct {
			name string
			do   func(*Conn, *word)
		}{
			{"gone", func(c *Conn, _ *word) { c.Close() }},
			{"garbage", func(c *Conn, _ *word) { _, _ = c.file.Write([]byte("}{")) }},
			{"the wrong word", func(c *Conn, _ *word) { _ = c.say(&word{Type: listeners}) }},
			{"another count", func(c *Conn, w *word) { _ = c.say(&word{Type: received, Count: 7}) }},
			{"a descriptor", func(c *Conn, w *word) { _ = c.say(&word{Type: received, Count: len(w.IDs)}, 0) }},
			{"a word without its content", func(c *Conn, w *word) {
				_ = c.say(&word{Type: map[string]string{hello: hello, state: ready}[w.Type]})
			}},
		} {
			t.Run(fmt.Sprintf("%s/%d/%s", name, step, c.name), func(t *testing.T) {
				nettest.CheckLeaks(t)
				o := anOld(t)
				_, handed, _ := both(t, o, newHeir(), Options{}, func(conn *Conn) {
					good(t, conn, step, func(w *word) { c.do(conn, w) })
				})
				released := slices.Contains(o.steps, "release")
				if name == commit {
					if handed != nil || !released {
						t.Errorf("behind commit: %v, %v", handed, o.steps)
					}
					return
				}
				frozen, thawed := slices.Contains(o.steps, "freeze"), slices.Contains(o.steps, "thaw")
				if handed == nil || released || frozen != thawed {
					t.Errorf("%v, %v", handed, o.steps)
				}
			})
		}
	}
}

// TestPredecessorAtEachStep: a predecessor that is gone, or says what it should not,
// leaves a successor that serves nothing.
func TestPredecessorAtEachStep(t *testing.T) {
	sealed, err := writeState([]byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	plain, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	greeting := func(c *Conn) {
		_ = c.say(&word{Type: hello, Hello: &Hello{Protocol: Protocol}})
		_, _ = c.expect(hello)
	}
	for _, c := range []struct {
		name string
		do   func(*Conn)
	}{
		{"says nothing and is gone", func(*Conn) {}},
		{"garbage", func(c *Conn) { _, _ = c.file.Write([]byte("x")) }},
		{"another protocol", func(c *Conn) { _ = c.say(&word{Type: hello, Hello: &Hello{Protocol: 9}}) }},
		{"no hello in it", func(c *Conn) { _ = c.say(&word{Type: hello}) }},
		{"gone behind hello", greeting},
		{"an unknown word", func(c *Conn) { greeting(c); _ = c.say(&word{Type: "song"}) }},
		{"IDs without descriptors", func(c *Conn) { greeting(c); _ = c.say(&word{Type: connections, IDs: []uint64{1}}) }},
		{"descriptors without IDs", func(c *Conn) { greeting(c); _ = c.say(&word{Type: connections}, 0, 1) }},
		{"descriptors with gone", func(c *Conn) { greeting(c); _ = c.say(&word{Type: gone, IDs: []uint64{1}}, 0) }},
		{"a state of no descriptor", func(c *Conn) { greeting(c); _ = c.say(&word{Type: state}) }},
		{"a state that may change", func(c *Conn) { greeting(c); _ = c.say(&word{Type: state, Sums: &Sums{}}, int(plain.Fd())) }},
		{"a state of another size", func(c *Conn) {
			greeting(c)
			_ = c.say(&word{Type: state, Size: 99, Sums: &Sums{}}, int(sealed.Fd()))
		}},
		{"other sums", func(c *Conn) {
			greeting(c)
			_ = c.say(&word{Type: state, Size: 3, Sums: &Sums{Pairs: 1}}, int(sealed.Fd()))
		}},
		{"gone before commit", func(c *Conn) {
			greeting(c)
			_ = c.say(&word{Type: state, Size: 3, Sums: &Sums{}}, int(sealed.Fd()))
			_, _ = c.expect(ready)
		}},
		{"refuses instead of commit", func(c *Conn) {
			greeting(c)
			_ = c.say(&word{Type: state, Size: 3, Sums: &Sums{}}, int(sealed.Fd()))
			_, _ = c.expect(ready)
			_ = c.say(&word{Type: refused, Why: "changed my mind"})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			nettest.CheckLeaks(t)
			mine, theirs, err := Pair()
			if err != nil {
				t.Fatal(err)
			}
			fd, err := unix.FcntlInt(theirs.Fd(), unix.F_DUPFD_CLOEXEC, 3)
			theirs.Close()
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.do(mine)
				mine.Close()
			}()
			other, h := NewConn(fd), newHeir()
			err = Take(t.Context(), other, h)
			other.Close()
			<-done
			h.close()
			if err == nil || h.served {
				t.Errorf("%v, served %t", err, h.served)
			}
		})
	}
}

// TestHangs: a side that says nothing is given up when the caller's time is over.
func TestHangs(t *testing.T) {
	nettest.CheckLeaks(t)
	mine, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	defer mine.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	o := anOld(t)
	if _, err := Hand(ctx, mine, o, Options{}); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Error(err)
	}
	if len(o.steps) != 0 {
		t.Error(o.steps)
	}
}
