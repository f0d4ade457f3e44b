// Package pairing knows who talks to whom: a lock-sharded table of clients and,
// in the same shards, the pool of those who wait for a partner. It has no
// descriptors and no goroutines; time is an argument, and clients are small
// dense numbers that the caller chooses.
//
//	         Enter (plain)           match                Leave of either
//	absent ───────────────► waiting ────────► paired ─────────────────────► absent
//	                           ▲                 │ the partner left
//	                           └─────────────────┘
//
//	Table ── chunks ── entry{link, since, state}   16 bytes a client
//	     └── shards ── {lock, waiting []id}        shard of a client: from its id
//
// # Invariants
//
// I5: a client that is paired has a partner that points back at it. Every change
// of a pair is made under the locks of both clients' shards, taken in the order
// of the shards' indices. [Table.Partner] reads one word without a lock, so what
// it says may be over by the time it is used: who acts on it asks again under a
// lock of his own that the parting has to take too.
//
// Liveness: whenever two clients wait, they are paired at once. A client is put
// among the waiting first and looks for a partner then; so of two that come at
// the same moment the later one sees the earlier.
//
// # Which goroutine may call what
//
// Any goroutine may call any method, for any client. For one client Enter and
// Leave alternate, and the caller sees to that (the worker that owns it does).
//
// # Limitations
//
// Matching is uniform among the clients that wait at the moment of the look; a
// concurrent match may change the odds by a hair.
package pairing
