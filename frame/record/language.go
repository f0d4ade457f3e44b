package record

import "slices"

// parseLanguages reads the value of the field, which is valid JSON.
func parseLanguages(value []byte) ([]string, *Error) {
	s := scanner{b: value}
	if !s.skip('[') {
		return nil, errLanguages
	}
	list := []string{}
	for n := 0; s.element(n); n++ {
		start := s.i
		switch {
		case n == maxLanguages:
			return nil, errManyLanguages
		case !s.string():
			return nil, errLanguages
		}
		language, ok := languageOf(unquote(s.b[start:s.i]))
		if !ok {
			return nil, errLanguage
		}
		if !slices.Contains(list, language) {
			list = append(list, language)
		}
	}
	return list, nil
}

// languageOf makes a primary language subtag (RFC 5646, 2.2.1) lower case.
func languageOf(text []byte) (language string, ok bool) {
	var b [8]byte
	if len(text) < 2 || len(text) > len(b) {
		return "", false
	}
	for i, c := range text {
		if c |= 0x20; c < 'a' || c > 'z' {
			return "", false
		}
		b[i] = c
	}
	return string(b[:len(text)]), true
}
