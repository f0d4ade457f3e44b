// Command coder is the relay on github.com/coder/websocket.
package main

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"roulette/bench/peers/internal/lobby"
	"roulette/bench/peers/internal/serve"
)

var pool lobby.Lobby[*websocket.Conn]

func main() { serve.HTTP(handle) }

func handle(w http.ResponseWriter, r *http.Request, echo bool) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	m := &lobby.Member[*websocket.Conn]{Conn: conn}
	if echo {
		m.Echo()
	} else {
		pool.Enter(m)
		defer pool.Leave(m)
	}
	ctx := context.Background()
	for {
		kind, p, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if partner := m.Partner(); partner != nil {
			_ = partner.Conn.Write(ctx, kind, p) // a dead partner's own reader ends it
		} else if conn.Write(ctx, websocket.MessageText, []byte(lobby.Sorry)) != nil {
			return
		}
	}
}
