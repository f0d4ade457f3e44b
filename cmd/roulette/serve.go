package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/config"
	"roulette/cmd/roulette/internal/server"
	"roulette/web"
)

// serveCommand is roulette serve.
type serveCommand struct {
	serveFlags

	log *admin.Log
}

// Run serves until a signal.
func (c *serveCommand) Run(stdout io.Writer, values *config.Values, again reread) error {
	signals, hangups := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(hangups, syscall.SIGHUP)
	upgrades := make(chan os.Signal, 1)
	signal.Notify(upgrades, syscall.SIGUSR2)
	self, _ := os.Executable() // now: it may be replaced
	old, err := predecessor()
	if err != nil {
		return err
	}

	c.log = c.openLog()
	logger := c.log.Logger
	slog.SetDefault(logger)
	for _, name := range values.Strays {
		logger.Warn("variable of the environment is no setting", "name", name)
	}
	build := readBuild()
	workers := c.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	tuneRuntime(workers)
	listen, err := parseListen(c.listen())
	if err != nil {
		return usageError{fmt.Errorf("--listen: %w", err)}
	}
	secure, err := c.openTLS(logger)
	if err != nil {
		return err
	}
	sockets, err := inheritSockets()
	if err != nil {
		return err
	}
	keys, err := c.resumeKeys()
	if err != nil {
		return err
	}
	if err := c.clusterFiles(); err != nil {
		return err
	}
	cluster := c.openCluster(logger)
	bans, err := c.openBans(old != nil, logger)
	if err != nil {
		return fmt.Errorf("--state-dir: %w", err)
	}
	people, err := c.personSecret()
	if err != nil {
		return err
	}
	inbox, err := c.openInbox(old != nil)
	if err != nil {
		return fmt.Errorf("--moderators: %w", err)
	}
	appeal, err := web.ParseAppeal(c.Appeal)
	if err != nil {
		return fmt.Errorf("--appeal: %w", err)
	}
	house, err := c.house()
	if err != nil {
		return err
	}
	filter, err := c.wordFilter()
	if err != nil {
		return fmt.Errorf("--word-filter: %w", err)
	}
	s, err := server.New(server.Config{
		Settings:  c.settings(),
		Workers:   workers,
		KeepAlive: c.KeepAlive,

		MaxPages:           c.MaxPages,
		MaxPagesPerAddress: c.MaxPagesPerAddress,
		BasePath:           c.BasePath,
		Version:            build.version,
		Revision:           build.revision,
		Logger:             logger,
		Log:                c.log,

		TLS:        secure.config(),
		ResumeKeys: keys,
		Cluster:    cluster.config,
		Bans:       bans,
		AdminHosts: c.AdminHosts,

		Safety:       c.Safety,
		Appeal:       appeal,
		House:        house,
		WordFilter:   filter,
		StateDir:     c.stateDir(),
		Inbox:        inbox,
		PersonSecret: people,
		Plain:        c.Plain,
		Proof:        c.Proof,

		SecurityContact: c.SecurityContact,
	})
	if err != nil {
		return err
	}
	life := life{command: c, server: s, secure: secure, logger: logger, sockets: sockets, places: listen,
		public: publicSide{server: s, ports: &ports{}, mode: fs.FileMode(c.SocketMode)}, orders: make(chan order)}
	defer func() { life.public.remove() }()
	if err := life.begin(old); err != nil {
		return errors.Join(err, s.Close())
	}
	if err := cluster.join(&c.serveFlags, s.Mesh()); err != nil {
		return errors.Join(err, s.Close())
	}
	defer cluster.leave()
	life.tell(stdout)
	logger.Info("started", "max_connections", s.Settings().MaxConnections, "version", build.version, "revision", build.revision)

	manager, err := supervise(s, logger)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	defer manager.stop()
	upgrade := upgrader{server: s, logger: c.log, ports: life.public.ports, self: self, freeze: c.UpgradeFreeze, done: make(chan error, 1)}
	reload := reloader{command: c, values: values, again: again, server: s, log: c.log, secure: secure}
	for {
		select {
		case <-hangups:
			done := manager.reloading()
			reload.run()
			done()
		case <-upgrades:
			upgrade.start(order{by: "SIGUSR2", tell: func(upgradeAnswer) {}})
		case o := <-life.orders:
			upgrade.start(o)
		case err := <-upgrade.done:
			if upgrade.ended(err) {
				return life.end()
			}
		case sig := <-signals:
			if upgrade.cancel != nil { // it is called off, or was through
				upgrade.cancel()
				if upgrade.ended(<-upgrade.done) {
					return life.end()
				}
			}
			manager.stopping()
			return c.drain(s, sig, signals)
		}
	}
}

// drain lets everybody go, until another signal.
func (c *serveCommand) drain(s *server.Server, sig os.Signal, signals <-chan os.Signal) error {
	c.log.Act("a signal", "draining", "signal", sig.String(), "drain_grace", c.DrainGrace, "drain_time", c.DrainTime)
	ctx, cancel := context.WithTimeout(context.Background(), c.DrainGrace+c.DrainTime)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.Shutdown(ctx, c.DrainGrace) }()
	select {
	case err := <-drained:
		if errors.Is(err, context.DeadlineExceeded) {
			c.log.Warn("drained", "error", err)
			return nil
		}
		c.log.Info("drained")
		return err
	case sig := <-signals:
		return fmt.Errorf("%v while draining: stopped at once", sig)
	}
}

// serveAdmin serves the admin side on l, a socket that it has got, or else on its
// address.
func (c *serveCommand) serveAdmin(s *server.Server, l net.Listener, logger *slog.Logger) (net.Listener, error) {
	if l == nil && c.Admin == "" {
		return nil, nil
	}
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", c.Admin); err != nil {
			return nil, fmt.Errorf("--admin: %w", err)
		}
	}
	admin := &http.Server{
		Handler:           s.AdminHandler(),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	go admin.Serve(l) // until the process ends: a drain is watched through it
	return l, nil
}

// openLog logs to stderr as the flags say.
func (c *serveCommand) openLog() *admin.Log {
	return admin.NewLog(c.LogLevel, func(level slog.Leveler) slog.Handler {
		options := &slog.HandlerOptions{Level: level}
		if c.LogFormat == "json" {
			return slog.NewJSONHandler(os.Stderr, options)
		}
		return slog.NewTextHandler(os.Stderr, options)
	})
}
