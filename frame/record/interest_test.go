package record

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestNormalise(t *testing.T) {
	tests := []struct {
		desc string
		text string
		want string
		err  *Error
	}{
		{"as it is", "go", "go", nil},
		{"case", "Go", "go", nil},
		{"white space around", " \t\u00a0go\u3000\n", "go", nil},
		{"white space inside", "Board \t\r\n\u2028 GAMES", "board games", nil},
		{"final sigma", "ΣΊΣΥΦΟΣ", "σίσυφοσ", nil},
		{"final sigma in lower case", "Σίσυφος", "σίσυφοσ", nil},
		{"sharp s stays", "STRAẞE", "straße", nil},
		{"Kelvin, long s", "\u212aiſs", "kiss", nil},
		{"Turkish i", "İıIi", "iiii", nil},
		{"no case", "音楽", "音楽", nil},
		{"emoji of several", "👩‍💻", "👩‍💻", nil},
		{"flag of tags", "🏴\U000e0067\U000e0062\U000e0073\U000e007f", "🏴\U000e0067\U000e0062\U000e0073\U000e007f", nil},
		{"non-joiner", "می\u200cخواهم", "می\u200cخواهم", nil},
		{"replacement character", "\ufffd", "\ufffd", nil},
		{"32 characters", strings.Repeat("語", 32), strings.Repeat("語", 32), nil},
		{"32 with white space", "  " + strings.Repeat("a  ", 16) + "b ", "", errInterestLong},
		{"32 after folding", " a  " + strings.Repeat("b", 30) + "  ", "a " + strings.Repeat("b", 30), nil},
		{"33 characters", strings.Repeat("x", 33), "", errInterestLong},
		{"empty", "", "", errInterestEmpty},
		{"white space", " \t\n", "", errInterestEmpty},
		{"joiners alone", "\u200d\u200c", "", errInterestEmpty},
		{"tags alone", "\U000e0067\U000e0062", "", errInterestEmpty},
		{"variation selector alone", "\ufe0f", "", errInterestEmpty},
		{"NUL", "a\x00", "", errInterestControl},
		{"delete", "a\x7f", "", errInterestControl},
		{"C1", "a\u009bb", "", errInterestControl},
		{"right-to-left override", "\u202eog", "", errInterestControl},
		{"isolate", "\u2066go", "", errInterestControl},
		{"zero width space", "g\u200bo", "", errInterestControl},
		{"byte order mark", "\ufeffgo", "", errInterestControl},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			got, err := normalise([]byte(tt.text), &interestForm)
			if got != tt.want || err != tt.err {
				t.Errorf("got %q %v, want %q %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestDuplicateInterests(t *testing.T) {
	cmd, err := parseOne(t, `{"type":"next","interests":["Music","go"," music","GO","chess"]}`)
	if got := strings.Join(cmd.Interests, ","); err != nil || got != "music,go,chess" {
		t.Errorf("got %q %v", got, err)
	}
}

// What differs in case alone is joined, and joined once and for all.
func TestFold(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		f := fold(r)
		if fold(f) != f {
			t.Errorf("%U became %U, which becomes %U", r, f, fold(f))
		}
		if s := unicode.SimpleFold(r); fold(s) != f {
			t.Errorf("%U became %U, %U became %U", r, f, s, fold(s))
		}
	}
}
