package terminal

import (
	"fmt"
	"strings"
	"unicode"
)

// Visible returns text as it may be written to a terminal: control characters,
// also those of terminal sequences, and characters that are not seen and change
// how the text around them looks become visible, as <U+001B>. The line breaks
// that are left are all \n.
func Visible(text string) string { return visible(text, "\n") }

// VisibleLine is Visible in one line: a line break becomes a sign.
func VisibleLine(text string) string { return visible(text, " ⏎ ") }

// maxMarks is how many combining marks and joiners may stand behind one character;
// more are left out. Vietnamese,
// Hebrew and Arabic get by with four.
const maxMarks = 6

func visible(text, lineBreak string) string {
	var b strings.Builder
	b.Grow(len(text))
	marks := 0
	var last rune
	for _, r := range text { // what is not UTF-8 comes as U+FFFD
		previous := last
		last = r
		if unicode.In(r, unicode.Mn, unicode.Me) || isJoiner(r) {
			if marks++; marks <= maxMarks {
				b.WriteRune(r)
			}
			continue
		}
		marks = 0
		switch {
		case r == '\n' && previous == '\r':
			// it was written for the \r
		case r == '\n', r == '\r', r == '\u2028', r == '\u2029', r == '\u0085':
			b.WriteString(lineBreak)
		case r == '\t':
			b.WriteString("    ")
		case hidden(r):
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports whether r must not reach a terminal as it is.
func hidden(r rune) bool {
	switch {
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r): // Arabic signs that are seen
		return false
	case r >= 0xFDD0 && r <= 0xFDEF, r&0xFFFE == 0xFFFE: // noncharacters
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp)
}

// isJoiner: of Persian, Indic scripts and emoji.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

// sizeText is n bytes for people.
func sizeText(n int) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", (n+512)>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
