// Command gorilla is the relay on github.com/gorilla/websocket.
package main

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"roulette/bench/peers/internal/lobby"
	"roulette/bench/peers/internal/serve"
)

// client is a connection and the lock its writers take: gorilla allows one at a
// time.
type client struct {
	*websocket.Conn
	mu sync.Mutex
}

func (c *client) send(kind int, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.WriteMessage(kind, p)
}

var (
	upgrader websocket.Upgrader
	pool     lobby.Lobby[*client]
)

func main() { serve.HTTP(handle) }

func handle(w http.ResponseWriter, r *http.Request, echo bool) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	m := &lobby.Member[*client]{Conn: &client{Conn: conn}}
	if echo {
		m.Echo()
	} else {
		pool.Enter(m)
		defer pool.Leave(m)
	}
	for {
		kind, p, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if partner := m.Partner(); partner != nil {
			_ = partner.Conn.send(kind, p) // a dead partner's own reader ends it
		} else if m.Conn.send(websocket.TextMessage, []byte(lobby.Sorry)) != nil {
			return
		}
	}
}
