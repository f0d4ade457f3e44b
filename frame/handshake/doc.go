// Package handshake is the upgrade from HTTP to WebSocket (RFC 6455, section 4)
// without a goroutine, a reader or a connection: a request head goes in, the
// bytes of the response come out.
//
//	bytes from the socket
//	        │
//	   HeadEnd ── 0: not whole, read more ── err: never HTTP, refuse
//	        │ n
//	 Upgrader.Upgrade(dst, b[:n])
//	        ├── OK         dst has the 101; b[n:] are the first frames
//	        ├── NotChat    dst is as it was; b goes to net/http
//	        └── refused    dst has the whole refusal; write it and close
//
// A head is scanned strictly before anything is believed: every line ends in
// CRLF, no line is folded, names are tokens, values have no control bytes. What
// the scan understood, and nothing else, is then handed to the ws.Upgrader of
// github.com/gobwas/ws as a request in canonical form. The two can therefore
// not disagree about what the client said, and what gobwas does not accept but
// browsers send, such as the token "Upgrade" in the second of two Connection
// lines, works.
//
// # What is answered
//
//	no endpoint has the path            NotChat
//	not HTTP/1.x                        505
//	malformed head or handshake         400
//	method other than GET               405
//	no upgrade asked for, or HTTP/1.0   426
//	Sec-WebSocket-Version is not 13     426
//	foreign Origin                      403
//
// HTTP/1.0 counts as no upgrade, because RFC 9110, section 7.8, has the server
// ignore the Upgrade field of such a request.
//
// Refusals that are decided elsewhere, for time, size or number, are made with
// [AppendRefusal].
//
// # Who may call what
//
// One [Upgrader] serves all goroutines: it does not change after New, and what
// a call needs comes from a pool. Slices that a call returns live as long as
// the head they were given.
//
// # Limitations
//
// No extension is ever chosen, so no messages are compressed. A head is bounded
// by its caller. The path is compared byte by byte: "/%77s" is not "/ws".
// Responses have no Date, because there is no clock here.
package handshake
