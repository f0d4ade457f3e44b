package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"roulette/cmd/roulette/internal/proxy"
	"roulette/cmd/roulette/internal/server"
	"roulette/frame/handshake"
)

var flagGroups = []kong.Group{
	{Key: "where", Title: "Where to listen"},
	{Key: "limits", Title: "Limits"},
	{Key: "time", Title: "Time"},
	{Key: "log", Title: "Logging"},
}

// serveCommand is roulette serve.
type serveCommand struct {
	Listen []string `group:"where" placeholder:"ADDR" default:":8080" help:"Public address: the page, /ws and /echo. May be given several times (default ${default})."`
	Admin  string   `group:"where" placeholder:"ADDR" default:"127.0.0.1:8081" help:"Address of /metrics, /healthz, /readyz and /debug/pprof/; empty for none (default ${default})."`

	Workers                  int      `group:"limits" placeholder:"N" default:"0" help:"Worker threads; 0 is one for each processor (default ${default})."`
	MaxConnections           int      `group:"limits" placeholder:"N" default:"0" help:"Chat connections at once; 0 is what the descriptor limit allows (default ${default})."`
	MaxConnectionsPerAddress int      `group:"limits" placeholder:"N" default:"256" help:"Connections at once from one IPv4 address or IPv6 /64, loopback and trusted proxies excepted; 0 is no limit (default ${default})."`
	HandshakesPerAddress     int      `group:"limits" placeholder:"N" default:"50" help:"Handshakes a second from one address, likewise (default ${default})."`
	MaxMessageSize           size     `group:"limits" placeholder:"SIZE" default:"64KiB" help:"Largest message (default ${default})."`
	MessageRate              int      `group:"limits" placeholder:"N" default:"20" help:"Messages a second from one connection; 0 is no limit (default ${default})."`
	MessageBurst             int      `group:"limits" placeholder:"N" default:"60" help:"Messages at once from one connection (default ${default})."`
	AllowedOrigins           []string `group:"limits" placeholder:"ORIGIN" help:"Pages that may open a chat, such as https://example.org; * is all. The default is the server's own host."`
	TrustedProxies           []string `group:"limits" placeholder:"CIDR" help:"Addresses and networks of the proxies in front, such as 10.0.0.0/8: the client's address is what they say in X-Forwarded-For."`
	ProxyProtocol            bool     `group:"limits" help:"Each connection begins with a PROXY protocol header, version 1 or 2, of a trusted proxy; others are refused."`
	MemoryShare              int      `group:"limits" placeholder:"PERCENT" default:"90" help:"With so much of GOMEMLIMIT in use new chats are refused; 0 is never (default ${default})."`

	HandshakeTimeout time.Duration `group:"time" placeholder:"TIME" default:"5s" help:"How long a request may take to arrive (default ${default})."`
	PingInterval     time.Duration `group:"time" placeholder:"TIME" default:"25s" help:"Silence after which a client is pinged (default ${default})."`
	PongTimeout      time.Duration `group:"time" placeholder:"TIME" default:"10s" help:"How long after a ping something must be heard (default ${default})."`
	StallTimeout     time.Duration `group:"time" placeholder:"TIME" default:"15s" help:"How long a client may take nothing of what waits for it (default ${default})."`
	DrainTime        time.Duration `group:"time" placeholder:"TIME" default:"10s" help:"How long a shutdown may take (default ${default})."`
	DrainGrace       time.Duration `group:"time" placeholder:"TIME" default:"0s" help:"How long a shutdown goes on serving new clients before that, for load balancers to notice that it is not ready (default ${default})."`

	LogLevel  slog.Level `group:"log" placeholder:"LEVEL" default:"info" help:"debug, info, warn or error (default ${default})."`
	LogFormat string     `group:"log" placeholder:"FORMAT" enum:"text,json" default:"text" help:"text or json (default ${default})."`
}

// Validate implements kong's hook: what a flag's type cannot say.
func (c *serveCommand) Validate() error {
	for _, n := range []struct {
		flag  string
		value int
	}{
		{"workers", c.Workers}, {"max-connections", c.MaxConnections},
		{"max-connections-per-address", c.MaxConnectionsPerAddress},
		{"handshakes-per-address", c.HandshakesPerAddress},
		{"message-rate", c.MessageRate}, {"message-burst", c.MessageBurst},
	} {
		if n.value < 0 {
			return fmt.Errorf("--%s: %d is negative", n.flag, n.value)
		}
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{
		{"handshake-timeout", c.HandshakeTimeout}, {"ping-interval", c.PingInterval},
		{"pong-timeout", c.PongTimeout}, {"stall-timeout", c.StallTimeout}, {"drain-time", c.DrainTime},
	} {
		if d.value <= 0 {
			return fmt.Errorf("--%s: %v is not a positive time", d.flag, d.value)
		}
	}
	if c.DrainGrace < 0 {
		return fmt.Errorf("--drain-grace: %v is negative", c.DrainGrace)
	}
	if c.MaxMessageSize < 125 {
		return errors.New("--max-message-size: must be 125 bytes at least")
	}
	if _, err := handshake.New(handshake.Config{AllowedOrigins: c.AllowedOrigins}); err != nil {
		return fmt.Errorf("--allowed-origins: %w", err)
	}
	trusted, err := c.trustedProxies()
	switch {
	case err != nil:
		return fmt.Errorf("--trusted-proxies: %w", err)
	case c.ProxyProtocol && len(trusted) == 0:
		return errors.New("--proxy-protocol: needs --trusted-proxies, for anybody can write such a header")
	case c.MemoryShare < 0 || c.MemoryShare > 100:
		return fmt.Errorf("--memory-share: %d is not a percentage", c.MemoryShare)
	}
	return nil
}

func (c *serveCommand) trustedProxies() (all proxy.Trusted, err error) {
	for _, s := range c.TrustedProxies {
		network, err := proxy.ParseNetwork(s)
		if err != nil {
			return nil, err
		}
		all = append(all, network)
	}
	return all, nil
}

// Run serves until a signal.
func (c *serveCommand) Run(stdout io.Writer) error {
	logger := c.logger()
	build := readBuild()
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	tuneRuntime(c.Workers)
	var listen []netip.AddrPort
	for _, l := range c.Listen {
		addr, err := parseAddress(l)
		if err != nil {
			return usageError{fmt.Errorf("--listen: %w", err)}
		}
		listen = append(listen, addr)
	}
	s, err := server.New(server.Config{
		Settings: c.settings(),
		Workers:  c.Workers,
		Version:  build.version,
		Revision: build.revision,
		Logger:   logger,
	})
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)

	admin, err := c.serveAdmin(s, logger)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	for _, addr := range listen {
		bound, err := s.Listen(addr)
		if err != nil {
			return errors.Join(err, s.Close())
		}
		fmt.Fprintf(stdout, "roulette: listening on http://%s\n", forHumans(bound))
	}
	if admin != nil {
		fmt.Fprintf(stdout, "roulette: admin on http://%s/metrics\n", admin.Addr())
	}
	s.Started()
	logger.Info("started", "max_connections", s.Settings().MaxConnections, "version", build.version, "revision", build.revision)

	return c.waitAndDrain(s, signals, logger)
}

// settings are those of the flags that can change while the server runs.
func (c *serveCommand) settings() server.Settings {
	trusted, _ := c.trustedProxies() // Validate has reported the error
	return server.Settings{
		MaxConnections:           c.MaxConnections,
		MaxConnectionsPerAddress: c.MaxConnectionsPerAddress,
		HandshakesPerAddress:     c.HandshakesPerAddress,
		MaxMessageSize:           int(c.MaxMessageSize),
		MessageRate:              c.MessageRate,
		MessageBurst:             c.MessageBurst,
		HandshakeTimeout:         c.HandshakeTimeout,
		PingInterval:             c.PingInterval,
		PongTimeout:              c.PongTimeout,
		StallTimeout:             c.StallTimeout,
		AllowedOrigins:           c.AllowedOrigins,
		TrustedProxies:           trusted,
		ProxyProtocol:            c.ProxyProtocol,
		MemoryShare:              c.MemoryShare,
	}
}

// waitAndDrain serves until the first signal, and lets everybody go until the
// second.
func (c *serveCommand) waitAndDrain(s *server.Server, signals <-chan os.Signal, logger *slog.Logger) error {
	sig := <-signals
	logger.Info("draining", "signal", sig.String(), "drain_grace", c.DrainGrace, "drain_time", c.DrainTime)
	ctx, cancel := context.WithTimeout(context.Background(), c.DrainGrace+c.DrainTime)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.Shutdown(ctx, c.DrainGrace) }()
	select {
	case err := <-drained:
		if errors.Is(err, context.DeadlineExceeded) {
			logger.Warn("drained", "error", err)
			return nil
		}
		logger.Info("drained")
		return err
	case sig := <-signals:
		return fmt.Errorf("%v while draining: stopped at once", sig)
	}
}

func (c *serveCommand) serveAdmin(s *server.Server, logger *slog.Logger) (net.Listener, error) {
	if c.Admin == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", c.Admin)
	if err != nil {
		return nil, fmt.Errorf("--admin: %w", err)
	}
	admin := &http.Server{
		Handler:           s.AdminHandler(),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	go admin.Serve(l) // until the process ends: a drain is watched through it
	return l, nil
}

func (c *serveCommand) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	var h slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if c.LogFormat == "json" {
		h = slog.NewJSONHandler(os.Stderr, options)
	}
	logger := slog.New(h)
	slog.SetDefault(logger)
	return logger
}

// gcPercent: the byte path allocates nothing, so the collector has little to do
// and may run early; the memory that it would otherwise let grow to twice what
// is in use is worth more.
const gcPercent = 25

// tuneRuntime sets what the environment has not. One processor of the Go
// scheduler more than there are workers stays idle: without it, its monitor
// takes the processor away from a worker that waits in the kernel for more than
// 20 µs, and keeps waking up to look for the next occasion, which costs some 4 %.
func tuneRuntime(workers int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(workers + 1)
	}
}

// parseAddress reads host:port, where host may be empty (all addresses, IPv4
// and IPv6), an address, or a name.
func parseAddress(s string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, err
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		return netip.AddrPortFrom(anyAddress(), uint16(number)), nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(addr, uint16(number)), nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(number)), nil
}

// anyAddress is ::, which takes IPv4 too, or 0.0.0.0 where there is no IPv6.
func anyAddress() netip.Addr {
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		l.Close()
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// forHumans is an address that a browser on this machine can open.
func forHumans(a netip.AddrPort) string {
	if a.Addr().IsUnspecified() {
		return "localhost:" + strconv.Itoa(int(a.Port()))
	}
	return a.String()
}

// size is a number of bytes, written 65536, 64KiB or 1MiB.
type size int

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *size) UnmarshalText(text []byte) error {
	digits, shift := string(text), 0
	for _, unit := range []struct {
		suffix string
		shift  int
	}{{"KiB", 10}, {"MiB", 20}, {"B", 0}} {
		if d, ok := strings.CutSuffix(digits, unit.suffix); ok {
			digits, shift = d, unit.shift
			break
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 31)
	if err != nil || n<<shift>>shift != n || n<<shift > 1<<30 {
		return fmt.Errorf("%q is not a size such as 64KiB", text)
	}
	*s = size(n << shift)
	return nil
}
