package record

// Can is what a client and the server can both do, as they have agreed in their
// hellos; see the package comment for what each word means.
type Can uint16

const (
	CanHeartbeat Can = 1 << iota
	CanAway
	CanPeople
	CanAgain
	CanLanguages
	CanTables
	CanResume
	CanNotice
	CanReport
	CanBlock
	CanProof

	// CanAll is what the server knows.
	CanAll = 1<<iota - 1
)

// words are those of Can, by bit.
var words = [...]string{"heartbeat", "away", "people", "again", "languages", "tables", "resume", "notice", "report", "block", "proof"}

// canOf is the bit for a word, 0 if it is not known.
func canOf(word []byte) Can {
	for i := range words {
		if words[i] == string(word) {
			return 1 << i
		}
	}
	return 0
}

func canOfAll(words []string) (can Can) {
	for _, word := range words {
		can |= canOf([]byte(word))
	}
	return can
}

// appendCan appends the words as a field.
func appendCan(dst []byte, can Can) []byte {
	dst = append(appendKey(dst, "can"), '[')
	first := true
	for i, word := range words {
		if can&(1<<i) == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, word)
	}
	return append(dst, ']')
}

// parseCan reads the value of the field, which is valid JSON.
func parseCan(value []byte) (can Can, refused *Error) {
	s := scanner{b: value}
	if !s.skip('[') {
		return 0, errCan
	}
	for n := 0; s.element(n); n++ {
		start := s.i
		if n == maxWords || !s.string() {
			return 0, errCan
		}
		can |= canOf(unquote(s.b[start:s.i]))
	}
	return can, nil
}
