package safety

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// succession is one process after the other with a place for decisions: a successor has
// opened its own, and then the predecessor decides.
func succession(t *testing.T, before, after *Bans, decide func()) {
	t.Helper()
	before.Note(true)
	decide()
	told, err := json.Marshal(before.Hold(start))
	if err != nil {
		t.Fatal(err)
	}
	var heard Decisions
	if err := json.Unmarshal(told, &heard); err != nil {
		t.Fatal(err)
	}
	after.Inherit(heard)
	before.End(true)
	before.Note(false)
	if err := before.Ban([]netip.Prefix{network(t, "203.0.113.9")}, start.Add(time.Hour), "", "me", start); !errors.Is(err, ErrLeft) {
		t.Errorf("who has left decides: %v", err)
	}
}

// TestSuccession: what is decided while a successor starts, and has read the file, is
// decided there as well, in the order in which it was; so is all of a process without a
// file.
func TestSuccession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.log")
	for _, kept := range []bool{true, false} {
		opens := func(beside bool) *Bans {
			if !kept {
				return new(Bans)
			}
			open := Open
			if beside {
				open = OpenBeside
			}
			b, _, err := open(path, start)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { b.Close() })
			return b
		}
		before := opens(false)
		ban := func(text string) {
			if err := before.Ban([]netip.Prefix{network(t, text)}, start.Add(time.Hour), "", "me", start); err != nil {
				t.Fatal(err)
			}
		}
		ban("192.0.2.1")
		ban("192.0.2.2")
		after := opens(true)
		who := NewPerson()
		succession(t, before, after, func() {
			ban("192.0.2.3")
			if _, err := before.Lift([]netip.Prefix{network(t, "192.0.2.1")}, "me", start); err != nil {
				t.Fatal(err)
			}
			ban("192.0.2.4")
			if err := before.Decide(Verdict{Do: doBan, People: []Person{who}, Lasts: time.Hour, By: "me"}, start); err != nil {
				t.Fatal(err)
			}
			if _, err := before.Lift([]netip.Prefix{network(t, "192.0.2.4")}, "me", start); err != nil {
				t.Fatal(err)
			}
		})
		later := []*Bans{after}
		if kept { // and in a process that has only the file
			later = append(later, opens(false))
		}
		for i, b := range later {
			for text, want := range map[string]bool{"192.0.2.1": false, "192.0.2.2": true, "192.0.2.3": true, "192.0.2.4": false} {
				if _, is := b.Find(netip.MustParseAddr(text), start); is != want {
					t.Errorf("file %t, %d: %s banned: %t", kept, i, text, is)
				}
			}
			if _, is := b.FindPerson(who, start); !is {
				t.Errorf("file %t, %d: a person is not banned", kept, i)
			}
		}
		for after.Forget(start.Add(2 * time.Hour)) {
		}
		if after.InForce() != 0 || after.PeopleBanned() != 0 || after.named != 0 {
			t.Errorf("file %t: %d and %d are left, %d named", kept, after.InForce(), after.PeopleBanned(), after.named)
		}
	}
}

// TestOpenedBeside: the file that a predecessor writes to stays the one that it writes
// to, though there is much in it that is over.
func TestOpenedBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.log")
	before, _, err := Open(path, start)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	for i, text := range []string{"192.0.2.1", "192.0.2.2"} {
		at := start.Add(time.Duration(i) * 2 * Keep)
		if err := before.Ban([]netip.Prefix{network(t, text)}, at.Add(time.Hour), "", "me", at); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := OpenBeside(path, start)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	at := start.Add(2 * Keep)
	if err := before.Ban([]netip.Prefix{network(t, "192.0.2.3")}, at.Add(time.Hour), "", "me", at); err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(now, text) || len(now) == len(text) {
		t.Errorf("%v, from %q to %q", err, text, now)
	}
}

// TestInboxBeside: a successor that opens the folder leaves alone what its predecessor is
// about to file, and finds what that one has filed since.
func TestInboxBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports")
	recipients, err := ParseRecipients([]string{moderator(t).Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	before, err := OpenInbox(dir, recipients)
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Take(report(1)); err != nil {
		t.Fatal(err)
	}
	var after *Inbox
	before.create = func(name string) (file, error) {
		f, err := createFile(name)
		if err == nil {
			after, err = OpenInboxBeside(dir, recipients)
		}
		return f, err
	}
	if err := before.Take(report(2)); err != nil {
		t.Fatal(err)
	}
	if n := len(after.All()); n != 1 {
		t.Errorf("%d reports before it has looked", n)
	}
	if err := after.Look(); err != nil || len(after.All()) != 2 {
		t.Errorf("%v, %d reports", err, len(after.All()))
	}
}
