package web

import (
	"strconv"
	"strings"
)

// acceptsGzip says whether the Accept-Encoding header lines ask for gzip at least
// as much as for the bytes as they are (RFC 9110, 12.5.3). A client that names no
// encoding gets none. A weight that cannot be read counts as a refusal.
func acceptsGzip(lines []string) bool {
	// Weights in thousandths; below zero: not mentioned.
	gzip, identity, others := -1, -1, -1
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			coding, parameters, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip", "x-gzip": // RFC 9110, 8.4.1.3: the same thing
				gzip = max(gzip, weight(parameters))
			case "identity":
				identity = weight(parameters)
			case "*":
				others = weight(parameters)
			}
		}
	}
	if gzip < 0 {
		gzip = others
	}
	return gzip > 0 && gzip >= identity
}

// weight reads the parameters behind a coding, such as " q=0.5", as thousandths:
// 1000 where there are none, 0 for what is not a weight (RFC 9110, 12.4.2).
func weight(parameters string) int {
	parameters = strings.TrimSpace(parameters)
	if parameters == "" {
		return 1000
	}
	name, value, _ := strings.Cut(parameters, "=")
	if !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 0
	}
	value = strings.TrimSpace(value)
	if value == "" || len(value) > len("0.000") || strings.Trim(value, "0123456789.") != "" {
		return 0
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil || q > 1 {
		return 0
	}
	return int(q*1000 + 0.5)
}
