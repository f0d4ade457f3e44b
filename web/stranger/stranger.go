// Package stranger makes what a hostile stranger may send: messages of the largest
// size that are as hard as they can be on whoever handles them, or lays them out. Each
// kind is generated from the tables of Unicode, so that nobody has to think of its
// members. Only tests import this package.
package stranger

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Text is one message and what it is made of.
type Text struct {
	Description string
	Text        string // valid UTF-8 that begins with no record separator
}

// Size is the largest size of a Text in bytes: what a server takes in one message.
const Size = 64 << 10

// Plain is a message of the largest size that means no harm.
func Plain() Text {
	return Text{"plain prose", fill("It was a night train, somewhere between two cities. ")}
}

// Texts is one message for every general category (also of what is not assigned yet), every kind of mark and joiner, line
// structure, direction, and mixtures of them, which the seed chooses.
func Texts(seed uint64) []Text {
	var texts []Text
	add := func(description, text string) { texts = append(texts, Text{description, text}) }

	for _, name := range slices.Sorted(maps.Keys(unicode.Categories)) {
		members := Members(unicode.Categories[name])
		if len(members) == 0 { // surrogates are not text
			continue
		}
		add("category "+name, fill(string(members)))
		add("category "+name+", shuffled", fill(string(shuffled(members, seed))))
	}

	for _, name := range []string{"Mn", "Mc", "Me"} {
		for _, one := range sample(Members(unicode.Categories[name]), 8, seed) {
			add(fmt.Sprintf("a pile of U+%04X", one), "Z"+fill(string(one)))
		}
		marks := string(Members(unicode.Categories[name]))
		add("a pile of "+name, "Z"+fill(marks))
		add("letters with piles of "+name, fill("a"+firstRunes(marks, 40)))
	}
	for _, joiner := range Joiners() {
		add(fmt.Sprintf("joiner U+%04X between letters", joiner), fill("a"+string(joiner)))
		add(fmt.Sprintf("joiner U+%04X alone", joiner), "a"+fill(string(joiner)))
		add(fmt.Sprintf("joiner U+%04X between emoji", joiner), fill("👩"+string(joiner)))
	}
	add("one family without end", "👩"+fill("\u200d👩"))
	add("flags", fill("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f🇩🇪"))
	add("regional indicators", fill("🇩"))

	for _, line := range []string{"\n", "\r", "\r\n", "\n\r", "\u2028", "\u2029", "\v", "\f", "\u0085", "a\n", "\n\n\na", "\t", "\t\n", " ", " \n", "\u00a0", "\u3000", "\u200b", "\u2060", "\u00ad", "-", "/"} {
		add(fmt.Sprintf("line structure %q", line), "a"+fill(line))
	}
	for _, r := range []rune{0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, 0x200e, 0x200f, 0x061c} {
		add(fmt.Sprintf("direction U+%04X", r), fill(string(r)+"a"))
	}
	add("directions, nested", fill("\u202e\u2066\u202bאa"))
	add("two directions, word by word", fill("שלום hello "))

	for _, link := range []string{"https://a.b/ ", "https://a", "http://", "https://a.b/,", "https://a.b/(", "https://a.b/\n", "https://xn--a.b/ ", "https://" + strings.Repeat("a.", 100) + "b ", "https://[::1]/ ", "https://а.b/ ", "https://a@b ", "h", "https:", "https:/"} {
		add(fmt.Sprintf("links %.20q", link), fill(link))
	}
	for _, tail := range []string{")", "(", ")(", "()", ".", ".)", ",", "]", "}", "?)", "…", "、", "a"} {
		add(fmt.Sprintf("one address and %q", tail), "https://a"+fill(tail))
	}
	add("a word without end", fill("W"))
	add("markup", fill("<b><img src=x onerror=alert(1)>"))

	random := rand.New(rand.NewPCG(seed, 7))
	for n := range 8 {
		var mixed strings.Builder
		for mixed.Len() < Size-1024 {
			part := texts[random.IntN(len(texts))].Text
			start := random.IntN(len(part))
			for !utf8.RuneStart(part[start]) {
				start--
			}
			mixed.WriteString(cut(part[start:], random.IntN(1000)))
		}
		add(fmt.Sprintf("mixture %d of seed %d", n, seed), mixed.String())
	}
	for i := range texts {
		texts[i].Text = strings.TrimLeft(cut(texts[i].Text, Size), "\x1e")
	}
	return texts
}

// Some is a share of texts, one of n, that differs from seed to seed; and of the kinds
// that were the hardest, all.
func Some(texts []Text, n int, seed uint64) []Text {
	var some []Text
	for i, text := range texts {
		if uint64(i)%uint64(n) == seed%uint64(n) || slices.Contains(Hardest, text.Description) {
			some = append(some, text)
		}
	}
	return some
}

// Hardest is what took browsers seconds each.
var Hardest = []string{"joiner U+200C alone", "joiner U+034F alone", `line structure "\n"`, "a pile of Mn", `one address and ")"`, `links "https://a.b/ "`}

// Punctuation is every character of punctuation outside of ASCII.
func Punctuation() []rune {
	return slices.DeleteFunc(Members(unicode.P), func(r rune) bool { return r < utf8.RuneSelf })
}

// Joiners is the invisible characters that join, part or spell what is around them.
func Joiners() []rune {
	joiners := []rune{0x034f, 0x200b, 0x200c, 0x200d, 0x2060, 0xfeff, 0xfe0e, 0xfe0f, 0x180b, 0x180e, 0x20e3, 0xe0100}
	for r := rune(0xe0020); r <= 0xe007f; r += 0x11 {
		joiners = append(joiners, r)
	}
	return joiners
}

// Members is all characters of a table, in order, without surrogates.
func Members(table *unicode.RangeTable) []rune {
	var members []rune
	add := func(low, high, stride rune) {
		for r := low; r <= high; r += stride {
			if utf8.ValidRune(r) {
				members = append(members, r)
			}
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return members
}

// fill repeats text up to the largest size.
func fill(text string) string {
	return cut(strings.Repeat(text, Size/len(text)+1), Size)
}

// cut is text, cut between two characters to at most size bytes.
func cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size]
}

func firstRunes(text string, n int) string {
	runes := []rune(text)
	return string(runes[:min(n, len(runes))])
}

func sample(members []rune, n int, seed uint64) []rune {
	return shuffled(members, seed)[:min(n, len(members))]
}

func shuffled(members []rune, seed uint64) []rune {
	members = slices.Clone(members)
	rand.New(rand.NewPCG(seed, uint64(len(members)))).Shuffle(len(members), func(i, j int) {
		members[i], members[j] = members[j], members[i]
	})
	return members
}
