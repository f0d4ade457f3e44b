// Package handover is the conversation in which a serving process hands all it
// serves to its successor, a new version perhaps, and no client notices. It moves
// descriptors and bytes; what they mean is the business of [Predecessor] and
// [Successor].
//
//	predecessor                                        successor
//	── hello{protocol, states, release, settings} ───►  Successor.Hello: may refuse
//	◄── hello{protocol, states, release} ────────────
//	── listeners{names} + descriptors ───────────────►  holds them, accepts nothing
//	── connections{ids} + descriptors ───────────────►  holds them, reads nothing
//	◄── received{count} ─────────────────────────────   after each of these, so few are in flight
//	   …  the predecessor serves all the while  …
//	Freeze: every worker stops between two events
//	── connections{ids}, gone{ids} ──────────────────►  who came and went meanwhile
//	── state{size, sums} + memfd, sealed ────────────►  Successor.State: builds everything
//	◄── ready{sums} ─────────────────────────────────   equal, or it is off
//	── commit ───────────────────────────────────────►  Successor.Serve: reads and writes from here on
//	◄── serving ─────────────────────────────────────
//	Release: closes, never shuts down
//	── latecomer{bytes} + descriptor ────────────────►  Follow: goes on with it
//	◄── received{count} ─────────────────────────────
//	   …  until the predecessor has finished what it was in the middle of, and ends
//
// A descriptor that was sent is the same open file in both processes, and an epoll
// goes on reporting it when its own process has closed the number (epoll(7), question
// 6). So the predecessor's workers wait in no epoll from the freeze on, and Release
// takes every registration away before it closes the number; a thaw has nothing to
// put back.
//
// While both have a descriptor, close(2) in the predecessor ends no connection: who is
// gone between "connections" and "gone" hears of it with the latter. A close frame and
// shutdown(2) reach them at once.
//
// A latecomer is a connection that nobody could send before, for something else had it
// than the predecessor's workers: a TLS handshake was under way, or a page. When that
// is through, and the client wants a chat, the successor gets it, and the client
// notices nothing. A successor that does not know the word is gone by then, and the
// client is refused as by a server that drains.
//
// # Invariants
//
//   - U1: exactly one process reads or writes a socket at any time, decided by
//     commit: before it the predecessor, behind it the successor.
//   - U2: before commit nothing of the predecessor has changed that Thaw does not
//     mend. Whatever fails, or takes too long, ends in Thaw.
//   - U3: a successor that does not know the state's version, or may not have these
//     settings, is refused before the freeze.
//   - U4: the sums of both sides are equal before commit.
//
// What each side may still do: until commit is sent the predecessor may end it, and
// serves on; the successor may end it until it has said ready. Behind ready it waits
// for commit, and if the predecessor is gone instead it exits: then both are gone, as
// in any crash. Behind commit the successor owns all, whether or not the predecessor
// hears "serving"; the predecessor exits all the same.
//
// # Limits
//
// A message carries 253 descriptors at most (unix(7), SCM_MAX_FD), and as descriptors
// in flight count for the sender's RLIMIT_NOFILE (ETOOMANYREFS), each message is
// answered before the next is sent. A receiver without room for them gets fewer
// (MSG_CTRUNC): that ends it.
//
// # Concurrency
//
// [Hand] and [Take] run on the caller's goroutine, and call the interfaces on it.
package handover

import _ "roulette/netpoll/onlylinux" // memfd and SCM_RIGHTS are its
