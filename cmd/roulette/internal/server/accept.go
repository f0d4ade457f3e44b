package server

import (
	"mime"
	"strconv"
	"strings"
)

// negotiate returns which of the media types the Accept headers want most, the
// first of equals; empty if they refuse all (RFC 9110, 12.5.1).
func negotiate(accept []string, offers ...string) (best string) {
	header := strings.Join(accept, ",")
	if strings.TrimSpace(header) == "" {
		return offers[0]
	}
	most := 0.0
	for _, offer := range offers {
		if q := quality(header, offer); q > most {
			best, most = offer, q
		}
	}
	return best
}

// quality is what the most specific of the header's ranges that fit says of a
// media type.
func quality(header, offer string) (q float64) {
	kind, _, _ := strings.Cut(offer, "/")
	fits := map[string]int{"*/*": 1, kind + "/*": 2, offer: 3}
	specific := 0
	for part := range strings.SplitSeq(header, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || fits[name] <= specific {
			continue
		}
		specific, q = fits[name], 1
		if weight, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(weight, 64); err != nil || q < 0 || q > 1 {
				q = 0
			}
		}
	}
	return q
}
