package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"roulette/cmd/roulette/internal/terminal"
	"roulette/frame/record"
)

// chatCommand is roulette chat.
type chatCommand struct {
	URL string `arg:"" optional:"" default:"ws://localhost:8080/ws" help:"The server (default ${default})."`

	Interests []string `placeholder:"A,B" help:"Prefer people who like one of these."`
	Languages []string `placeholder:"DE,EN" help:"Prefer people who speak one of these languages, at most five."`
	Table     string   `placeholder:"NAME" help:"Meet only those who sit at the table of this name, as in an invite link."`
	Plain     bool     `help:"Talk by lines, as if stdin and stdout were no terminal: each line of input is a message or a command such as /next, each line of output a message (Stranger: …) or a notice (* …)."`
	trust
	RetryFor time.Duration `placeholder:"TIME" default:"2m" help:"When the connection is lost, how long to try again before giving up; by lines only (default ${default})."`
}

// Validate implements kong's hook: what a flag's type cannot say.
func (c *chatCommand) Validate() error {
	if c.RetryFor <= 0 {
		return errors.New("--retry-for must be positive")
	}
	wishes := record.Command{
		Kind: record.Next, HasLanguages: true, Languages: c.Languages, HasTable: c.Table != "", Table: c.Table,
	}
	var refused error
	record.Parse(record.AppendCommand(nil, &wishes), func(_ record.Command, why *record.Error) bool {
		if why != nil {
			refused = errors.New(why.Message)
		}
		return true
	})
	return refused
}

// Run talks until the user quits, or the input ends.
func (c *chatCommand) Run(stdout io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	config := terminal.Config{URL: c.URL, Interests: c.Interests, Languages: c.Languages, Table: c.Table}
	byLines := c.Plain || !isTerminal(os.Stdin) || !isTerminalWriter(stdout)
	if byLines {
		config.Patient, config.RetryFor = true, c.RetryFor
	}
	var err error
	if config.TLS, err = c.trust.config(c.URL); err != nil {
		return usageError{err}
	}
	client, err := terminal.Open(ctx, config)
	if err != nil {
		return usageError{err}
	}
	talk := terminal.Screen
	if byLines {
		talk = terminal.Lines
	}
	if err := talk(client, os.Stdin, stdout); err != nil {
		return fmt.Errorf("%s: %w", c.URL, err)
	}
	return nil
}

// isTerminalWriter is isTerminal for stdout as main hands it out.
func isTerminalWriter(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}
