package terminal

import (
	"time"

	"roulette/frame/record"
)

// State is where a client stands.
type State uint8

const (
	Connecting State = iota
	Idle
	Looking
	Chatting
	Left // the stranger is gone, or the connection was lost in between
	Reconnecting
	Ended
)

func (s State) String() string {
	return [...]string{"connecting", "idle", "looking", "chatting", "left", "reconnecting", "ended"}[s]
}

// Kind is what an Event is about.
type Kind uint8

const (
	Changed     Kind = iota // the state, and nothing below says why
	Paired                  // a stranger was found
	WantedBack              // the stranger before would like to come back
	Parted                  // the stranger is gone
	Message                 // the stranger said something
	Typing                  // the stranger began to type, or ceased
	Away                    // the stranger's page went to the background, or is back; or their connection is lost
	Resumed                 // the chat goes on, after a break
	Online                  // how many are connected
	Slow                    // the server takes long to answer, or no longer
	Sent                    // a message of ours is on its way
	Delivered               // messages of ours were shown to the stranger
	Uncertain               // of messages of ours that were on their way it will not be known
	Undelivered             // messages of ours have reached nobody
	NotPossible             // what the user wanted cannot be
	Announced               // the operator has something to say
	Refused                 // the server took no notice of a record
	Over                    // the last event
)

// Lost is the reason of Parted when it was our own connection that broke.
const Lost record.Reason = "lost"

// Event is what has happened. Of the fields behind State, those are set that such
// an event has. Strings are as they came: see [Visible].
type Event struct {
	Kind  Kind
	State State // after it

	Retry     time.Duration // Changed to Reconnecting: until the next attempt
	Attempt   int           // Changed to Reconnecting: how many have failed in a row
	Keeps     bool          // Paired, Changed to Reconnecting: the chat goes on when the connection is back
	Err       error         // Changed to Reconnecting, Over: why, nil after Close
	Pair      uint32        // Paired: its number on this connection
	Again     bool          // Paired: the stranger before is back
	Common    []string      // Paired: the interests of both
	Languages []string      // Paired: the languages of both
	Reason    record.Reason // Parted, Away
	Code      string        // Announced
	Until     time.Time     // Announced: when it happens
	Text      string        // Message, unless Binary; Undelivered, Refused, NotPossible: why, if known
	Binary    string        // Message: the type that its content looks like
	Size      int           // Message: bytes
	On        bool          // Typing, Away, Slow; Resumed: it was our connection that broke
	N         uint64        // Online, Uncertain, Undelivered; Resumed: messages of the stranger that were lost
	ID        int           // Sent
	IDs       []int         // Delivered, Uncertain, Undelivered: the messages as far as known
	Welcome   bool          // Online: it came with the first word of a connection
}
