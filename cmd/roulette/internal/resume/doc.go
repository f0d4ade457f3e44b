// Package resume is what lets a chat outlive its connections: tokens that name a
// pair, and the two halves of the conversation by which a broken chat goes on
// with every message shown exactly once. It knows no sockets, no seats and no
// clock; time is an argument.
//
// # Count at the ends, store nothing in the middle
//
// A message's sender keeps it until the partner's client has said that it was
// shown. The server counts no message and keeps none. Both ends number the
// messages of a chat from 1, for each direction, and a count is "so many have
// been shown". The [Ledger] is the half that a client keeps, and a [Chat] is a client's
// use of it; the [Exchange] is the half that a server keeps, and that only from a break
// to the end of the return.
//
// A break and a return, A having lost its connection:
//
//	A (new connection)            server                            B (stayed)
//	                              Break(A): A's seat is kept
//	                              ── away ──────────────────────────►   holds what B types
//	── resume{token,have,try} ──► Return(A): generation g
//	                              ── sync{g} ───────────────────────►
//	                              ◄──────────────────── have{g,n} ───   Ledger.Shown
//	                              Have(B): both counts are known
//	◄── back{g, have of B} ────── ── back{g, have of A} ────────────►
//	── resend{g,from}, messages ► Resend(A): A's chat is relayed again
//	                              ◄── resend{g,from}, messages ──────
//	                              Resend(B): B's chat is relayed again; Settled
//
// What the server reads of a side's chat between the break and that side's own
// resend of the current generation is thrown away: it stands in the sender's
// ledger and comes again behind the resend. So what was left over in a stream
// can neither double nor overtake, by the order of the stream alone.
//
// A break during the return is one more generation: the counts of the one before
// are forgotten, and words of it that are still under way carry its number.
//
//	A ── resume try 2 ──► g=5 ── sync{5} ──► B
//	A lost again; A ── resume try 3 ──► g=6 ── sync{6} ──► B
//	B ── have{5,n} ──► of an old generation: ignored
//	B ── have{6,n} ──► both known: back{6} to both
//
// Connections of one client may overtake each other. Which is the newest is what
// the client itself says, by counting its tries, and never the order in which
// they arrive.
//
// # Invariants
//
//   - R1: every message is shown exactly once, in order, or reported as lost.
//     [Ledger.Replay] says how many its bounded ring has forgotten.
//   - R2: the server holds nothing of a chat: an Exchange is counts.
//   - R3: one live connection a side: [Exchange.Return] refuses a try that is not
//     newer than the last.
//   - R4: the token of an ended pair pairs nobody. A [Token] says which process
//     issued it: one of this process whose pair is unknown is of an ended pair.
//
// # Concurrency
//
// Keys are immutable. An Exchange, a Ledger and a Chat belong to whoever guards them.
package resume
