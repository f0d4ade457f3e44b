package tlsfront

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTickets: two processes that share a folder have the same keys, whoever makes
// them; a new one is made in time and the oldest goes.
func TestTickets(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1_700_000_000, 0)
	open := func() (*Tickets, *[][32]byte) {
		tickets, err := OpenTickets(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		keys := new([][32]byte)
		tickets.Follow(func(k [][32]byte) { *keys = slices.Clone(k) })
		return tickets, keys
	}
	a, keysOfA := open()
	b, keysOfB := open()
	refresh := func(who *Tickets) {
		t.Helper()
		if err := who.Refresh(now); err != nil {
			t.Fatal(err)
		}
	}
	var all [][32]byte
	for i := range 6 {
		refresh(a)
		refresh(b)
		if !slices.Equal(*keysOfA, *keysOfB) || len(*keysOfA) != min(i+1, ticketKeys) {
			t.Fatalf("age %d: %d keys and %d, or others", i, len(*keysOfA), len(*keysOfB))
		}
		if newest := (*keysOfA)[0]; slices.Contains(all, newest) {
			t.Errorf("age %d: a key again", i)
		} else {
			all = append(all, newest)
		}
		now = now.Add(ticketAge - time.Second)
		refresh(b)
		if (*keysOfB)[0] != all[i] {
			t.Errorf("age %d: a key before its time", i)
		}
		now = now.Add(time.Second)
		a, b, keysOfA, keysOfB = b, a, keysOfB, keysOfA // the other one makes the next
	}
	info, err := os.Stat(a.file())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestTicketsSpoilt: what is no file of keys is refused without a word of it, and the
// keys in use stay.
func TestTicketsSpoilt(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	tickets, err := OpenTickets(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	var keys [][32]byte
	tickets.Follow(func(k [][32]byte) { keys = k })
	before := slices.Clone(keys)
	for _, text := range []string{
		"secretsecret", "1 secretsecret\n", "x " + strings.Repeat("ab", 32) + "\n", "1 " + strings.Repeat("zz", 32) + "\n",
		strings.Repeat("1 "+strings.Repeat("ab", 32)+"\n", ticketKeys+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, "ticket-keys"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := tickets.Refresh(now)
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "abab") {
			t.Errorf("%.20q: %v", text, err)
		}
		if !slices.Equal(keys, before) {
			t.Errorf("%.20q: other keys", text)
		}
		if _, err := OpenTickets(dir, now); err == nil {
			t.Errorf("%.20q: opened", text)
		}
	}
}
