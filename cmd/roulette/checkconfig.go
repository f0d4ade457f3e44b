package main

import (
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"roulette/cmd/roulette/internal/config"
	"roulette/cmd/roulette/internal/tlsfront"
)

// checkCommand is roulette check-config. What is wrong has been said before it
// runs.
type checkCommand struct {
	serveFlags

	Print bool `env:"-" help:"Print the settings as serve would have them, as a file that says the same, with where each comes from."`
}

// Run says that the settings are right.
func (c *checkCommand) Run(stdout io.Writer, values *config.Values, ctx *kong.Context) error {
	for _, name := range values.Strays {
		fmt.Fprintf(ctx.Stderr, "roulette: warning: %s is no setting\n", name)
	}
	if len(c.TLSCert) > 0 {
		if _, err := tlsfront.OpenFiles(c.pairs()); err != nil {
			return usageError{fmt.Errorf("--tls-cert: %w", err)}
		}
	}
	if err := c.clusterFiles(); err != nil {
		return err
	}
	if c.Print {
		return values.WriteTOML(stdout)
	}
	_, err := fmt.Fprintln(stdout, "OK")
	return err
}
