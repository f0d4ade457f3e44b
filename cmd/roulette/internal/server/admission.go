package server

import (
	"context"
	"log/slog"
	"net/netip"

	"roulette/cmd/roulette/internal/proxy"
	"roulette/frame/handshake"
	"roulette/metrics"
	"roulette/netpoll"
)

// welcome finds a place for c, which comes from addr; or else marks it, so that
// its request is answered with a refusal. False: it is to be closed at once.
func (h *handler) welcome(c *netpoll.Conn, addr netip.Addr) bool {
	s := h.server
	ok := true
	switch {
	case s.poller.Count() > h.rules.MaxConnections:
		h.reject(c, metrics.RejectMaxConnections)
		ok = h.keepToTurnAway(c, turnAway)
	case h.rules.TrustedProxies.Contains(addr):
		setFlag(c, proxied)
	case !h.count(c, addr, "socket"):
		ok = h.keepToTurnAway(c, turnAway|turnAwayFor)
	}
	if ok {
		h.counters.Connections[metrics.ConnectionHandshaking]++
	}
	return ok
}

// keepToTurnAway marks a connection that is one too many, if there may be
// another such one.
func (h *handler) keepToTurnAway(c *netpoll.Conn, refusal uint16) bool {
	if h.server.turnedAway.Add(1) > maxTurnedAway {
		h.server.turnedAway.Add(-1)
		return false
	}
	setFlag(c, refusal)
	return true
}

// count counts c for the client at addr, if its limit allows. source says how
// the address is known.
func (h *handler) count(c *netpoll.Conn, addr netip.Addr, source string) bool {
	s := h.server
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		s.log.Debug("client", "conn", c.ID(), "address", addr, "source", source)
	}
	key, ok := s.addresses.Key(addr)
	if !ok {
		return true
	}
	if !s.addresses.Enter(key) {
		h.reject(c, metrics.RejectPerAddress)
		return false
	}
	c.Addr = key
	setFlag(c, counted)
	return true
}

// forwarded counts c for the client that a trusted proxy's request names. The
// proxies themselves have no limit, so neither has who is not named.
func (h *handler) forwarded(c *netpoll.Conn, list []byte) bool {
	clearFlag(c, proxied)
	trusted := h.rules.TrustedProxies
	client := trusted.Client(list)
	return !client.IsValid() || trusted.Contains(client) || h.count(c, client, "X-Forwarded-For")
}

// proxyHeader takes the PROXY protocol header that c has to begin with, and
// returns what stands behind it; nothing, while it is not whole or if c is
// refused.
func (h *handler) proxyHeader(c *netpoll.Conn, b []byte) (rest []byte) {
	header, from := b, 0
	held, _ := c.Held().(*request)
	if held != nil {
		from = len(held.bytes)
		held.bytes = append(held.bytes, b[:min(len(b), proxy.MaxHeader-from)]...)
		header = held.bytes
	} else {
		held = requests.Get().(*request)
		c.Hold(held)
	}
	n, err := proxy.HeaderEnd(header)
	if n == 0 && err == nil {
		if from == 0 {
			held.bytes = append(held.bytes, b...)
		}
		return nil
	}
	if err == nil {
		held.client, err = proxy.ParseHeader(header[:n])
	}
	if err != nil {
		h.reject(c, metrics.RejectProxyHeader)
		h.counters.Handshakes[metrics.HandshakeBadRequest]++
		h.refuseWith(c, handshake.AppendRefusal(h.reply[:0], 400, "a PROXY protocol header must come first", 0))
		return nil
	}
	clearFlag(c, headerDue)
	held.bytes = held.bytes[:0]
	if held.client.IsValid() && !h.named(c, held.client) {
		c.Close()
		return nil
	}
	return b[n-from:]
}

// named: the header of a proxy says that c is client's, who may be another
// proxy. False: c is to be closed at once.
func (h *handler) named(c *netpoll.Conn, client netip.Addr) bool {
	if has(c, turnAway) || h.rules.TrustedProxies.Contains(client) {
		return true
	}
	clearFlag(c, proxied)
	return h.count(c, client, "PROXY protocol") || h.keepToTurnAway(c, turnAway|turnAwayFor)
}
