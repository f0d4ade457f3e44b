package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"roulette/cmd/roulette/internal/manual"
)

// versionCommand is roulette version, which is --version for who looks for a command.
type versionCommand struct{}

func (versionCommand) Run(stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, readBuild())
	return err
}

// helpCommand is roulette help, likewise. Its help is that of the command that is
// named, which run sees to.
type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command, such as bench soak; all of them without one."`
}

func (c helpCommand) Run(stdout io.Writer) error {
	if code := run(append(c.Command, "--help"), stdout, io.Discard); code != exitOK {
		return usageError{fmt.Errorf("there is no command %s (see roulette --help)", strings.Join(c.Command, " "))}
	}
	return nil
}

// completionCommand is roulette completion.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (c completionCommand) Run(stdout io.Writer, ctx *kong.Context) error {
	script, err := manual.Completion(c.Shell, ctx.Model.Node)
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, script)
	return err
}

// manCommand is roulette man.
type manCommand struct{}

func (manCommand) Run(stdout io.Writer, ctx *kong.Context) error {
	_, err := io.WriteString(stdout, manual.Page(ctx.Model.Node, manualSections...))
	return err
}

// manualSections are what the command line does not know.
var manualSections = []manual.Section{
	{Title: "Settings", Items: []manual.Item{
		{Term: "precedence", Text: "A flag stands above its environment variable, that above the file of --config, and that above the default. roulette check-config --print says where each value comes from."},
	}},
	{Title: "Signals", Items: []manual.Item{
		{Term: "SIGTERM, SIGINT", Text: "Drain: refuse new clients, send everybody away, and end; a second one ends at once."},
		{Term: "SIGHUP", Text: "Read the settings again. What can change while the server runs does; the log says what needs a restart."},
	}},
	{Title: "Files", Items: []manual.Item{
		{Term: "/etc/roulette.toml", Text: "The settings of the service that the Debian package installs."},
	}},
	{Title: "Exit status", Items: []manual.Item{
		{Term: "0", Text: "All is well."},
		{Term: "1", Text: "Something failed."},
		{Term: "2", Text: "What the program was told is wrong."},
	}},
}
