package handover

import (
	"context"
	"errors"
	"fmt"
)

// Pass sends the successor one more connection, behind Release. The descriptor stays
// the caller's; without an error it is to be closed and nothing else, for the
// successor goes on with it. Any goroutine.
func (c *Conn) Pass(fd int, b []byte) error {
	c.passing.Lock()
	defer c.passing.Unlock()
	err := c.deadline(context.Background(), StepTimeout)
	if err == nil {
		err = c.say(&word{Type: latecomer, Bytes: b}, fd)
	}
	if err == nil {
		_, err = c.expect(received)
	}
	if err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	return nil
}

// Follow takes what the predecessor passes on behind Take, until that one ends. take
// owns the descriptor if it returns no error; with one the predecessor deals with the
// connection itself.
func (c *Conn) Follow(take func(fd int, b []byte) error) error {
	for {
		if err := c.deadline(context.Background(), 0); err != nil {
			return err
		}
		w, fds, err := c.hear()
		switch {
		case errors.Is(err, errEnded):
			return nil
		case err != nil:
			return fmt.Errorf("handover: %w", err)
		case w.Type != latecomer || len(fds) != 1:
			closeAll(fds)
			return fmt.Errorf("handover: %q with %d descriptors came late", w.Type, len(fds))
		}
		answer := &word{Type: received, Count: 1}
		if err := take(fds[0], w.Bytes); err != nil {
			closeAll(fds)
			answer = &word{Type: refused, Why: err.Error()}
		}
		if err := c.deadline(context.Background(), StepTimeout); err != nil {
			return err
		}
		if err := c.say(answer); err != nil {
			return fmt.Errorf("handover: %w", err)
		}
	}
}
