// Package serve is what the peers' main functions share: the flag, the listener
// and the line that says where it is.
package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Listen parses the flags, opens the listener and prints its address.
func Listen() net.Listener {
	address := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	secure := flag.Bool("tls", false, "speak TLS 1.3, with a certificate that nobody trusts")
	flag.Parse()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err == nil {
		lim.Cur = lim.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim) // then there is room for fewer
	}
	l, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	if !*secure {
		fmt.Printf("listening on http://%s\n", l.Addr())
		return l
	}
	der, key, err := selfSigned()
	if err != nil {
		log.Fatal(err)
	}
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	fmt.Printf("listening on https://%s\n", l.Addr())
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}})
}

// selfSigned is a certificate of the kind that the server makes for itself.
func selfSigned() (der []byte, key *ecdsa.PrivateKey, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"localhost"},
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return der, key, err
}

// WriteCertificate writes one of that kind, in PEM, for who reads files.
func WriteCertificate(certificate, key string) error {
	der, private, err := selfSigned()
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}

// HTTP serves /ws and /echo by handle, which learns whether it is the echo.
func HTTP(handle func(w http.ResponseWriter, r *http.Request, echo bool)) {
	l := Listen()
	http.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) { handle(w, r, false) })
	http.HandleFunc("GET /echo", func(w http.ResponseWriter, r *http.Request) { handle(w, r, true) })
	log.Fatal(http.Serve(l, nil))
}
