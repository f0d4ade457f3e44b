package stranger

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTexts(t *testing.T) {
	texts := Texts(1)
	if len(texts) < 200 {
		t.Errorf("%d texts", len(texts))
	}
	for _, text := range append(texts, Plain()) {
		if n := len(text.Text); n > Size || n < Size/2 || !utf8.ValidString(text.Text) || strings.HasPrefix(text.Text, "\x1e") {
			t.Errorf("%s: %d bytes", text.Description, n)
		}
	}
	if !slices.Equal(texts, Texts(1)) || slices.Equal(texts, Texts(2)) {
		t.Error("the texts are not those of the seed")
	}
	if n := len(Punctuation()); n < 700 {
		t.Errorf("%d characters of punctuation", n)
	}
}
