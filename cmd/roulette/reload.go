package main

import (
	"roulette/cmd/roulette/internal/admin"
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
	log     *admin.Log
	secure  *secure
}

// bySighup is who reloads, for the log.
const bySighup = "SIGHUP"

// run applies all changes that can be, or, if there is any mistake, nothing.
func (r *reloader) run() {
	r.secure.reload() // whatever becomes of the settings
	flags, next, mistakes := r.again()
	for _, m := range mistakes {
		r.log.Error("setting is wrong", "error", m)
	}
	if len(mistakes) > 0 {
		r.log.Error("settings not read again: all stay as they are", "mistakes", len(mistakes))
		return
	}
	if err := r.server.Apply(flags.settings()); err != nil {
		r.log.Error("settings not applied", "error", err)
		return
	}
	changes := r.values.Take(next)
	level := r.command.LogLevel
	if level < r.log.Level() {
		r.log.SetLevel(level, bySighup) // before there is something to say
	}
	restart := 0
	for _, c := range changes {
		if c.Live {
			r.log.Act(bySighup, "setting changed", "key", c.Key, "from", c.From, "to", c.To)
			continue
		}
		restart++
		r.log.Warn("setting needs a restart", "key", c.Key, "from", c.From, "to", c.To)
	}
	r.log.Act(bySighup, "settings read again", "changed", len(changes)-restart, "need_restart", restart,
		"max_connections", r.server.Settings().MaxConnections)
	r.log.SetLevel(level, bySighup)
}
