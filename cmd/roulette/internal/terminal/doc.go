// Package terminal is a client of the chat for a terminal, in two layers.
//
// [Client] is one chat connection that comes back by itself. A goroutine of its
// own holds all of its state; what the user wants comes in by its methods, what
// happens goes out as [Event]s, both in order.
//
//	                   ┌─ reader ◄──┐
//	methods ──► serve ─┤            ├── WebSocket
//	Events  ◄──        └─ writer ──►┘
//
// States, and what leads from one to the next:
//
//	Connecting ──► Looking ──► Chatting ──► Left
//	                │ ▲ ▲         │ │        │
//	              Stop│ └──Next───┘Stop    Next ──► Looking
//	                ▼Next           ▼
//	                Idle ◄──────────┘
//	all of these ── connection lost ──► Reconnecting ──► Looking, Left or Idle
//	all of these ── a close that forbids more, Close ──► Ended
//
// A chat goes on after Reconnecting if both sides can resume it (see [resume.Chat]):
// what is said meanwhile waits, and of each message it is told whether the stranger was
// shown it. Otherwise a client whose connection is lost in a chat is in the state Left
// afterwards. What was written for one stranger never reaches another.
//
// The way to the server is watched by heartbeats, so that a network that is gone without
// a word is noticed in 15 s while the user acts, and in 40 s else.
//
// On top of it are the two ways to use it: [Lines], where each line of input is a
// message and each line of output is one event, for scripts, and [Screen], for
// people.
//
// # A stranger's text is hostile
//
// Nothing that came over the network is written before [Visible] or
// [VisibleLine] has looked at it: they leave no control character, no terminal
// sequence and nothing that reorders or hides text. Binary messages are never
// written, only named.
//
// # Limitations
//
// The server must speak roulette.v1. In a chat that cannot be resumed, whether the last
// messages before a lost connection arrived is not known; only [Client.Close] makes
// sure. A chat ends with the program. A message may have 16 MiB, whatever the server
// allows.
package terminal
