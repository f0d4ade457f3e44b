package terminal

import (
	"slices"
	"testing"
)

func TestParseLine(t *testing.T) {
	tests := []struct {
		line string
		want order
	}{
		{"", order{}},
		{"  \t", order{}},
		{"hello", order{verb: say, text: "hello"}},
		{" /next", order{verb: say, text: " /next"}},
		{"//next", order{verb: say, text: "/next"}},
		{"//", order{verb: say, text: "/"}},
		{"/next", order{verb: next}},
		{"/next  ", order{verb: next}},
		{"/again", order{verb: again}},
		{"/stop", order{verb: stop}},
		{"/help", order{verb: help}},
		{"/quit", order{verb: quit}},
		{"/interests", order{verb: showInterests}},
		{"/interests -", order{verb: setInterests}},
		{"/interests go, board games,, ", order{verb: setInterests, interests: []string{"go", "board games"}}},
		{"/next please", order{verb: wrong}},
		{"/nxt", order{verb: wrong}},
		{"/", order{verb: wrong}},
	}
	for _, test := range tests {
		got := parseLine(test.line)
		if got.verb == wrong && got.text != "" {
			got.text = ""
		}
		if got.verb != test.want.verb || got.text != test.want.text || !slices.Equal(got.interests, test.want.interests) {
			t.Errorf("%q: %+v, want %+v", test.line, got, test.want)
		}
	}
}
