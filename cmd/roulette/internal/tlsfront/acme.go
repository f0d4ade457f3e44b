package tlsfront

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACMEConfig says whose certificates are obtained, and where.
type ACMEConfig struct {
	Domains   []string
	Email     string // for the CA's warnings; may be empty
	Directory string // URL; default Let's Encrypt's
	StateDir  string // account, keys and certificates are kept in its folder acme
	Logger    *slog.Logger
	// RetryFirst is how long after a failure the first attempt is repeated; each
	// further wait is twice as long, up to RetryMost, and at least what the CA asks
	// for. Defaults: 10 s, 6 h.
	RetryFirst, RetryMost time.Duration
}

// ACME obtains certificates and renews them. It does so on its own: a client for whose
// name there is none yet is refused, and waits for nobody.
type ACME struct {
	config  ACMEConfig
	domains []*acmeDomain
	first   sync.Mutex // one first certificate at a time: they share an account
}

// acmeDomain is one name. A manager of its own, so that it can be begun again: one
// whose first attempt has failed gives the same answer for a minute.
type acmeDomain struct {
	name    string
	manager atomic.Pointer[autocert.Manager]
	expires atomic.Pointer[time.Time] // of the certificate in use; nil: there is none
	failed  atomic.Bool               // the last request to the CA
}

// NewACME makes one; Run is what obtains.
func NewACME(config ACMEConfig) *ACME {
	if config.Directory == "" {
		config.Directory = autocert.DefaultACMEDirectory
	}
	if config.RetryFirst <= 0 {
		config.RetryFirst = 10 * time.Second
	}
	if config.RetryMost <= 0 {
		config.RetryMost = 6 * time.Hour
	}
	a := &ACME{config: config}
	for _, name := range config.Domains {
		d := &acmeDomain{name: strings.ToLower(name)}
		d.manager.Store(a.newManager(d))
		a.domains = append(a.domains, d)
	}
	return a
}

func (a *ACME) newManager(d *acmeDomain) *autocert.Manager {
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(filepath.Join(a.config.StateDir, "acme")),
		HostPolicy: autocert.HostWhitelist(d.name),
		Email:      a.config.Email,
		Client: &acme.Client{
			DirectoryURL: a.config.Directory,
			UserAgent:    "roulette",
			HTTPClient:   &http.Client{Transport: &observer{d, a.config.Logger}, Timeout: 30 * time.Second},
			RetryBackoff: backoff,
		},
	}
	m.HTTPHandler(nil) // so that http-01 is tried as well
	return m
}

// backoff repeats a request within one attempt, unless the CA says that there were
// too many: then the attempt is over.
func backoff(n int, _ *http.Request, response *http.Response) time.Duration {
	if response.StatusCode == http.StatusTooManyRequests || n > 3 {
		return -1
	}
	return time.Duration(n) * time.Second
}

// observer logs what goes wrong between autocert, which says nothing of its
// renewals, and the CA.
type observer struct {
	domain *acmeDomain
	log    *slog.Logger
}

func (o *observer) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	switch {
	case err != nil:
		o.domain.failed.Store(true)
		o.log.Warn("ACME server not reached", "domain", o.domain.name, "error", err)
	case response.StatusCode >= 400:
		o.domain.failed.Store(true)
		o.log.Warn("ACME server refused", "domain", o.domain.name, "status", response.StatusCode)
	default:
		o.domain.failed.Store(false)
	}
	return response, err
}

var errNoCertificate = errors.New("tlsfront: no certificate for this name")

// Certificate is Config.Certificate for the domains and for the CA that looks at
// them.
func (a *ACME) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	d := a.domain(hello.ServerName)
	switch {
	case d == nil:
		return nil, errNoCertificate
	case slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}):
		return d.manager.Load().GetCertificate(hello)
	case d.expires.Load() == nil:
		return nil, errNoCertificate
	}
	return d.manager.Load().GetCertificate(ecdsaHello(d.name)) // it has it, in memory
}

func (a *ACME) domain(name string) *acmeDomain {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, d := range a.domains {
		if d.name == name {
			return d
		}
	}
	return nil
}

// ecdsaHello asks for the one kind of key that all clients of TLS 1.3 know.
func ecdsaHello(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName:       name,
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		SupportedCurves:  []tls.CurveID{tls.CurveP256},
		CipherSuites:     []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	}
}

// Challenges answers those of http-01, and leaves the rest to next.
func (a *ACME) Challenges(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil { // the port is 80, or somebody maps it there
			host = h
		}
		d := a.domain(host)
		if d == nil || !strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
			next.ServeHTTP(w, r)
			return
		}
		r = r.Clone(r.Context())
		r.Host = d.name
		d.manager.Load().HTTPHandler(next).ServeHTTP(w, r)
	})
}

// NotAfter is when the first of the certificates expires; zero while there is none.
func (a *ACME) NotAfter() (first time.Time) {
	for _, d := range a.domains {
		if t := d.expires.Load(); t != nil && (first.IsZero() || t.Before(first)) {
			first = *t
		}
	}
	return first
}

// run obtains d's certificate, as often as it takes, and then follows its renewals.
// loaded is told of each success and failure.
func (a *ACME) run(ctx context.Context, d *acmeDomain, every time.Duration, loaded func(error)) {
	log, wait := a.config.Logger, a.config.RetryFirst
	for {
		a.first.Lock()
		cert, err := d.manager.Load().GetCertificate(ecdsaHello(d.name))
		a.first.Unlock()
		if err == nil {
			d.note(cert, log)
			loaded(nil)
			break
		}
		if ctx.Err() != nil {
			return
		}
		loaded(err)
		pause := wait
		if asked, ok := acme.RateLimit(err); ok {
			pause = max(pause, asked)
		}
		log.Error("certificate not obtained", "domain", d.name, "error", err, "again_in", pause)
		if !sleep(ctx, pause) {
			return
		}
		wait = min(2*wait, a.config.RetryMost)
		d.manager.Store(a.newManager(d))
	}
	for sleep(ctx, every) {
		if cert, err := d.manager.Load().GetCertificate(ecdsaHello(d.name)); err == nil && d.note(cert, log) {
			loaded(nil)
		} else if d.failed.Swap(false) {
			loaded(fmt.Errorf("renewal of %s", d.name))
		}
	}
}

// note takes the certificate in use, and tells whether it is another.
func (d *acmeDomain) note(cert *tls.Certificate, log *slog.Logger) bool {
	if last := d.expires.Load(); last != nil && last.Equal(cert.Leaf.NotAfter) {
		return false
	}
	d.expires.Store(&cert.Leaf.NotAfter)
	log.Info("certificate obtained", "domain", d.name, "not_after", cert.Leaf.NotAfter)
	return true
}

// sleep waits, and returns false as soon as ctx is done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
