package handover

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Successor is the process that takes over. All descriptors that it is given are its
// own from there on.
type Successor interface {
	// Hello looks at what the predecessor is, and says what this one is. An error
	// refuses (U3).
	Hello(predecessor Hello) (Hello, error)
	// Listener and Connection hold what travels, without using it.
	Listener(name string, fd int) error
	Connection(id uint64, fd int) error
	// Gone closes a connection that is no more. It may not have come at all.
	Gone(id uint64)
	// State builds everything from what the predecessor was, short of serving, and
	// says what it has.
	State(b []byte) (Sums, error)
	// Serve begins to serve: everything belongs to this process now.
	Serve() error
}

// Take takes over from the predecessor at the other end of c. On an error the
// predecessor serves on, or is gone, and this process is to exit.
func Take(ctx context.Context, c *Conn, s Successor) (err error) {
	defer func() {
		if err != nil {
			var told *RefusedError
			if !errors.As(err, &told) {
				c.refuse(err)
			}
			err = fmt.Errorf("handover: %w", err)
		}
	}()
	if err := c.deadline(ctx, StepTimeout); err != nil {
		return err
	}
	w, err := c.expect(hello)
	switch {
	case err != nil:
		return err
	case w.Hello == nil || w.Hello.Protocol != Protocol:
		return fmt.Errorf("the predecessor speaks another protocol than %d", Protocol)
	}
	mine, err := s.Hello(*w.Hello)
	if err != nil {
		return err
	}
	if _, err := common(w.Hello, &mine); err != nil {
		return err
	}
	mine.Protocol, mine.PID = Protocol, os.Getpid()
	if err := c.say(&word{Type: hello, Hello: &mine}); err != nil {
		return err
	}
	for {
		// The predecessor bounds each step, the freeze as well, which may be long; and
		// this side hears when that one gives up, or is gone.
		if err := c.deadline(ctx, 0); err != nil {
			return err
		}
		w, fds, err := c.hear()
		if err != nil {
			return err
		}
		if err := c.deadline(ctx, StepTimeout); err != nil {
			return err
		}
		if w.Type == state {
			return takeState(ctx, c, s, w, fds)
		}
		if err := take(s, w, fds); err != nil {
			return err
		}
		if err := c.say(&word{Type: received, Count: len(fds)}); err != nil {
			return err
		}
	}
}

// take gives what came with a word to the successor.
func take(s Successor, w *word, fds []int) error {
	named := map[string]int{listeners: len(w.Names), connections: len(w.IDs), gone: 0}
	if n, ok := named[w.Type]; !ok || n != len(fds) {
		closeAll(fds)
		return fmt.Errorf("%q with %d descriptors, for %d", w.Type, len(fds), n)
	}
	for i, fd := range fds {
		var err error
		if w.Type == listeners {
			err = s.Listener(w.Names[i], fd)
		} else {
			err = s.Connection(w.IDs[i], fd)
		}
		if err != nil {
			closeAll(fds[i+1:])
			return err
		}
	}
	if w.Type == gone {
		for _, id := range w.IDs {
			s.Gone(id)
		}
	}
	return nil
}

// takeState builds, agrees, and serves when it is told to.
func takeState(ctx context.Context, c *Conn, s Successor, w *word, fds []int) error {
	if len(fds) != 1 {
		closeAll(fds)
		return fmt.Errorf("a state with %d descriptors", len(fds))
	}
	b, err := readState(fds[0], w.Size)
	if err != nil {
		return err
	}
	sums, err := s.State(b)
	switch {
	case err != nil:
		return err
	case w.Sums == nil || sums != *w.Sums: // U4
		return fmt.Errorf("%+v came, and it should be %+v", sums, w.Sums)
	}
	if err := c.deadline(ctx, StepTimeout); err != nil {
		return err
	}
	if err := c.say(&word{Type: ready, Sums: &sums}); err != nil {
		return err
	}
	// For ever: who gives up waiting may do so while commit is on its way, and then
	// nobody serves (U1).
	if err := c.deadline(ctx, 0); err != nil {
		return err
	}
	if _, err := c.expect(commit); err != nil {
		return err
	}
	if err := s.Serve(); err != nil {
		return err
	}
	_ = c.say(&word{Type: serving}) // nobody has to hear it
	return nil
}
