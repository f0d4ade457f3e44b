package main

import (
	"errors"
	"io"
	"os"
	"time"

	"roulette/bench"
)

// benchCommands are roulette bench and what is below it.
type benchCommands struct {
	Load benchCommand `cmd:"" default:"withargs" help:"Load a server and measure what it does (what roulette bench does without a command)."`
	Soak soakCommand  `cmd:"" help:"Let crowds of all kinds come and go, for hours, and see whether the server holds more afterwards."`
}

// soakCommand is roulette bench soak.
type soakCommand struct {
	URL   string `arg:"" help:"The server, such as ws://localhost:8080/ws. It should have no other clients."`
	Admin string `placeholder:"ADDR" default:"127.0.0.1:8081" env:"-" help:"Its admin side (default ${default})."`

	Connections int           `placeholder:"N" default:"500" help:"Clients at once; an even number (default ${default})."`
	Duration    time.Duration `placeholder:"TIME" default:"2h" help:"How long (default ${default})."`
	Round       time.Duration `placeholder:"TIME" default:"10s" help:"How long one kind of crowd stays (default ${default})."`
	JSON        bool          `help:"Print the result as JSON."`
}

// Validate implements kong's hook: what a flag's type cannot say.
func (c *soakCommand) Validate() error {
	switch {
	case c.Connections <= 0 || c.Connections%2 != 0:
		return errors.New("--connections must be positive and even")
	case c.Duration <= 0 || c.Round <= 0:
		return errors.New("--duration and --round must be positive")
	}
	return checkServerURL(c.URL)
}

// Run soaks the server until the time is over or the first Ctrl-C.
func (c *soakCommand) Run(stdout io.Writer) error {
	ctx, stop, err := reachServer(c.URL, nil)
	if err != nil {
		return err
	}
	defer stop()
	progress := progressLine{w: os.Stderr, overwrite: isTerminal(os.Stderr)}
	config := bench.SoakConfig{
		URL: c.URL, Admin: "http://" + c.Admin,
		Connections: c.Connections, Duration: c.Duration, Round: c.Round,
	}
	if progress.overwrite {
		config.Progress = func(p bench.SoakProgress) { progress.show(p) }
	}
	result, err := bench.Soak(ctx, config)
	progress.clear()
	if err != nil {
		return withoutPackage(err)
	}
	if c.JSON {
		err = printJSON(stdout, result)
	} else {
		err = result.WriteSummary(stdout)
	}
	if err == nil && result.Err() != nil {
		return errors.New("the server is not as it was before")
	}
	return err
}
