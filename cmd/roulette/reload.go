package main

import (
	"log/slog"

	"roulette/cmd/roulette/internal/config"
	"roulette/cmd/roulette/internal/server"
)

// reread reads the settings of this process again: the same flags and
// environment, and the file as it is now.
type reread func() (*serveFlags, *config.Values, []error)

// reloader applies what has changed in the file. Owned by the goroutine that
// waits for signals.
type reloader struct {
	command *serveCommand
	values  *config.Values // in force
	again   reread
	server  *server.Server
	logger  *slog.Logger
}

// run applies all changes that can be, or, if there is any mistake, nothing.
func (r *reloader) run() {
	flags, next, mistakes := r.again()
	for _, m := range mistakes {
		r.logger.Error("setting is wrong", "error", m)
	}
	if len(mistakes) > 0 {
		r.logger.Error("settings not read again: all stay as they are", "mistakes", len(mistakes))
		return
	}
	if err := r.server.Apply(flags.settings()); err != nil {
		r.logger.Error("settings not applied", "error", err)
		return
	}
	level := r.command.LogLevel
	restart := 0
	changes := r.values.Take(next)
	if now := r.command.LogLevel; now < level {
		r.command.level.Set(now) // before there is something to say
	}
	for _, c := range changes {
		if c.Live {
			r.logger.Info("setting changed", "key", c.Key, "from", c.From, "to", c.To)
			continue
		}
		restart++
		r.logger.Warn("setting needs a restart", "key", c.Key, "from", c.From, "to", c.To)
	}
	r.logger.Info("settings read again", "changed", len(changes)-restart, "need_restart", restart,
		"max_connections", r.server.Settings().MaxConnections)
	if now := r.command.LogLevel; now > level {
		r.command.level.Set(now)
	}
}
