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
	shut    func(l *lobby, c *netpoll.Conn, v *visitor) bool
	refusal refusal
}{
	{atAccept, (*lobby).isNoProxy, notFromProxy},
	{atAccept, (*lobby).isCrowded, addressFull},
	{atAccept, (*lobby).isFull, serverFull},
	{atName, (*lobby).isCrowdedByName, addressFull},
	{atRequest, (*lobby).isDraining, goingAway},
	{atRequest, (*lobby).isShortOfMemory, memoryShort},
	{atRequest, (*lobby).isCrowdedByRequest, addressFull},
	{atRequest, (*lobby).isBanned, banned},
	{atRequest, (*lobby).isPlain, plainOff},
	{atRequest, (*lobby).isHasty, handshakeRate},
	{atRequest, (*lobby).hasNoPlace, serverFull}, // last: who passes has a place
	{atQuestion, (*lobby).isDraining, goingAway},
	{atQuestion, (*lobby).isShortOfMemory, memoryShort},
	{atQuestion, (*lobby).isCrowdedByRequest, addressFull},
	{atQuestion, (*lobby).isBanned, banned},
	{atQuestion, (*lobby).wouldBeHasty, handshakeRate},
	{atQuestion, (*lobby).wouldHaveNoPlace, serverFull},
}

// admit looks at the gates of an occasion, and notes which of them is shut; but
// not yet of whoever has not said whether it wants a chat.
func (l *lobby) admit(at occasion, c *netpoll.Conn, v visitor) refusal {
	l.visitor = v // for a pointer to v itself would be an allocation
	for i := range gates {
		if g := &gates[i]; g.at == at && g.shut(l, c, &l.visitor) {
			if at >= atQuestion || !refusals[g.refusal].chatsOnly {
				l.note(c, refusals[g.refusal].why)
			}
			return g.refusal
		}
	}
	return admitted
}

// welcome finds a place for c, which comes from addr; or else keeps it until its
// request is answered with a refusal. False: it is to be closed at once.
func (l *lobby) welcome(c *netpoll.Conn, addr netip.Addr) bool {
	if r := l.admit(atAccept, c, visitor{addr: addr}); r != admitted && !l.keep(c, r) {
		l.releaseAddress(c) // nobody tells of its end
		return false
	}
	l.counters.Connections[metrics.ConnectionHandshaking]++
	return true
}

// named finds a place for c, whose client a header of the PROXY protocol has
// named. False: it is to be closed at once.
func (l *lobby) named(c *netpoll.Conn, client netip.Addr) bool {
	if r := refusalOf(c); r != admitted && r != serverFull { // already
		return true
	}
	r := l.admit(atName, c, visitor{addr: client})
	return r == admitted || l.keep(c, r)
}

// isNoProxy: where a PROXY protocol header is due, only proxies may come.
func (l *lobby) isNoProxy(c *netpoll.Conn, v *visitor) bool {
	return has(c, headerDue) && !l.trusts(v.addr)
}

// trusts says whether a connection's peer is a proxy that is believed. A peer without
// an address is at a Unix socket, and whoever may open that is one.
func (l *lobby) trusts(peer netip.Addr) bool {
	return !peer.IsValid() || l.rules.TrustedProxies.Contains(peer)
}

// isFull: there are sockets enough. Some may be spare ones, of browsers, and say
// nothing ever, so the request is looked at again.
func (l *lobby) isFull(*netpoll.Conn, *visitor) bool {
	return l.server.poller.Count()+l.server.shaking() > l.rules.MaxConnections
}

// isCrowded attributes c to the address that it comes from; a proxy will say for
// whom it comes.
func (l *lobby) isCrowded(c *netpoll.Conn, v *visitor) bool {
	if l.trusts(v.addr) {
		setFlag(c, proxied)
		return false
	}
	return !l.attribute(c, v.addr, "socket")
}

// isCrowdedByName attributes c to the client that is named, unless that is one
// more proxy.
func (l *lobby) isCrowdedByName(c *netpoll.Conn, v *visitor) bool {
	if l.rules.TrustedProxies.Contains(v.addr) {
		return false
	}
	clearFlag(c, proxied)
	return !l.attribute(c, v.addr, "PROXY protocol")
}

// isCrowdedByRequest attributes c to the client that a trusted proxy's request
// names. If it names none, or only proxies, no limit per address applies.
func (l *lobby) isCrowdedByRequest(c *netpoll.Conn, v *visitor) bool {
	if !has(c, proxied) {
		return false
	}
	clearFlag(c, proxied)
	trusted := l.rules.TrustedProxies
	client := trusted.Client(v.request.ForwardedFor)
	return client.IsValid() && !trusted.Contains(client) && !l.attribute(c, client, "X-Forwarded-For")
}

// isPlain is shut for clients that speak no records, if they may not come.
func (l *lobby) isPlain(_ *netpoll.Conn, v *visitor) bool {
	return l.server.config.Plain == PlainOff && kindFor(v.request) == plain
}

// hasNoPlace takes a place for a chat, if there is one.
func (l *lobby) hasNoPlace(*netpoll.Conn, *visitor) bool {
	s := l.server
	if int(s.chats.Add(1)) > l.rules.MaxConnections {
		s.chats.Add(-1)
		return true
	}
	return false
}

func (l *lobby) wouldHaveNoPlace(*netpoll.Conn, *visitor) bool {
	return int(l.server.chats.Load()) >= l.rules.MaxConnections
}

func (l *lobby) isDraining(*netpoll.Conn, *visitor) bool {
	return l.server.phaseNow() == phaseDraining
}

func (l *lobby) isShortOfMemory(*netpoll.Conn, *visitor) bool { return l.server.pressure.Short() }

// isHasty takes one handshake from what c's address may make. After a gap of the
// worker it takes none: those that come at once may have come one by one. A client
// that speaks TLS has made the dearer one before, which is the one that counts.
func (l *lobby) isHasty(c *netpoll.Conn, _ *visitor) bool {
	return c.Codec() == nil && l.hasty(c)
}

func (l *lobby) hasty(c *netpoll.Conn) bool {
	return has(c, attributed) && !l.server.addresses.Handshake(c.Key, l.worker.Now()) && !l.worker.Late()
}

func (l *lobby) wouldBeHasty(c *netpoll.Conn, _ *visitor) bool {
	return c.Codec() == nil && has(c, attributed) && !l.server.addresses.MayShake(c.Key, l.worker.Now()) && !l.worker.Late()
}

// attribute counts c for the client at addr, if its limit allows. source says how
// the address is known.
func (l *lobby) attribute(c *netpoll.Conn, addr netip.Addr, source string) bool {
	s := l.server
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

// releaseAddress gives back what c was counted for (I6).
func (l *lobby) releaseAddress(c *netpoll.Conn) {
	if has(c, attributed) {
		clearFlag(c, attributed)
		l.server.addresses.Release(c.Key, l.worker.Now())
	}
	l.unmark(c)
}

// unmark takes back that c's request is to be refused.
func (l *lobby) unmark(c *netpoll.Conn) {
	if refusalOf(c) != admitted {
		setRefusal(c, admitted)
		l.server.turnedAway.Add(-1)
	}
}
