// Package record is the control records with which a client and the server talk
// about a chat: parsed strictly on the server's side, leniently on the client's,
// and appended on both. It knows no sockets, starts no goroutines and keeps no
// state.
//
// This comment is the specification of the protocol, for people who write a
// client of their own.
//
// # Endpoints
//
//	GET /    the client for browsers
//	/ws      WebSocket: the chat
//	/echo    WebSocket: every message comes back as it was, nobody is paired
//
// What goes wrong before the WebSocket is open is answered as HTTP: 400
// malformed, 403 foreign Origin, or banned (then Retry-After says for how long, and a
// second line of the body, if there is one, where somebody can write to: a mailto: or
// https: address), 404 no such path, 405 not GET, 426 no upgrade
// to WebSocket version 13, 429 too many from one address, 431 request too large,
// 503 full or draining (see Retry-After).
//
// # Two kinds of client
//
// A client that offers the subprotocol "roulette.v1" ([Subprotocol]) is rich: it
// is told what happens, and says what it wants. One that does not is plain: any
// WebSocket tool will do. Both are in one pool and may be partners of each other.
// Sec-WebSocket-Protocol is in the response if the client is rich, and only then.
//
// Chat is the same for both. A text or binary message reaches the partner
// verbatim, with its opcode, in order, whole or not at all; a sender's fragments
// arrive as one frame. There is no envelope. A message may have up to 64 KiB
// (a rich client reads the limit in hello).
//
// A plain client looks for a partner as soon as it is connected, and again as
// soon as its partner has left, and is told neither. A message it sends while it
// has no partner is dropped and answered with the text
//
//	Sorry you dont have partner yet, check back in a minute
//
// so its next message may reach a new partner; a rich client's cannot.
//
// # Records
//
// A text message whose first character is U+001E is control; every other
// message is chat, also a binary one that begins with that byte. A control
// message is one or more records, as in RFC 7464:
//
//	U+001E  { one JSON object }  LF       the LF may be missing
//
// The rule is about the whole message, however it was cut into fragments. The
// server relays no control message, whoever sent it, and builds every record it
// sends from its own state: so a record from the server is true, and a partner
// can forge none. A client has to look at the very first character for that;
// let nothing remove a byte order mark or white space before.
//
// The server's records:
//
//	{"type":"hello","session":"…","online":12573,"max_message":65536}
//	                            the first, at once after the handshake
//	{"type":"waiting"}          in the pool, nobody found yet
//	{"type":"paired","pair":7,"common":["go","music"]}
//	                            a partner was found. pair counts this
//	                            connection's pairings: 1, 2, 3 …; common is
//	                            what both are interested in, perhaps nothing.
//	                            Who has named languages is also told
//	                            "common_languages":["de"], perhaps none
//	{"type":"left","pair":7,"reason":"next"}
//	                            the partner is gone: it went on (next), stopped
//	                            (stop), lost its connection (disconnected),
//	                            read nothing any more (stalled), was thrown
//	                            out (kicked)
//	{"type":"typing","pair":7,"on":true}
//	                            the partner is typing, or no longer
//	{"type":"online","n":12600} how many are connected; a sample, when it
//	                            changed, at most every 5 s
//	{"type":"undelivered","pair":7,"n":1}
//	                            n messages were dropped, as they came after
//	                            this pairing had ended (pair 0: before the
//	                            first one)
//	{"type":"error","code":"bad_record","message":"…"}
//	                            a record was refused; message is for people
//
// A client ignores types, fields and reasons that it does not know. The codes of
// errors, none of which closes the connection:
//
//	bad_record            malformed, unknown type, or a value out of range
//	too_many_interests    more than 10
//	too_late              what was asked for is not possible any more
//	no_such_chat          what was to be resumed is over
//	rate_limited          dropped; send less
//
// A client's records:
//
//	{"type":"next","interests":["go"],"languages":["de","en"],"table":"Ada's","pair":7}
//	                            leave the partner, if there is one, and look
//	                            for a new one
//	{"type":"stop"}             leave the partner or the pool, and be idle
//	{"type":"typing","on":true} for the partner. Ends by itself with a message,
//	                            with the pairing, and after 10 s
//
// In next, all fields may be missing. Without interests, those of the last next
// stay; [] clears them. The same holds for languages, and for the table, which ""
// leaves. With pair, the record counts only while that is the latest pairing,
// going on or just over, so that pressing a key twice does not skip the new
// partner. pair 0 says that the client knows of none on this connection.
//
// A rich client is idle until its first next. The order of a chat, then:
//
//	server  hello
//	client          next
//	server  waiting                  not if somebody was there already
//	server  paired 1
//	both            chat, typing
//	server  left 1                   idle again
//	client          next …
//
// # The fence
//
// After left, a rich client is idle until its own next. What it sent for the old
// partner and what crossed left on the way is counted in undelivered and reaches
// nobody, and what comes behind its next is meant for the new partner. That
// holds by the order of the stream alone: messages need no numbers.
//
// A next that crosses paired on its way would end a pairing which its client believes
// to be in from then on, and what the client says to that partner would reach the next
// one. So a client that is to be safe from this names in every next the pairing it
// was told of last, or 0. If it has said hello (below), the server does one of three
// things with a next that names another pairing than the latest: while that one goes
// on, nothing; while the client waits, what it says; and if the client has
// ended the latest itself, by a stop that had crossed paired too, the server tells it so
// with left, which the client answers with another next if it still wants one:
//
//	client  stop                      it looked, and knows of no pairing
//	server            paired 1        has crossed stop, which ends 1
//	client  next {"pair":0}
//	server            left 1          "stop": it was the client's own
//	client  next {"pair":1}
//
// # What both can
//
// The first record of a rich client may be a hello of its own, which promises what
// the client will do and says what it understands. The server answers with a second
// hello: the words that it knows too, in its order.
//
//	client  {"type":"hello","can":["heartbeat","away","people","again","languages","tables","resume","notice","report","block","proof","…"]}
//	server  {"type":"hello","can":["heartbeat","away","people","again","languages","tables","resume","notice","report","block","proof"],
//	         "heartbeat":25,"hidden":300,"people":2}
//
// The answer has heartbeat and hidden, in seconds, only with the word heartbeat, and
// people only with the word people. A client ignores words that it does not know, and
// so does the server. Who says no hello is told what this page says outside of this
// section, and no more; for it the records of this section are of an unknown type. So
// are, for all others, those of a word that is not agreed.
//
// Whoever has said hello, whatever it can, is told more than others in two places:
//
//	{"type":"waiting","alone":true,"patience":8}
//	                            alone: nobody else is in the chat. patience: in
//	                            so many seconds the client takes anybody, as
//	                            its interests and languages make it wait until
//	                            then. Either may be missing
//	{"type":"left","pair":7,"reason":"closed"}
//	                            the partner closed its connection. disconnected
//	                            is then only a connection that was lost
//
// heartbeat: the client promises never to be silent for more than so many seconds; if
// it has nothing else to send it sends a ping. A page cannot see the pings of the
// WebSocket protocol, and its browser answers them for it even if it reads nothing. So
// the server sends such a client none, and does not count its pongs and pings as a
// sign of life. A client may ask at any time whether the way is open, there and back.
//
//	client  {"type":"ping","n":1}
//	server  {"type":"pong","n":1}
//
// n is the client's own, an integer from 0 to 9007199254740991.
//
// away: a page in the background is not read, and perhaps frozen. It says so, and its
// partner is told if it can away too, now or as soon as they are paired.
//
//	client  {"type":"hiding"}          and {"type":"shown"} when that is over
//	server  {"type":"away","pair":7,"reason":"hidden"}
//	        {"type":"back","pair":7}
//
// A client that is hiding need not keep its promise of heartbeats, but sends something
// before hidden is over; the server pings it meanwhile as it does others, which keeps
// the way open. Reasons are to be expected that are not named here.
//
// people: n in online, and people in hello, is how many people are in the chat. (For
// all others online is how many connections there are.) Such a client is also told just
// before waiting and paired, if the number has changed.
//
// again: for 5 s after a pairing has ended by next or stop, either side may want the
// other back. When both do, and neither has a new partner, they are paired anew, at
// once.
//
//	client  {"type":"again","pair":7}
//	server  {"type":"again","pair":7}  the partner of 7 wants you back
//
// Whoever can again is told in paired when the new partner is the one before, whether
// somebody has asked for that or chance brought them together:
//
//	server  {"type":"paired","pair":8,"again":true,"common":[]}
//
// Each client names the pairing by its own number. Who asks stays in the pool, or idle,
// as before; next and stop take the wish back. The answer is an error too_late after
// 5 s, and when either has a new partner, or the other is gone or sits at another
// table.
//
// languages, tables: promises nothing. The answer says whether the server knows these
// fields of next, which need no hello.
//
// notice: promises nothing. The operator may have something to say to everybody, and to
// whoever comes until then. The words are the client's.
//
//	server  {"type":"notice","code":"restart","until":1767225600}
//	                            the server restarts (restart) or the chat closes
//	                            (maintenance) at that Unix time; a later notice
//	                            takes its place, and none, which has no until,
//	                            takes it back
//
// resume: see the next section. report, block: see the one after it; a server may know
// neither of them, or block alone. proof: see Proof of work.
//
// # Resume
//
// A chat may outlive its connections, with every message shown exactly once and in
// order, or reported as lost. Nothing of a chat is kept by the server: a client that
// says resume numbers the messages of each pairing from 1, in each direction, keeps
// what it has sent until its partner has shown it (the last 256 messages and 256 KiB
// will do), and counts what it has shown itself. If both partners can, paired has a
// token; if it has none the pairing ends with its connection.
//
//	server  {"type":"paired","pair":7,"common":[],"resume":"AbC…"}
//	client  {"type":"have","pair":7,"n":32}
//	server  {"type":"have","pair":7,"n":32}    the partner has shown so many: they are
//	                                           delivered, and may be forgotten
//
// have is sent after 32 more messages were shown, or 5 s after the first of them, and
// with n 0 as soon as the token is there: who is lost before that may have none, so
// their place is kept for 5 s only. Such a pairing needs no undelivered: what is never
// delivered was not.
//
// A connection that ends without a close frame of the client's own, with 1001 (the page
// is loaded again, or left) or with 4408 (the client has heard nothing for too long) is a
// break: its place is kept for a while (45 s; five minutes if the client was hiding).
// The partner is told away with the reason lost. What it says from there on is thrown
// away and not counted; it stands in its own ring. Better, it says nothing.
//
//	A (lost its connection)             server                        B (stayed)
//	                                         away{pair,"lost"} ───────►
//	hello, resume{token,have,try} ──────►
//	◄────── resumed{pair,resume}             sync{pair,gen} ──────────►
//	                                         ◄─────── have{pair,gen,n}
//	◄────── back{pair,gen,have}              back{pair,gen,have} ─────►
//	resend{gen,from,lost}, messages ────►    resend{pair,from,lost}, messages ►
//	◄─── resend{pair,from,lost}, messages    ◄── resend{gen,from,lost}, messages
//
// resume follows the client's hello, before any next. have is how many messages of the
// partner it has shown, and try counts the connections with which the client has tried
// to come back to this pairing, from 1. The highest try is the newest, in whatever
// order they arrive; an older connection of the same client is closed with 4409. pair
// in resumed is the number that the pairing has on the new connection, and resume the
// token for the next time.
//
// back says with have how many messages the partner has shown. Behind it a client says
// resend: it begins again with its message number from, as lost messages before that,
// which the partner has not shown, are kept no more; so from is have + lost + 1. Then
// come its messages from there on, as they were, and what it has to say from now on.
// The server relays a client's chat again from its resend on. Whoever receives resend
// has shown from - 1 messages now, lost of them as a line that says so.
//
// A break during the return:
//
//	A lost again                             away{pair,"lost"} ───────►
//	hello, resume{token,have,try+1} ────►    sync{pair,gen+1} ────────►
//	                                         ◄─────── have{pair,gen,n}      ignored
//	                                         ◄─────── have{pair,gen+1,n}
//	◄────── back{pair,gen+1,have}            back{pair,gen+1,have} ───►
//
// A client answers every sync, and every back; words of an earlier gen are ignored.
//
// After a restart of the server, or on another of its nodes, the token is good still:
// the first of the two is resumed and waits, told away with the reason lost, and the
// second one meets it. If the chat is over, or the token is none of this place, the
// answer is an error no_such_chat, and the client is idle. next and stop give the
// place up, like a close with another code than these two. Before them a client says
// have: its partner then knows of each message whether it was shown.
//
// # Report and block
//
// A server that keeps nothing of a chat can be shown, for ten minutes, what was said in
// it, by whoever it was said to: the receiver keeps the messages, and what the server
// has sealed about them, which nobody else can make and no client can read.
//
//	server  {"type":"paired","pair":7,"common":[],"opening":"AbC…"}
//	        … 32 messages of the partner
//	server  {"type":"stamp","pair":7,"n":32,"mark":"DeF…"}
//	        … 3 more
//	server  {"type":"stamp","pair":7,"n":35,"mark":"GhI…"}
//	        {"type":"left","pair":7,"reason":"next"}
//
// opening, in paired and in resumed, says who the two are. From there on a client that
// can report counts the partner's messages on this connection, from 1. stamp says how
// many there were, after each 32 and when the pairing ends, whoever ends it; then it
// comes before left, and before what answers the client's own next or stop. It is not
// sent when there was nothing since the last. A stamp may come some messages after those
// that it counts. After resumed counting begins again.
//
//	client  {"type":"report","opening":"AbC…","first":"DeF…","last":"GhI…",
//	         "reason":"spam","text":"sells watches",
//	         "messages":[{"text":"hi"},{"binary":"iVBORw0="},{"text":"buy"}]}
//	server  {"type":"reported"}
//
// messages are all that came between two marks, first and last, in their order: 1 to 32
// of them, 64 KiB together. Without first they begin with the pairing's, or, after
// resumed, with the connection's. binary is standard base64 with padding. reason is one
// of harassment, sexual, minor, hate, threat, spam, other; text, of at most 1000
// characters, is the reporter's own. A report may have 64 KiB, if "type" is its first
// field and stands there as above; what does not fit is to be left out from the
// beginning, a mark at a time. It may come from another connection of the same person,
// to another node too. It is refused with an error of one of these codes:
//
//	report_untrue     these messages were not relayed so, to this person
//	report_late       the last mark is older than ten minutes
//	report_twice      this person has reported this chat already
//	too_many_reports  more than five in an hour
//	report_lost       it was true, and cannot be taken at this moment
//
// A client should show what it is going to send before it does so.
//
//	server  {"type":"warned","code":"reported"}
//
// People have reported whoever is told this, and it may have consequences if they go on.
// It is said once, before what answers a next, to clients that can report. Codes are to
// be expected that are not named here.
//
//	client  {"type":"block","opening":"AbC…"}
//	server  {"type":"blocked","name":"JkL…"}
//
// block keeps the two of an opening from ever being paired again, on whichever
// connections, and ends their pairing if it goes on, as stop does. The partner is not
// told why. The client keeps name, for the server does so only for a while, and says
// those of the last 64 in its hello, on each connection:
//
//	client  {"type":"hello","can":["block"],"blocked":["JkL…"]}
//
// A name is of use to nobody but the person who got it. What is no name is overlooked.
// An opening that is not this person's, or of somebody whom the server cannot tell from
// them, is answered with an error cannot_block.
//
// Who somebody is the server knows by a cookie, which it gives to browsers with the
// handshake's response, or else by their network, which may be many people, or else by
// their connection.
//
// # Proof of work
//
// When there is more to do than it can, or bots come in numbers, the server asks
// newcomers for some work, before what answers their next. Without such a need nobody is
// asked, and who has answered is not asked again for an hour.
//
//	client  {"type":"next"}
//	server  {"type":"proof","seed":"AbC…","bits":5}
//	server  {"type":"waiting"}         but nobody is looked for yet
//	client  {"type":"proof","seed":"AbC…","answers":[17,3,60,2,44,9,31,5]}
//	server  {"type":"paired", …}
//
// There are eight answers, one for each part from 0 to 7: an integer n from 0 to
// 4294967295, for which PBKDF2-HMAC-SHA-256 begins with so many bits that are 0. The
// password is the seed, the salt the part and n with four bytes each, the highest first;
// 256 rounds, 32 bytes. The first n is found in 2 to the power of bits attempts, on
// average. An answer is good for a minute, on this connection. One that is not is refused
// with an error proof_wrong, and proof_busy is the answer if more has to be looked at than
// can be; the next next asks anew. Who goes on, or stops, may forget a puzzle. A client
// that has not promised proof is asked for nothing, and meets others like itself first.
//
// # What the server refuses
//
// [Parse] takes the records of one message in order; a refused one does not harm
// those behind it. It refuses, with bad_record unless said otherwise:
//
//   - what is not exactly one JSON object, with nothing but JSON's white space
//     around it; an empty record
//   - bytes that are not UTF-8, half surrogate pairs
//   - the same key twice in one object, also spelled with different escapes
//   - more than 4 KiB, or 64 KiB of a report, more than 32 fields in an object, nesting more than 4
//     deep, the record itself included
//   - no type, an unknown one, a field of a wrong type or null; typing
//     without on; a pair that is not an integer from 1 to 4294967295 in plain
//     digits, or 0 in next; again without pair; ping without n, or another n than above; the
//     numbers of resume, have and resend likewise
//   - an interest that is empty, longer than 32 characters, or has control
//     characters; a table likewise, with 64 characters
//   - a language that is not of 2 to 8 letters from a to z, in either case; more
//     than 5 of them
//   - more than 10 interests (too_many_interests)
//   - hello without can, with more than 32 words or 64 names in blocked, or anywhere else than as the
//     first record
//   - a proof without a seed of 1 to 128 bytes, or with other answers than above
//   - a report or a block without the fields above, or with others of those names:
//     what is sealed is a string of 1 to 256 bytes
//   - the 17th record of a message, and all behind it, with one error
//
// Keys are case-sensitive. Fields that a record does not have are ignored,
// whatever their value.
//
// # Interests
//
// An interest is compared, and shown in common, in this form: white space
// trimmed, and inside of it made one space; each character made upper case and
// then lower case by the simple mappings of Unicode. So "  Board\tGAMES" is
// "board games", "ΣΊΣΥΦΟΣ" and "Σίσυφος" are the same, and so are the Turkish
// dotted and dotless i. Equal interests count once; the first one's place is
// kept. What the mappings do not join stays different: "straße" and "strasse",
// and a letter with its accent as one character or as two.
//
// Characters that are not seen and can change how the text around them looks,
// the categories Cc and Cf, are refused; except white space, and the joiners and
// tags that scripts and emoji are made with, but these cannot stand alone.
//
// # Languages and tables
//
// A language is the primary tag of BCP 47 ("de", not "de-AT"), made lower case, each
// once. A table is a name that was shared, in a link perhaps. The rules for its
// characters are those for an interest, but case counts: "Ada" and "ada" are two
// tables. The server never writes it down.
//
// # Matching
//
// Among the compatible, chance decides. Who shares an interest comes first; who
// has interests and finds nobody to share them takes anyone after 5 s, who has
// none takes anyone at once. The last partner is avoided while there is another
// choice, for 5 s of waiting at most. Whoever lost a partner keeps its place.
//
// Languages work in the same way with 8 s: so one who has both waits 5 s for
// somebody who shares an interest and a language, 3 s more for somebody who shares a
// language, and then takes anyone who takes them.
//
// Those at a table meet those at the same table, at once and whatever their interests
// and languages are, and nobody else.
//
// # Limits and closing
//
// A connection may send 20 messages a second, records and WebSocket control
// frames included, and 60 at once; it is warned with rate_limited before it is
// closed. The server pings a silent client and expects an answer within 10 s.
// Codes from 4400 to 4499 mean that the client may connect again, 4500 to 4599
// that it shall not.
//
//	1000   the answer to the client's own close
//	1001   the server goes down; connect again after a random delay. Partners are
//	       sent away together, so there may be a left just before it, or not
//	1002   protocol error; do not try again
//	1007   text that is not UTF-8; do not try again
//	1009   message too big; do not try again
//	4408   no answer to a ping, no heartbeat, or nothing read for 15 s; again, with
//	       backoff
//	4409   another connection has taken this one's place; do not try again
//	4429   too many messages, in spite of warnings; again after 10 to 60 s
//	4453   memory is short, and this connection holds much of it; again, with backoff
//	4503   banned; the reason ends in the time until then (RFC 3339). Do not try again
//
// # Who may call what
//
// Everything here is a function without state, for all goroutines. Parse and
// ParseEvents keep nothing of the payload they are given. The Append functions
// append one record each, without a frame header, and allocate nothing if dst
// has room; several calls in a row make a message of several records.
package record
