package safety

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// told is how many bytes the file had when the decision before it was made.
type told struct {
	size    int
	network netip.Prefix
	lifted  bool
}

// TestCutAnywhere: a process that is killed at any byte has lost nothing that was said
// to be decided, and whoever comes after it can go on.
func TestCutAnywhere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "decisions.log")
	b, _, err := Open(path, start)
	if err != nil {
		t.Fatal(err)
	}
	var all []told
	until := start.Add(time.Hour)
	for i, text := range []string{"192.0.2.0/24", "2001:db8::/48", "198.51.100.7", "203.0.113.0/25"} {
		who := network(t, text)
		if err := b.Ban([]netip.Prefix{who}, until, "naïve \"reason\"", "127.0.0.1", start); err != nil {
			t.Fatal(err)
		}
		all = append(all, told{size(t, path), who, false})
		if i == 2 {
			if n, err := b.Lift([]netip.Prefix{who}, "127.0.0.1", start); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			all = append(all, told{size(t, path), who, true})
		}
	}
	b.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		b, broken, err := Open(path, start)
		if err != nil || broken > 1 {
			t.Fatalf("cut at %d: %d broken, %v", cut, broken, err)
		}
		for _, d := range all {
			// Without its last byte, which ends the line, a decision may count already.
			var certain, possible bool
			for _, later := range all {
				if later.network == d.network && later.size <= cut {
					certain, possible = !later.lifted, !later.lifted
				} else if later.network == d.network && later.size == cut+1 {
					certain, possible = certain && !later.lifted, true
				}
			}
			if _, banned := b.Find(d.network.Addr(), start); banned && !possible || !banned && certain {
				t.Fatalf("cut at %d: %v is banned: %t", cut, d.network, banned)
			}
		}
		more := network(t, "10.1.2.3")
		if err := b.Ban([]netip.Prefix{more}, until, "", "me", start); err != nil {
			t.Fatal(err)
		}
		before := b.InForce()
		b.Close()
		if b, _, err = Open(path, start); err != nil || b.InForce() != before {
			t.Fatalf("cut at %d: %d in force after another decision, not %d: %v", cut, b.InForce(), before, err)
		}
		b.Close()
	}
}

// TestTampered: no byte of a line can be another.
func TestTampered(t *testing.T) {
	d := &decision{At: start, By: "me", Do: doBan, Who: []netip.Prefix{network(t, "192.0.2.0/24")}, Until: start.Add(time.Hour)}
	line := bytes.TrimSuffix(appendLine(nil, d), []byte("\n"))
	if _, ok := parseLine(line); !ok {
		t.Fatal("not even the line itself")
	}
	for i := range line {
		for _, change := range []byte{1, 0x20, 0x80} {
			line[i] ^= change
			if _, ok := parseLine(line); ok && !strings.EqualFold(string(line[:8]), string(appendLine(nil, d)[:8])) {
				t.Errorf("byte %d changed by %#x: %s", i, change, line)
			}
			line[i] ^= change
		}
	}
}

// disk takes room bytes, and then no more.
type disk struct {
	bytes.Buffer
	room int
	sick error // of the next sync
}

func (d *disk) Write(b []byte) (int, error) {
	n := min(len(b), d.room)
	d.room -= n
	d.Buffer.Write(b[:n])
	if n < len(b) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *disk) Close() error { return nil }

// TestFullDisk: what cannot be written down is not in force, and what could be stays.
func TestFullDisk(t *testing.T) {
	first, second, third := network(t, "192.0.2.0/24"), network(t, "198.51.100.0/24"), network(t, "203.0.113.0/24")
	until := start.Add(time.Hour)
	line := len(appendLine(nil, &decision{At: start, By: "me", Do: doBan, Who: []netip.Prefix{first}, Until: until}))
	for room := line; room < 2*line; room++ {
		d := &disk{room: room}
		b := &Bans{journal: &journal{file: d, sync: func() error { return d.sick }}}
		if err := b.Ban([]netip.Prefix{first}, until, "", "me", start); err != nil {
			t.Fatal(err)
		}
		if err := b.Ban([]netip.Prefix{second}, until, "", "me", start); !errors.Is(err, syscall.ENOSPC) || b.InForce() != 1 {
			t.Fatalf("room for %d: %v, %d in force", room, err, b.InForce())
		}
		d.room = 1 << 20
		if err := b.Ban([]netip.Prefix{third}, until, "", "me", start); err != nil {
			t.Fatal(err)
		}
		path := t.TempDir() + "/decisions.log"
		if err := os.WriteFile(path, d.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		again, _, err := Open(path, start)
		if err != nil {
			t.Fatal(err)
		}
		for _, who := range []netip.Prefix{first, third} {
			if _, banned := again.Find(who.Addr(), start); !banned {
				t.Errorf("room for %d: %v is not banned any more", room, who)
			}
		}
		again.Close()
	}
	d := &disk{room: 1 << 20, sick: syscall.EIO}
	b := &Bans{journal: &journal{file: d, sync: func() error { return d.sick }}}
	if err := b.Ban([]netip.Prefix{first}, until, "", "me", start); !errors.Is(err, syscall.EIO) || b.InForce() != 0 {
		t.Errorf("a disk that does not sync: %v, %d in force", err, b.InForce())
	}
}

// TestWhatIsLeftOut: decisions go after a while, bans in force stay, and a clock that
// is wrong loses nothing.
func TestWhatIsLeftOut(t *testing.T) {
	path := t.TempDir() + "/decisions.log"
	open := func(now time.Time) *Bans {
		b, broken, err := Open(path, now)
		if err != nil || broken > 0 {
			t.Fatal(broken, err)
		}
		return b
	}
	short, long, lifted, later := network(t, "192.0.2.0/24"), network(t, "198.51.100.0/24"), network(t, "203.0.113.0/24"), network(t, "10.0.0.0/8")
	b := open(start)
	for who, lasts := range map[netip.Prefix]time.Duration{short: time.Hour, long: 300 * 24 * time.Hour, lifted: 300 * 24 * time.Hour} {
		if err := b.Ban([]netip.Prefix{who}, start.Add(lasts), "for "+who.String(), "me", start); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Lift([]netip.Prefix{lifted}, "me", start); err != nil {
		t.Fatal(err)
	}
	b.Close()
	full := size(t, path)
	open(start.Add(100 * 365 * 24 * time.Hour)).Close() // a clock that is wrong
	if size(t, path) != full {
		t.Error("a wrong clock has made the file shorter")
	}
	now := start.Add(Keep + 24*time.Hour)
	b = open(now)
	if err := b.Ban([]netip.Prefix{later}, now.Add(time.Hour), "", "me", now); err != nil {
		t.Fatal(err)
	}
	b.Close()
	for range 2 {
		b = open(now)
		all := b.All(now)
		if len(all) != 2 || all[0].Network != later || all[1].Network != long || all[1].Reason != "for "+long.String() || !all[1].At.Equal(start) {
			t.Errorf("in force: %+v", all)
		}
		b.Close()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n != 2 || bytes.Contains(text, []byte("192.0.2.0")) || bytes.Contains(text, []byte("203.0.113.0")) {
			t.Errorf("%d lines:\n%s", n, text)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestNoFile: a folder that is not there, or may not be written to, is an error at the
// start and not when it is too late.
func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none", "decisions.log"), dir} {
		if b, _, err := Open(path, start); err == nil {
			b.Close()
			t.Errorf("%s can be opened", path)
		}
	}
}

func size(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Size())
}
