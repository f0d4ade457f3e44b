package handshake

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// HeadFromRequest appends the head of a request that net/http has parsed, so
// that an upgrade that arrives on a connection after other requests goes through
// the same Upgrade as one that arrives first.
//
// Nothing in r can add a line to the head or end it: a byte that has no place
// where it stands becomes NUL, which Upgrade refuses.
func HeadFromRequest(dst []byte, r *http.Request) []byte {
	target := func(c byte) bool { return c > ' ' && c < 0x7f }
	value := func(c byte) bool { return !isControl(c) || c == '\t' }

	dst = appendSafe(dst, r.Method, isToken)
	dst = append(dst, ' ')
	dst = appendSafe(dst, r.RequestURI, target)
	dst = append(dst, " HTTP/"...)
	dst = strconv.AppendInt(dst, int64(r.ProtoMajor), 10)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, int64(r.ProtoMinor), 10)
	dst = append(dst, "\r\n"...)
	line := func(name, v string) {
		dst = appendSafe(dst, name, isToken)
		dst = append(dst, ": "...)
		dst = appendSafe(dst, v, value)
		dst = append(dst, "\r\n"...)
	}
	if r.Host != "" {
		line("Host", r.Host)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, v := range r.Header[name] {
			line(name, v)
		}
	}
	for _, v := range r.TransferEncoding { // net/http moves it out of Header
		line("Transfer-Encoding", v)
	}
	return append(dst, "\r\n"...)
}

func appendSafe(dst []byte, s string, allowed func(byte) bool) []byte {
	for i := range len(s) {
		c := s[i]
		if !allowed(c) {
			c = 0
		}
		dst = append(dst, c)
	}
	return dst
}
