package handshake

import (
	"bytes"
	"slices"
)

// request is what a scan of a head has understood. The slices lie in the head.
type request struct {
	method, target []byte
	major, minor   byte

	path      []byte // of the target, without the query
	endpoint  int    // index of the one with this path; -1: none
	authority []byte // of a target in absolute form

	host, origin, key, version     []byte
	hosts, origins, keys, versions int

	upgrade     bool // Upgrade has the token websocket
	connection  bool // Connection has the token upgrade
	body        bool // a body is announced
	protocol    string
	badProtocol bool
	badOffer    bool   // of extensions
	forwarded   []byte // X-Forwarded-For, several lines joined
	cookies     []byte // Cookie, several lines joined
}

// A head that is not HTTP, by the rule it breaks. These texts are for the
// bodies of refusals; none of them quotes the client.
const (
	badRequestLine = "malformed request line"
	badTarget      = "malformed request target"
	badLineEnd     = "lines must end in CRLF"
	badFold        = "folded header line"
	badName        = "malformed header name"
	badValue       = "control character in a header value"
)

// scan reads a whole head, blank line included. bad is empty, or the rule that
// the head breaks (RFC 9112, sections 2 to 5).
func (u *Upgrader) scan(head []byte) (r request, bad string) {
	line, rest, ok := cutLine(head)
	if !ok {
		return r, badLineEnd
	}
	if bad = r.scanRequestLine(line); bad != "" {
		return r, bad
	}
	r.endpoint = slices.IndexFunc(u.endpoints, func(e Endpoint) bool { return e.Path == string(r.path) })
	for {
		if line, rest, ok = cutLine(rest); !ok {
			return r, badLineEnd
		}
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			return r, badFold
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			return r, badName
		}
		name, value := line[:colon], trimSpace(line[colon+1:])
		if !isName(name) {
			return r, badName
		}
		for _, c := range value {
			if isControl(c) && c != '\t' {
				return r, badValue
			}
		}
		u.field(&r, name, value)
	}
	if len(rest) > 0 {
		return r, "bytes after the blank line"
	}
	return r, ""
}

// cutLine cuts the first line off b. ok is false if it does not end in CRLF, or
// has another CR in it.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\r')
	if i < 0 || i+1 == len(b) || b[i+1] != '\n' {
		return nil, nil, false
	}
	if bytes.IndexByte(b[:i], '\n') >= 0 { // bare
		return nil, nil, false
	}
	return b[:i], b[i+2:], true
}

// scanRequestLine reads "GET /ws HTTP/1.1", with single spaces.
func (r *request) scanRequestLine(line []byte) (bad string) {
	if !startsLikeRequest(line) {
		return badRequestLine
	}
	var found bool
	if r.method, line, found = bytes.Cut(line, []byte(" ")); !found {
		return badRequestLine
	}
	var version []byte
	if r.target, version, found = bytes.Cut(line, []byte(" ")); !found {
		return badRequestLine
	}
	if len(version) != 8 || string(version[:5]) != "HTTP/" || version[6] != '.' || !isDigit(version[5]) || !isDigit(version[7]) {
		return badRequestLine
	}
	r.major, r.minor = version[5]-'0', version[7]-'0'

	if len(r.target) == 0 {
		return badTarget
	}
	for _, c := range r.target {
		if c <= ' ' || c >= 0x7f {
			return badTarget
		}
	}
	return r.splitTarget()
}

// splitTarget finds the path in a target of origin form ("/ws?room=1") or
// absolute form ("http://example.org/ws"), which RFC 9112, section 3.2.2, wants
// accepted. The other two forms, "*" and an authority, have none.
func (r *request) splitTarget() (bad string) {
	path := r.target
	if path[0] != '/' {
		scheme, rest, found := bytes.Cut(path, []byte("://"))
		if !found {
			return ""
		}
		if !equalFold(scheme, "http") && !equalFold(scheme, "https") {
			return ""
		}
		end := bytes.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		r.authority, path = rest[:end], rest[end:]
		if _, _, ok := splitHostPort(r.authority); !ok {
			return badTarget
		}
	}
	r.path, _, _ = bytes.Cut(path, []byte("?"))
	return ""
}

// field takes one header line into r. What is wrong with the value of a field
// that matters only to the handshake is kept for later: the request may not be
// one.
func (u *Upgrader) field(r *request, name, value []byte) {
	switch len(name) {
	case len("Host"):
		if equalFold(name, "Host") {
			r.host, r.hosts = value, r.hosts+1
		}
	case len("Origin"): // and Cookie
		switch {
		case equalFold(name, "Origin"):
			r.origin, r.origins = value, r.origins+1
		case equalFold(name, "Cookie"):
			r.cookies = join(r.cookies, "; ", value)
		}
	case len("Upgrade"):
		if equalFold(name, "Upgrade") {
			r.upgrade = r.upgrade || hasToken(value, "websocket")
		}
	case len("Connection"):
		if equalFold(name, "Connection") {
			r.connection = r.connection || hasToken(value, "upgrade")
		}
	case len("Content-Length"):
		if equalFold(name, "Content-Length") {
			r.body = r.body || string(value) != "0"
		}
	case len("X-Forwarded-For"):
		if equalFold(name, "X-Forwarded-For") {
			r.forwarded = join(r.forwarded, ", ", value)
		}
	case len("Transfer-Encoding"): // and Sec-WebSocket-Key
		switch {
		case equalFold(name, "Transfer-Encoding"):
			r.body = true
		case equalFold(name, "Sec-WebSocket-Key"):
			r.key, r.keys = value, r.keys+1
		}
	case len("Sec-WebSocket-Version"):
		if equalFold(name, "Sec-WebSocket-Version") {
			r.version, r.versions = value, r.versions+1
		}
	case len("Sec-WebSocket-Protocol"):
		if equalFold(name, "Sec-WebSocket-Protocol") {
			u.chooseProtocol(r, value)
		}
	case len("Sec-WebSocket-Extensions"):
		if equalFold(name, "Sec-WebSocket-Extensions") {
			r.badOffer = r.badOffer || !isOffer(value)
		}
	}
}

// join adds the value of one more line of a field. That of the first is not copied.
func join(lines []byte, separator string, value []byte) []byte {
	if lines == nil {
		return value[:len(value):len(value)]
	}
	return append(append(lines, separator...), value...)
}

// isOffer reports whether a list of extensions is well-formed. Who takes none has
// to look all the same (RFC 6455, section 9.1).
func isOffer(list []byte) bool {
	for len(list) > 0 {
		var extension []byte
		if extension, list = cutElement(list); len(extension) == 0 {
			continue
		}
		name, params, more := bytes.Cut(extension, []byte(";"))
		if !isName(trimSpace(name)) {
			return false
		}
		for more {
			var param []byte
			param, params, more = bytes.Cut(params, []byte(";"))
			name, value, valued := bytes.Cut(param, []byte("="))
			if !isName(trimSpace(name)) || valued && !isName(unquote(trimSpace(value))) {
				return false
			}
		}
	}
	return true
}

// isName reports whether b is a token.
func isName(b []byte) bool {
	for _, c := range b {
		if !isToken(c) {
			return false
		}
	}
	return len(b) > 0
}

// unquote takes the quotes off a string that has them, and what escapes its
// characters.
func unquote(b []byte) []byte {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return b
	}
	return bytes.ReplaceAll(b[1:len(b)-1], []byte("\\"), nil)
}

// chooseProtocol takes the first of the client's subprotocols, in the client's
// order of preference, that is spoken at the endpoint.
func (u *Upgrader) chooseProtocol(r *request, list []byte) {
	var spoken []string
	if r.endpoint >= 0 {
		spoken = u.endpoints[r.endpoint].Subprotocols
	}
	for len(list) > 0 {
		var offered []byte
		offered, list = cutElement(list)
		for _, c := range offered {
			r.badProtocol = r.badProtocol || !isToken(c)
		}
		for _, known := range spoken {
			if r.protocol == "" && string(offered) == known {
				r.protocol = known
			}
		}
	}
}

// hasToken reports whether a comma-separated list has the token.
func hasToken(list []byte, token string) bool {
	for len(list) > 0 {
		var element []byte
		if element, list = cutElement(list); equalFold(element, token) {
			return true
		}
	}
	return false
}

// cutElement cuts the first element off a comma-separated list. It may be
// empty, which RFC 9110, section 5.6.1.2, wants overlooked.
func cutElement(list []byte) (element, rest []byte) {
	element, rest, _ = bytes.Cut(list, []byte(","))
	return trimSpace(element), rest
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares as ASCII; strings.EqualFold takes the Kelvin sign for a k.
func equalFold[S []byte | string](b []byte, s S) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
