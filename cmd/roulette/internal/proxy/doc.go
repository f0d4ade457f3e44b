// Package proxy finds out who the client is when a reverse proxy stands in
// between. It holds no connection: addresses and byte slices go in, an address
// comes out.
//
//	socket's peer ── not trusted ──────────────────────────────► the client
//	     │ trusted
//	     ├─ PROXY protocol, v1 or v2: HeaderEnd, ParseHeader ──► the client, or a proxy further out
//	     └─ X-Forwarded-For: Trusted.Client ───────────────────► the client
//
// A proxy is believed because its address is in a list, [Trusted], and for what
// it saw itself: the address that connected to it. If that is a trusted proxy
// too, it is believed in turn. So the list of hops is read from its end, and
// what a client has written into it is never reached.
//
// All functions are pure and for all goroutines.
package proxy
