package safety

import (
	"errors"
	"net/netip"
	"time"
)

// Report is what somebody says of a partner, with messages that the server has seen to
// be the partner's: each was relayed so, in this order and with nothing between. The
// reason and the text are the reporter's own words.
type Report struct {
	At   time.Time
	Pair [16]byte // names the chat, in all processes: one report of a chat and reporter is taken

	Reporter, Reported Person
	Network            netip.Prefix // of the reported; the zero Prefix if it is not known

	Reason string // one of [Reasons]
	Text   string // of at most [MaxReportText] bytes of UTF-8; may be empty
	Lines  []Line // at most [MaxLines] and [MaxLineBytes] together, and one at least
}

// Line is one message.
type Line struct {
	From    From
	Op      byte   // of RFC 6455: 1 text, 2 binary
	Payload []byte // the receiver's: nobody else keeps it
}

// From says who has sent a Line.
type From uint8

// Who can be meant.
const (
	FromReported From = iota
	FromReporter
)

// Bounds of a report (I4).
const (
	MaxReportText  = 1000
	MaxLines       = 32
	MaxLineBytes   = 64 << 10
	ReportWithin   = 10 * time.Minute // after the last of its messages
	ReportsAnHour  = 5                // of one person
	MaxReportsKept = 1 << 16          // people whose reports of the last hour are counted
)

// Reasons are what can be said to be wrong, in the order in which a page shows them.
var Reasons = [...]string{"harassment", "sexual", "minor", "hate", "threat", "spam", "other"}

// Reports is where reports go that the server has verified. Take is called on any
// goroutine but a worker's, and may wait for the disk. After an error the reporter is
// told that the report was not taken, and may try again.
type Reports interface {
	Take(Report) error
}

// ErrNoInbox: there is nobody who would read a report.
var ErrNoInbox = errors.New("no inbox for reports")

// Mode is how much is done for the safety of strangers (--safety).
type Mode uint8

// Off does nothing and costs nothing. Observe knows people, takes reports and blocks,
// and logs what rules would do; On does it.
const (
	Off Mode = iota
	Observe
	On
)

var modes = [...]string{Off: "off", Observe: "observe", On: "on"}

// String is the Mode as it is set.
func (m Mode) String() string { return modes[m] }

// MarshalText implements [encoding.TextMarshaler].
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modes {
		if name == string(text) {
			*m = Mode(i)
			return nil
		}
	}
	return errors.New("off, observe or on")
}
