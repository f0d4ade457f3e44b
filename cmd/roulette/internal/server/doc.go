// Package server is the chat roulette: the one place where netpoll, frame,
// pairing, metrics and web meet.
//
// # The path of a connection
//
//	accept ─► handshaking ─┬─ upgrade for /ws ──► plain ──┐
//	                       ├─ upgrade for /echo ► echo ───┼─► ended (closing handshake, linger) ─► closed
//	                       ├─ refused ────────────────────┘
//	                       └─ any other request ► net/http, and home again if an upgrade comes later
//
// Limits count a connection for its client's address, which is known when it is
// accepted; behind a trusted proxy, when the header of the PROXY protocol has
// come, or the request with X-Forwarded-For.
//
// # The path of a message
//
//	epoll ─► handler.Read ─► frame.Decoder.Next (unmask in place, once for each message)
//	      ─► frame.Join (all of one read) ─► pairing.Partner ─► partner's write lock,
//	      Partner asked again ─► netpoll.Conn.Send (one write)
//
// # Invariants kept here
//
// I7: a message reaches the partner the sender had when it was sent, or nobody.
// The sender's worker asks the table who the partner is, takes that
// connection's write lock, and asks again from the partner's side: only if both
// point at each other under the lock is anything written. A parting changes the
// table first and passes through the same lock after it, so nothing is written
// for a pair that is over, and no sender stays paused for one (I5).
//
// I8: a connection ends once, for one reason, a row of the table in reason.go:
// [handler.end] counts it, takes it out of the pairing table and wakes those who
// waited for that. The descriptor lives on until the closing handshake is through,
// and what the connection was counted for is given back when it is closed (I6).
//
// # Concurrency
//
// A handler belongs to one worker and runs on it alone. Of another worker's
// connection it touches only what netpoll says any goroutine may: Lock, Send,
// Resume, State. What the workers share is the pairing table, the address
// table (both sharded and locked inside), and a few atomics in [Server].
//
// What can change while the server runs ([Settings]) reaches each worker as a
// pointer of its own to immutable rules, which [Server.Apply] has it replace
// between two events: the byte path reads a plain field.
package server
