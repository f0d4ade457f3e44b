package tls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

const acmeName = "chat.example.org"

// pebble is a real ACME server, before which a proxy may answer in its stead.
type pebble struct {
	ca        *authority // of its own HTTPS
	directory string
	limited   atomic.Bool // the proxy says that there were too many orders
	down      atomic.Bool // the proxy answers nothing
	orders    atomic.Int32
	root      string // management
}

// startPebble starts one that validates at these ports, for whatever name: all are
// the loopback.
func startPebble(t *testing.T, tlsPort, httpPort string) *pebble {
	t.Helper()
	program.Installed(t, "pebble")
	p := &pebble{ca: newAuthority(t)}
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	p.ca.issue(t, cert, key, time.Hour, "localhost")
	listen, management := free(t), free(t)
	var port [2]int
	for i, s := range []string{tlsPort, httpPort} {
		if _, err := fmt.Sscan(s, &port[i]); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "config.json")
	b, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": management, "certificate": cert, "privateKey": key,
		"httpPort": port[1], "tlsPort": port[0], "ocspResponderURL": "", "externalAccountBindingRequired": false,
	}})
	if err == nil {
		err = os.WriteFile(config, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	dns := startDNS(t)
	cmd := exec.Command("pebble", "-config", config, "-dnsserver", dns)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=10")
	var out servertest.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("pebble:\n%s", out.String())
		}
	})
	p.root = "https://" + management + "/roots/0"
	p.directory = "https://" + p.proxy(t, listen, cert, key) + "/dir"
	servertest.Await(t, "pebble", func() bool {
		c, err := net.Dial("tcp", listen)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

// proxy stands before pebble.
func (p *pebble) proxy(t *testing.T, to, cert, key string) string {
	t.Helper()
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: to})
			r.Out.Host = r.In.Host // of which pebble makes its URLs
		},
		Transport: &http.Transport{TLSClientConfig: p.ca.config("localhost"), DisableKeepAlives: true},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		order := strings.HasSuffix(r.URL.Path, "/order-plz")
		if order {
			p.orders.Add(1)
		}
		switch {
		case p.down.Load():
			panic(http.ErrAbortHandler)
		case order && p.limited.Load():
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Replay-Nonce", "none")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates already issued"}`)
		default:
			forward.ServeHTTP(w, r)
		}
	})}
	go func() { _ = s.ServeTLS(l, cert, key) }()
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// roots are what pebble's certificates are signed by.
func (p *pebble) roots(t *testing.T) *x509.CertPool {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: p.ca.config("localhost"), DisableKeepAlives: true}}
	r, err := client.Get(p.root)
	if err != nil {
		t.Fatal(err)
	}
	_, pem := program.Answer(t, r)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		t.Fatalf("no root: %s", pem)
	}
	return pool
}

// startDNS answers every question with 127.0.0.1 (RFC 1035).
func startDNS(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			q := b[:n]
			end := 12 // of the question
			for end < n && q[end] != 0 {
				end += 1 + int(q[end])
			}
			end += 5
			if n < 12 || end > n {
				continue
			}
			kind := q[end-3]
			answer := append([]byte{q[0], q[1], 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
			if kind == 1 { // A
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
			}
			_, _ = c.WriteTo(answer, from)
		}
	}()
	return c.LocalAddr().String()
}

// launch starts the program with certificates by p.
func (p *pebble) launch(t *testing.T, tlsAddr, httpAddr, state string) *server {
	t.Helper()
	l := program.Launch{
		Args: []string{"--listen-tls", tlsAddr, "--listen", httpAddr, "--admin", "127.0.0.1:0", "--state-dir", state,
			"--acme-domain", acmeName, "--acme-directory", p.directory, "--acme-email", "admin@example.org"},
		Env: []string{"SSL_CERT_FILE=" + p.ca.file},
	}
	s := &server{Process: l.Run(t), addr: tlsAddr}
	s.Addr = s.Await(t, program.Listening)
	s.Admin = s.Await(t, program.AdminOn)
	return s
}

// shown is the certificate that the program shows; nil, if it has none.
func (s *server) shown(t *testing.T, roots *x509.CertPool) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: roots, ServerName: acmeName})
	if err != nil {
		return nil
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// TestACME: no CA at first, then one that says it is too often asked, then a
// certificate; which a restart finds again without asking; and a chat over it.
func TestACME(t *testing.T) {
	servertest.Parallel(t)
	tlsAddr, httpAddr, state := free(t), free(t), filepath.Join(t.TempDir(), "state")
	p := startPebble(t, port(tlsAddr), port(httpAddr))
	p.down.Store(true)
	s := p.launch(t, tlsAddr, httpAddr, state)
	servertest.Await(t, "it says that the CA is down", func() bool {
		return strings.Contains(s.Stderr.String(), "ACME server not reached") && strings.Contains(s.Stderr.String(), "certificate not obtained")
	})
	if _, err := tls.Dial("tcp", tlsAddr, &tls.Config{InsecureSkipVerify: true, ServerName: acmeName}); err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("without a certificate: %v", err)
	}
	if n := s.handshakes(t, "name"); n != 1 {
		t.Errorf("%d refused for their name", n)
	}
	p.limited.Store(true)
	p.down.Store(false)
	s.Stop(t)

	s = p.launch(t, tlsAddr, httpAddr, state)
	servertest.Await(t, "it says that it has asked too often", func() bool { return strings.Contains(s.Stderr.String(), "rateLimited") })
	if n := p.orders.Load(); n != 1 {
		t.Errorf("%d orders, of which each was too much", n)
	}
	p.limited.Store(false)
	s.Stop(t)

	s = p.launch(t, tlsAddr, httpAddr, state)
	roots := p.roots(t)
	var first *x509.Certificate
	servertest.Await(t, "the certificate", func() bool { first = s.shown(t, roots); return first != nil })
	if n := s.handshakes(t, "challenge"); n == 0 {
		t.Error("tls-alpn-01 was not used")
	}
	if n := s.Metric(t, "roulette_tls_certificate_not_after_timestamp_seconds"); int64(n) != first.NotAfter.Unix() {
		t.Errorf("expires %v, the metric says %v", first.NotAfter.Unix(), n)
	}
	servertest.Secured(t, tlsAddr, &tls.Config{RootCAs: roots, ServerName: acmeName})
	program.Converse(t, tlsAddr)
	s.Stop(t)

	orders := p.orders.Load()
	s = p.launch(t, tlsAddr, httpAddr, state)
	servertest.Await(t, "the certificate after a restart", func() bool {
		again := s.shown(t, roots)
		return again != nil && again.SerialNumber.Cmp(first.SerialNumber) == 0
	})
	if n := p.orders.Load(); n != orders {
		t.Errorf("%d orders more", n-orders)
	}
	s.Stop(t)
	secret(t, state)
}

// secret: nobody but the owner may read what is there.
func secret(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		info, infoErr := e.Info()
		if err = errors.Join(err, infoErr); err != nil {
			return err
		}
		files++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestACMEByHTTP: where the CA cannot reach the TLS port, http-01 does it.
func TestACMEByHTTP(t *testing.T) {
	servertest.Parallel(t)
	tlsAddr, httpAddr := free(t), free(t)
	p := startPebble(t, port(free(t)), port(httpAddr))
	s := p.launch(t, tlsAddr, httpAddr, filepath.Join(t.TempDir(), "state"))
	roots := p.roots(t)
	servertest.Await(t, "the certificate", func() bool { return s.shown(t, roots) != nil })
	if n := s.handshakes(t, "challenge"); n != 0 {
		t.Errorf("%d challenges by TLS", n)
	}
}

// TestACMERenewal: a certificate that is nearly over is in use until there is another,
// also while the CA is down.
func TestACMERenewal(t *testing.T) {
	servertest.Parallel(t)
	tlsAddr, httpAddr, state := free(t), free(t), filepath.Join(t.TempDir(), "state")
	p := startPebble(t, port(tlsAddr), port(httpAddr))
	old := newAuthority(t)
	cert, key := filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	old.issue(t, cert, key, 36*time.Hour, acmeName)
	// As autocert keeps them: the key, then the certificate.
	if err := os.MkdirAll(filepath.Join(state, "acme"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(state, 0o700); err != nil {
		t.Fatal(err)
	}
	var both []byte
	for _, name := range []string{key, cert} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, b...)
	}
	if err := os.WriteFile(filepath.Join(state, "acme", acmeName), both, 0o600); err != nil {
		t.Fatal(err)
	}
	p.down.Store(true)
	s := p.launch(t, tlsAddr, httpAddr, state)
	servertest.Await(t, "it says that it cannot renew", func() bool { return strings.Contains(s.Stderr.String(), "ACME server not reached") })
	roots := x509.NewCertPool()
	roots.AddCert(old.cert)
	servertest.Await(t, "the old certificate", func() bool { return s.shown(t, roots) != nil })
	p.down.Store(false)
	s.Stop(t)

	s = p.launch(t, tlsAddr, httpAddr, state)
	fresh := p.roots(t)
	servertest.Await(t, "the new certificate", func() bool { return s.shown(t, fresh) != nil })
}

func free(t *testing.T) string { return "127.0.0.1:" + program.FreePort(t) }
