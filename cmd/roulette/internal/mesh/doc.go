// Package mesh lets strangers meet across nodes: several servers that share a bus
// and nothing else. There is no shared state, no ring and no leader. Who finds
// somebody on their own node meets there; only those who find nobody travel.
//
//	        beat: "somebody waits here, who likes go"            beat subject, all nodes
//	node A ───────────────────────────────────────────► node B
//	  a waits for 250 ms
//	       ── offer  (a: interests, languages, table) ──►   a stand-in of a looks for somebody
//	       ◄─ accept (b: what both share) ───────────────   b is reserved, 500 ms, told nothing
//	  a is claimed, if a still waits (else: abort)
//	       ── commit ───────────────────────────────────►   b is told: paired
//	       ◄─ confirm ───────────────────────────────────
//	  a is told: paired
//	       ◄─ data, note ───────────────────────────────►   relay, under credit
//	       ── end ───────────────────────────────────────►  left
//
// In each node's pairing table the one on the other node has a stand-in, so the
// table's own rules decide who fits, and nothing of the table knows of nodes. The
// [Host] keeps the stand-ins; a [Mesh] has the conversation.
//
// # Words
//
// A [Node] names a run of a server: random at each start, so it is the epoch too.
// A chat has a number on each of its two nodes, never given twice. All words from
// one node to another are numbered ([header]); where a number is missing the bus
// has lost something, nobody knows of which chat, and all chats of the two nodes
// end (N6). Words of an ended chat are dropped by the chat's number.
//
// # Invariants
//
//   - N1: nobody is reserved by two offers. The table is the judge: a stand-in is
//     the partner of whoever is reserved.
//   - N2: nobody is told "paired" before both are reserved: b at commit, a at
//     confirm.
//   - N3: every byte on the bus is within a credit: [ChatCredit] for each
//     direction of a chat, [NodeCredit] for each direction of two nodes. A sender
//     whose credit is used up is not read; more than the credit is under way only
//     by what one read brought.
//   - N4: the bus touches no local chat: its loss ends the chats across nodes.
//   - N5: what comes from the bus is parsed and checked like what comes from a
//     client, and counted when it is refused.
//
// Crossed offers: of two nodes that offer to each other at the same moment the
// lower one leads, and declines the other's.
//
// # Moving
//
// The successor of a node's process is the same [Node]: the numbers and the credits go
// on, see [Mesh.Hold].
//
// # Concurrency
//
// All methods of a Mesh may be called by any goroutine. The Host's methods are
// called with the Mesh's lock held, and must not call back, but for
// [Host.Deliver], [Host.Note] and [Host.Resume], which are called without it.
// [Bus.Publish] must not block. What is heard in one packet is told word by word, in
// order.
package mesh
