package main

import (
	"context"
	"net"
	"net/netip"
	"strconv"
)

// splitAddress reads host:port, where host may be empty.
func splitAddress(s string) (host string, port uint16, err error) {
	host, service, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, err
	}
	number, err := net.LookupPort("tcp", service)
	return host, uint16(number), err
}

// overlap says whether two hosts cannot both be listened on at one port: they are the
// same, or one of them is all addresses, which :: and no host at all are of IPv4 as
// well. A name is only known to be what it is.
func overlap(a, b string) bool {
	return a == b || everything(a) || everything(b) || within(a, b) || within(b, a)
}

func everything(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.Is6() && addr.IsUnspecified()
}

// within says whether inner is an address that outer, also one, takes.
func within(inner, outer string) bool {
	i, err1 := netip.ParseAddr(inner)
	o, err2 := netip.ParseAddr(outer)
	i, o = i.Unmap(), o.Unmap()
	return err1 == nil && err2 == nil && (i == o || o.Is4() && o.IsUnspecified() && i.Is4())
}

// lookup is the address that host, an address or a name, stands for.
func lookup(host string) (netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap(), nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	return addrs[0].Unmap(), nil
}

// parseAddress reads host:port, where host may be empty (all addresses, IPv4
// and IPv6), an address, or a name.
func parseAddress(s string) (netip.AddrPort, error) {
	host, port, err := splitAddress(s)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		return netip.AddrPortFrom(anyAddress(), port), nil
	}
	addr, err := lookup(host)
	return netip.AddrPortFrom(addr, port), err
}

// anyAddress is ::, which takes IPv4 too, or 0.0.0.0 where there is no IPv6.
func anyAddress() netip.Addr {
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		l.Close()
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// forHumans is an address that a browser on this machine can open.
func forHumans(a netip.AddrPort) string {
	if a.Addr().IsUnspecified() {
		return "localhost:" + strconv.Itoa(int(a.Port()))
	}
	return a.String()
}
