package terminal

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// retryRule is how long to wait, in milliseconds.
type retryRule struct {
	Code        websocket.StatusCode
	Attempts    int
	Least, Most time.Duration
}

// TestRules holds the terminal client against the cases that the server and the page
// are held against as well.
func TestRules(t *testing.T) {
	text, err := os.ReadFile("../../../../frame/record/testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Characters []struct{ Character, Is string }
		Interests  []struct{ Description, Text, Typed string }
		Retries    []retryRule
		Returns    []retryRule
		Final      []websocket.StatusCode
	}
	if err := json.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	for _, c := range rules.Characters {
		r := []rune(c.Character)[0]
		if got := isJoiner(r); got != (c.Is == "joiner") {
			t.Errorf("%+q is %s: joiner %v", r, c.Is, got)
		}
		before := "a"
		if isTag(r) {
			before = "🏴"
		}
		got := Visible(before + c.Character + "b")
		switch {
		case c.Is == "joiner" || c.Is == "text":
			if got != before+c.Character+"b" {
				t.Errorf("%+q is %s: shown as %+q", r, c.Is, got)
			}
		case c.Is == "control" && hidden(r):
			if got != fmt.Sprintf("a<U+%04X>b", r) {
				t.Errorf("%+q is %s: shown as %+q", r, c.Is, got)
			}
		}
	}
	for _, i := range rules.Interests {
		if got := strings.Join(parseInterests(i.Text), "|"); got != i.Typed {
			t.Errorf("%s: %+q, want %+q", i.Description, got, i.Typed)
		}
	}
	for _, r := range rules.Retries {
		least, most := retryBounds(r.Code, r.Attempts)
		if least != r.Least*time.Millisecond || most != r.Most*time.Millisecond || !mayReconnect(r.Code) {
			t.Errorf("%d after %d attempts: %v to %v, want %v to %v ms", r.Code, r.Attempts, least, most, r.Least, r.Most)
		}
	}
	for _, r := range rules.Returns {
		if least, most := returnBounds(r.Code, r.Attempts); least != r.Least*time.Millisecond || most != r.Most*time.Millisecond {
			t.Errorf("a return, %d after %d attempts: %v to %v, want %v to %v ms", r.Code, r.Attempts, least, most, r.Least, r.Most)
		}
	}
	for _, code := range rules.Final {
		if mayReconnect(code) {
			t.Errorf("%d may be tried again", code)
		}
	}
}
