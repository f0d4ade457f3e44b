package limit

import (
	"encoding/binary"
	"net/netip"
)

// Network is what counts as one address: an IPv4 address, or an IPv6 /64. It is the
// upper half of an IPv6 address; that of an IPv4 one begins with 32 ones, where
// nobody's address does. 0 is none.
type Network uint64

const (
	ipv4 = 0xffffffff << 32
	// severalNetworks stands for more than one. No network has this number.
	severalNetworks Network = 1
)

// NetworkOf is the network of an address.
func NetworkOf(addr netip.Addr) Network {
	addr = addr.Unmap()
	if !addr.IsValid() {
		return 0
	}
	if addr.Is4() {
		b := addr.As4()
		return ipv4 | Network(binary.BigEndian.Uint32(b[:]))
	}
	b := addr.As16()
	return Network(binary.BigEndian.Uint64(b[:8]))
}

// Prefix is n as one. False: it is none, or several.
func (n Network) Prefix() (netip.Prefix, bool) {
	if n <= severalNetworks {
		return netip.Prefix{}, false
	}
	if n&ipv4 == ipv4 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(n))
		return netip.PrefixFrom(netip.AddrFrom4(b), 32), true
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(n))
	return netip.PrefixFrom(netip.AddrFrom16(b), 64), true
}
