// Package safety keeps strangers safe from strangers, with nothing of what they say
// kept: whom operators have banned, until when and why.
//
//	decision  ── what about whom: networks, people or a report; end, reason, by whom, when
//	   │ a line, fsynced, before it is in force
//	   ▼
//	decisions.log        crc32c SP json LF …           only ever appended to
//	   │ read again at the start
//	   ▼
//	Bans      ── networks: prefix → the latest decision     one look-up an arrival
//	         ├── people: banned, in the shadow; what was decided about reports
//	         └── ends: decisions, the first to end in front
//
//	Report ── age, to the moderators ──► Inbox: a file each, under its name when it is whole
//
// # What holds
//
// S2: nobody is banned without a decision that is on the disk first, if there is a
// disk at all.
//
// S5: every ban ends by itself. Whoever asks is told only of a ban that goes on, and
// what has ended is forgotten a decision at a time.
//
// A file that was cut anywhere, by a crash or a full disk, holds all decisions that
// were said to be made: what is cut is a line that nobody was told of, which its
// checksum tells, and the next line begins on one of its own.
//
// # What is kept, and for how long
//
// Networks and what an operator wrote. At the start of a process, decisions that are
// older than [Keep] are left out of the file, but for the bans in force. Old is what
// is older than the newest of them, so a clock that is wrong loses nothing.
//
// # Bounds
//
// At most [MaxNetworks] networks are banned, about 100 bytes each, and at most
// [MaxReason] bytes say why. A network is one of 8 bits at least (IPv4) or 16 (IPv6),
// and an IPv6 network of more than 64 bits stands for its /64, which is one
// subscriber's. Something is decided about at most [MaxPeople] people, 73 bytes each, and
// at most [MaxFiled] reports wait.
//
// # People and reports
//
// A [Person] is 16 bytes that tell somebody from others: the number of their browser's
// cookie, or a keyed hash of their network. A [Report] is what somebody says of a
// partner, with messages that the server has verified; whoever implements [Reports]
// takes it: an [Inbox], which can write what only moderators can read. What they decide
// is a [Verdict]. The server keeps neither messages nor who has met whom: a cookie is kept by
// its browser, and so are messages, until they are reported.
//
// # Concurrency
//
// Any goroutine may call any method of [Bans]. A look-up takes a lock that is held
// for as long as it takes to enter one decision, and not while the disk is waited
// for. While nobody is banned it is one atomic read.
package safety
