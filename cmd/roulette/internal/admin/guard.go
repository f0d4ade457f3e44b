package admin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// The admin side has no password: whoever reaches its address is an operator.
// An operator's browser reaches it, too, on behalf of every page that is open in
// it. guard keeps those pages out, in both ways that there are:
//
//	cross-site requests   <img src="http://127.0.0.1:8081/debug/pprof/profile">: told by
//	                      Sec-Fetch-Site or Origin
//	DNS rebinding         http://evil.example:8081, whose address becomes 127.0.0.1 when
//	                      the page is there: same origin for the browser, told by Host

// forMachines are asked for under whatever name a monitor or a balancer has for
// the server, and say nothing that would be worth a trick.
var forMachines = []string{"/healthz", "/readyz", "/metrics"}

// guard lets requests pass that no foreign page has made.
func (h handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !slices.Contains(forMachines, r.URL.Path) && !h.knows(hostOf(r.Host)):
			answer(w, http.StatusMisdirectedRequest, "the admin side is not known as "+shorten(hostOf(r.Host))+": ask it by its address, or see --admin-hosts")
		case foreign(r):
			answer(w, http.StatusForbidden, "a page of another site asked for this")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knows tells whether a host is one that nobody else can have a page under: an
// address, a name that public DNS has not, or one of Config.Hosts.
func (h handler) knows(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host != "" && !strings.Contains(host, ".") { // localhost, a container, a service of one's own namespace
		return true
	}
	for _, private := range []string{".localhost", ".local", ".internal", ".home.arpa", ".svc"} {
		if strings.HasSuffix(host, private) {
			return true
		}
	}
	return slices.ContainsFunc(h.Hosts, func(known string) bool { return strings.EqualFold(known, host) })
}

// hostOf is a Host header's host without the port.
func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

// foreign tells whether a page of another site has made the request. A link to a
// page is none of its business: what it opens, it cannot read.
func foreign(r *http.Request) bool {
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "same-origin", "none":
		return false
	case "": // no browser, an old one, or one that does not trust plain HTTP
		origin := r.Header.Get("Origin")
		if origin == "" {
			return false
		}
		u, err := url.Parse(origin)
		return err != nil || u.Host != r.Host
	}
	link := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return !link || strings.HasPrefix(r.URL.Path, "/debug/")
}

// operator is who made a request, as far as that is known.
func operator(r *http.Request) string { return hostOf(r.RemoteAddr) }
