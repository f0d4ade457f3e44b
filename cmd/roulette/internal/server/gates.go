package server

import (
	"context"
	"log/slog"
	"net/netip"

	"roulette/cmd/roulette/internal/limit"
	"roulette/frame/handshake"
	"roulette/metrics"
	"roulette/netpoll"
)

// occasion is when a gate is looked at.
type occasion uint8

const (
	atAccept   occasion = iota // a connection has come, or come back from net/http
	atName                     // a header of the PROXY protocol has named its client
	atQuestion                 // its request, for a chat path, is for no WebSocket: it asks why it got none
	atRequest                  // its request would be answered with 101
)

// visitor is what is known at an occasion of the client that wants to come in.
type visitor struct {
	addr    netip.Addr        // at atAccept the socket's, at atName the header's
	request handshake.Request // at atRequest
}

// gates is where it is decided who may come in, in this order. A gate that is
// shut refuses; one that is open may have counted the connection for what it
// limits. At the question the same gates stand as at the request, and count
// nothing.
var gates = [...]struct {
	at      occasion
	shut    func(h *handler, c *netpoll.Conn, v *visitor) bool
	refusal refusal
}{
	{atAccept, (*handler).isNoProxy, notFromProxy},
	{atAccept, (*handler).isCrowded, addressFull},
	{atAccept, (*handler).isFull, serverFull},
	{atName, (*handler).isCrowdedByName, addressFull},
	{atRequest, (*handler).isDraining, goingAway},
	{atRequest, (*handler).isShortOfMemory, memoryShort},
	{atRequest, (*handler).isCrowdedByRequest, addressFull},
	{atRequest, (*handler).isBanned, banned},
	{atRequest, (*handler).isHasty, handshakeRate},
	{atRequest, (*handler).hasNoPlace, serverFull}, // last: who passes has a place
	{atQuestion, (*handler).isDraining, goingAway},
	{atQuestion, (*handler).isShortOfMemory, memoryShort},
	{atQuestion, (*handler).isCrowdedByRequest, addressFull},
	{atQuestion, (*handler).isBanned, banned},
	{atQuestion, (*handler).wouldBeHasty, handshakeRate},
	{atQuestion, (*handler).wouldHaveNoPlace, serverFull},
}

// admit looks at the gates of an occasion, and notes which of them is shut; but
// not yet of whoever has not said whether it wants a chat.
func (h *handler) admit(at occasion, c *netpoll.Conn, v *visitor) refusal {
	for i := range gates {
		if g := &gates[i]; g.at == at && g.shut(h, c, v) {
			if at >= atQuestion || !refusals[g.refusal].chatsOnly {
				h.note(c, refusals[g.refusal].why)
			}
			return g.refusal
		}
	}
	return admitted
}

// welcome finds a place for c, which comes from addr; or else keeps it until its
// request is answered with a refusal. False: it is to be closed at once.
func (h *handler) welcome(c *netpoll.Conn, addr netip.Addr) bool {
	if r := h.admit(atAccept, c, &visitor{addr: addr}); r != admitted && !h.keep(c, r) {
		h.releaseAddress(c) // nobody tells of its end
		return false
	}
	h.counters.Connections[metrics.ConnectionHandshaking]++
	return true
}

// named finds a place for c, whose client a header of the PROXY protocol has
// named. False: it is to be closed at once.
func (h *handler) named(c *netpoll.Conn, client netip.Addr) bool {
	if r := refusalOf(c); r != admitted && r != serverFull { // already
		return true
	}
	r := h.admit(atName, c, &visitor{addr: client})
	return r == admitted || h.keep(c, r)
}

// isNoProxy: where a PROXY protocol header is due, only proxies may come.
func (h *handler) isNoProxy(c *netpoll.Conn, v *visitor) bool {
	return has(c, headerDue) && !h.trusts(v.addr)
}

// trusts says whether a connection's peer is a proxy that is believed. A peer without
// an address is at a Unix socket, and whoever may open that is one.
func (h *handler) trusts(peer netip.Addr) bool {
	return !peer.IsValid() || h.rules.TrustedProxies.Contains(peer)
}

// isFull: there are sockets enough. Some may be spare ones, of browsers, and say
// nothing ever, so the request is looked at again.
func (h *handler) isFull(*netpoll.Conn, *visitor) bool {
	return h.server.poller.Count()+h.server.shaking() > h.rules.MaxConnections
}

// isCrowded attributes c to the address that it comes from; a proxy will say for
// whom it comes.
func (h *handler) isCrowded(c *netpoll.Conn, v *visitor) bool {
	if h.trusts(v.addr) {
		setFlag(c, proxied)
		return false
	}
	return !h.attribute(c, v.addr, "socket")
}

// isCrowdedByName attributes c to the client that is named, unless that is one
// more proxy.
func (h *handler) isCrowdedByName(c *netpoll.Conn, v *visitor) bool {
	if h.rules.TrustedProxies.Contains(v.addr) {
		return false
	}
	clearFlag(c, proxied)
	return !h.attribute(c, v.addr, "PROXY protocol")
}

// isCrowdedByRequest attributes c to the client that a trusted proxy's request
// names. If it names none, or only proxies, no limit per address applies.
func (h *handler) isCrowdedByRequest(c *netpoll.Conn, v *visitor) bool {
	if !has(c, proxied) {
		return false
	}
	clearFlag(c, proxied)
	trusted := h.rules.TrustedProxies
	client := trusted.Client(v.request.ForwardedFor)
	return client.IsValid() && !trusted.Contains(client) && !h.attribute(c, client, "X-Forwarded-For")
}

// hasNoPlace takes a place for a chat, if there is one.
func (h *handler) hasNoPlace(*netpoll.Conn, *visitor) bool {
	s := h.server
	if int(s.chats.Add(1)) > h.rules.MaxConnections {
		s.chats.Add(-1)
		return true
	}
	return false
}

func (h *handler) wouldHaveNoPlace(*netpoll.Conn, *visitor) bool {
	return int(h.server.chats.Load()) >= h.rules.MaxConnections
}

func (h *handler) isDraining(*netpoll.Conn, *visitor) bool {
	return h.server.phaseNow() == phaseDraining
}

func (h *handler) isShortOfMemory(*netpoll.Conn, *visitor) bool { return h.server.pressure.Short() }

// isHasty takes one handshake from what c's address may make. After a gap of the
// worker it takes none: those that come at once may have come one by one. A client
// that speaks TLS has made the dearer one before, which is the one that counts.
func (h *handler) isHasty(c *netpoll.Conn, _ *visitor) bool {
	return c.Codec() == nil && h.hasty(c)
}

func (h *handler) hasty(c *netpoll.Conn) bool {
	return has(c, attributed) && !h.server.addresses.Handshake(c.Key, h.worker.Now()) && !h.worker.Late()
}

func (h *handler) wouldBeHasty(c *netpoll.Conn, _ *visitor) bool {
	return c.Codec() == nil && has(c, attributed) && !h.server.addresses.MayShake(c.Key, h.worker.Now()) && !h.worker.Late()
}

// attribute counts c for the client at addr, if its limit allows. source says how
// the address is known.
func (h *handler) attribute(c *netpoll.Conn, addr netip.Addr, source string) bool {
	s := h.server
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		s.log.Debug("client", "conn", c.ID(), "address", addr, "source", source)
	}
	key, ok := s.addresses.Key(addr)
	if !ok {
		return true
	}
	if !s.addresses.Enter(key, limit.NetworkOf(addr)) {
		return false
	}
	c.Key = key
	setFlag(c, attributed)
	return true
}
