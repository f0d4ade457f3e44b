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
// Its kind is what it was upgraded to, its stage how far it is (state.go). Whether
// it may come in is decided by the table of gates, at three occasions: when it is
// accepted, when a PROXY protocol header has named its client, and when its request
// is whole. How it is refused is a row of refusals, why it ended one of endings.
// Until it is a chat it is in its worker's lobby (lobby.go); a chat is the handler's.
//
// # The path of a message
//
//	epoll ─► handler.Read ─► turn: frame.Decoder (unmask in place, once for each message)
//	                          │
//	                          ├─ chat ────► out  ─► pairing.Partner ─► partner's write lock,
//	                          │                     Partner asked again ─► SendTwo (one write)
//	                          ├─ ping ────► back ─► Send, after what is in out
//	                          └─ record ──► commands ─► pairing ─► apply: both ends read on,
//	                                                               and are told (notices.go)
//
// A turn is one read, from its bytes to the last write that they cause. Partners are
// found by seat: here a seat is a connection's ID; who is not here has a seat above
// those, and an outlet that stands in for them (seat.go).
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
// I8: a connection ends once, for one reason, a row of the table in ending.go:
// [handler.end] counts it, takes it out of the pairing table and wakes those who
// waited for that. The descriptor lives on until the closing handshake is through,
// and what the connection was counted for is given back when it is closed (I6).
//
// # Concurrency
//
// A handler belongs to one worker, with its lobby, and runs on it alone. Of another worker's
// connection it touches only what netpoll says any goroutine may: Lock, Send,
// Resume, State. What the workers share is the pairing table, the address
// table (both sharded and locked inside), and a few atomics in [Server].
//
// What can change while the server runs ([Settings]) reaches each worker as a
// pointer of its own to immutable rules, which [Server.Apply] has it replace
// between two events: the byte path reads a plain field.
//
// # What a connection costs here
//
//	 21 B  its entry in the pairing table
//	 41 B  rich: its place beside the connection, and a share of the block's end
//	100 B  over TLS: the codec, of which 88 B are the record layer's, and a share of the
//	       block's end
//
// Beside what netpoll needs, and while it is idle. What a rich client has now and then
// (wishes, a pair that had a break) hangs off one pointer. So of heap it is 102 B for a
// plain one, 143 B for a rich one and 202 B over TLS (heap profiles in which every
// allocation counts, the difference of two sizes).
//
// Over TLS the process grows by more than that, 261 to 278 B between 5,000 and 19,000:
//
//	202 B        of heap in use by objects
//	 10 B        spans that are not full
//	  7 to 24 B  pages that the scavenger keeps, a tenth of the heap's goal
//	  5 B        stacks, spans, marks
//	 25 to 30 B  the runtime's own, outside of its heap: collector's queues, and
//	             buckets of the memory profile
//
// and what is left is chance: what is pinged makes garbage, 2.6 KB each time for the keys
// of both directions, and the heap grows by a fixed amount before it is collected
// (collectInTime in cmd/roulette). Each thread that the process has come to need has 48 KB
// of stacks: a crowd of handshakes on a busy machine makes some, which stay.
package server
