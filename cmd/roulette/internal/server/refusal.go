package server

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"roulette/frame/handshake"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/web"
)

// refusal is how a connection is refused: a row of the table of refusals.
type refusal uint8

const (
	admitted refusal = iota
	serverFull
	addressFull
	handshakeRate
	memoryShort
	goingAway
	notFromProxy
	noProxyHeader
	pagesFull
	banned
	notTakenBack
	plainOff

	lastRefusal
)

// refusals says of each what the client gets, and what it is counted and logged
// as. Status 0: the connection is closed without a word.
var refusals = [lastRefusal]struct {
	status     int
	text       string
	retryAfter int // seconds; 0: it does not say
	why        metrics.RejectReason
	chatsOnly  bool        // a request for a page is served all the same: pages have a bound of their own
	page       web.Refusal // for people who look at the answer, unless the status is 400 or 0
}{
	serverFull:    {503, "server is full", 10, metrics.RejectMaxConnections, true, web.Full},
	addressFull:   {429, "too many connections from this address", 30, metrics.RejectPerAddress, true, web.TooMany},
	handshakeRate: {429, "too many handshakes from this address", 10, metrics.RejectHandshakeRate, true, web.TooMany},
	memoryShort:   {503, "memory is short", 10, metrics.RejectMemory, true, web.Full},
	goingAway:     {503, "shutting down", 10, metrics.RejectDraining, false, web.Draining},
	notFromProxy:  {0, "", 0, metrics.RejectProxyHeader, false, 0},
	noProxyHeader: {400, "a PROXY protocol header must come first", 0, metrics.RejectProxyHeader, false, 0},
	pagesFull:     {503, "too busy for pages", 5, metrics.RejectPages, false, web.Full},
	// When it may come again is the ban's own: see refuseBanned.
	banned: {403, "banned", 0, metrics.RejectBanned, false, web.Banned},
	// A tool's, which shows it as it is.
	plainOff: {403, "clients must offer the subprotocol " + record.Subprotocol, 0, metrics.RejectPlain, true, 0},
	// Not counted: net/http's own.
	notTakenBack: {503, "too busy", 10, 0, false, web.Full},
}

// append appends the refusal's response.
func (r refusal) append(dst []byte) []byte {
	row := &refusals[r]
	return handshake.AppendRefusal(dst, row.status, row.text, row.retryAfter)
}

// appendTo appends the refusal's response to a request that is whole: people get a
// page. Who is banned gets, as a line of its own, where they can write to.
func (r refusal) appendTo(dst, head []byte, retryAfter int, to web.Appeal) []byte {
	row := &refusals[r]
	if row.status == 0 || row.status == 400 || !web.AcceptsHTML(headerOf(head, "Accept")) || headerOf(head, "Upgrade") != "" {
		text := row.text
		if r == banned && to.Address() != "" {
			text += "\n" + to.Address()
		}
		return handshake.AppendRefusal(dst, row.status, text, retryAfter)
	}
	body := !bytes.HasPrefix(head, []byte("HEAD "))
	if r == banned {
		return web.AppendBanned(dst, headerOf(head, "Accept-Language"), retryAfter, to, body)
	}
	return row.page.AppendTo(dst, headerOf(head, "Accept-Language"), retryAfter, body)
}

// refuse answers c's request with a refusal, which was noted when it was decided.
func (l *lobby) refuse(c *netpoll.Conn, r refusal) { l.dismiss(c, r.append(l.reply[:0])) }

// refuseRequest is refuse for a request that is whole.
func (l *lobby) refuseRequest(c *netpoll.Conn, r refusal, head []byte) {
	if r == banned {
		l.refuseBanned(c, head)
		return
	}
	l.dismiss(c, r.appendTo(l.reply[:0], head, refusals[r].retryAfter, web.Appeal{}))
}

// headerOf is the value of a field of a request head that handshake has found whole,
// "" if there is none.
func headerOf(head []byte, name string) string {
	for line := range bytes.Lines(head) {
		field, value, ok := bytes.Cut(line, []byte(":"))
		if ok && strings.EqualFold(string(field), name) {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// keep has c, which is refused, live until its request can be answered so. False:
// there may be no more of that kind; it is to be closed at once.
func (l *lobby) keep(c *netpoll.Conn, r refusal) bool {
	if refusals[r].status == 0 {
		return false
	}
	if refusalOf(c) == admitted && l.server.turnedAway.Add(1) > maxTurnedAway {
		l.server.turnedAway.Add(-1)
		if refusals[r].chatsOnly { // else it was noted
			l.note(c, refusals[r].why)
		}
		return false
	}
	setRefusal(c, r)
	return true
}

// note counts and logs that c is refused.
func (l *lobby) note(c *netpoll.Conn, why metrics.RejectReason) {
	l.counters.Rejected[why]++
	s := l.server
	s.refusals.note(int(why), 1, l.worker.Now())
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		s.log.Debug("refused", "conn", c.ID(), "reason", why.String())
	}
}

// Refused implements [netpoll.Handler].
func (h *handler) Refused(why netpoll.Refusal) {
	reason := metrics.RejectMaxConnections
	if why == netpoll.NoDescriptors {
		reason = metrics.RejectDescriptorLimit
	}
	h.counters.Rejected[reason]++
	h.server.refusals.note(int(reason), 1, h.worker.Now())
}

// fail answers a request that went wrong.
func (l *lobby) fail(c *netpoll.Conn, result handshake.Result) {
	l.countHandshake(c, result)
	l.dismiss(c, handshake.AppendRefusal(l.reply[:0], result.Status(), result.String(), 0))
}

func (l *lobby) countHandshake(c *netpoll.Conn, result handshake.Result) {
	l.counters.Handshakes[handshakeResults[result]]++
	if result == handshake.BadOrigin {
		l.note(c, metrics.RejectOrigin)
	}
}

// handshakeResults is what each is counted as.
var handshakeResults = [...]metrics.HandshakeResult{
	handshake.OK:               metrics.HandshakeOK,
	handshake.BadRequest:       metrics.HandshakeBadRequest,
	handshake.BadOrigin:        metrics.HandshakeOrigin,
	handshake.NotFound:         metrics.HandshakeNotFound,
	handshake.MethodNotAllowed: metrics.HandshakeBadRequest,
	handshake.Timeout:          metrics.HandshakeTimeout,
	handshake.UpgradeRequired:  metrics.HandshakeBadRequest,
	handshake.TooLarge:         metrics.HandshakeTooLarge,
	handshake.BadVersion:       metrics.HandshakeBadRequest,
}

// dismiss ends a connection that was never a chat with an HTTP response.
func (l *lobby) dismiss(c *netpoll.Conn, response []byte) {
	l.reply = response[:0]
	releaseRequest(c)
	setEnded(c)
	l.counters.Connections[metrics.ConnectionHandshaking]--
	l.counters.Connections[metrics.ConnectionClosing]++
	c.Finish(response)
}
