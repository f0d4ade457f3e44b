package stranger

import (
	"bytes"
	"image/jpeg"
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
	seen := map[string]bool{}
	for seed := range uint64(3) {
		some := Some(texts, 3, seed)
		if n := len(some); n < len(texts)/3 || n > len(texts)/2 {
			t.Errorf("a third of %d texts is %d", len(texts), n)
		}
		for _, text := range some {
			seen[text.Description] = true
		}
	}
	for _, hard := range Hardest {
		if !seen[hard] {
			t.Errorf("there is no %q", hard)
		}
	}
	if len(seen) != len(texts) {
		t.Errorf("three thirds of %d texts are %d", len(texts), len(seen))
	}
	if n := len(Punctuation()); n < 700 {
		t.Errorf("%d characters of punctuation", n)
	}
}

func TestPictures(t *testing.T) {
	pictures := Pictures(1)
	if len(pictures) < 200 {
		t.Errorf("%d pictures", len(pictures))
	}
	good := 0
	for _, picture := range pictures {
		if len(picture.Data) > Size {
			t.Errorf("%s: %d bytes", picture.Description, len(picture.Data))
		}
		if picture.Good {
			good++
		}
	}
	if good != 5 {
		t.Errorf("%d good pictures", good)
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(manyScans(1000)))
	if err != nil || config.Width != 3000 {
		t.Errorf("a JPEG of many scans: %v, %v", config, err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(manyScans(3))); err != nil {
		t.Errorf("a JPEG of three scans: %v", err)
	}
}
