// Package tls has real clients of TLS talk to the real program: crypto/tls, OpenSSL,
// curl, Node and browsers; and a real ACME server give it its certificates.
package tls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// authority signs certificates that clients of these tests trust.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of a test"},
		NotBefore: time.Now().AddDate(0, 0, -90), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, key := sign(t, template, nil)
	a.key = key
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	write(t, a.file, "CERTIFICATE", der)
	return a
}

// sign makes a certificate by a, or one that signs itself.
func sign(t *testing.T, template *x509.Certificate, a *authority) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer); err != nil {
		t.Fatal(err)
	}
	return der, key
}

func write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// issue writes a certificate for these names, and for the loopback, to two files.
func (a *authority) issue(t *testing.T, cert, key string, until time.Duration, names ...string) {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	der, private := sign(t, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().AddDate(0, 0, -89), NotAfter: time.Now().Add(until), // most of its life is over
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a)
	write(t, cert, "CERTIFICATE", der)
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, "PRIVATE KEY", pkcs)
}

// config is that of a client which trusts a.
func (a *authority) config(name string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &tls.Config{RootCAs: roots, ServerName: name}
}

// server is the program with a TLS side.
type server struct {
	*program.Process
	addr      string // of the TLS side, host:port
	ca        *authority
	cert, key string // files
}

// serve starts the program with a certificate for localhost.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{ca: newAuthority(t)}
	dir := t.TempDir()
	s.cert, s.key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	s.ca.issue(t, s.cert, s.key, 24*time.Hour, "localhost")
	s.Process = program.Serve(t, append([]string{"--listen-tls=127.0.0.1:0", "--tls-cert", s.cert, "--tls-key", s.key}, args...)...)
	s.addr = program.ListeningTLS.FindStringSubmatch(s.Stdout.String())[1]
	servertest.Secured(t, s.addr, s.ca.config("localhost"))
	return s
}

// handshakes is how many have ended so.
func (s *server) handshakes(t *testing.T, result string) int {
	t.Helper()
	return int(s.Metric(t, `roulette_tls_handshakes_total{result="`+result+`"}`))
}

// rawConn is a connection on which nothing has been said.
func rawConn(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}
