package server

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

// HTTPS says how pages go with TLS.
type HTTPS struct {
	// RedirectTo is the port of the TLS listener to which requests in the clear are
	// sent; 0: they are answered.
	RedirectTo int
	// HSTS is how long browsers are told to come by TLS only (RFC 6797); 0: they are
	// told nothing.
	HSTS time.Duration
	// Challenges, if not nil, answers those of http-01 (RFC 8555, 8.3), which come in
	// the clear, and leaves the rest to next.
	Challenges func(next http.Handler) http.Handler
}

func (s *Server) redirects() bool { return s.config.TLS != nil && s.config.TLS.RedirectTo != 0 }

// connKey is under which a request's context has its *httpConn.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// secured is next with what TLS asks for: over TLS a header, in the clear, if it is
// so configured, a redirection instead of an answer.
func (hs *httpServer) secured(next http.Handler) http.Handler {
	t := hs.server.config.TLS
	if t == nil {
		return next
	}
	inTheClear := next
	if t.RedirectTo != 0 {
		inTheClear = redirectTo(t.RedirectTo)
	}
	if t.Challenges != nil {
		inTheClear = t.Challenges(inTheClear)
	}
	hsts := "max-age=" + strconv.Itoa(int(t.HSTS/time.Second))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*httpConn); !ok || c.sealed == nil {
			inTheClear.ServeHTTP(w, r)
			return
		}
		if t.HSTS > 0 {
			w.Header().Set("Strict-Transport-Security", hsts)
		}
		next.ServeHTTP(w, r)
	})
}

// redirectTo sends everybody to the same place by TLS; with 308, so that a method
// and a body go along (RFC 9110, 15.4.9).
func redirectTo(port int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		} else if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
			host = host[1 : n-1]
		}
		if host == "" {
			http.Error(w, "come by https://", http.StatusBadRequest)
			return
		}
		if port == 443 {
			if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
				host = "[" + host + "]"
			}
		} else {
			host = net.JoinHostPort(host, strconv.Itoa(port))
		}
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})
}
