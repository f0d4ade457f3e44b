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
// # What a connection costs
//
//	 32 B  Conn, in chunks of 250 (fd 4, last heard 4, accepted 4, address 4,
//	       rate 4, slot+flags+state 4, pointer to the rest 8)
//	0.8 B  its share of the chunk's header and of the write locks
//	 16 B  the epoll callback (one method value)
//	~29 B  its entry in easygo's map
//
// and nothing else while it is idle: no goroutine, no timer, no buffer. What a
// connection needs now and then (a backlog, a half-gathered message) hangs off
// one pointer and goes back to a pool.
//
// # Limitations
//
// Linux only. 256 workers and 16,777,216 connections at most. Deadlines are
// swept about once a second (or four times within the shortest deadline), so
// they fire late by up to that, never early.
package netpoll
