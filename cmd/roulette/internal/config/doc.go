// Package config puts the settings of a command together from three sources:
//
//	flags ─────────┐
//	environment ───┼─► each value is checked, whichever wins ─► the highest one wins
//	one TOML file ─┘
//
// The flags of a command are the one list of settings there is: a flag's name is
// the key in the file, and its environment variable is kong's. All mistakes of
// all sources are found in one go, and each is a line that names the key and
// where its value comes from; of a line that is no TOML at all there is one.
//
// # The file
//
// One level of TOML: no tables, no dotted keys. Numbers are numbers, lists are
// arrays of strings, everything else, such as times and sizes, is a string. A key
// that is unknown or given twice is a mistake. A variable of the environment that
// only begins like ours is not: a neighbour may own it (Kubernetes makes such
// names of services); it is among the [Values.Strays]. A byte order mark before the
// text is skipped, and an empty variable for what cannot be empty, such as a number,
// is none.
//
// # Concurrency
//
// None: a [Loader] serves one parse.
package config
