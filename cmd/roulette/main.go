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

	"roulette/cmd/roulette/internal/config"
)

// cli is the command line.
type cli struct {
	Serve serveCommand  `cmd:"" default:"withargs" help:"Serve the chat (what roulette does without a command)."`
	Chat  chatCommand   `cmd:"" help:"Talk to a stranger in the terminal, or from a script."`
	Bench benchCommands `cmd:"" help:"Load a server and measure what it does."`

	Ban      banCommand      `cmd:"" help:"Keep networks or people out for a while, and end their chats."`
	Unban    unbanCommand    `cmd:"" help:"Let networks or people in again."`
	Bans     bansCommand     `cmd:"" help:"List the networks and people that are banned."`
	Moderate moderateCommand `cmd:"" help:"Read what strangers have reported, and decide."`

	Notice noticeCommand `cmd:"" help:"Tell everybody who is here what is going to happen."`

	Upgrade upgradeCommand `cmd:"" help:"Have a new version of the program take over from a running server, with all its chats."`

	Health healthCommand `cmd:"" help:"Ask a running server how it is; exit code 0 says that it is well."`

	CheckConfig checkCommand `cmd:"" help:"Say what is wrong with the settings that serve would have, and start nothing."`

	Completion completionCommand `cmd:"" help:"Print a script that completes commands and flags in a shell."`

	Man manCommand `cmd:"" help:"Print the manual page: roulette man | man -l -"`

	VersionCommand versionCommand `cmd:"" name:"version" help:"Print the version."`

	HelpCommand helpCommand `cmd:"" name:"help" help:"Say what a command does, and its flags."`

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
func run(args []string, stdout, stderr io.Writer) int {
	call, mistakes := read(args, stdout, stderr)
	if call.exited {
		return call.status
	}
	for _, m := range mistakes {
		fmt.Fprintf(stderr, "roulette: %v\n", m)
	}
	if len(mistakes) > 0 {
		return exitUsage
	}
	call.ctx.BindTo(stdout, (*io.Writer)(nil))
	call.ctx.Bind(call.values, reread(func() (*serveFlags, *config.Values, []error) {
		call, mistakes := read(args, io.Discard, io.Discard)
		return call.settings, call.values, mistakes
	}))
	if err := call.ctx.Run(); err != nil {
		fmt.Fprintf(stderr, "roulette: %v\n", err)
		var usage usageError
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitFailed
	}
	return exitOK
}

// call is a command line that was read, with the environment and the file.
type call struct {
	ctx      *kong.Context
	settings *serveFlags    // of serve and check-config
	values   *config.Values // likewise

	exited bool // --help and --version have said it all
	status int
}

// read makes a call of a command line, or says what is wrong, a line each.
func read(args []string, stdout, stderr io.Writer) (call, []error) {
	var c cli
	var call call
	parser, err := kong.New(&c,
		kong.Name("roulette"),
		kong.Description("A chat roulette: anonymous people are paired at random over WebSocket, and whatever one sends reaches the other."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Help(help),
		kong.ValueFormatter(config.Help),
		kong.DefaultEnvars("ROULETTE"),
		kong.ExplicitGroups(flagGroups),
		kong.Vars{"version": readBuild().String()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { call.exited, call.status = true, status }),
	)
	if err != nil {
		panic(err) // the command line is not what kong wants: a mistake in this program
	}
	settings := config.New(parser, "ROULETTE", "serve", "check-config")
	call.ctx, err = parser.Parse(args)
	if call.exited {
		return call, nil
	}
	if err != nil {
		return call, append(settings.Wrong(), fmt.Errorf("%w (see roulette --help)", err))
	}
	if call.values = settings.Load(call.ctx); call.values == nil {
		return call, nil
	}
	call.settings = &c.Serve.serveFlags
	if call.ctx.Selected().Name == "check-config" {
		call.settings = &c.CheckConfig.serveFlags
	}
	call.settings.check(call.values)
	return call, call.values.Errors()
}

// help prints kong's help. For a command that has others below it, as the program
// itself has, it goes on with the flags of the one that is meant when none is named:
// they are what most people look for.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	node := ctx.Selected()
	if node == nil {
		node = ctx.Model.Node
	}
	if node.DefaultCmd == nil {
		return nil
	}
	var path []string
	for n := node.DefaultCmd; n.Parent != nil; n = n.Parent {
		path = append([]string{n.Name}, path...)
	}
	meant, err := kong.Trace(ctx.Kong, path)
	if err != nil {
		return err
	}
	fmt.Fprintln(ctx.Stdout)
	options.NoAppSummary = true
	return kong.DefaultHelpPrinter(options, meant)
}

// usageError is a mistake in what the program was told.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
