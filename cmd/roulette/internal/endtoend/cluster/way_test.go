package cluster

import (
	"io"
	"net"
	"sync"
	"testing"
)

// way is a way to the bus that can be cut: then nothing arrives, and no connection is
// closed.
type way struct {
	listener net.Listener
	bus      string

	mu    sync.Mutex
	wait  *sync.Cond // for closed to change
	shut  bool       // Guarded by mu.
	conns []net.Conn // likewise
}

func newWay(t *testing.T, bus string) *way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{listener: l, bus: bus}
	w.wait = sync.NewCond(&w.mu)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { w.carry(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.cut(false)
		w.mu.Lock()
		for _, c := range w.conns {
			c.Close()
		}
		w.mu.Unlock()
		running.Wait()
	})
	return w
}

func (w *way) addr() string { return w.listener.Addr().String() }

// cut cuts the way, or mends it.
func (w *way) cut(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = on
	w.wait.Broadcast()
}

// carry carries what one connection brings, both ways.
func (w *way) carry(a net.Conn) {
	defer a.Close()
	b, err := net.Dial("tcp", w.bus)
	if err != nil {
		return
	}
	defer b.Close()
	w.mu.Lock()
	w.conns = append(w.conns, a, b)
	w.mu.Unlock()
	var both sync.WaitGroup
	for _, ends := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(through{w, ends[1]}, ends[0])
			a.Close()
			b.Close()
		})
	}
	both.Wait()
}

// through waits while the way is cut.
type through struct {
	way *way
	net.Conn
}

func (t through) Write(p []byte) (int, error) {
	t.way.mu.Lock()
	for t.way.shut {
		t.way.wait.Wait()
	}
	t.way.mu.Unlock()
	return t.Conn.Write(p)
}
