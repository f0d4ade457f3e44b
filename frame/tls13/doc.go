// Package tls13 is the record layer of TLS 1.3 (RFC 8446, section 5) behind the
// handshake: who has the two traffic secrets of a connection opens and seals its
// records here, over byte slices and without a buffer, a goroutine or a tls.Conn
// for the connection. A record here is always TLS's, not a control record of the
// chat.
//
//	 0    1    3    5                                     5+n
//	┌────┬────┬────┬────────────────────────────┬────┬─────┬──────────┐
//	│ 23 │0303│ n  │ content (up to 16,384 B)   │type│ 0…0 │ tag 16 B │
//	└────┴────┴────┴────────────────────────────┴────┴─────┴──────────┘
//	 additional data└──────────── sealed by the AEAD ────────────────┘
//
// [Session] is what a connection keeps: for each direction the traffic secret and the
// sequence number; 88 bytes, and 32 more with AES-256-GCM, whose secrets are longer.
// The key and the nonce's mask follow from the secret, and are not kept. [Keys] is what
// a worker keeps: the keys, expanded (about 900 bytes each, some 1.5 µs to make, and
// 1.3 KB of garbage), of those directions that were used lately, however many
// connections there are. A Session should stay where it is: its keys are looked for by
// its address, and made again where it has moved.
//
// What the inner type says is done as follows.
//
//   - 23, application data: goes to the caller, where it lay.
//   - 22, handshake: a KeyUpdate changes the keys of this direction, and may ask
//     for an answer (4.6.3). A client passes over session tickets (4.6.1). Nothing
//     else comes behind the handshake (post-handshake authentication was not
//     offered).
//   - 21, alert: close_notify is the end of the stream, user_canceled says
//     nothing, all others are the end of the connection (6).
//   - anything else is an unexpected_message.
//
// # Invariants
//
//   - T2: a nonce is never used twice. It is the mask and a sequence number that
//     moves with every record and begins again only with a new key. So sealing and
//     its sequence number belong to whoever holds the connection's write lock, and
//     [Session.Append] carries the number along.
//   - T4: no secret is printed: a Session is formatted as its name.
//   - T5: nothing of a record that does not open reaches the caller, and no record
//     is opened behind it.
//
// # Who may call what
//
// The receiving half is Open's: one goroutine at a time. The sending half is
// Seal's and that of what begins with Append: one at a time, which need not be
// the same. The two may run at once. A Keys is its goroutine's alone.
//
// # Limitations
//
// A session ticket has to arrive in one record, and a connection ends before it
// has received 2^24.5 records under one key: the peer is asked for a new one long
// before.
package tls13
