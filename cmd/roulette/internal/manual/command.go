package manual

import (
	"strings"

	"github.com/alecthomas/kong"
)

// command is what a shell may complete behind a command.
type command struct {
	path   string // the names of commands up to it: "", "serve", "bench load"
	below  []described
	flags  []flag
	values []string // of its argument, where there are only so many
}

type described struct{ name, help string }

type flag struct {
	described          // the name with its dashes
	takes     bool     // a value
	values    []string // all there are
	file      bool     // the value is one
}

// commandsOf lists the commands of a program, itself first. Flags of the command that
// is meant when none is named are flags of the one above it as well.
func commandsOf(node *kong.Node) (all []command) {
	var add func(n *kong.Node, path string)
	add = func(n *kong.Node, path string) {
		c := command{path: path}
		for _, f := range n.Flags {
			c.flags = append(c.flags, flagOf(f))
		}
		if path != "" {
			c.flags = append(c.flags, flag{described: described{"--help", "Show the flags, and what they mean."}})
		}
		if n.DefaultCmd != nil {
			for _, f := range n.DefaultCmd.Flags {
				c.flags = append(c.flags, flagOf(f))
			}
		}
		for _, p := range n.Positional {
			if p.Enum != "" {
				c.values = append(c.values, p.EnumSlice()...)
			}
		}
		for _, child := range n.Children {
			if !child.Hidden {
				c.below = append(c.below, described{child.Name, firstSentence(child.Help)})
			}
		}
		all = append(all, c)
		for _, child := range n.Children {
			if !child.Hidden {
				add(child, strings.TrimPrefix(path+" "+child.Name, " "))
			}
		}
	}
	add(node, "")
	return all
}

func flagOf(f *kong.Flag) flag {
	made := flag{
		described: described{"--" + f.Name, firstSentence(f.Help)},
		takes:     !f.IsBool(),
		file:      f.PlaceHolder == "FILE",
	}
	if f.Enum != "" {
		made.values = f.EnumSlice()
	}
	return made
}

// firstSentence is what a shell has room for.
func firstSentence(help string) string {
	for _, end := range []string{". ", ": ", "; ", " (default"} {
		help, _, _ = strings.Cut(help, end)
	}
	return strings.TrimSuffix(help, ".")
}
