package terminal

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// An order is what one line of a user means.
type order struct {
	verb      verb
	text      string // say; report: why; wrong: what is
	interests []string
}

type verb uint8

const (
	nothing verb = iota
	say
	next
	again
	stop
	setInterests
	showInterests
	more
	help
	quit
	block
	report
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
		return order{verb: setInterests, interests: parseInterests(rest)}
	}
	if name == "/report" {
		return order{verb: report, text: rest}
	}
	verbs := map[string]verb{"/next": next, "/again": again, "/stop": stop, "/more": more, "/help": help, "/quit": quit, "/block": block}
	v, known := verbs[name]
	switch {
	case !known:
		return order{verb: wrong, text: fmt.Sprintf("There is no command %s; // begins a message with a slash.", VisibleLine(name))}
	case rest != "":
		return order{verb: wrong, text: name + " takes nothing behind it."}
	}
	return order{verb: v}
}

// parseInterests reads a list with commas.
func parseInterests(list string) []string {
	var interests []string
	for text := range strings.SplitSeq(list, ",") {
		if interest := cleanInterest(text); interest != "" {
			interests = append(interests, interest)
		}
	}
	return interests
}

// maxInterest is how many characters of an interest the server takes.
const maxInterest = 32

// cleanInterest is text as an interest, or "" where nothing that can be seen is left
// of it. (The page and the server follow the same rules: see rules.json in frame/record.)
func cleanInterest(text string) string {
	var kept []rune
	seen, space := false, false
	for _, r := range norm.NFC.String(text) {
		switch {
		case unicode.IsSpace(r):
			space = true
			continue
		case !isJoiner(r) && unicode.In(r, unicode.Cc, unicode.Cf):
			continue
		}
		if space && len(kept) > 0 {
			kept = append(kept, ' ')
		}
		space = false
		kept = append(kept, r)
		seen = seen || !isJoiner(r) && !unicode.Is(unicode.Mn, r)
	}
	if !seen {
		return ""
	}
	if len(kept) > maxInterest {
		// What is cut off takes with it what it is joined to: half a flag is another flag.
		joined := isAttached(kept[maxInterest]) || kept[maxInterest-1] == '\u200d'
		for kept = kept[:maxInterest]; joined && len(kept) > 0; {
			last := kept[len(kept)-1]
			kept = kept[:len(kept)-1]
			joined = isAttached(last) || len(kept) > 0 && kept[len(kept)-1] == '\u200d'
		}
	}
	return strings.TrimSpace(string(kept))
}

// isAttached reports whether r belongs to the character before it.
func isAttached(r rune) bool { return unicode.Is(unicode.M, r) || isJoiner(r) }

// helpLines are of both modes.
var helpLines = []string{
	"/next              leave, and find somebody else",
	"/again             go back to the stranger before, for five seconds, if both want it",
	"/stop              leave, and find nobody for now",
	"/interests a, b    prefer people who like a or b; - for no interests",
	"/block             leave, and never meet this stranger again, where the server can do that",
	"/report why        leave, and report what the stranger said; it is shown to you first",
	"/quit              leave for good",
}
