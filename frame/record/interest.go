package record

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// parseInterests reads the value of the field, which is valid JSON.
func parseInterests(value []byte) ([]string, *Error) {
	s := scanner{b: value}
	if !s.skip('[') {
		return nil, errInterests
	}
	list := []string{}
	for n := 0; s.element(n); n++ {
		start := s.i
		switch {
		case n == maxInterests:
			return nil, ErrTooManyInterests
		case !s.string():
			return nil, errInterests
		}
		interest, refused := normalise(unquote(s.b[start:s.i]), &interestForm)
		if refused != nil {
			return nil, refused
		}
		if !slices.Contains(list, interest) {
			list = append(list, interest)
		}
	}
	return list, nil
}

// parseTable reads the value of the field, which is valid JSON.
func parseTable(value []byte) (string, *Error) {
	if value[0] != '"' {
		return "", errTable
	}
	text := unquote(value)
	if len(text) == 0 {
		return "", nil
	}
	return normalise(text, &tableForm)
}

// form is what becomes of a name, and which are refused.
type form struct {
	runes                int
	fold                 bool // case makes no difference
	empty, long, control *Error
}

var (
	interestForm = form{maxInterest, true, errInterestEmpty, errInterestLong, errInterestControl}
	tableForm    = form{maxTable, false, errTableEmpty, errTableLong, errTableControl}
)

// normalise returns the form of a name in which it is compared. That is a fixed
// point: normalised again, it stays what it is.
func normalise(text []byte, rules *form) (string, *Error) {
	var (
		b       [maxTable * utf8.UTFMax]byte
		form    = b[:0]
		runes   int
		space   bool // seen since the last character
		visible bool
	)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if unicode.IsSpace(r) {
			space = true
			continue
		}
		joins := isJoiner(r)
		if !joins && unicode.In(r, unicode.Cc, unicode.Cf) {
			return "", rules.control
		}
		if rules.fold {
			r = fold(r)
		}
		visible = visible || !joins && !unicode.Is(unicode.Mn, r)
		if space && runes > 0 {
			form = append(form, ' ')
			runes++
		}
		space = false
		if runes++; runes > rules.runes {
			return "", rules.long
		}
		form = utf8.AppendRune(form, r)
	}
	if !visible {
		return "", rules.empty
	}
	return string(form), nil
}

// fold maps the characters that differ in case alone to one of them. Lower case
// alone would leave apart what has two lower-case forms, such as σ and ς.
func fold(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// isJoiner reports whether r is an invisible character that text needs: the zero
// width joiner and non-joiner of Persian, Indic scripts and emoji, and the tags
// that flags are spelled with.
func isJoiner(r rune) bool {
	return r == '\u200c' || r == '\u200d' || '\U000e0020' <= r && r <= '\U000e007f'
}
