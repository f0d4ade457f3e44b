package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Filter is the words that the page blurs in what strangers say, until its reader asks for
// them. The server never looks for them: it gives the list to the page, and the page finds
// them in what it shows. The zero Filter has none.
type Filter struct{ entries []string }

// Bounds of a Filter: of its files together in bytes, and of an entry in characters.
const (
	MaxFilter = 64 << 10
	maxEntry  = 64
)

// With is f with the words of another file: plain text in UTF-8 with a word or phrase on
// each line, where an empty line and one that begins with # say nothing. A * before or
// behind a word stands for whatever it may go on with.
func (f Filter) With(source []byte) (Filter, error) {
	if !utf8.Valid(source) {
		return Filter{}, errors.New("is not UTF-8")
	}
	all := append([]string(nil), f.entries...)
	size := 0
	for _, entry := range all {
		size += len(entry) + 1
	}
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(string(source), "\ufeff")) {
		n++
		entry := strings.TrimSpace(line)
		if entry == "" || entry[0] == '#' {
			continue
		}
		inner := strings.TrimSuffix(strings.TrimPrefix(entry, "*"), "*")
		switch {
		case strings.Contains(inner, "*"):
			return Filter{}, fmt.Errorf("line %d: a * stands before or behind a word", n)
		case !strings.ContainsFunc(inner, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }):
			return Filter{}, fmt.Errorf("line %d has no letter", n)
		case utf8.RuneCountInString(inner) > maxEntry:
			return Filter{}, fmt.Errorf("line %d has more than %d characters", n, maxEntry)
		case strings.ContainsFunc(inner, unicode.IsControl):
			return Filter{}, fmt.Errorf("line %d has control characters", n)
		}
		if size += len(entry) + 1; size > MaxFilter {
			return Filter{}, fmt.Errorf("has, with the files before it, more than %d KiB of words", MaxFilter>>10)
		}
		all = append(all, entry)
	}
	if len(all) == len(f.entries) {
		return Filter{}, errors.New("has no words")
	}
	return Filter{all}, nil
}

// element is what the document has of f, "" if there is nothing.
func (f Filter) element() string {
	if len(f.entries) == 0 {
		return ""
	}
	content, err := json.Marshal(f.entries) // escapes <, so that it cannot end the element
	if err != nil {
		panic(err) // they are strings
	}
	return `<script id="filter" type="application/json">` + string(content) + "</script>\n"
}
