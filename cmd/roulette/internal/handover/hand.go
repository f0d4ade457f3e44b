package handover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The bounds of the conversation's steps.
const (
	// StepTimeout is how long either side may take for an answer while the
	// predecessor serves.
	StepTimeout = 10 * time.Second
	// StartTimeout is how long the successor may take to say hello, which begins with its
	// start: a loaded machine takes its time for that, and nothing waits for it.
	StartTimeout = 30 * time.Second
	// ServingTimeout is how long the predecessor waits behind commit to hear that the
	// successor serves. It goes in any case.
	ServingTimeout = 5 * time.Second
)

// Connection is a connection of the predecessor: its ID, by which the state means it,
// and its descriptor.
type Connection struct {
	ID uint64
	FD int
}

// Listener is a listening socket and what it is known by, its address as a rule.
type Listener struct {
	Name string
	FD   int
}

// Frozen is what a predecessor says when it has stopped.
type Frozen struct {
	Came  []Connection // since Connections was called, and here still
	Gone  []uint64     // of those that Connections has named
	State []byte       // everything, by the IDs
	Sums  Sums
}

// Predecessor is the process that serves. All descriptors stay its own.
type Predecessor interface {
	// Hello is what the successor is told first.
	Hello() Hello
	// Accept looks at what the successor is, and is told in which version the state is
	// to be written. An error refuses it.
	Accept(successor Hello, state int) error
	Listeners() []Listener
	// Connections names those that are here now, while it goes on serving.
	Connections() []Connection
	// Freeze stops every worker between two events, within ctx. On an error it serves
	// on.
	Freeze(ctx context.Context) (*Frozen, error)
	// Thaw undoes Freeze: it serves on as if nothing had been.
	Thaw()
	// Release closes all that was handed over, without shutdown(2). It comes behind
	// commit.
	Release()
}

// Report is how a hand-over went.
type Report struct {
	Successor   Hello
	Ahead       int // connections that travelled while all was served
	Late        int // and during the freeze
	Sums        Sums
	StateBytes  int
	Frozen      time.Duration // from the freeze to commit
	TookSeconds float64
}

// Options bound a hand-over. The zero value means the defaults.
type Options struct {
	Freeze time.Duration // longest freeze before commit; 2 s
	DryRun bool          // stop before the freeze, and say what would have travelled
	// Progress is called between steps, with how many connections have travelled.
	Progress func(connections, of int)
}

// Hand hands all over to the successor at the other end of c. On an error nothing has
// changed, and the predecessor serves on.
func Hand(ctx context.Context, c *Conn, p Predecessor, o Options) (r Report, err error) {
	if o.Freeze <= 0 {
		o.Freeze = 2 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	defer func() {
		if err != nil {
			c.refuse(err)
			err = fmt.Errorf("handover: %w", err)
		}
	}()
	begun := time.Now()
	h := hand{c: c, ctx: ctx}
	if r.Successor, err = h.greet(p); err != nil {
		return r, err
	}
	if err = h.listeners(p.Listeners()); err != nil {
		return r, err
	}
	ahead := p.Connections()
	for sent := 0; sent < len(ahead); sent += maxDescriptors {
		batch := ahead[sent:min(sent+maxDescriptors, len(ahead))]
		if err = h.connections(batch); err != nil {
			return r, err
		}
		o.Progress(sent+len(batch), len(ahead))
	}
	r.Ahead = len(ahead)
	if o.DryRun {
		_ = c.say(&word{Type: refused, Why: "a rehearsal"})
		return r, nil
	}
	err = h.freeze(p, o.Freeze, &r)
	r.TookSeconds = time.Since(begun).Seconds()
	return r, err
}

// hand is the predecessor's half under way.
type hand struct {
	c   *Conn
	ctx context.Context
}

// ask sends a word and waits until it was received.
func (h *hand) ask(w *word, fds ...int) error {
	if err := h.c.deadline(h.ctx, StepTimeout); err != nil {
		return err
	}
	if err := h.c.say(w, fds...); err != nil {
		return err
	}
	answer, err := h.c.expect(received)
	if err == nil && answer.Count != len(fds) {
		err = fmt.Errorf("%d of %d descriptors arrived", answer.Count, len(fds))
	}
	return err
}

func (h *hand) greet(p Predecessor) (Hello, error) {
	mine := p.Hello()
	mine.Protocol, mine.PID = Protocol, os.Getpid()
	if err := h.c.deadline(h.ctx, StartTimeout); err != nil {
		return Hello{}, err
	}
	if err := h.c.say(&word{Type: hello, Hello: &mine}); err != nil {
		return Hello{}, err
	}
	w, err := h.c.expect(hello)
	switch {
	case err != nil:
		return Hello{}, err
	case w.Hello == nil || w.Hello.Protocol != Protocol:
		return Hello{}, fmt.Errorf("the successor speaks another protocol than %d", Protocol)
	}
	version, err := common(&mine, w.Hello)
	if err != nil {
		return Hello{}, err
	}
	return *w.Hello, p.Accept(*w.Hello, version)
}

// common is the newest version of the state that the predecessor writes and the
// successor reads (U3).
func common(predecessor, successor *Hello) (version int, err error) {
	version = min(predecessor.NewestState, successor.NewestState)
	if version < predecessor.OldestState || version < successor.OldestState {
		return 0, fmt.Errorf("the predecessor writes states %d to %d, the successor reads states %d to %d",
			predecessor.OldestState, predecessor.NewestState, successor.OldestState, successor.NewestState)
	}
	return version, nil
}

func (h *hand) listeners(all []Listener) error {
	for start := 0; start < len(all); start += maxDescriptors {
		w := &word{Type: listeners}
		var fds []int
		for _, l := range all[start:min(start+maxDescriptors, len(all))] {
			w.Names, fds = append(w.Names, l.Name), append(fds, l.FD)
		}
		if err := h.ask(w, fds...); err != nil {
			return err
		}
	}
	return nil
}

// connections sends at most maxDescriptors of them, but for those that are closed by
// now: Frozen.Gone names them. A number may even be that of another file by now; Gone
// names that connection as well.
func (h *hand) connections(batch []Connection) error {
	for len(batch) > 0 {
		n, err := h.some(batch)
		if err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// some sends as many of them as there are descriptors for: each is duplicated, or one
// that is closed at this moment would spoil the whole word.
func (h *hand) some(batch []Connection) (n int, err error) {
	w := &word{Type: connections}
	fds := make([]int, 0, len(batch))
	defer func() { closeAll(fds) }()
	for _, c := range batch {
		fd, err := unix.FcntlInt(uintptr(c.FD), unix.F_DUPFD_CLOEXEC, 0)
		if errors.Is(err, unix.EMFILE) && len(fds) > 0 {
			break
		}
		if err != nil && !errors.Is(err, unix.EBADF) {
			return 0, fmt.Errorf("descriptors are short: %w", err)
		}
		if n++; err == nil {
			w.IDs, fds = append(w.IDs, c.ID), append(fds, fd)
		}
	}
	if len(fds) == 0 {
		return n, nil
	}
	return n, h.ask(w, fds...)
}

// freeze is everything from the freeze to the end.
func (h *hand) freeze(p Predecessor, most time.Duration, r *Report) error {
	ctx, cancel := context.WithTimeout(h.ctx, most)
	defer cancel()
	h.ctx = ctx
	begun := time.Now()
	f, err := p.Freeze(ctx)
	if err != nil {
		return err
	}
	if err := h.frozen(f, r); err != nil {
		p.Thaw() // U2
		return err
	}
	r.Frozen = time.Since(begun)
	// Whether or not this was heard, nothing can be taken back any more (U1).
	defer p.Release()
	if err := h.c.deadline(context.WithoutCancel(ctx), ServingTimeout); err == nil {
		_, _ = h.c.expect(serving)
	}
	return nil
}

// frozen sends what is left, has it checked, and commits.
func (h *hand) frozen(f *Frozen, r *Report) error {
	for start := 0; start < len(f.Came); start += maxDescriptors {
		if err := h.connections(f.Came[start:min(start+maxDescriptors, len(f.Came))]); err != nil {
			return err
		}
	}
	for start := 0; start < len(f.Gone); start += maxIDs {
		if err := h.ask(&word{Type: gone, IDs: f.Gone[start:min(start+maxIDs, len(f.Gone))]}); err != nil {
			return err
		}
	}
	r.Late, r.Sums, r.StateBytes = len(f.Came), f.Sums, len(f.State)
	file, err := writeState(f.State)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := h.c.deadline(h.ctx, 0); err != nil {
		return err
	}
	if err := h.c.say(&word{Type: state, Size: int64(len(f.State)), Sums: &f.Sums}, int(file.Fd())); err != nil {
		return err
	}
	w, err := h.c.expect(ready)
	switch {
	case err != nil:
		return err
	case w.Sums == nil || *w.Sums != f.Sums: // U4
		return fmt.Errorf("the successor has %+v, and should have %+v", w.Sums, f.Sums)
	case h.ctx.Err() != nil:
		return fmt.Errorf("frozen for too long")
	}
	return h.c.say(&word{Type: commit})
}
