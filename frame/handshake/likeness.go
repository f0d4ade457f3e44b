package handshake

import (
	"bytes"
	"hash/fnv"
)

// Likeness is a hash of what a request head says of the program that has made it, and
// not of who uses it: its fields in their order, and what it calls itself. Two browsers
// of one version have the same. What proxies put in, and cookies, do not count. It is
// never 0.
func Likeness(head []byte) uint32 {
	h := fnv.New32a()
	_, rest, _ := bytes.Cut(head, []byte("\n"))
	for line := range bytes.Lines(rest) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || isOfTheWay(name) {
			continue
		}
		h.Write(name)
		if isNamed(name, "user-agent") || isNamed(name, "sec-websocket-extensions") || isNamed(name, "accept-encoding") {
			h.Write(trimSpace(bytes.TrimRight(value, "\r\n")))
		}
		h.Write([]byte{0})
	}
	return max(h.Sum32(), 1)
}

// isOfTheWay tells whether a field comes from proxies, or is there for some people only.
func isOfTheWay(name []byte) bool {
	return len(name) > 2 && (name[0] == 'X' || name[0] == 'x') && name[1] == '-' ||
		isNamed(name, "cookie") || isNamed(name, "via") || isNamed(name, "forwarded") ||
		isNamed(name, "cache-control") || isNamed(name, "pragma") || isNamed(name, "dnt") || isNamed(name, "sec-gpc")
}

func isNamed(name []byte, lower string) bool { return bytes.EqualFold(name, []byte(lower)) }
