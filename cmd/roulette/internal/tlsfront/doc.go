// Package tlsfront makes TLS 1.3 connections of sockets: crypto/tls shakes hands,
// and what goes on is a [tls13.Session], a hundred bytes instead of a tls.Conn.
//
//	worker                       a goroutine of Front                  worker
//	accept, gather ──Arrival──►  crypto/tls, one record at a time ──►  Outcome: socket, Session,
//	the ClientHello              secrets by KeyLogWriter               what was read behind
//
// crypto/tls is handed exactly one record at a time, so that nothing of the stream
// hides in its buffers when the handshake is over. It tells the two traffic secrets
// through its KeyLogWriter, and how many records it has sealed under the new one is
// found out by trying to open the last of them, never assumed.
//
// # Bounds
//
// A handshake costs a few hundred microseconds and tens of kilobytes, and anybody
// may ask for one. So those that compute at once are Config.Compute, those that
// there are at once Config.Most (beyond them a socket is turned away at once), those
// of one address Config.PerAddress, and each has a deadline, for the client's share
// as well. While a handshake waits for its client it holds no place among those that
// compute.
//
// # Certificates
//
// [Files] are read from pairs of files, again when they change and when they are
// told to; a pair that does not fit leaves the last good one in place. [ACME] obtains
// and renews them (RFC 8555), by tls-alpn-01 (RFC 8737) and http-01, and keeps them in
// the state directory; no client waits for it. [SelfSigned] is for a look.
//
// # Secrets
//
// T4: no secret, no name that a client has sent, and no address is in an error, a
// label or a log line of this package. The copies of secrets that are its own are
// zeroed; those of crypto/tls are left to the garbage collector.
//
// The package knows nothing of netpoll: a socket is a descriptor here.
package tlsfront
