package record

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// TestRules holds the server against the cases that the page and the terminal client
// are held against as well.
func TestRules(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Characters []struct{ Character, Is string }
		Interests  []struct{ Description, Text, Typed, Compared string }
	}
	if err := json.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.Characters) < 50 || len(rules.Interests) < 20 {
		t.Fatalf("%d characters and %d interests", len(rules.Characters), len(rules.Interests))
	}
	for _, c := range rules.Characters {
		got, refused := normalise([]byte("a"+c.Character+"b"), &interestForm)
		want := map[string]string{"control": "", "space": "a b", "joiner": "a" + c.Character + "b", "text": "a" + c.Character + "b"}[c.Is]
		if got != want || (refused != nil) != (c.Is == "control") || refused != nil && !errors.Is(refused, errInterestControl) {
			t.Errorf("%+q is %s: %+q, %v", c.Character, c.Is, got, refused)
		}
	}
	for _, i := range rules.Interests {
		// What a client makes of it is what the server takes, or there is nothing to send.
		got, refused := normalise([]byte(i.Typed), &interestForm)
		if i.Typed == "" {
			if refused == nil {
				t.Errorf("%s: %+q was taken", i.Description, i.Typed)
			}
		} else if refused != nil || got != i.Compared {
			t.Errorf("%s: %+q, %v, want %+q", i.Description, got, refused, i.Compared)
		}
	}
}
