package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// MaxHeader bounds a header of the PROXY protocol, in bytes; its version 2 could
// announce 64 KiB. There is room for a client's certificate.
const MaxHeader = 4 << 10

const (
	maxHeader1 = 107 // of version 1, the end of the line included
	prefix2    = 16  // of version 2: what comes before the length counts
)

// errNoHeader says that bytes cannot become a header of the PROXY protocol,
// however they go on.
var errNoHeader = errors.New("proxy: not a PROXY protocol header")

// HeaderEnd returns the length of the PROXY protocol header, version 1 or 2, at
// the beginning of b, or 0 if b does not hold all of it yet. Only what is needed
// to find the end, and to refuse early, is checked here, the rest by
// [ParseHeader].
func HeaderEnd(b []byte) (n int, err error) {
	switch {
	case startsLike(b, proxyproto.SIGV1):
		line := b[:min(len(b), maxHeader1)]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			return end + 1, nil
		}
		if len(line) == maxHeader1 {
			return 0, errNoHeader
		}
	case startsLike(b, proxyproto.SIGV2):
		if len(b) < prefix2 {
			return 0, nil
		}
		n = prefix2 + int(binary.BigEndian.Uint16(b[prefix2-2:]))
		if n > MaxHeader {
			return 0, errNoHeader
		}
		if n <= len(b) {
			return n, nil
		}
	default:
		return 0, errNoHeader
	}
	return 0, nil
}

// startsLike reports whether b begins with signature, or may come to.
func startsLike(b, signature []byte) bool {
	n := min(len(b), len(signature))
	return bytes.Equal(b[:n], signature[:n])
}

// ParseHeader reads a whole header, as HeaderEnd measured it. The zero Addr says
// that the connection is the proxy's own (LOCAL), or that it does not know whose
// it is (UNKNOWN, or no TCP address).
func ParseHeader(header []byte) (client netip.Addr, err error) {
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(header), len(header)))
	if err != nil {
		return netip.Addr{}, err
	}
	if h.Command.IsLocal() {
		return netip.Addr{}, nil
	}
	if source, ok := h.SourceAddr.(*net.TCPAddr); ok {
		client, _ = netip.AddrFromSlice(source.IP)
	}
	return client.Unmap(), nil
}
