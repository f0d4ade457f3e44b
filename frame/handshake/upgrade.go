package handshake

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/gobwas/ws"
)

// Config says which requests become chats. The zero value has no endpoint.
type Config struct {
	// Endpoints are where chats are. Request.Endpoint is an index into it.
	Endpoints []Endpoint

	// AllowedOrigins is a list, such as "https://example.org", of the pages that
	// may open a chat. "https://*.example.org" is every host below that name, and
	// not that name; "null" is a page without a place. Empty: those of the same
	// host as the Host field. "*": all. A request without an Origin, which no
	// browser makes, always may.
	AllowedOrigins []string
}

// Endpoint is a path at which requests become chats.
type Endpoint struct {
	// Path is such as "/ws".
	Path string

	// Subprotocols may be chosen if the client offers them. Others that it
	// offers are ignored, and it is then served without one.
	Subprotocols []string
}

// Upgrader answers handshakes.
//
// It is immutable after New, and for all goroutines.
type Upgrader struct {
	endpoints  []Endpoint
	origins    []origin
	anyOrigin  bool
	nullOrigin bool
	gobwas     ws.Upgrader
	exchanges  sync.Pool // of *exchange
}

// Request is what is to be known of a request that was accepted, or is for
// somebody else.
type Request struct {
	// Endpoint is an index into Config.Endpoints.
	Endpoint int

	// Elsewhere, with NotChat, says that the request asks for WebSocket all the
	// same.
	Elsewhere bool

	// Subprotocol is the chosen one, an element of the Endpoint's, or empty.
	Subprotocol string

	// ForwardedFor is the value of X-Forwarded-For, unchecked, several lines
	// joined with commas; nil if there is none. It lies in the head.
	ForwardedFor []byte

	// Cookies is the value of Cookie, several lines joined, see [Cookie], and Origin
	// that of Origin; nil if there is none. They lie in the head.
	Cookies, Origin []byte
}

// New checks the configuration. An error names the entry that is wrong.
func New(c Config) (*Upgrader, error) {
	u := new(Upgrader)
	for _, e := range c.Endpoints {
		r := request{target: []byte(e.Path)}
		if e.Path == "" || e.Path[0] != '/' || r.splitTarget() != "" || string(r.path) != e.Path {
			return nil, fmt.Errorf("handshake: %q is not a path such as /ws", e.Path)
		}
		for _, s := range e.Subprotocols {
			if s == "" || slices.ContainsFunc([]byte(s), func(c byte) bool { return !isToken(c) }) {
				return nil, fmt.Errorf("handshake: %q is not a subprotocol", s)
			}
		}
		u.endpoints = append(u.endpoints, Endpoint{e.Path, slices.Clone(e.Subprotocols)})
	}
	if err := u.parseOrigins(c.AllowedOrigins); err != nil {
		return nil, err
	}
	u.gobwas = ws.Upgrader{
		ReadBufferSize:  512, // for what appendCanonical makes
		WriteBufferSize: 512,
		ProtocolCustom:  u.intern,
	}
	u.exchanges.New = func() any { return new(exchange) }
	return u, nil
}

// Upgrade answers one whole request head, as HeadEnd measured it. The response,
// 101 or a refusal, is appended to dst; after a refusal the connection is to be
// closed. With NotChat nothing is appended: net/http answers.
func (u *Upgrader) Upgrade(dst, head []byte) (resp []byte, req Request, res Result) {
	r, bad := u.scan(head)
	var reason string
	switch {
	case bad != "":
		res, reason = BadRequest, bad
	case r.major != 1:
		res, reason = BadVersion, "this server speaks HTTP/1.1"
	case r.endpoint < 0:
		return dst, Request{Elsewhere: r.upgrade}, NotChat
	default:
		res, reason = u.judge(&r)
	}
	if res != OK {
		// The answer to a HEAD has no body, however bad the rest is.
		body := !bytes.HasPrefix(head, []byte("HEAD "))
		return appendRefusal(dst, res.Status(), reason, 0, body), Request{ForwardedFor: r.forwarded, Cookies: r.cookies, Origin: r.origin}, res
	}
	return u.accept(dst, &r), Request{Endpoint: r.endpoint, Subprotocol: r.protocol, ForwardedFor: r.forwarded, Cookies: r.cookies, Origin: r.origin}, OK
}

// judge decides about a well-formed request for a chat path (RFC 6455, section
// 4.2.1).
func (u *Upgrader) judge(r *request) (res Result, reason string) {
	if string(r.method) != "GET" {
		return MethodNotAllowed, "use GET"
	}

	// RFC 9112, section 3.2: one Host, which a target in absolute form
	// outranks.
	if r.hosts > 1 || r.hosts == 0 && r.minor > 0 {
		return BadRequest, "one Host header is required"
	}
	if r.hosts == 1 {
		if _, _, ok := splitHostPort(r.host); !ok {
			return BadRequest, "malformed Host header"
		}
	}
	if r.authority != nil {
		r.host = r.authority
	}

	switch {
	case r.body:
		return BadRequest, "a handshake has no body"
	case r.minor == 0 || !r.upgrade:
		return UpgradeRequired, "this is a WebSocket endpoint"
	case !r.connection:
		return BadRequest, "Connection header without upgrade"
	case r.versions != 1 || len(r.version) == 0:
		return BadRequest, "one Sec-WebSocket-Version header is required"
	case string(r.version) != "13":
		return UpgradeRequired, "this server speaks WebSocket version 13"
	case r.keys != 1 || !isKey(r.key):
		return BadRequest, "one Sec-WebSocket-Key header of 16 bytes in base64 is required"
	case r.badProtocol:
		return BadRequest, "malformed Sec-WebSocket-Protocol header"
	case r.badOffer:
		return BadRequest, "malformed Sec-WebSocket-Extensions header"
	case r.origins > 1:
		return BadRequest, "more than one Origin header"
	case !u.mayCome(r):
		return BadOrigin, "this page may not connect here"
	}
	return OK, ""
}

// isKey reports whether b is the base64 of 16 bytes: 22 characters and two of
// padding.
func isKey(b []byte) bool {
	if len(b) != 24 || b[22] != '=' || b[23] != '=' {
		return false
	}
	for _, c := range b[:22] {
		if !isDigit(c) && (lower(c) < 'a' || lower(c) > 'z') && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// accept appends the response of ws.Upgrader to the request, as far as it
// matters to that.
func (u *Upgrader) accept(dst []byte, r *request) []byte {
	x := u.exchanges.Get().(*exchange)
	x.request = appendCanonical(x.request[:0], r)
	x.unread = x.request
	x.response = dst
	_, err := u.gobwas.Upgrade(x)
	dst = x.response
	x.unread, x.response = nil, nil
	u.exchanges.Put(x)
	if err != nil {
		panic("handshake: gobwas refuses what was scanned: " + err.Error())
	}
	return dst
}

func appendCanonical(b []byte, r *request) []byte {
	b = append(b, "GET / HTTP/1.1\r\nHost: roulette\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-Websocket-Version: 13\r\nSec-Websocket-Key: "...)
	b = append(b, r.key...)
	if r.protocol != "" {
		b = append(b, "\r\nSec-Websocket-Protocol: "...)
		b = append(b, r.protocol...)
	}
	return append(b, "\r\n\r\n"...)
}

// intern gives gobwas the one subprotocol that is left, without a new string.
func (u *Upgrader) intern(name []byte) (string, bool) {
	for i := range u.endpoints {
		for _, s := range u.endpoints[i].Subprotocols {
			if string(name) == s {
				return s, true
			}
		}
	}
	return "", true
}

// exchange is the connection that ws.Upgrader sees.
type exchange struct {
	request  []byte // kept for its capacity
	unread   []byte
	response []byte
}

func (x *exchange) Read(p []byte) (int, error) {
	if len(x.unread) == 0 {
		return 0, io.EOF
	}
	n := copy(p, x.unread)
	x.unread = x.unread[n:]
	return n, nil
}

func (x *exchange) Write(p []byte) (int, error) {
	x.response = append(x.response, p...)
	return len(p), nil
}
