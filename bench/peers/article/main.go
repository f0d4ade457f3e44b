// Command article is the relay as the article "A million WebSockets and Go" builds
// a chat: github.com/mailru/easygo's poller tells that a connection can be read,
// a goroutine of a pool reads one message of it with github.com/gobwas/ws/wsutil,
// and the poller is resumed.
package main

import (
	"io"
	"log"
	"net"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/mailru/easygo/netpoll"

	"roulette/bench/peers/internal/lobby"
	"roulette/bench/peers/internal/serve"
)

const (
	workers = 128
	queue   = 1
)

// client is a connection, its descriptor in the poller and the lock of its writers.
type client struct {
	conn net.Conn
	desc *netpoll.Desc
	mu   sync.Mutex
}

func (c *client) send(op ws.OpCode, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return wsutil.WriteServerMessage(c.conn, op, p)
}

type member = lobby.Member[*client]

// server is what the article's main function holds.
type server struct {
	poller netpoll.Poller
	work   chan func()
	pool   lobby.Lobby[*client]
}

func main() {
	l := serve.Listen()
	poller, err := netpoll.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{poller: poller, work: make(chan func(), queue)}
	for range workers {
		go func() {
			for f := range s.work {
				f()
			}
		}()
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		s.work <- func() { s.open(conn) }
	}
}

// open upgrades the connection and hands it to the poller.
func (s *server) open(conn net.Conn) {
	echo := false
	u := ws.Upgrader{OnRequest: func(uri []byte) error {
		switch string(uri) {
		case "/ws":
		case "/echo":
			echo = true
		default:
			return ws.RejectConnectionError(ws.RejectionStatus(404))
		}
		return nil
	}}
	if _, err := u.Upgrade(conn); err != nil {
		conn.Close()
		return
	}
	desc, err := netpoll.HandleReadOnce(conn)
	if err != nil {
		conn.Close()
		return
	}
	m := &member{Conn: &client{conn: conn, desc: desc}}
	if echo {
		m.Echo()
	} else {
		s.pool.Enter(m)
	}
	err = s.poller.Start(desc, func(ev netpoll.Event) {
		s.work <- func() {
			if ev&(netpoll.EventHup|netpoll.EventErr) != 0 || s.receive(m) != nil {
				s.close(m)
			} else if s.poller.Resume(desc) != nil {
				s.close(m)
			}
		}
	})
	if err != nil {
		s.close(m)
	}
}

// receive reads one message and passes it on.
func (s *server) receive(m *member) error {
	c := m.Conn
	h, r, err := wsutil.NextReader(c.conn, ws.StateServerSide)
	if err != nil {
		return err
	}
	if h.OpCode.IsControl() {
		c.mu.Lock()
		defer c.mu.Unlock()
		return wsutil.ControlFrameHandler(c.conn, ws.StateServerSide)(h, r)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(r, p); err != nil {
		return err
	}
	if partner := m.Partner(); partner != nil {
		_ = partner.Conn.send(h.OpCode, p) // a dead partner's own reader ends it
		return nil
	}
	return c.send(ws.OpText, []byte(lobby.Sorry))
}

func (s *server) close(m *member) {
	s.pool.Leave(m)
	_ = s.poller.Stop(m.Conn.desc) // it may not have been started
	m.Conn.desc.Close()
	m.Conn.conn.Close()
}
