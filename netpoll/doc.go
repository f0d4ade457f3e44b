// Package netpoll owns every chat socket from accept to close: listeners,
// workers, connections, what is written and could not be, pausing, sweeping.
// It knows the kernel and nothing of WebSocket; a [Handler] does.
//
//	            accept4                     Handler.Read             Conn.Send
//	listener ───────────► Worker ──────────────────────► handler ───────────────► partner's
//	 (in every worker's    own Epoll, own 256 KiB buffer  parses, routes           socket, or
//	  epoll, EXCLUSIVE)    serves its sockets to the end                           its backlog
//
// # Ownership
//
// A socket is given to one of N workers for life. A worker is the goroutine in
// which its easygo Epoll waits: readiness is served there, in the callback, to
// completion. Nothing is handed to another goroutine, because a hand-off costs
// as much as relaying a message does.
//
// The invariants this package keeps, by the numbers the code cites:
//
//   - I1: a descriptor is read and closed only by the worker that owns it, and
//     closed exactly once, after Epoll.Del. Others ask ([Poller.Adopt],
//     [Worker.Ask]).
//   - I2: a write happens under the connection's write lock, on a descriptor
//     that is known open under that same lock ([Conn.Lock], [Conn.Send]). Write
//     locks are striped and never nest.
//   - I3: the read buffer belongs to the worker and dies when Handler.Read
//     returns.
//   - I4: every queue and buffer has a bound: a read is at most
//     Config.ReadBuffer, a backlog at most Config.BacklogLimit (then the
//     receiver is reported stalled), accepts a turn at most acceptBudget.
//   - I6: Handler.Closed runs exactly once for every connection for which
//     Handler.Accepted ran, and all it held is given back.
//
// Readiness is only ever a hint. Epoll's data is the bare descriptor number, so
// an event may reach the next owner of that number; and a connection's slot may
// have been taken by the next connection within one batch of events. Both are
// harmless, since every callback does nothing but try: a read that finds
// nothing says EAGAIN, and end-of-file is believed from read(2) alone.
//
// # Backpressure
//
// What a receiver's socket refuses goes to its backlog, and the sender's
// reading pauses, so that TCP closes the sender's window:
//
//	Send(b, from) ── EAGAIN ──► receiver.backlog += rest; from is paused
//	receiver's worker: EPOLLOUT ──► flush ──► empty: Handler.Drained ──► from.Resume
//
// A sender reads at most one buffer between two looks at its pause bit, so a
// backlog holds at most what one read brought, plus the replies to what the
// receiver itself sent. [Conn.Resume] modifies the registration, which makes
// epoll report a pending edge again on the owner's worker; the same call keeps
// fairness when a socket has used its budget of one buffer a turn, and closes
// the gap between an EAGAIN and the moment the backlog stands.
//
// # Codecs
//
// The bytes of a socket and those of its handler may differ: a connection that
// was adopted with a [Codec] is a stream of records in both directions.
//
//	socket ─► read buffer ─► Codec.Open, record by record, in place ─► Handler.Read, once
//	Conn.Send ─► Codec.Seal, in place or in a copy ─► socket, or the backlog
//
// Who may do what:
//
//   - Open runs on the owner alone, in the read buffer (I3). The contents of the
//     records of one read are moved together, behind the first, which stays where
//     it is; a record that is not whole is kept, at most MaxRecord bytes (I4), and
//     is read on behind.
//   - Seal, Own and End run under the write lock (I2), on any worker. Every byte is
//     sealed exactly once, in the order in which it goes to the socket: whatever
//     is refused afterwards waits sealed, and what would be too much for the
//     backlog is refused before it is sealed. So a record's number can be counted.
//   - A message that lies in the read buffer and fits one record is sealed there,
//     over the bytes around it, which are restored: relayed from one coded
//     connection to another it is never copied. Anything else is sealed in a
//     pooled copy.
//   - Own records, such as an answer of the codec to its peer, go out when Open or
//     Seal says that they are due; a peer that does not take them is not read.
//   - The first error of Open is the end: [Handler.Garbled] after the bytes before
//     it, and the handler ends the connection for that reason. [Conn.Finish] seals
//     the last words, then End, then shuts the sending side; a peer whose codec has
//     ended gets an End as well.
//
// A codec is the connection's while it lasts, and comes out with [Conn.Detach],
// with the beginning of a record that was read and with what waits, sealed. A
// connection without one pays for none of this but a bit that is looked at with
// others.
//
// # What a connection costs
//
//	 32 B  Conn, in chunks of 250 (fd 4, last heard 4, accepted 4, address 4,
//	       rate 4, slot+flags+state 4, pointer to the rest 8)
//	0.8 B  its share of the chunk's header and of the write locks
//	 16 B  the epoll callback (one method value)
//	~30 B  its entry in easygo's map: 21 when its tables are full, 41 when all have
//	       just been split (at 896 times a power of two, for each worker)
//
// and nothing else while it is idle: no goroutine, no timer, no buffer. What a
// connection needs now and then (a backlog, a half-gathered message: 24 B and what it
// is) hangs off one pointer and goes back to a pool. What the
// handler has of each lies beside the chunk ([Conn.Beside]). A codec costs 8 B, in itself,
// and its own state.
//
// What the process grows by, for each further plain connection between 5,000 and 19,000
// (heap profiles in which every allocation counts, /proc/PID/smaps):
//
//	   102 B  of heap: 33 Conn, 16 callback, 32 map, 21 the pairing table
//	0 to 13 B  of the Go runtime, beside it: a share of spans that are not full, what it
//	          knows of spans, its collector's queues; less what a chunk has not touched yet
//	9 to 28 B  of the program file, in RSS alone: code and tables that are run for the
//	          first time, of which Linux maps 64 KiB at once. It is not the connections'
//
// A slope over sizes was 95 to 106 B of memory that is the process's own, once what the
// crowd's arrival left was given back, and 114 to 127 B of RSS.
//
// # Limitations
//
// Linux only. 256 workers and 16,777,216 connections at most. Deadlines are
// swept about once a second (or four times within the shortest deadline), so
// they fire late by up to that, never early.
package netpoll
