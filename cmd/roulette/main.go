// Roulette is a chat roulette: anonymous people are paired at random over
// WebSocket, and whatever one sends reaches the other.
//
// Without a command it serves. See the README, or roulette --help.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Serve serveCommand `cmd:"" default:"withargs" help:"Serve the chat (what roulette does without a command)."`
	Chat  chatCommand  `cmd:"" help:"Talk to a stranger in the terminal, or from a script."`
	Bench benchCommand `cmd:"" help:"Load a server and measure what it does."`

	Version kong.VersionFlag `env:"-" help:"Print the version and exit."`
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is main with its surroundings as arguments.
func run(args []string, stdout, stderr io.Writer) (code int) {
	var c cli
	exited := false
	parser, err := kong.New(&c,
		kong.Name("roulette"),
		kong.Description("A chat roulette: anonymous people are paired at random over WebSocket, and whatever one sends reaches the other."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Help(help),
		kong.DefaultEnvars("ROULETTE"),
		kong.ExplicitGroups(flagGroups),
		kong.Vars{"version": readBuild().String()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { code, exited = status, true }),
	)
	if err != nil {
		panic(err) // the command line is not what kong wants: a mistake in this program
	}
	ctx, err := parser.Parse(args)
	if exited { // --help, --version
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "roulette: %v (see roulette --help)\n", err)
		return exitUsage
	}
	ctx.BindTo(stdout, (*io.Writer)(nil))
	if err := ctx.Run(); err != nil {
		fmt.Fprintf(stderr, "roulette: %v\n", err)
		var usage usageError
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitFailed
	}
	return exitOK
}

// help prints kong's help; that of the program itself goes on with the flags of
// serve, which is what most people want of it.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil || ctx.Selected() != nil {
		return err
	}
	serve, err := kong.Trace(ctx.Kong, []string{"serve"})
	if err != nil {
		return err
	}
	fmt.Fprintln(ctx.Stdout)
	options.NoAppSummary = true
	return kong.DefaultHelpPrinter(options, serve)
}

// usageError is a mistake in what the program was told.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
