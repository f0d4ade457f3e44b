package moderator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"filippo.io/age"

	"roulette/cmd/roulette/internal/safety"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// fakeSide is the admin side of a server that has some reports.
type fakeSide struct {
	bans   safety.Bans
	sealed map[string][]byte
	filed  []Filed
	refuse error
	asked  []safety.Verdict
	opened int
}

func (s *fakeSide) Reports() ([]Filed, error) {
	all := append([]Filed(nil), s.filed...)
	for i := range all {
		all[i].Decided = s.bans.Decided(all[i].ID)
	}
	return all, s.refuse
}

func (s *fakeSide) Open(id string) (io.ReadCloser, error) {
	s.opened++
	sealed, ok := s.sealed[id]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(sealed)), nil
}

func (s *fakeSide) Decide(v safety.Verdict) error {
	if s.refuse != nil {
		return s.refuse
	}
	s.asked = append(s.asked, v)
	return s.bans.Decide(v, start)
}

func (s *fakeSide) add(t *testing.T, r safety.Report, to age.Recipient) string {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprintf("%010x-%016x", r.At.Unix(), len(s.filed))
	s.filed = append(s.filed, Filed{Filed: safety.Filed{ID: id, At: r.At, Size: int64(b.Len())}})
	s.sealed[id] = b.Bytes()
	return id
}

func key(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

const hostile = "\x1b]0;title\x07\x1b[2J\x9b31mred\u202eevil\u2066 \u200b\x00 a\rb\nReporter  I said this"

func reported(n int, by, of byte) safety.Report {
	return safety.Report{
		At: start.Add(time.Duration(n) * time.Minute), Reporter: safety.Person{1, by}, Reported: safety.Person{2, of},
		Network: netip.MustParsePrefix("192.0.2.0/24"), Reason: "threat" + hostile, Text: "words " + hostile,
		Lines: []safety.Line{
			{From: safety.FromReporter, Op: 1, Payload: []byte("hello " + hostile)},
			{From: safety.FromReported, Op: 1, Payload: []byte(hostile + strings.Repeat(" long", 300))},
			{From: safety.FromReported, Op: 2, Payload: []byte("\x89PNG\x1b[2J")},
		},
	}
}

// at has a desk of 100 × 30 with reports.
func at(t *testing.T, side *fakeSide, identities ...age.Identity) *desk {
	t.Helper()
	cases, err := Load(side, identities, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(Config{Side: side, Identities: identities, BanFor: 24 * time.Hour, ShadowFor: 168 * time.Hour}, cases, func() time.Time { return start.Add(time.Hour) })
	d.Update(tea.WindowSizeMsg{Width: 100, Height: 30})
	return d
}

// press presses keys, and has the server answer each.
func (d *desk) press(keys ...string) {
	for _, k := range keys {
		if cmd := d.key(k); cmd != nil {
			d.Update(cmd())
		}
	}
}

var styles = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func (d *desk) sees(t *testing.T, what ...string) {
	t.Helper()
	text := styles.ReplaceAllString(d.View().Content, "")
	for _, w := range what {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

// TestHostileText: nothing of what strangers write reaches the terminal as something
// other than what is seen, in no size of window.
func TestHostileText(t *testing.T) {
	me := key(t)
	side := &fakeSide{sealed: map[string][]byte{}}
	for n := range 12 {
		side.add(t, reported(n, 1, 2), me.Recipient())
	}
	d := at(t, side, me)
	for _, size := range [][2]int{{0, 0}, {1, 1}, {9, 3}, {40, 12}, {100, 30}, {300, 90}} {
		d.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		for _, k := range []string{"j", "pgdown", "pgdown", "pgup", "t", "pgdown", "t", "tab", "k"} {
			d.press(k)
			content := d.View().Content
			rows := strings.Split(content, "\n")
			if len(rows) > max(size[1], 1) {
				t.Fatalf("%v: %d rows", size, len(rows))
			}
			for _, r := range styles.ReplaceAllString(content, "") {
				if r != '\n' && (unicode.In(r, unicode.Cc, unicode.Cf)) {
					t.Fatalf("%v: %U in\n%q", size, r, content)
				}
			}
		}
	}
	d.Update(tea.WindowSizeMsg{Width: 120, Height: 60})
	d.sees(t, "<U+001B>", "<U+202E>", "12 waiting", "192.0.2.0/24", "bytes, perhaps a picture", safety.Person{2, 2}.String(), "in 12 reports")
}

// TestDecideByOneKey: each key does what it says, once, and u takes it back.
func TestDecideByOneKey(t *testing.T) {
	for _, tc := range []struct{ key, do string }{{"a", "absolve"}, {"b", "ban"}, {"B", "ban"}, {"s", "shadow"}, {"f", "false"}} {
		me := key(t)
		side := &fakeSide{sealed: map[string][]byte{}}
		first, second := side.add(t, reported(0, 1, 2), me.Recipient()), side.add(t, reported(1, 3, 4), me.Recipient())
		d := at(t, side, me)
		d.press("x", "enter", tc.key)
		if len(side.asked) != 1 || side.asked[0].Do != tc.do || side.asked[0].Report != first {
			t.Fatalf("%s: asked %+v", tc.key, side.asked)
		}
		d.sees(t, "1 waiting")
		until, banned := side.bans.FindPerson(safety.Person{2, 2}, start)
		_, shadowed := side.bans.Shadowed(safety.Person{2, 2}, start)
		if banned != (tc.do == "ban") || shadowed != (tc.do == "shadow") || banned && until.Sub(start) != map[string]time.Duration{"b": 24 * time.Hour, "B": longBan}[tc.key] {
			t.Errorf("%s: banned %t until %v, shadowed %t", tc.key, banned, until, shadowed)
		}
		if d.chosen().ID != second {
			t.Errorf("%s: not at the next one", tc.key)
		}
		d.press("u")
		if side.bans.Decided(first) != "" || len(side.bans.People(start)) > 0 {
			t.Errorf("%s is not taken back: %v", tc.key, side.bans.People(start))
		}
		d.sees(t, "2 waiting", "taken back")
		d.press(tc.key, "tab", "b") // one that is decided is not decided again
		if n := len(side.asked); n != 3 {
			t.Errorf("%s: %d verdicts: %+v", tc.key, n, side.asked)
		}
		d.sees(t, "u takes it back")
		d.press("u", "r")
		d.sees(t, "2 waiting")
	}
}

// TestWhatGoesWrong: a server that refuses, a report for somebody else's key, one that is
// gone; nothing is decided blindly.
func TestWhatGoesWrong(t *testing.T) {
	me, other := key(t), key(t)
	side := &fakeSide{sealed: map[string][]byte{}}
	side.add(t, reported(0, 1, 2), other.Recipient())
	gone := side.add(t, reported(1, 1, 2), me.Recipient())
	delete(side.sealed, gone)
	d := at(t, side, me)
	d.sees(t, "2 for another key", "cannot be read")
	d.press("b", "s", "f")
	if len(side.asked) > 0 {
		t.Errorf("decided: %+v", side.asked)
	}
	d.sees(t, "nobody decides about what they cannot read")
	side.refuse = errors.New("decision not written: no space left on device")
	d.press("a")
	d.sees(t, "not decided: decision not written: no space left", "2 waiting")
	d.press("r")
	d.sees(t, "not loaded: decision")
	side.refuse = nil
	d.press("a", "a", "u", "u", "u")
	d.sees(t, "nothing to take back", "2 waiting")
	if cmd := d.key("a"); cmd == nil || d.key("a") != nil || d.key("r") != nil {
		t.Error("the server is asked for two things at once")
	}

	empty := at(t, &fakeSide{}, me)
	empty.press("a", "u", "t", "t", "tab", "j", "k", "r")
	empty.sees(t, "0 waiting", "Nothing waits")
}

// TestOrder: a report by somebody whose reports were right comes before one of somebody
// whose were not (S3), and reports are fetched once.
func TestOrder(t *testing.T) {
	me := key(t)
	side := &fakeSide{sealed: map[string][]byte{}}
	liar, honest := side.add(t, reported(0, 1, 9), me.Recipient()), side.add(t, reported(1, 2, 9), me.Recipient())
	side.add(t, reported(2, 1, 8), me.Recipient())
	side.add(t, reported(3, 3, 8), me.Recipient())
	side.add(t, reported(4, 2, 8), me.Recipient())
	for id, do := range map[string]string{liar: "false", honest: "ban"} {
		if err := side.bans.Decide(safety.Verdict{Do: do, Report: id, People: []safety.Person{{2, 9}}, Lasts: time.Hour}, start); err != nil {
			t.Fatal(err)
		}
	}
	d := at(t, side, me)
	var order []byte
	for _, c := range d.cases {
		order = append(order, c.Report.Reporter[1])
	}
	if string(order[:3]) != "\x02\x03\x01" {
		t.Errorf("by %v", order)
	}
	d.press("r")
	if side.opened != 5 {
		t.Errorf("%d reports fetched", side.opened)
	}
	d.press("t")
	d.sees(t, "Reported most", "1 right, 0 false", "0 right, 1 false", "3  waiting")
}
