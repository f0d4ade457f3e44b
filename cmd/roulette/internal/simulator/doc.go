// Package simulator drives the whole server, as it is, in a world of its own: a
// simulated kernel behind [netpoll.Kernel], simulated clients, a clock that moves
// when told to. Everything that chance decides comes from one seed, so whatever
// goes wrong can be seen again.
//
//	seed ─► steps ─┬─► a client connects, sends, reads, leaves … ─┐
//	               ├─► a worker takes a turn ─────────────────────┼─► checks
//	               ├─► the clock moves, the network catches up ───┤
//	               └─► all comes to rest ─────────────────────────┘
//
// # The model
//
// Workers are coroutines: one runs at a time, and only when a step says so. It
// gives way after system calls and in front of write locks ([netpoll.Scheduler]),
// so that workers overtake each other wherever they can in production, except
// inside the pairing table, whose own tests see to that. Epoll is edge-triggered
// as epoll(7) and easygo have it: callbacks are looked up for a whole batch, Mod
// and Add report what is pending, numbers are the lowest free ones and so are
// taken again at once.
//
// A step is a number. It decides, with the state it finds, what happens in it;
// so any part of a list of steps can be run, and a failure is shrunk to few of
// them, which are printed with what each did.
//
// The goroutines of net/http, of a drain and of package host are not
// simulated: a request for a page is handed to the simulator, which brings some of
// them home as chats.
//
// Some of the connections have a codec ([netpoll.Codec]), a toy of which every record
// is numbered and sealed by its number: what is sealed twice, in another order than
// it is written, or not at all, does not open at the client's end. These clients are
// adopted, as those are whose handshake somebody else has made.
//
// Every now and then another server, with another number of workers, takes over all
// connections, out of one, through bytes, into the other, in the middle of whatever
// they do; what has to hold of a chat has to hold across.
//
// Some of the rich clients say hello, with words drawn at random, and do what these
// promise. Those that say resume are people whose connections come and go: they keep
// the client's half of a resumable chat, package resume's Ledger, and act on what they
// have read, not on what was written to them. Now and then the server is killed, and
// another one with the same keys knows nothing.
//
// A fleet is several such worlds, whose servers are the nodes of a cluster, with package
// mesh as it is. They share the clock and a bus that brings the words of one node to
// another in order and late; it loses some, says some twice, and cuts nodes off. All
// people of a fleet can resume, and they come back at any node, so every message is
// followed from one of them to the other by the token of their chat. What comes from the
// bus, and what a node does by the clock, is a coroutine of its own (the porter).
//
// # Faults
//
//   - reads and writes: short at any byte, EAGAIN, EINTR, ENOBUFS, ENOMEM,
//     ECONNRESET, EPIPE; send and receive buffers from 10 bytes to 600 KB
//
//   - events: late, twice, from nowhere with any flags, for numbers that are
//     somebody else's by now, many or few at a time, in any order
//
//   - accept4: EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPERM, EINTR; no
//     spare descriptor to be had; few descriptors at all
//
//   - the clock: jumps of up to a minute; workers that stand still for long
//
//   - clients: slow, deaf or stalled; requests and frames in pieces; fragments with
//     pings between them; half-closed, reset or just silent; every offence against
//     the protocol; too many for a limit; no WebSocket at all
//
//   - records: of any size, in pieces, empty, that want an answer, that do not open;
//     the end of a codec with and without a FIN
//
//   - connections that are cut off, unnoticed by the server; what was under way on
//     them arrives late, also an older try to come back
//
// # Checks
//
// When a system call is made (the numbers are those of the invariants in
// .github/CONTRIBUTING.md):
//
//   - I1: read, shutdown and close by the worker that owns the descriptor; closed
//     once, after Del
//   - I2: written under the write lock, to an open descriptor, nothing behind the
//     end; and what was refused is what is written next
//   - I7: each message carries its sender and number: it is unchanged, never sent
//     twice, in order, without a gap, and for the client that its sender was paired
//     with; a rich client's messages between two of its commands reach one partner
//     at most
//   - what a client is sent is well-formed, and makes sense to it: hello first;
//     pairing numbers rise; nothing of a partner before paired or after left; left
//     once; pongs for its pings in their order; a close frame for a reason, nothing
//     behind it; an answer to its request that its kind deserves
//   - a connection is closed without an answer only if it has gone itself, or is
//     over a limit
//   - a chat's place is given to its own person, and to their newest connection (R3);
//     not in a chat that is over (R4), nor is one refused that goes on
//   - a codec opens on its owner, seals under the write lock and never behind its
//     end, which comes before that of the stream
//
// When a person reads it:
//
//   - the messages of a chat are unchanged, in order and without a gap, across all its
//     connections; what is reported as lost is no longer kept (R1)
//
// When all has come to rest:
//
//   - what either side of a chat has said the other has read (R1), and no older
//     connection has its place (R3)
//   - nothing that was sent is unread, nobody is paused for nothing; what a socket
//     has refused is written as soon as there is room, also when nothing rests
//   - messages sent are those delivered, reported as undelivered, or lost with a
//     receiver; an echo is complete
//   - [pairing.Table.ConsistencyCheck]: I5, and no two compatible clients wait, and
//     those wait who should; a rich client was told whether it is paired
//   - a connection that was sent away has given its descriptor back; every worker
//     listens
//   - I4: backlogs are within their bound
//   - I6: gauges and descriptors are what they should be; at the end nothing is open
//   - I8: the ends of connections and of pairs that are counted are those that were
//
// # Limitations
//
// A worker that holds the lock of a pairing shard or of the address table is never
// overtaken. Memory ordering is not simulated: that is the race detector's.
package simulator
