// Command gws is the relay on github.com/lxzan/gws.
package main

import (
	"net/http"

	"github.com/lxzan/gws"

	"roulette/bench/peers/internal/lobby"
	"roulette/bench/peers/internal/serve"
)

type member = lobby.Member[*gws.Conn]

const key = "member"

// events relays what the library reads.
type events struct {
	gws.BuiltinEventHandler
	pool lobby.Lobby[*gws.Conn]
}

func (e *events) OnPing(socket *gws.Conn, payload []byte) { _ = socket.WritePong(payload) }

func (e *events) OnClose(socket *gws.Conn, err error) {
	if v, ok := socket.Session().Load(key); ok {
		e.pool.Leave(v.(*member))
	}
}

func (e *events) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	v, _ := socket.Session().Load(key)
	if partner := v.(*member).Partner(); partner != nil {
		_ = partner.Conn.WriteMessage(message.Opcode, message.Bytes()) // its own reader ends it
	} else {
		_ = socket.WriteString(lobby.Sorry)
	}
}

func main() {
	e := new(events)
	upgrader := gws.NewUpgrader(e, &gws.ServerOption{})
	serve.HTTP(func(w http.ResponseWriter, r *http.Request, echo bool) {
		socket, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		m := &member{Conn: socket}
		socket.Session().Store(key, m)
		if echo {
			m.Echo()
		} else {
			e.pool.Enter(m)
		}
		go socket.ReadLoop() // so that net/http's memory of the request can go
	})
}
