package web

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// Facts are what is true of a server by its settings in force, as far as people are
// concerned: /terms and /privacy are written from them, so that they cannot be wrong.
type Facts struct {
	Cluster      bool // messages may go over a bus to another machine
	ProxyAddress bool // addresses are what a proxy says
	MaxMessage   int  // bytes
	MessageRate  int  // a second; 0: no limit

	// For how long a place is kept whose connection was lost; Away 0: not at all.
	Away, AwayHidden time.Duration

	Safety, Observe      bool // people are told apart; and rules only say what they would do
	Cookie, SecureCookie string
	CookieLasts          time.Duration
	HalfLife             time.Duration // of what is noted about somebody in chats,
	LongHalfLife         time.Duration // and of reports

	Reports     bool // people can report each other
	ReportLines int
	ReportsKept time.Duration

	LongestBan    time.Duration
	Written       bool // bans outlive the process
	AddressLogged bool
	Appeal        Appeal

	// The House's own.
	EntryCookie string
	EntryLasts  time.Duration
	Age         int
}

// inWords are how the templates say numbers.
var inWords = template.FuncMap{
	"days": func(d time.Duration) string { return several(int(d/(24*time.Hour)), "day") },
	"time": func(d time.Duration) string {
		switch {
		case d >= time.Hour && d%time.Hour == 0:
			return several(int(d/time.Hour), "hour")
		case d >= time.Minute && d%time.Minute == 0:
			return several(int(d/time.Minute), "minute")
		case d >= time.Second && d%time.Second == 0:
			return several(int(d/time.Second), "second")
		}
		return d.String()
	},
	"size": func(n int) string {
		if n >= 1<<10 && n%(1<<10) == 0 {
			return fmt.Sprintf("%d KiB", n>>10)
		}
		return several(n, "byte")
	},
}

func several(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %s", n, unit+"s")
}

// HTML is a link to the address; "" of the zero Appeal.
func (a Appeal) HTML() template.HTML { return template.HTML(strings.TrimSpace(a.link)) } // ParseAppeal has escaped it
