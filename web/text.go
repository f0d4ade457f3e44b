package web

import (
	"errors"
	"html"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is something that an operator says to people, made of paragraphs, headings and
// lists. The zero Text says nothing.
type Text struct{ html template.HTML }

// MaxText bounds an operator's text, in bytes.
const MaxText = 64 << 10

// ParseText reads plain text in UTF-8: an empty line ends a paragraph, a line that begins
// with "# " is a heading, and with "- " one item of a list. All else is what it is: no
// HTML gets through.
func ParseText(source []byte) (Text, error) {
	text := strings.TrimPrefix(string(source), "\ufeff")
	switch {
	case len(source) > MaxText:
		return Text{}, errors.New("is longer than 64 KiB")
	case !utf8.Valid(source):
		return Text{}, errors.New("is not UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }):
		return Text{}, errors.New("has control characters")
	case strings.TrimSpace(text) == "":
		return Text{}, errors.New("is empty")
	}
	var b strings.Builder
	open := "" // the element that the next line may belong to
	end := func() {
		if open != "" {
			b.WriteString("</" + open + ">\n")
		}
		open = ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		heading, isHeading := strings.CutPrefix(line, "# ")
		item, isItem := strings.CutPrefix(line, "- ")
		switch {
		case line == "":
			end()
		case isHeading:
			end()
			b.WriteString("<h3>" + html.EscapeString(heading) + "</h3>\n")
		case isItem:
			if open != "ul" {
				end()
				b.WriteString("<ul>\n")
				open = "ul"
			}
			b.WriteString("<li>" + html.EscapeString(item) + "</li>\n")
		case open == "p":
			b.WriteString("<br>\n" + html.EscapeString(line))
		default:
			end()
			b.WriteString("<p>" + html.EscapeString(line))
			open = "p"
		}
	}
	end()
	return Text{template.HTML(b.String())}, nil // every piece of it was escaped
}

// Texts are a Text in several languages, by two letters as in "de"; "" is for whoever
// reads none of the others, and has to be there if any is.
type Texts map[string]Text

// in is the text for a reader, and its language; "" is not known.
func (t Texts) in(acceptLanguage []string) (text Text, language string) {
	language = preferOf(acceptLanguage, "", func(language string) bool { return t[language] != Text{} })
	return t[language], language
}
