package terminal

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	tests := []struct{ name, text, want, line string }{
		{"plain", "hello", "hello", ""},
		{"other scripts, emoji", "שלום مرحبا 你好 👩‍💻 é", "שלום مرحبا 你好 👩‍💻 é", ""},
		{"colour", "\x1b[31mred", "<U+001B>[31mred", ""},
		{"window title", "\x1b]0;x\a", "<U+001B>]0;x<U+0007>", ""},
		{"C1", "\u009b2J", "<U+009B>2J", ""},
		{"C1 as a byte", "\x9b2J", "\uFFFD2J", ""},
		{"backspace, delete, null", "a\b\x7f\x00", "a<U+0008><U+007F><U+0000>", ""},
		{"record separator", "\x1e{}", "<U+001E>{}", ""},
		{"bidi", "\u202A\u202E\u2066\u2069\u200E\u061C", "<U+202A><U+202E><U+2066><U+2069><U+200E><U+061C>", ""},
		{"invisible", "\u200b\ufeff\u00ad\U000E0041", "<U+200B><U+FEFF><U+00AD><U+E0041>", ""},
		{"private use, noncharacter", "\ue0b0\ufffe", "<U+E0B0><U+FFFE>", ""},
		{"line breaks", "a\nb\r\nc\rd\u2028e\u0085f\n\ng", "a\nb\nc\nd\ne\nf\n\ng", "a ⏎ b ⏎ c ⏎ d ⏎ e ⏎ f ⏎  ⏎ g"},
		{"tab", "a\tb", "a    b", ""},
		{"a tower of marks", "a" + strings.Repeat("\u0301", 100) + "b", "a" + strings.Repeat("\u0301", maxMarks) + "b", ""},
		{"a row of joiners", strings.Repeat("\u200d", 100), strings.Repeat("\u200d", maxMarks), ""},
	}
	for _, test := range tests {
		if got := Visible(test.text); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		line := test.line
		if line == "" {
			line = test.want
		}
		if got := VisibleLine(test.text); got != line {
			t.Errorf("%s: line %q, want %q", test.name, got, line)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("\x1b[31m\u202e\r\n\x9b")
	f.Fuzz(func(t *testing.T, text string) {
		got, line := Visible(text), VisibleLine(text)
		if !utf8.ValidString(got) || strings.Contains(line, "\n") {
			t.Fatalf("%q, %q", got, line)
		}
		for _, r := range got {
			if r != '\n' && unicode.In(r, unicode.Cc, unicode.Bidi_Control) {
				t.Fatalf("%U in %q", r, got)
			}
		}
	})
}
