// Package moderator is the desk at which somebody reads what strangers have reported, and
// decides: in a terminal, with the key that the server does not have.
//
//	admin side ── reports, encrypted ──► Load ── identity ──► case ──► list, and one of them
//	     ▲                                                                     │ a key
//	     └───────────────────────────── a Verdict ◄────────────────────────────┘
//
// What stands in a report was written by strangers. Nothing of it reaches the terminal as
// it is: control characters, and those that are not seen, become visible (see
// terminal.Visible), and a picture is only its size.
//
// # Concurrency
//
// A desk is the model of a bubbletea program, whose goroutine calls all methods; what
// waits for the server runs as its commands.
package moderator
