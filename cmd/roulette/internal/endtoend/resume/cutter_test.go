// Package resume has tests of chats that outlive their connections: in the real
// program, by a proxy that cuts, by SIGKILL, and in a real browser.
package resume

import (
	"net"
	"sync"
	"testing"
)

// cutter is a way to a server that ends, for each connection, behind so many bytes in
// one direction.
type cutter struct {
	addr string

	mu sync.Mutex
	// Guarded by mu.
	plan []cut // for the next connections, in order; without one a connection lasts
	open []net.Conn
	gone bool // nobody is let in
}

// cut ends a connection behind so many bytes.
type cut struct {
	up    bool // of the client's; else of the server's
	after int
	from  <-chan struct{} // they count from when this is closed; nil: all count
}

func newCutter(t *testing.T, target string, plan ...cut) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{addr: listener.Addr().String(), plan: plan}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			plan, ok := c.next()
			if !ok {
				near.Close()
				continue
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			c.keep(near, far)
			all.Go(func() { pump(far, near, plan, plan.up) })
			all.Go(func() { pump(near, far, plan, !plan.up && plan.after > 0) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		c.cutAll()
		all.Wait()
	})
	return c
}

func (c *cutter) next() (cut, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return cut{}, false
	}
	if len(c.plan) == 0 {
		return cut{}, true
	}
	first := c.plan[0]
	c.plan = c.plan[1:]
	return first, true
}

func (c *cutter) keep(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, conns...)
}

// cutAll ends all connections without a word.
func (c *cutter) cutAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		conn.Close()
	}
	c.open = nil
}

// block sets whether nobody is let in.
func (c *cutter) block(gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = gone
}

// pump carries bytes until one side ends, or so many are through; then both end.
func pump(to, from net.Conn, plan cut, cuts bool) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 32<<10)
	for through := 0; ; {
		n, err := from.Read(b)
		if plan.from != nil && n > 0 {
			select {
			case <-plan.from:
				plan.from = nil
			default:
			}
		}
		if plan.from == nil && cuts {
			if through+n >= plan.after {
				_, _ = to.Write(b[:plan.after-through])
				return
			}
			through += n
		}
		if _, failed := to.Write(b[:n]); err != nil || failed != nil {
			return
		}
	}
}
