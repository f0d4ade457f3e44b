package handshake

import (
	"bytes"
	"fmt"
	"net/netip"
)

// origin is a scheme and an authority (RFC 6454). The slices are as the client
// wrote them; port is the scheme's own if none was written.
type origin struct {
	scheme, host, port []byte
}

// parseOrigin reads an Origin such as "https://example.org:8443". "null", which
// a page without a place sends, is not one.
func parseOrigin(b []byte) (o origin, ok bool) {
	scheme, authority, found := bytes.Cut(b, []byte("://"))
	if !found || !isScheme(scheme) {
		return o, false
	}
	host, port, ok := splitHostPort(authority)
	if !ok {
		return o, false
	}
	o = origin{scheme, host, port}
	if len(port) == 0 {
		o.port = o.defaultPort()
	}
	return o, true
}

// isScheme reports whether b is a scheme (RFC 3986, section 3.1).
func isScheme(b []byte) bool {
	for i, c := range b {
		switch {
		case 'a' <= lower(c) && lower(c) <= 'z':
		case i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return len(b) > 0
}

var httpPort, httpsPort = []byte("80"), []byte("443")

func (o origin) defaultPort() []byte {
	switch {
	case equalFold(o.scheme, "http"):
		return httpPort
	case equalFold(o.scheme, "https"):
		return httpsPort
	}
	return nil
}

// within reports whether the origin is allowed, an entry of the list: the same, or, for
// an entry such as https://*.example.org, of a host below that name.
func (o origin) within(allowed origin) bool {
	below, wild := bytes.CutPrefix(allowed.host, wildcard)
	if !wild {
		return o.equal(allowed)
	}
	above := len(o.host) - len(below)
	return above > 0 && isLabels(o.host[:above]) && o.equal(origin{allowed.scheme, o.host, allowed.port}) &&
		equalFold(o.host[above:], below)
}

// wildcard stands for one label or more at the beginning of a host.
var wildcard = []byte("*")

// isLabels reports whether b is the beginning of a name: labels that are not empty.
func isLabels(b []byte) bool {
	return b[0] != '.' && !bytes.Contains(b, []byte("..")) && b[len(b)-1] != '.'
}

func (o origin) equal(other origin) bool {
	return equalFold(o.scheme, other.scheme) && equalFold(o.host, other.host) && bytes.Equal(o.port, other.port)
}

// isOf reports whether the origin is the place that the Host field names. Host
// has no scheme; where it has no port either, it is the default one of the
// origin's scheme, since a proxy may have taken TLS off.
func (o origin) isOf(host []byte) bool {
	name, port, ok := splitHostPort(host)
	if !ok {
		return false
	}
	if len(port) == 0 {
		port = o.defaultPort()
	}
	return equalFold(o.host, name) && bytes.Equal(o.port, port)
}

// mayCome reports whether a request with this Origin, if it has one, may become
// a chat. Programs that are no browsers send none.
func (u *Upgrader) mayCome(r *request) bool {
	if r.origins == 0 || u.anyOrigin {
		return true
	}
	if string(r.origin) == nobody {
		return u.nullOrigin
	}
	o, ok := parseOrigin(r.origin)
	if !ok {
		return false
	}
	if len(u.origins) == 0 && !u.nullOrigin {
		return o.isOf(r.host)
	}
	for _, allowed := range u.origins {
		if o.within(allowed) {
			return true
		}
	}
	return false
}

// nobody is the Origin of a page without a place, such as a file or a frame in a
// sandbox. It is anybody's, so it may come where the list names it, or has "*".
const nobody = "null"

// parseOrigins reads Config.AllowedOrigins.
func (u *Upgrader) parseOrigins(list []string) error {
	for _, s := range list {
		switch s {
		case "*":
			u.anyOrigin = true
			continue
		case nobody:
			u.nullOrigin = true
			continue
		}
		o, ok := parseAllowed([]byte(s))
		if !ok {
			return fmt.Errorf("handshake: %q is not an origin such as https://example.org", s)
		}
		u.origins = append(u.origins, o)
	}
	return nil
}

// parseAllowed reads an entry of the list: an origin, whose host may begin with "*.",
// above a name of two labels at least.
func parseAllowed(b []byte) (o origin, ok bool) {
	scheme, host, found := bytes.Cut(b, []byte("://*."))
	if !found {
		return parseOrigin(b)
	}
	o, ok = parseOrigin(append(append(bytes.Clone(scheme), "://"...), host...))
	if !ok || !isLabels(o.host) || bytes.Count(o.host, []byte(".")) == 0 || o.host[0] == '[' {
		return o, false
	}
	o.host = append([]byte("*."), o.host...)
	return o, true
}

// splitHostPort splits the value of a Host field (RFC 9110, section 7.2). port is
// without leading zeros, and empty if there is none. Names are taken as DNS
// writes them, with underscores: no percent-encoding, no user.
func splitHostPort(b []byte) (host, port []byte, ok bool) {
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 {
			return nil, nil, false
		}
		host, port = b[:end+1], b[end+1:]
		if !isIPv6(host[1:end]) {
			return nil, nil, false
		}
		if len(port) > 0 {
			if port[0] != ':' {
				return nil, nil, false
			}
			port = port[1:]
		}
	} else {
		host, port, _ = bytes.Cut(b, []byte(":"))
		if len(host) == 0 {
			return nil, nil, false
		}
		for _, c := range host {
			switch {
			case 'a' <= lower(c) && lower(c) <= 'z', isDigit(c), c == '-', c == '.', c == '_':
			default:
				return nil, nil, false
			}
		}
	}
	for _, c := range port {
		if !isDigit(c) {
			return nil, nil, false
		}
	}
	for len(port) > 1 && port[0] == '0' {
		port = port[1:]
	}
	return host, port, len(port) <= 5
}

// isIPv6 reports whether b is an IPv6 address without a zone (RFC 3986, section
// 3.2.2).
func isIPv6(b []byte) bool {
	addr, err := netip.ParseAddr(string(b))
	return err == nil && addr.Is6() && addr.Zone() == ""
}
