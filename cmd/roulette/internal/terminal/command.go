package terminal

import (
	"fmt"
	"strings"
)

// An order is what one line of a user means.
type order struct {
	verb      verb
	text      string // say; wrong: what is
	interests []string
}

type verb uint8

const (
	nothing verb = iota
	say
	next
	stop
	setInterests
	showInterests
	help
	quit
	wrong
)

// parseLine reads a line without its end. A message may begin with a slash if that
// is doubled.
func parseLine(line string) order {
	if strings.HasPrefix(line, "//") {
		return order{verb: say, text: line[1:]}
	}
	if !strings.HasPrefix(line, "/") {
		if strings.TrimSpace(line) == "" {
			return order{}
		}
		return order{verb: say, text: line}
	}
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	if name == "/interests" {
		switch rest {
		case "":
			return order{verb: showInterests}
		case "-":
			return order{verb: setInterests}
		}
		return order{verb: setInterests, interests: ParseInterests(rest)}
	}
	verbs := map[string]verb{"/next": next, "/stop": stop, "/help": help, "/quit": quit}
	v, known := verbs[name]
	switch {
	case !known:
		return order{verb: wrong, text: fmt.Sprintf("There is no command %s; // begins a message with a slash.", VisibleLine(name))}
	case rest != "":
		return order{verb: wrong, text: name + " takes nothing behind it."}
	}
	return order{verb: v}
}

// ParseInterests reads a list with commas.
func ParseInterests(list string) []string {
	var interests []string
	for interest := range strings.SplitSeq(list, ",") {
		if interest = strings.TrimSpace(interest); interest != "" {
			interests = append(interests, interest)
		}
	}
	return interests
}

// helpLines are of both modes.
var helpLines = []string{
	"/next              leave, and find somebody else",
	"/stop              leave, and find nobody for now",
	"/interests a, b    prefer people who like a or b; - for no interests",
	"/quit              leave for good",
}
