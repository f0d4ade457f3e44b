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
//	     ├── shards  ── {lock, class → open []id, seekers}     shard of a client: from its id
//	     └── topics  ── {lock, topic → postings}               stripe of a topic: its hash
//
// # Who may be matched
//
// A client may have [Wishes]. With interests it is choosy: for Config.Patience it
// takes only those who share one. With languages it is so for
// Config.LanguagePatience. At a table it takes those at the same table and nobody
// else. All others, and everybody who insists on nothing any more, are open: they
// stand in the pool of their shard and take anybody who is open too.
//
// Whoever has wishes also stands under topics, which are looked at first; so who
// shares more is preferred:
//
//	insists on           stands under
//	interest, language   each of its interests in each of its languages
//	language             these, and each of its languages
//	interest             each of its interests
//	nothing              all of these, and in the pool
//	                     the table, if it sits at one, and nowhere else
//
// So all who stand under a topic take each other, but for last partners. When a
// client that has both insists on less, another seeker, which stands under more
// topics, takes the place of its first one.
//
// A client is of a [Class], and waits among those of it: each shard has a pool of each
// class, and topics are of one class. Those of class Slow change over when they have
// waited for Config.SlowPatience. At a table there are no classes, and between two
// tables there is one.
//
// The last partner is avoided until both have waited for Config.Patience; except
// that [Table.Again] pairs two who both want it. The choice is random: uniform
// among those under a topic, and uniform among the open. A client that was left
// keeps the age of its place: the time it has waited before counts for the next
// wait too.
//
// [Table.Move] gives a client another number; its partner, if it has one, notices
// nothing.
//
// # People
//
// With Config.People the table knows who sits in whose place ([Table.Identify]), over
// clients and for a while without one. It keeps
//
//   - people apart of whom one has blocked the other ([Table.Block]), always
//   - the clients of one person apart, until both have waited for 30 s; not at a table
//   - a client and its person's last partner apart until it has waited for Patience,
//     and the two partners before that one for a second, whichever client met them
//
// A person who may be many, as all those of one network, is kept apart by blocks alone.
// What is known of people who have no client is forgotten after ten minutes, or after a
// day if they have blocked somebody; there are never more than [MaxAbsent] of them.
//
//	people ── known: Person → somebody{clients, blocked, recent}     about 250 bytes each
//	chunks ── persons: *somebody                                     8 bytes a client
//
// A table without it has none of this.
//
// # Guests
//
// A guest stands for somebody of another table (Config.Guests). Somebody is looked
// for in its name, by the same rules; whoever is found is held: nobody else finds
// them, and they do not know. Then the pair is made, or given up, and who was held
// waits on as if nothing had been.
//
//	          Ask, Claim           Settle
//	waiting ─────────────► held ───────────► paired
//	   ▲                    │
//	   └── Stop, Leave of ──┘
//	       the guest
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
// A match takes time in the number of topics, not of the waiting. A plain client
// costs its entry and, while it waits, 4 bytes in a pool; a topic costs about 100
// bytes while a client stands under it. What two have in common is kept until it
// is told. A table is nothing but the topic of those who wait at it.
package pairing
