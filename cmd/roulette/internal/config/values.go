package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"
)

// Kind is a source of values; the higher one wins.
type Kind uint8

const (
	Default Kind = iota
	File
	Environment
	Flag
)

// Origin is where a value comes from.
type Origin struct {
	Kind Kind
	Name string // of the file or the variable
	Line int    // in the file, from 1
}

func (o Origin) String() string {
	switch o.Kind {
	case File:
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	case Environment:
		return o.Name
	case Flag:
		return "flag"
	}
	return "default"
}

// Mistake is a value that is wrong, or a line of the file. Its Error is one
// line.
type Mistake struct {
	Key    string // empty if the file's line has none
	Origin Origin
	Err    error
}

func (m Mistake) Error() string { return printable(m.text()) }

// printable is text that may hold what a file has, as one line that does nothing
// to a terminal.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

func (m Mistake) text() string {
	switch {
	case m.Origin.Kind == Environment:
		return fmt.Sprintf("%s: %v", m.Origin.Name, m.Err)
	case m.Origin.Kind == File && m.Key == "":
		return fmt.Sprintf("%v: %v", m.Origin, m.Err)
	case m.Origin.Kind == File:
		return fmt.Sprintf("%v: %s: %v", m.Origin, m.Key, m.Err)
	}
	return fmt.Sprintf("--%s: %v", m.Key, m.Err)
}

func (m Mistake) Unwrap() error { return m.Err }

// setting is one key.
type setting struct {
	flag   *kong.Flag
	origin Origin
	wrong  bool // the value that would have won is
}

// Values are the settings of one command; the flags' targets hold them.
type Values struct {
	// Mistakes are what is wrong. There are no values to go by if there is any.
	Mistakes []Mistake
	// Strays are variables of the environment that begin like those of settings
	// and are none.
	Strays []string

	file     *setting // the flag that names the file; nil: there is none
	settings []*setting
	byKey    map[string]*setting
}

// Reject adds a mistake: what is wrong about a key's value, if it is not known to
// be wrong already.
func (v *Values) Reject(key, format string, args ...any) {
	s := v.byKey[key]
	if s == nil {
		panic("config: no setting " + key)
	}
	if !s.wrong {
		v.Mistakes = append(v.Mistakes, Mistake{key, s.origin, fmt.Errorf(format, args...)})
	}
}

// Errors are the Mistakes.
func (v *Values) Errors() []error { return asErrors(v.Mistakes) }

func asErrors(mistakes []Mistake) (errs []error) {
	for _, m := range mistakes {
		errs = append(errs, m)
	}
	return errs
}

// Change is a setting that two Values differ in.
type Change struct {
	Key      string
	From, To string
	Live     bool // the flag has the tag live: it can change while the program runs
}

// Take makes what is different in next, of the same command, and can change while
// the program runs, the flags' values of v. It returns all that is different.
func (v *Values) Take(next *Values) (changes []Change) {
	for _, s := range v.settings {
		n := next.byKey[s.flag.Name]
		c := Change{s.flag.Name, forLog(s.flag), forLog(n.flag), s.flag.Tag.Has("live")}
		if c.From == c.To {
			continue
		}
		if c.Live {
			s.flag.Target.Set(n.flag.Target)
			s.origin = n.origin
		}
		changes = append(changes, c)
	}
	return changes
}
