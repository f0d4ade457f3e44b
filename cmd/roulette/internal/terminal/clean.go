package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns text as it may be written to a terminal: control characters,
// also those of terminal sequences, and characters that are not seen and change
// how the text around them looks become visible, as <U+001B>. The line breaks
// that are left are all \n.
func Visible(text string) string { return visible(text, "\n") }

// VisibleLine is Visible in one line: a line break becomes a sign. More than a few
// spaces or line breaks in a row are left out: they would push what follows to the
// beginning of a row of the terminal, where it looks like somebody else's line.
func VisibleLine(text string) string { return visible(shortGaps(text), " ⏎ ") }

// Brief is VisibleLine of the beginning of text: what a server names is short, and what
// is not is no name.
func Brief(text string) string {
	for i, n := 0, 0; i < len(text); n++ {
		if n == maxBrief {
			return VisibleLine(text[:i]) + "…"
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
	}
	return VisibleLine(text)
}

// maxBrief is characters.
const maxBrief = 200

// maxGap is how many characters of white space VisibleLine leaves in a row.
const maxGap = 8

func shortGaps(text string) string {
	gap := 0
	return strings.Map(func(r rune) rune {
		if !unicode.IsSpace(r) && !isFiller(r) {
			gap = 0
			return r
		}
		if gap++; gap > maxGap {
			return -1
		}
		return r
	}, text)
}

// isFiller: letters that are drawn as nothing.
func isFiller(r rune) bool {
	return r == '\u115f' || r == '\u1160' || r == '\u2800' || r == '\u3164' || r == '\uffa0'
}

// piece parts text behind its first lines, or bytes, if it has more: whoever reads it
// asks for the rest.
func piece(text string, lines, bytes int) (first, rest string) {
	end := 0
	for ; lines > 0 && end < min(len(text), bytes); lines-- {
		n := strings.IndexByte(text[end:], '\n')
		if n < 0 {
			end = len(text)
			break
		}
		end += n + 1
	}
	if end > bytes {
		end = bytes
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		if space := strings.LastIndexByte(text[:end], ' '); space > end/2 {
			end = space + 1
		}
	}
	return text[:end], text[end:]
}

// maxMarks is how many combining marks and joiners may stand behind one character;
// more are left out. Vietnamese,
// Hebrew and Arabic get by with four.
const maxMarks = 6

func visible(text, lineBreak string) string {
	var b strings.Builder
	b.Grow(len(text))
	marks := 0
	flag := false // the tags that come spell one
	var last rune
	for _, r := range text { // what is not UTF-8 comes as U+FFFD
		previous := last
		last = r
		flag = r == blackFlag || flag && isTag(r)
		if unicode.In(r, unicode.Mn, unicode.Me) || isJoiner(r) && (flag || !isTag(r)) {
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

// isJoiner: of Persian, Indic scripts and emoji, and the tags that flags are spelled with.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' || isTag(r) }

// isTag: elsewhere than behind a black flag tags are text that nobody sees.
func isTag(r rune) bool { return '\U000e0020' <= r && r <= '\U000e007f' }

const blackFlag = '\U0001f3f4'

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
