package handshake

import (
	"bytes"
	"errors"
)

// ErrNotHTTP says that bytes cannot become a request head, however they go on.
var ErrNotHTTP = errors.New("handshake: not an HTTP request")

// maxMethod is generous: the longest registered method has 17 bytes, but is
// none that a web server gets.
const maxMethod = 16

// HeadEnd returns the length of the request head in b, the blank line included,
// or 0 if b does not hold all of it yet. An err says that it never will, so that
// a TLS ClientHello or another stranger is refused at its first bytes. from is
// how many bytes of b an earlier call has seen, so that a request that comes
// byte by byte is not searched from the start each time.
//
// Only what is needed to refuse early is checked here, the rest by
// [Upgrader.Upgrade].
func HeadEnd(b []byte, from int) (n int, err error) {
	if !startsLikeRequest(b) {
		return 0, ErrNotHTTP
	}
	// The request line has no control bytes. Where it ends is not kept
	// between calls, but found again quickly.
	if bytes.IndexByte(b[:from], '\n') < 0 {
		for i, c := range b[from:] {
			if c == '\n' {
				break
			}
			if isControl(c) && c != '\r' {
				return 0, ErrNotHTTP
			}
			if i += from; i > 0 && b[i-1] == '\r' {
				return 0, ErrNotHTTP
			}
		}
	}
	for i := from; ; i++ {
		next := bytes.IndexByte(b[i:], '\n')
		if next < 0 {
			return 0, nil
		}
		i += next
		if b[i-1] != '\r' { // i > 0: b starts with a method
			return 0, ErrNotHTTP
		}
		if b[i-2] == '\n' { // i > 1, for the same reason
			return i + 1, nil
		}
	}
}

// startsLikeRequest reports whether b is, or may become, a method and a space.
func startsLikeRequest(b []byte) bool {
	if len(b) > 0 && (b[0] < 'A' || b[0] > 'Z') {
		return false
	}
	for i, c := range b[:min(len(b), maxMethod+1)] {
		if c == ' ' {
			return true
		}
		if i == maxMethod || !isToken(c) {
			return false
		}
	}
	return true
}

func isControl(c byte) bool { return c < ' ' || c == 0x7f }

// isToken reports whether c may stand in a token (RFC 9110, section 5.6.2).
func isToken(c byte) bool { return tokens[c] }

var tokens = func() (t [256]bool) {
	for c := range t {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			t[c] = true
		}
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()
