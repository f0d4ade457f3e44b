// Package proof is proofs of work: what a newcomer's computer does once, when there is
// more to do than the server can, or when bots come in numbers. It costs a person a
// fraction of a second, and whoever is many people at once as often.
//
//	server                                       client
//	  Issuer.Ask ── puzzle: seed, bits ────────────►  Solve: PBKDF2-HMAC-SHA-256, again and again
//	  Issuer.Claim ◄── seed, an answer to each part ──
//	     │ a MAC: ours, of this client, of now, the first time
//	     ▼
//	  Queue, by effort, bounded ─► Verify, one at a time, a quarter of the time at most
//
// # The work
//
// An answer to part i of a puzzle is a number n from 0 to 2^32-1 for which the first
// bits bits of PBKDF2-HMAC-SHA-256 are 0; the password is the seed as it stands, the
// salt are i and n, four bytes each, the highest first; [Rounds] rounds, 32 bytes.
// Browsers have that function built in, and compute it beside the page: so it costs a
// bot what it costs a person. There are [Parts] parts, so that luck evens out.
//
// # What holds
//
// Nobody gets a verification for nothing: a seed is sealed, belongs to one client,
// is good for [Fresh], and for one claim. A wrong proof costs one derivation, as the
// first wrong part ends it. What waits is at most [MaxQueue] proofs, of which the
// least effort gives way (I4).
package proof
