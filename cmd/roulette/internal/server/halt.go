package server

import (
	"context"

	"roulette/netpoll"
)

// halt is a standstill: every worker is between two events, does what it is told
// to, and nothing else, until the end.
type halt struct {
	server *Server
	steps  []chan func(*handler) // each worker's
	done   chan struct{}
	ended  chan struct{}
}

// halt stops all workers. If one of them does not come before ctx is done, all go on.
// The server is not closed meanwhile.
func (s *Server) halt(ctx context.Context) (*halt, error) {
	s.moving.Lock()
	workers := s.poller.Workers()
	t := &halt{server: s, done: make(chan struct{}, len(workers)), ended: make(chan struct{})}
	for range workers {
		t.steps = append(t.steps, make(chan func(*handler)))
	}
	for i, w := range workers {
		h := w.Handler().(*handler)
		if err := w.Ask(func() { t.stand(h, t.steps[i]) }); err != nil {
			t.end()
			return nil, err
		}
	}
	for range workers {
		select {
		case <-t.done:
		case <-ctx.Done():
			t.end()
			return nil, context.Cause(ctx)
		}
	}
	return t, nil
}

// stand is what a worker does in a halt.
func (t *halt) stand(h *handler, steps <-chan func(*handler)) {
	t.done <- struct{}{} // it has room for all
	for {
		select {
		case step := <-steps:
			step(h)
			t.done <- struct{}{}
		case <-t.ended:
			return
		}
	}
}

// run runs step on all workers, and returns when all are through.
func (t *halt) run(step func(*handler)) {
	for _, steps := range t.steps {
		steps <- step
	}
	for range t.steps {
		<-t.done
	}
}

// abandon leaves all connections to another process that has them too.
func (t *halt) abandon() {
	t.run(func(h *handler) {
		h.worker.All(func(c *netpoll.Conn) { h.letGo(c).Abandon() })
	})
	t.run(func(h *handler) {
		if h.worker.Index() == 0 {
			h.forgetBreaks()
		}
	})
}

// end lets the workers go on.
func (t *halt) end() {
	close(t.ended)
	t.server.moving.Unlock()
}
