package server

import "time"

// lobby is where a worker's connections are until they are chats: there a header of
// the PROXY protocol, a ClientHello and a request are waited for (upgrade.go, secure.go,
// proxyheader.go), the gates decide who may come in (gates.go), and the others are
// answered with a refusal (refusal.go) or go to net/http (http.go). Whoever is let in
// is given to chats, and does not come back.
type lobby struct {
	*desk
	chats *handler

	visitor     visitor   // scratch: who is looked at
	bannedUntil time.Time // of the person whom isBanned looked at last; zero: not banned
}
