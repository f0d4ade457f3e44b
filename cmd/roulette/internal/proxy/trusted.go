package proxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

// Trusted are the networks whose addresses are those of proxies.
type Trusted []netip.Prefix

// ParseNetwork reads an address or a network, such as 10.0.0.0/8. IPv4-mapped
// IPv6 becomes IPv4.
func ParseNetwork(s string) (netip.Prefix, error) {
	bad := func(why string) (netip.Prefix, error) {
		return netip.Prefix{}, fmt.Errorf("%q is not an address or a network such as 10.0.0.0/8%s", s, why)
	}
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		switch {
		case err != nil:
			return bad("")
		case addr.Zone() != "":
			return bad(": without the zone")
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return bad("")
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return bad(": it is more than the IPv4-mapped addresses")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if m := p.Masked(); m != p {
		return bad(fmt.Sprintf(": its first address is %v", m))
	}
	return p, nil
}

// Contains tells whether addr is a trusted proxy's.
func (t Trusted) Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range t {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Client is who the hops in forwarded, the value of X-Forwarded-For that a
// trusted proxy has sent, say the client is: the last one that is not trusted;
// if there is none, the first one, the farthest from here. An entry that is no
// address ends the list, for nobody can say who has written what stands before
// it. The zero Addr: the list names nobody.
func (t Trusted) Client(forwarded []byte) (client netip.Addr) {
	for len(forwarded) > 0 {
		comma := bytes.LastIndexByte(forwarded, ',')
		hop, err := parseHop(string(bytes.TrimSpace(forwarded[comma+1:])))
		if err != nil {
			return client
		}
		client = hop
		if !t.Contains(hop) {
			return client
		}
		forwarded = forwarded[:max(comma, 0)]
	}
	return client
}

// parseHop reads an address as proxies write it: bare, with a port, IPv6 with
// brackets or without.
func parseHop(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		if len(s) > 0 && s[0] == '[' && s[len(s)-1] == ']' {
			s += ":0"
		}
		var hop netip.AddrPort
		hop, err = netip.ParseAddrPort(s)
		addr = hop.Addr()
	}
	return addr.Unmap().WithZone(""), err
}
