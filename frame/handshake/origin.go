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
	o, ok := parseOrigin(r.origin)
	if !ok {
		return false
	}
	if len(u.origins) == 0 {
		return o.isOf(r.host)
	}
	for _, allowed := range u.origins {
		if o.equal(allowed) {
			return true
		}
	}
	return false
}

// parseOrigins reads Config.AllowedOrigins.
func parseOrigins(list []string) (origins []origin, anyone bool, err error) {
	for _, s := range list {
		if s == "*" {
			anyone = true
			continue
		}
		o, ok := parseOrigin([]byte(s))
		if !ok {
			return nil, false, fmt.Errorf("handshake: %q is not an origin such as https://example.org", s)
		}
		origins = append(origins, o)
	}
	return origins, anyone, nil
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
