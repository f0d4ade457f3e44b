package web

import (
	"net/http"
	"strings"
)

// permissionsPolicy switches off what a page could ask its reader for and this
// one never does.
const permissionsPolicy = "accelerometer=(), autoplay=(self), camera=(), display-capture=(), geolocation=(), " +
	"gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), " +
	"publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()"

// setSecurityHeaders writes the headers that every response carries, whatever its
// status. host is the request's Host header, a is what is sent, or nil.
func setSecurityHeaders(header http.Header, host string, a *asset) {
	header.Set("Content-Security-Policy", contentSecurityPolicy(host, a))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Permissions-Policy", permissionsPolicy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// contentSecurityPolicy allows the page its own files and its own WebSocket, and
// nothing else. Strangers write into this page: even if one found a hole in it,
// no script of theirs would run, and what is typed could go nowhere else. The scripts
// and styles that stand in a document are allowed by their hashes, each of them alone.
// Pictures may be data and blobs, for those that a partner sends.
//
// To browsers before CSP level 3 (Safari up to 15.3) 'self' does not include
// ws and wss of the same host, so these are named too, with both schemes because a
// proxy may have taken the TLS off.
func contentSecurityPolicy(host string, a *asset) string {
	scripts, styles := "'self'", "'self'"
	if a != nil {
		scripts = strings.Join(append([]string{scripts}, a.scripts...), " ")
		styles = strings.Join(append([]string{styles}, a.styles...), " ")
	}
	connect := "'self'"
	if plainHost(host) {
		connect += " ws://" + host + " wss://" + host
	}
	return "default-src 'none'; script-src " + scripts + "; style-src " + styles + "; img-src 'self' data: blob:; " +
		"connect-src " + connect + "; " +
		"manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'"
}

// plainHost says whether host is made of nothing but the characters of a name or
// IPv4 address and a port. The Host header is the client's, and net/http lets ";"
// pass, which would begin a directive of its own. IPv6 literals cannot be written
// in a policy at all; for them 'self' has to do.
func plainHost(host string) bool {
	return host != "" && strings.Trim(host, hostCharacters) == "" && len(host) <= 255+len(":65535")
}

const hostCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:"
