// Package limit says how much one client may do: how often ([Rate]), and how
// much from one address ([Addresses]). It knows no connections: what it counts
// is told to it, and time is an argument, in milliseconds of any clock that
// wraps.
//
// # The state of a client
//
//	Rate       one uint32: the theoretical arrival time, kept where the client is
//	Addresses  one uint32: the key of its address, kept likewise; and an entry in
//	           the table while it is connected or its rate has not recovered
//
// Both numbers mean the same in another process that has the same [Seed] and
// the same clock.
//
// # Concurrency
//
// A Rate is immutable, the number it works on belongs to the caller. Addresses
// is for any goroutine: 64 shards, each with a lock that is held for one look-up.
//
// # Limitations
//
// Two addresses whose keys collide share their limits: one pair of 65,000 IPv6
// networks does, on the average.
package limit
