package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// trust says whom a client trusts over wss://.
type trust struct {
	CA       string `name:"ca" placeholder:"FILE" help:"Over wss://, trust who is signed by one of these certificates, PEM, instead of whom the system trusts."`
	Insecure bool   `help:"Over wss://, trust anybody: somebody on the way may listen."`
}

var errClear = errors.New("--ca and --insecure are for wss://")

// config is nil for what the system trusts.
func (t *trust) config(url string) (*tls.Config, error) {
	if t.CA == "" && !t.Insecure {
		return nil, nil
	}
	if !strings.HasPrefix(url, "wss://") && !strings.HasPrefix(url, "https://") {
		return nil, errClear
	}
	config := &tls.Config{InsecureSkipVerify: t.Insecure}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca: %s has no certificate", t.CA)
		}
	}
	return config, nil
}
