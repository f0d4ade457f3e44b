package tlsfront

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Pair names the files of a certificate, with what it is signed by behind it, and of
// its key; both PEM.
type Pair struct{ Cert, Key string }

// Files are certificates from files. Any goroutine.
type Files struct {
	// Immutable.
	pairs []Pair

	// Atomic.
	set atomic.Pointer[certificates]

	// Guarded by mu.
	mu   sync.Mutex
	seen []state // of the files, when they were last read
}

// state is by which a file is known to be another.
type state struct {
	modified time.Time
	size     int64
}

// OpenFiles reads the certificates of all pairs, of which there is one at least.
func OpenFiles(pairs []Pair) (*Files, error) {
	f := &Files{pairs: pairs}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads the files again. If there is any mistake, all stays as it is.
func (f *Files) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = f.look() // before they are read: what changes meanwhile is seen again
	set := &certificates{byName: make(map[string][]*tls.Certificate)}
	for _, p := range f.pairs {
		cert, err := tls.LoadX509KeyPair(p.Cert, p.Key)
		if err != nil {
			return fmt.Errorf("certificate %s: %w", p.Cert, err)
		}
		if err := set.add(&cert); err != nil {
			return fmt.Errorf("certificate %s: %w", p.Cert, err)
		}
	}
	f.set.Store(set)
	return nil
}

// ReloadChanged does so if a file is not what it was when it was last read, and tells
// whether it was.
func (f *Files) ReloadChanged() (changed bool, err error) {
	f.mu.Lock()
	now := f.look()
	for i, s := range now {
		changed = changed || s.size != f.seen[i].size || !s.modified.Equal(f.seen[i].modified)
	}
	f.mu.Unlock()
	if !changed {
		return false, nil
	}
	return true, f.Reload()
}

func (f *Files) look() (list []state) {
	for _, p := range f.pairs {
		for _, name := range []string{p.Cert, p.Key} {
			var s state
			if info, err := os.Stat(name); err == nil { // else reading it says so
				s = state{info.ModTime(), info.Size()}
			}
			list = append(list, s)
		}
	}
	return list
}

// Certificate chooses one for a client; it is Config.Certificate.
func (f *Files) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.set.Load().choose(hello)
}

// NotAfter is when the first of the certificates expires.
func (f *Files) NotAfter() time.Time { return f.set.Load().notAfter }

// certificates are some to choose from. Immutable once they are in use.
type certificates struct {
	all      []*tls.Certificate
	byName   map[string][]*tls.Certificate // exact, or with a star; lower case
	notAfter time.Time
}

var errExpired = errors.New("it has expired")

func (c *certificates) add(cert *tls.Certificate) error {
	leaf := cert.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return err
		}
		cert.Leaf = leaf
	}
	if time.Now().After(leaf.NotAfter) {
		return errExpired
	}
	if c.notAfter.IsZero() || leaf.NotAfter.Before(c.notAfter) {
		c.notAfter = leaf.NotAfter
	}
	c.all = append(c.all, cert)
	for _, name := range leaf.DNSNames {
		name = strings.ToLower(name)
		c.byName[name] = append(c.byName[name], cert)
	}
	return nil
}

// choose takes, of those for the name that the client has sent (RFC 6066, 3), the
// first whose key it can verify; without a name, or with one that none is for, of
// all.
func (c *certificates) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	list := c.byName[name]
	if _, parent, ok := strings.Cut(name, "."); ok && len(list) == 0 {
		list = c.byName["*."+parent]
	}
	if len(list) == 0 {
		list = c.all
	}
	if len(list) == 1 {
		return list[0], nil
	}
	anyName := *hello
	anyName.ServerName = "" // or SupportsCertificate compares it as well
	for _, cert := range list {
		if anyName.SupportsCertificate(cert) == nil {
			return cert, nil
		}
	}
	return list[0], nil // crypto/tls says what is wrong with it
}
