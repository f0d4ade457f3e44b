package terminal

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"roulette/frame/record"
)

// The words for what happens, clean and without a line break.

// notice is what to say about e; empty for what the user need not hear of.
func notice(e Event) string {
	switch e.Kind {
	case Changed:
		switch e.State {
		case Looking:
			return "Looking for a stranger…"
		case Idle:
			return "Stopped. /next looks for a stranger."
		case Reconnecting:
			switch {
			case e.Err == nil: // it is under way
			case e.Keeps && e.Attempt > 1: // as was said
			case e.Keeps && e.Retry == 0:
				return capital(e.Err.Error()) + ". Coming back to the chat…"
			case e.Keeps:
				return fmt.Sprintf("%s. Coming back to the chat in %v…", capital(e.Err.Error()), roughly(e.Retry))
			default:
				return fmt.Sprintf("%s. Trying again in %v.", capital(e.Err.Error()), roughly(e.Retry))
			}
		}
	case Paired:
		if e.Again {
			return "You are back with the same stranger." + alike("like", e.Common) + alike("speak", e.Languages)
		}
		return "You are talking to a stranger." + alike("like", e.Common) + alike("speak", e.Languages)
	case WantedBack:
		return "The stranger would like to come back: /again."
	case Parted:
		return parting(e.Reason)
	case Away:
		switch {
		case e.On && e.Reason == record.AwayLost:
			return "The stranger is reconnecting…"
		case e.On:
			return "The stranger is not looking."
		}
		return "The stranger is back."
	case Resumed:
		s := "The stranger is back."
		if e.On {
			s = "You are back with the stranger."
		}
		switch e.N {
		case 0:
			return s + " Nothing was lost."
		case 1:
			return s + " A message of theirs was lost."
		}
		return fmt.Sprintf("%s %d messages of theirs were lost.", s, e.N)
	case Uncertain:
		if e.N == 1 {
			return "Perhaps not delivered: your last message."
		}
		return fmt.Sprintf("Perhaps not delivered: your last %d messages.", e.N)
	case Undelivered:
		s := "Not delivered: your last message"
		if e.N != 1 {
			s = fmt.Sprintf("Not delivered: your last %d messages", e.N)
		}
		if e.Text != "" {
			s = "Not sent: " + e.Text
		}
		return s + "."
	case NotPossible:
		return e.Text
	case Announced:
		switch at := e.Until.Format("15:04"); record.NoticeCode(e.Code) {
		case record.NoticeRestart:
			return "The server restarts at " + at + "."
		case record.NoticeMaintenance:
			return "The chat closes for maintenance at " + at + "."
		}
	case Refused:
		return "The server says: " + Brief(e.Text)
	}
	return ""
}

func alike(do string, common []string) string {
	if len(common) == 0 {
		return ""
	}
	return " You both " + do + " " + Brief(strings.Join(common[:min(len(common), maxShared)], ", ")) + "."
}

// maxShared is how many interests or languages are named, as many as a server allows.
const maxShared = 10

func parting(why record.Reason) string {
	switch why {
	case record.LeftNext, record.LeftStop, record.LeftClosed:
		return "The stranger has left."
	case record.LeftDisconnected:
		return "The stranger's connection is lost."
	case record.LeftStalled:
		return "The stranger's connection has stalled."
	case record.LeftKicked:
		return "The stranger was disconnected by the server."
	case Lost:
		return "The connection to the stranger is lost."
	}
	return "The stranger has left (" + Brief(string(why)) + ")."
}

// binary names a message that is no text.
func binary(e Event) string {
	what := "binary"
	if strings.HasPrefix(e.Binary, "image/") {
		what = "image"
	}
	return fmt.Sprintf("[%s, %s]", what, sizeText(e.Size))
}

func interestsText(list []string) string {
	if len(list) == 0 {
		return "No interests."
	}
	return "Interests: " + VisibleLine(strings.Join(list, ", ")) + "."
}

func roughly(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

func capital(s string) string {
	s = Brief(s)
	_, first := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:first]) + s[first:]
}
