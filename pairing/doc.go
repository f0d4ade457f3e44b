// Package pairing knows who talks to whom: a lock-sharded table of clients and,
// in the same shards, the pool of those who wait for a partner. It has no
// descriptors and no goroutines; time is an argument, and clients are small
// dense numbers that the caller chooses.
//
//	            Seek                 match               partner leaves
//	Enter ─► idle ────────► waiting ────────► paired ─────────────────► idle, or waiting
//	           ▲               │                 │                      again by itself
//	           └──── Stop ─────┴─────────────────┘                      (Config of Enter)
//
//	Table ── chunks  ── entry{link, since, last, number, …}   20 bytes a client
//	     ├── shards  ── {lock, open []id, seekers}             shard of a client: from its id
//	     └── topics  ── {lock, interest → wishes}              stripe of an interest: its hash
//
// # Who may be matched
//
// A client with interests is choosy: for Config.Patience it takes only those
// who share one. All others, and everybody who has waited that long, are open:
// they stand in the pool of their shard and take anybody who is open too.
// Whoever has interests also stands under each of them; those are looked at
// first, so who shares something is preferred. The last partner is avoided until
// both have waited for Config.Patience.
//
// The choice is random: uniform among those under an interest, and uniform among
// the open. A client that was left keeps the age of its place: the time it has
// waited before counts for the next wait too.
//
// [Table.Join] is for a caller that knows which two are to meet, and asks neither
// for interests nor for the last partner. [Table.Move] gives a client another
// number; its partner, if it has one, notices nothing.
//
// # Invariants
//
// I5: a client that is paired has a partner that points back at it. Every change
// of a pair is made under the locks of both clients' shards (in [Table.Move] also
// that of the new number), taken in the order of the shards' indices. The lock of a topic is taken alone. [Table.Partner]
// reads one word without a lock, so what it says may be over by the time it is
// used: who acts on it asks again under a lock of his own that the parting has
// to take too.
//
// Liveness: whenever two compatible clients wait, they are paired at once. A
// client is put in all the places where it can be found first and looks for a
// partner then; so of two that come at the same moment the later one sees the
// earlier. Two that become compatible by waiting are brought together by
// [Table.Relax]; nothing else depends on a timer.
//
// No head of line: a place is looked at by chance and not in order, and whoever
// is passed over costs a look.
//
// # Which goroutine may call what
//
// Any goroutine may call any method, for any client. For one client the caller
// sees to it that Enter comes first, Leave last, and Seek, Stop and Move one at a
// time in between (the worker that owns it does). Move is the Leave of the old
// number and the Enter of the new one.
//
// # Cost
//
// A match takes time in the number of interests, not of the waiting. A plain
// client costs its entry and, while it waits, 4 bytes in a pool; interests cost
// about 100 bytes each while their client waits.
package pairing
