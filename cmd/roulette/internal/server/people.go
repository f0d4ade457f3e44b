package server

import (
	"bytes"
	"fmt"

	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/stamp"
	"roulette/frame/handshake"
	"roulette/netpoll"
	"roulette/pairing"
)

// familiar is what a server needs that knows people: nil for one that knows nobody
// (safety.Off).
type familiar struct {
	secret  *safety.Secret
	stamper *stamp.Stamper
	blocks  *stamp.Blocks
}

func newFamiliar(secret *safety.Secret) *familiar {
	return &familiar{secret, stamp.New(secret), stamp.NewBlocks(secret)}
}

// A browser that comes by TLS keeps its cookie under a name that only this host can
// set, and only for all of it (RFC 6265bis, section 4.1.3.2).
const (
	secureCookie = "__Host-roulette"
	plainCookie  = "roulette"
)

// visitorOf says who has made a request that is answered with 101, as far as that can be
// known: by their cookie, or, if they keep none, by their network, or by nothing but
// this connection. due: the answer is to bring their browser a cookie.
//
// It is set here and not with the page, as the page may be asked for from another site,
// and then a cookie that is there is not sent (SameSite).
func (l *lobby) visitorOf(c *netpoll.Conn, req *handshake.Request) (p safety.Person, due bool) {
	known := l.server.known
	if known == nil {
		return p, false
	}
	for _, name := range [...]string{secureCookie, plainCookie} {
		if name == secureCookie && bytes.HasPrefix(req.Origin, []byte("http://")) {
			continue // it would not be sent
		}
		if value := handshake.Cookie(req.Cookies, name); value != nil {
			if p, due, err := known.secret.Cookie(value, l.server.clock()); err == nil {
				return p, due
			}
		}
	}
	if req.Subprotocol != "" && bytes.HasPrefix(req.Origin, []byte("http")) { // a page, which keeps cookies
		return safety.NewPerson(), true
	}
	if network, ok := l.server.networkOf(c); ok {
		return known.secret.OfNetwork(network), false
	}
	return safety.NewPerson(), false
}

// giveCookie puts a cookie for p into the response to a request with 101.
func (l *lobby) giveCookie(response []byte, req *handshake.Request, p safety.Person) []byte {
	s := l.server
	value := string(s.known.secret.AppendCookie(nil, p, s.clock()))
	rest := fmt.Sprintf("; Max-Age=%d; HttpOnly; SameSite=Strict; Path=", int(safety.CookieLasts.Seconds()))
	if bytes.HasPrefix(req.Origin, []byte("https://")) {
		return handshake.InsertField(response, "Set-Cookie: ", secureCookie, "=", value, rest, "/; Secure")
	}
	return handshake.InsertField(response, "Set-Cookie: ", plainCookie, "=", value, rest, s.config.BasePath)
}

// identify seats a person, who is known now.
func (h *handler) identify(place seat, p safety.Person) {
	if h.server.known != nil {
		h.server.pairs.Identify(place, pairing.Person(p), p.Shared(), h.worker.Now())
	}
}
