// Package bench loads a chat-roulette server over real sockets and checks every
// message that comes back.
//
// It talks the plain protocol of /ws, where the server pairs clients at random as
// they connect, and of /echo, where each client is its own partner. It needs
// nothing of the server but that protocol, so it measures any such relay.
//
// # How it works
//
// [Run] starts one event loop for each of [Config].Threads, locked to a thread of
// its own, on an epoll instance of its own. Connections are dealt out to the loops
// by number and never move; there is no goroutine, no timer and no buffer for each.
//
//	Run ── phase ──► loop 0 ── epoll ──► client 0, 2, 4 …
//	    ◄─ counts ── loop 1 ── epoll ──► client 1, 3, 5 …
//
// A run goes through phases: connect, pair, warm up, measure, drain, close. Run
// moves the phase, the loops follow it and publish their counts.
//
// In mode [Drain] the server is to send everybody away while they talk, and what is
// watched is how: see [Drained], and [Config].Begin, which may be what stops it.
//
// # What is checked
//
// A message is 32 bytes of head and a body, all of them printable ASCII so that it
// can travel as text:
//
//	 0        8        16       24       32
//	┌────────┬────────┬────────┬────────┬──────────────┐
//	│kind, id│sequence│ time   │ check  │ body         │
//	│run     │        │        │ sum    │              │
//	└────────┴────────┴────────┴────────┴──────────────┘
//
// id is the sender, time the nanosecond at which the message was meant to be sent
// (not when the socket took it, so a stall of the server shows in the latency of
// every message that should have gone meanwhile), and the body a piece of a fixed
// pattern chosen by id and sequence. So a receiver knows at once a message of
// another pair, one that is lost, doubled, out of order or altered: see [Faults].
//
// The pairing is the server's choice and is discovered first: each client says
// hello with its id, and takes for its partner whoever's hello arrives.
//
// # Cost
//
// Frames are built and masked once for each loop; sending one rewrites four words.
// Receiving one reads four words and compares the body. Measured on the machine of
// README.md beside this, a loop sends and checks a message in about the time the server needs
// to relay it, most of it in the kernel; [Result].Generator says how busy it was,
// and a figure taken with the generator near 100 % is a lower bound.
//
// Linux only. Of TLS, version 1.3.
package bench
