// Package manual makes what tells people how the program is called, other than its
// own --help: a manual page (man(7)) and completions for shells. Both are made of
// kong's model of the command line, so there is nothing to keep in step by hand.
//
//	command line ──kong──► model ─┬─► commandsOf ─┬─► bash
//	                              │               ├─► zsh
//	                              │               └─► fish
//	                              └─► Page
package manual
