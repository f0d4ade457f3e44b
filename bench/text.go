//go:build linux

package bench

import (
	"math/rand/v2"
	"unicode/utf8"
)

// Text is what the bodies of messages are made of. What it costs to check that
// text is UTF-8 depends on it.
type Text string

const (
	ASCII    Text = "ascii"
	German   Text = "german"   // now and then two bytes to a character
	Japanese Text = "japanese" // three bytes to a character
	Emoji    Text = "emoji"    // four, with joiners
	Mixed    Text = "mixed"    // of all these
	Binary   Text = "binary"   // binary messages; the bytes are ASCII's
)

// Texts lists every text.
var Texts = []Text{ASCII, German, Japanese, Emoji, Mixed, Binary}

// words are what a text is made of, drawn by chance.
var words = map[Text][]string{
	German: {"Über ", "größere ", "Wörter ", "hörten ", "wir ", "schöne ", "Äußerungen ", "an ", "der ", "Straße. "},
	Japanese: {"これは", "日本語", "の", "文章", "です。", "見知らぬ人", "と", "話す。", "こんにちは、",
		"お元気ですか？"},
	Emoji: {"😀", "👍🏽", "👨‍👩‍👧", "🎉", "❤️", "🇯🇵", "🙈"},
	Mixed: {"hello ", "größer ", "日本語", "😀", "чат ", "مرحبا ", "안녕 ", "ok. "},
}

// pattern returns the bodies of slots messages of n bytes each: the i-th begins at
// i*stride. It is the same for every loop and every run, for a receiver of another
// loop must know it.
func (t Text) pattern(n, slots int) (pattern []byte, stride int) {
	random := rand.New(rand.NewPCG(1, 2))
	words := words[t]
	if words == nil { // any piece of it is text, so the bodies may overlap
		pattern = make([]byte, n+headSize+8*slots)
		for i := range pattern {
			pattern[i] = byte(' ' + random.IntN('~'-' '+1))
		}
		return pattern, 8
	}
	pattern = make([]byte, 0, n*slots+utf8.UTFMax)
	for slot := range slots {
		end := (slot + 1) * n
		for len(pattern) < end {
			pattern = append(pattern, words[random.IntN(len(words))]...)
		}
		// Whole runes only, and dots for what is left of a cut one.
		if len(pattern) > end {
			cut := end
			for !utf8.RuneStart(pattern[cut]) {
				cut--
			}
			pattern = pattern[:cut]
		}
		for len(pattern) < end {
			pattern = append(pattern, '.')
		}
	}
	return pattern, n
}
