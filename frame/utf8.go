package frame

import "unicode/utf8"

// validPrefix returns how many bytes at the start of p are whole runes. What
// follows them, three bytes at most, may be the beginning of a rune. ok is false
// when no continuation can make p UTF-8.
func validPrefix(p []byte) (n int, ok bool) {
	n = len(p)
	for tail := 1; tail < utf8.UTFMax && tail <= len(p); tail++ {
		if i := len(p) - tail; utf8.RuneStart(p[i]) {
			// FullRune is also true of what cannot become a rune any more,
			// which Valid then refuses.
			if !utf8.FullRune(p[i:]) {
				n = i
			}
			break
		}
	}
	return n, utf8.Valid(p[:n])
}
