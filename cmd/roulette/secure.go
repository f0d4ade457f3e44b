package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"roulette/cmd/roulette/internal/config"
	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/server"
	"roulette/cmd/roulette/internal/tlsfront"
)

// listen are the addresses in the clear: with --listen-tls an empty one means none.
func (c *serveFlags) listen() []string {
	if len(c.Listen) == 1 && c.Listen[0] == "" {
		return nil
	}
	return c.Listen
}

// checkTLS adds to values what is wrong with the flags of TLS.
func (c *serveFlags) checkTLS(values *config.Values) {
	sources := len(c.TLSCert) + len(c.ACMEDomain)
	if c.TLSSelfSigned {
		sources++
	}
	if len(c.ListenTLS) > 0 && sources == 0 {
		values.Reject("listen-tls", "needs a certificate: --tls-cert and --tls-key, --acme-domain, or --tls-self-signed")
	}
	if len(c.ListenTLS) == 0 {
		for key, given := range map[string]bool{
			"tls-cert": len(c.TLSCert) > 0, "tls-self-signed": c.TLSSelfSigned, "acme-domain": len(c.ACMEDomain) > 0,
			"redirect-http": c.RedirectHTTP, "hsts": c.HSTS > 0,
		} {
			if given {
				values.Reject(key, "is of no use without --listen-tls")
			}
		}
	}
	if len(c.TLSCert) != len(c.TLSKey) {
		values.Reject("tls-key", "%d for %d of --tls-cert", len(c.TLSKey), len(c.TLSCert))
	}
	for _, name := range c.ACMEDomain {
		if strings.HasPrefix(name, "*") {
			values.Reject("acme-domain", "%q: one for all names of a domain needs DNS, which this does not speak", name)
		} else if !strings.Contains(strings.Trim(name, "."), ".") || strings.ContainsAny(name, ":/ *") || net.ParseIP(name) != nil {
			values.Reject("acme-domain", "%q is not a name such as chat.example.org", name)
		}
	}
	if len(c.ACMEDomain) > 0 && c.stateDir() == "" {
		values.Reject("acme-domain", "needs --state-dir, for what is obtained must outlive a restart")
	}
	if u, err := url.Parse(c.ACMEDirectory); c.ACMEDirectory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		values.Reject("acme-directory", "%q is not an https:// URL", c.ACMEDirectory)
	}
	if c.RedirectPort < 0 || c.RedirectPort > 65535 {
		values.Reject("redirect-port", "%d is no port", c.RedirectPort)
	} else if c.RedirectHTTP && len(c.ListenTLS) > 0 && c.redirectTo() == 0 {
		values.Reject("redirect-http", "needs --redirect-port, for --listen-tls has none yet")
	}
	if c.HSTS < 0 {
		values.Reject("hsts", "%v is negative", c.HSTS)
	}
}

// redirectTo is the port of https:// as clients see it.
func (c *serveFlags) redirectTo() int {
	if c.RedirectPort != 0 || len(c.ListenTLS) == 0 {
		return c.RedirectPort
	}
	_, port, err := splitAddress(c.ListenTLS[0])
	if err != nil { // checkAddresses says so
		return 0
	}
	return int(port)
}

// stateDir is where things outlive a restart; systemd names it (StateDirectory=).
func (c *serveFlags) stateDir() string {
	if c.StateDir != "" {
		return c.StateDir
	}
	first, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	return first
}

// resumeKeys are what broken chats are resumed with: those of the file that is named,
// or that stands among what outlives a restart; else they end with the process.
func (c *serveFlags) resumeKeys() (*resume.Keys, error) {
	file := c.ResumeKey
	if file == "" {
		dir, err := openStateDir(c.stateDir())
		if err != nil {
			return nil, fmt.Errorf("--state-dir: %w", err)
		}
		if dir == "" {
			return resume.NewKeys(), nil
		}
		file = filepath.Join(dir, "resume.key")
	}
	keys, err := resume.LoadOrMakeKeys(file)
	if err != nil {
		return nil, fmt.Errorf("--resume-key: %w", err)
	}
	return keys, nil
}

// personSecret is what people are known by: that of the file that is named, or that
// stands among what outlives a restart; else it ends with the process. Nil: nobody is
// known.
func (c *serveFlags) personSecret() (*safety.Secret, error) {
	if c.Safety == safety.Off {
		return nil, nil
	}
	file := c.PersonKey
	if file == "" {
		dir, err := openStateDir(c.stateDir())
		if err != nil {
			return nil, fmt.Errorf("--state-dir: %w", err)
		}
		if dir == "" {
			return nil, nil
		}
		file = filepath.Join(dir, "person.key")
	}
	secret, err := safety.LoadOrMakeSecret(file)
	if err != nil {
		return nil, fmt.Errorf("--person-key: %w", err)
	}
	return secret, nil
}

// openBans are the decisions among what outlives a restart; nil without a place for it.
// beside: a predecessor uses that, too.
func (c *serveFlags) openBans(beside bool, logger *slog.Logger) (*safety.Bans, error) {
	dir, err := openStateDir(c.stateDir())
	if err != nil || dir == "" {
		return nil, err
	}
	file := filepath.Join(dir, "decisions.log")
	open := safety.Open
	if beside {
		open = safety.OpenBeside
	}
	bans, broken, err := open(file, time.Now())
	if err != nil {
		return nil, err
	}
	if broken > 0 {
		logger.Warn("lines of decisions cannot be read: one that a crash has cut was never said to be made", "lines", broken, "file", file)
	}
	return bans, nil
}

func (c *serveFlags) pairs() (list []tlsfront.Pair) {
	for i := range c.TLSCert {
		list = append(list, tlsfront.Pair{Cert: c.TLSCert[i], Key: c.TLSKey[i]})
	}
	return list
}

// secure is the server's TLS; nil: it has none.
type secure struct {
	flags       *serveFlags
	keeper      *tlsfront.Keeper
	front       *tlsfront.Front
	addrs       []netip.AddrPort
	urls        []string // for people to read
	fingerprint string   // of a self-signed certificate
}

// openTLS reads and makes what TLS needs, and keeps it fresh until the process ends.
func (c *serveFlags) openTLS(logger *slog.Logger) (*secure, error) {
	if len(c.ListenTLS) == 0 {
		return nil, nil
	}
	s := &secure{flags: c, keeper: &tlsfront.Keeper{Logger: logger}}
	for _, l := range c.ListenTLS {
		addr, err := parseAddress(l)
		if err != nil {
			return nil, usageError{fmt.Errorf("--listen-tls: %w", err)}
		}
		s.addrs = append(s.addrs, addr)
	}
	dir, err := openStateDir(c.stateDir())
	if err != nil {
		return nil, fmt.Errorf("--state-dir: %w", err)
	}
	if s.keeper.Tickets, err = tlsfront.OpenTickets(dir, time.Now()); err != nil {
		return nil, err
	}
	if len(c.TLSCert) > 0 {
		if s.keeper.Files, err = tlsfront.OpenFiles(c.pairs()); err != nil {
			return nil, fmt.Errorf("--tls-cert: %w", err)
		}
	}
	if c.TLSSelfSigned {
		host, _ := os.Hostname() // the certificate does without it
		cert, fingerprint, err := tlsfront.SelfSigned(host)
		if err != nil {
			return nil, fmt.Errorf("--tls-self-signed: %w", err)
		}
		s.keeper.Self, s.fingerprint = &cert, fingerprint
	}
	if len(c.ACMEDomain) > 0 {
		s.keeper.ACME = tlsfront.NewACME(tlsfront.ACMEConfig{
			Domains: c.ACMEDomain, Email: c.ACMEEmail, Directory: c.ACMEDirectory,
			StateDir: dir, Logger: logger,
		})
	}
	s.front = tlsfront.New(tlsfront.Config{
		Certificate: s.keeper.Certificate,
		Challenges:  s.keeper.ACME != nil,
		Tickets:     s.keeper.Tickets,
	})
	return s, nil
}

// openStateDir makes it, for its owner only. One that others may read is refused, for
// keys are in it.
func openStateDir(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is no folder", dir)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s may be read by others: chmod 700", dir)
	}
	return dir, nil
}

// config is the server's.
func (s *secure) config() *server.TLS {
	if s == nil {
		return nil
	}
	t := &server.TLS{Front: s.front, Certificates: s.keeper, HTTPS: server.HTTPS{HSTS: s.flags.HSTS}}
	if s.flags.RedirectHTTP {
		t.RedirectTo = s.flags.redirectTo()
	}
	if s.keeper.ACME != nil {
		t.Challenges = s.keeper.ACME.Challenges
	}
	return t
}

// listen opens the TLS side, on sockets that were inherited or else at its addresses,
// and begins to keep the certificates fresh: an ACME server may look at once.
func (s *secure) listen(srv *server.Server, ports *ports, inherited []int) error {
	inherited = append(inherited, ports.takeAll(tlsPort)...)
	if s == nil {
		if len(inherited) > 0 {
			return errors.New("an inherited socket is called tls, but there is no --listen-tls")
		}
		return nil
	}
	if len(inherited) > 0 {
		s.addrs = nil
	}
	add := func(bound netip.AddrPort, err error) error {
		s.urls = append(s.urls, "https://"+forHumans(bound))
		return err
	}
	for i, fd := range inherited {
		if err := add(srv.ListenTLSOn(fd)); err != nil {
			return err
		}
		ports.add(fmt.Sprint(tlsPort, byManager, i))
	}
	for _, addr := range s.addrs {
		fd, ok := ports.take(tlsPort + addr.String())
		var err error
		if ok {
			err = add(srv.ListenTLSOn(fd))
		} else {
			err = add(srv.ListenTLS(addr))
		}
		if err != nil {
			return err
		}
		ports.add(tlsPort + addr.String())
	}
	// Until the process ends.
	go s.keeper.Run(context.Background())
	go s.collectInTime()
	return nil
}

// tell says where the TLS side is, for people to read.
func (s *secure) tell(w io.Writer) {
	if s == nil {
		return
	}
	for _, url := range s.urls {
		fmt.Fprintf(w, "roulette: listening on %s\n", url)
	}
	if s.fingerprint != "" {
		fmt.Fprintf(w, "roulette: self-signed certificate, SHA-256 %s\n", s.fingerprint)
	}
}

// reload reads the certificates again.
func (s *secure) reload() {
	if s != nil {
		s.keeper.Reload()
	}
}
