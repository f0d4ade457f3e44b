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
	bans, err := c.openBans(logger)
	if err != nil {
		return fmt.Errorf("--state-dir: %w", err)
	}
	s, err := server.New(server.Config{
		Settings:  c.settings(),
		Workers:   workers,
		KeepAlive: c.KeepAlive,
		BasePath:  c.BasePath,
		Version:   build.version,
		Revision:  build.revision,
		Logger:    logger,
		Log:       c.log,

		TLS:        secure.config(),
		ResumeKeys: keys,
		Cluster:    cluster.config,
		Bans:       bans,
		AdminHosts: c.AdminHosts,

		SecurityContact: c.SecurityContact,
	})
	if err != nil {
		return err
	}
	admin, err := c.serveAdmin(s, sockets.admin, logger)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	public := publicSide{server: s, mode: fs.FileMode(c.SocketMode)}
	defer public.remove()
	if err := public.open(sockets.public, listen); err != nil {
		return errors.Join(err, s.Close())
	}
	if err := secure.listen(s, sockets.tls); err != nil {
		return errors.Join(err, s.Close())
	}
	if err := cluster.join(&c.serveFlags, s); err != nil {
		return errors.Join(err, s.Close())
	}
	defer cluster.leave()
	s.Started()
	for _, url := range public.urls {
		fmt.Fprintf(stdout, "roulette: listening on %s\n", url)
	}
	secure.tell(stdout)
	if admin != nil {
		fmt.Fprintf(stdout, "roulette: admin on http://%s/\n", admin.Addr())
	}
	logger.Info("started", "max_connections", s.Settings().MaxConnections, "version", build.version, "revision", build.revision)

	manager, err := supervise(s, logger)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	defer manager.stop()
	reload := reloader{command: c, values: values, again: again, server: s, log: c.log, secure: secure}
	for {
		select {
		case <-hangups:
			done := manager.reloading()
			reload.run()
			done()
		case sig := <-signals:
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

// serveAdmin serves the admin side on l, a socket that was inherited, or else on
// its address.
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
