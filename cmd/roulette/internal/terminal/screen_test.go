package terminal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"roulette/frame/record"
)

// fakeClient notes what a screen wants of it.
type fakeClient struct{ wants []string }

func (f *fakeClient) note(format string, args ...any) {
	f.wants = append(f.wants, fmt.Sprintf(format, args...))
}
func (f *fakeClient) Next(pair uint32)        { f.note("next %d", pair) }
func (f *fakeClient) SetInterests(l []string) { f.note("interests %q", l) }
func (f *fakeClient) Again()                  { f.note("again") }
func (f *fakeClient) Block()                  { f.note("block") }
func (f *fakeClient) Report(text string)      { f.note("report %s", text) }
func (f *fakeClient) Stop()                   { f.note("stop") }
func (f *fakeClient) Say(id int, text string) { f.note("say %d %q", id, text) }
func (f *fakeClient) Typing(on bool)          { f.note("typing %v", on) }

// desk is a screen and who sits before it. Time passes when the test says so.
type desk struct {
	t      *testing.T
	s      *screen
	client *fakeClient
	now    time.Time
}

func sitDown(t *testing.T, width, height int) *desk {
	d := &desk{t: t, client: new(fakeClient), now: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)}
	d.s = newScreen(d.client, nil, func() time.Time { return d.now })
	d.s.Update(tea.WindowSizeMsg{Width: width, Height: height})
	return d
}

func (d *desk) happens(events ...Event) {
	for _, e := range events {
		d.s.Update(e)
	}
}

func (d *desk) meets() {
	d.happens(Event{Kind: Changed, State: Looking}, Event{Kind: Paired, State: Chatting, Pair: uint32(d.s.meetings + 1)})
	d.now = d.now.Add(time.Minute)
}

func (d *desk) types(text string) {
	for _, r := range text {
		d.s.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

func (d *desk) presses(keys ...tea.KeyPressMsg) (cmd tea.Cmd) {
	for _, k := range keys {
		_, cmd = d.s.Update(k)
	}
	return cmd
}

var (
	enter = tea.KeyPressMsg{Code: tea.KeyEnter}
	ctrlN = tea.KeyPressMsg{Code: 'n', Mod: tea.ModCtrl}
	ctrlC = tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	ctrlD = tea.KeyPressMsg{Code: 'd', Mod: tea.ModCtrl}
	pgUp  = tea.KeyPressMsg{Code: tea.KeyPgUp}
	pgDn  = tea.KeyPressMsg{Code: tea.KeyPgDown}
)

// sees demands these texts in what is on the screen, which fits it.
func (d *desk) sees(wants ...string) {
	d.t.Helper()
	text := d.screen()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			d.t.Errorf("no %q on the screen:\n%s", want, text)
		}
	}
}

func (d *desk) seesNo(unwanted string) {
	d.t.Helper()
	if text := d.screen(); strings.Contains(text, unwanted) {
		d.t.Errorf("%q on the screen:\n%s", unwanted, text)
	}
}

func (d *desk) screen() string {
	d.t.Helper()
	text := ansi.Strip(d.s.View().Content)
	rows := strings.Split(text, "\n")
	if len(rows) > d.s.height {
		d.t.Errorf("%d rows of %d", len(rows), d.s.height)
	}
	for _, row := range rows {
		if w := ansi.StringWidth(row); w > d.s.width {
			d.t.Errorf("row of %d columns in %d: %q", w, d.s.width, row)
		}
	}
	return text
}

// wanted demands what the client was asked for since the last call.
func (d *desk) wanted(wants ...string) {
	d.t.Helper()
	if !slices.Equal(d.client.wants, wants) {
		d.t.Errorf("client was asked for %q, want %q", d.client.wants, wants)
	}
	d.client.wants = nil
}

func quits(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	_, quit := cmd().(tea.QuitMsg)
	return quit
}

func TestScreenStates(t *testing.T) {
	d := sitDown(t, 80, 24)
	d.sees("connecting")
	d.happens(Event{Kind: Changed, State: Looking}, Event{Kind: Online, State: Looking, N: 12})
	d.sees("● looking", "Looking for a stranger…", "12 online")
	d.happens(Event{Kind: Paired, State: Chatting, Pair: 1, Common: []string{"go", "tea"}})
	d.sees("● chatting", "You both like go, tea.")
	d.happens(Event{Kind: Message, State: Chatting, Text: "hello", Size: 5})
	d.sees("Stranger  hello")
	d.happens(Event{Kind: Typing, State: Chatting, On: true})
	d.sees("Stranger is typing…")
	d.happens(Event{Kind: Parted, State: Left, Reason: record.LeftNext})
	d.sees("● left", "The stranger has left.", "Enter finds a stranger")
	d.seesNo("is typing")
	d.presses(enter)
	d.wanted("next 1")
	d.happens(Event{Kind: Changed, State: Reconnecting, Retry: 2 * time.Second, Err: errors.New("connection lost")})
	d.sees("● reconnecting", "Connection lost. Trying again in 2s.")
	d.happens(Event{Kind: Over, State: Ended, Err: errors.New("the server closed the connection: 4500 no")})
	d.sees("● ended", "4500 no", "Ctrl+C quits")
	if d.s.err != nil {
		t.Error("that is no failure to connect")
	}
}

// TestScreenResumes: a chat whose connection breaks, and what became of each message.
func TestScreenResumes(t *testing.T) {
	d := sitDown(t, 80, 24)
	d.happens(Event{Kind: Paired, State: Chatting, Pair: 1, Keeps: true})
	for _, text := range []string{"one", "two", "three"} {
		d.types(text)
		d.presses(enter)
	}
	d.happens(Event{Kind: Delivered, State: Chatting, IDs: []int{1}})
	d.sees("You  one ✓")
	d.seesNo("You  two ✓")
	d.happens(Event{Kind: Slow, State: Chatting, On: true})
	d.sees("the connection is slow")
	d.happens(Event{Kind: Changed, State: Reconnecting, Keeps: true, Attempt: 1, Err: errors.New("connection lost")})
	d.sees("● reconnecting", "Connection lost. Coming back to the chat…")
	d.seesNo("the connection is slow")
	d.happens(Event{Kind: Changed, State: Reconnecting, Keeps: true, Attempt: 2, Retry: 2500 * time.Millisecond, Err: errors.New("no route")})
	d.sees("again in 3 s")
	d.seesNo("No route")
	d.now = d.now.Add(time.Second)
	if _, again := d.s.Update(second{}); again == nil {
		t.Error("no further second")
	}
	d.sees("again in 2 s")
	d.types("while away")
	d.presses(enter)
	d.sees("You  while away")
	d.happens(Event{Kind: Changed, State: Reconnecting}, Event{Kind: Changed, State: Chatting}, Event{Kind: Away, State: Chatting, On: true, Reason: record.AwayLost})
	d.sees("● chatting · Stranger is reconnecting…")
	d.happens(Event{Kind: Resumed, State: Chatting, On: true, N: 2})
	d.sees("You are back with the stranger. 2 messages of theirs were lost.")
	d.seesNo("· Stranger is reconnecting…")
	d.happens(Event{Kind: Parted, State: Left, Reason: record.LeftClosed}, Event{Kind: Delivered, State: Left, IDs: []int{2}},
		Event{Kind: Uncertain, State: Left, N: 1, IDs: []int{3}}, Event{Kind: Undelivered, State: Left, N: 1, IDs: []int{4}})
	d.sees("You  two ✓", "You  three  ? perhaps not delivered", "You  while away  ✗ not delivered")
	d.seesNo("Perhaps not delivered: your")
	d.seesNo("Not delivered: your")
	d.types("too late")
	d.presses(enter)
	d.sees("nobody is there to read it")
}

func TestScreenTalks(t *testing.T) {
	d := sitDown(t, 80, 24)
	d.meets()
	d.types("hi")
	d.presses(enter)
	d.wanted("typing true", "typing true", `say 1 "hi"`)
	d.sees("You  hi")
	d.types("//me")
	d.presses(enter)
	d.wanted("typing false", "typing false", "typing false", "typing false", `say 2 "/me"`)
	d.types("x")
	d.presses(tea.KeyPressMsg{Code: tea.KeyBackspace})
	d.wanted("typing true", "typing false")
	d.s.Update(tea.PasteMsg{Content: "two\nlines\x1b[31m"})
	d.presses(enter)
	d.wanted("typing true", `say 3 "two lines[31m"`)

	d.happens(Event{Kind: Undelivered, State: Left, N: 2, IDs: []int{2, 3}})
	d.sees("You  /me  ✗ not delivered", "two lines[31m  ✗ not delivered")
	d.seesNo("You  hi  ✗")
	d.seesNo("Not delivered:")
	d.happens(Event{Kind: Undelivered, State: Left, N: 1})
	d.sees("Not delivered: your last message.")
}

func TestScreenCommands(t *testing.T) {
	d := sitDown(t, 80, 30)
	d.meets()
	for _, test := range []struct{ line, want, sees string }{
		{"/interests go, a b", `interests ["go" "a b"]`, "Interests: go, a b."},
		{"/next", "next 1", ""},
		{"/stop", "stop", ""},
		{"/help", "", "/interests a, b"},
	} {
		d.types(test.line)
		d.client.wants = nil
		d.presses(enter)
		if test.want != "" {
			d.wanted(test.want)
		}
		d.sees(test.sees, "Say something")
	}
	d.types("/nxt")
	d.presses(enter)
	d.sees("There is no command /nxt", "> /nxt") // to be mended
	d.client.wants = nil
	d.presses(tea.KeyPressMsg{Code: 'u', Mod: tea.ModCtrl})
	d.types("/quit")
	if !quits(d.presses(enter)) || !quits(d.presses(ctrlC)) {
		t.Error("does not quit")
	}
	if quits(d.presses(ctrlD)) {
		t.Error("ctrl+d on a draft quits")
	}
	d.s.input.Reset()
	if !quits(d.presses(ctrlD)) {
		t.Error("ctrl+d does not quit")
	}
}

// A key pressed twice does not skip a stranger.
func TestScreenNextTwice(t *testing.T) {
	d := sitDown(t, 80, 24)
	d.meets()
	d.presses(ctrlN)
	d.wanted("next 1")
	d.happens(Event{Kind: Paired, State: Chatting, Pair: 2})
	d.presses(ctrlN)
	d.wanted()
	d.now = d.now.Add(nextPause)
	d.presses(ctrlN)
	d.wanted("next 2")
}

// A draft stays where nobody can read it, also over a lost connection; what was
// begun for one stranger is not sent to the next.
func TestScreenDraft(t *testing.T) {
	d := sitDown(t, 80, 24)
	d.happens(Event{Kind: Changed, State: Looking})
	d.types("early")
	d.client.wants = nil
	d.presses(enter)
	d.wanted()
	d.sees("> early", "nobody is there")
	d.meets()
	d.sees("> early")
	d.presses(enter)
	d.wanted(`say 1 "early"`)
	d.types("for you alone")
	d.happens(Event{Kind: Parted, State: Reconnecting, Reason: Lost}, Event{Kind: Changed, State: Left})
	d.client.wants = nil
	d.presses(enter)
	d.wanted()
	d.sees("> for you alone")
	d.meets()
	d.seesNo("for you alone")
	d.sees("for the last one, and is gone")
}

func TestScreenHostile(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {30, 10}, {7, 3}, {1, 1}} {
		d := sitDown(t, size[0], size[1])
		d.meets()
		for _, text := range []string{
			"\x1b[2J\x1b]52;c;aGk=\a\u009b31m", "\u202Egnp.exe\u2066", strings.Repeat("x", 64<<10),
			strings.Repeat("\n", 1000), strings.Repeat("👩‍👩‍👧‍👦你", 500), strings.Repeat("e\u0301\u0302\u0303", 500), "\xff\xfe",
		} {
			d.happens(Event{Kind: Message, State: Chatting, Text: text, Size: len(text)})
			content := d.s.View().Content
			for _, bad := range []string{"\x1b[2J", "\x1b]", "\a", "\u202e", "\u2066", "\u009b", "\xff"} {
				if strings.Contains(content, bad) {
					t.Errorf("%q reached the terminal", bad)
				}
			}
			d.screen()
		}
		d.happens(Event{Kind: Message, State: Chatting, Binary: "image/png", Size: 12 << 10})
		if size[0] >= 30 {
			d.sees("[image, 12 KiB]")
		}
		d.happens(Event{Kind: Refused, State: Chatting, Text: "a\x1b[2Jb\nc"},
			Event{Kind: Paired, State: Chatting, Pair: 9, Common: []string{"\x1b[2J"}},
			Event{Kind: Parted, State: Left, Reason: "\x1b[2J"})
		if strings.Contains(d.s.View().Content, "\x1b[2J") {
			t.Error("what the server says reached the terminal")
		}
		d.screen()
	}
}

func TestScreenScrolls(t *testing.T) {
	d := sitDown(t, 80, 12)
	d.meets()
	for i := range 100 {
		d.happens(Event{Kind: Message, State: Chatting, Text: fmt.Sprintf("line %d.", i)})
	}
	d.sees("line 99.", "line 90.")
	d.presses(pgUp)
	d.sees("line 81.", "line 90.")
	d.seesNo("line 91.")
	d.happens(Event{Kind: Message, State: Chatting, Text: "news\nin two rows"}) // what is read stays
	d.sees("line 81.", "line 90.", "↓ 1 new")
	d.presses(pgDn, pgDn)
	d.sees("in two rows")
	d.seesNo("new ")
	for range 50 {
		d.presses(pgUp)
	}
	d.sees("Strangers are strangers")
	d.s.Update(tea.WindowSizeMsg{Width: 40, Height: 8})
	d.sees("in two rows")
}

func TestHistoryIsBounded(t *testing.T) {
	var h history
	h.resize(80)
	for range 2 * maxEntries {
		h.add(entry{who: stranger, text: "x"})
	}
	for range 5 {
		h.add(entry{who: stranger, text: strings.Repeat("x", maxHistoryBytes/4)})
	}
	rows := 0
	bytes := 0
	for _, e := range h.entries {
		rows += len(e.rows)
		bytes += len(e.text) + len(e.rest)
	}
	if len(h.entries) > maxEntries || bytes > maxHistoryBytes || h.rows != rows || h.bytes != bytes {
		t.Errorf("%d entries, %d bytes (%d), %d rows (%d)", len(h.entries), bytes, h.bytes, rows, h.rows)
	}
}

func TestScreenFailsAtFirst(t *testing.T) {
	d := sitDown(t, 80, 24)
	_, cmd := d.s.Update(Event{Kind: Over, State: Ended, Err: errors.New("refused")})
	if d.s.err == nil || !quits(cmd) {
		t.Error("does not quit")
	}
}

// TestScreenWrongCommand: a command that there is not does not stick to the line: what
// is typed next takes its place, unless a key other than of a character mends it.
func TestScreenWrongCommand(t *testing.T) {
	d := sitDown(t, 60, 10)
	last := func(want string) {
		t.Helper()
		if w := d.client.wants; len(w) == 0 || w[len(w)-1] != want {
			t.Errorf("client was asked for %q, want %q at last", w, want)
		}
	}
	d.meets()
	d.types("/nxt")
	d.presses(enter)
	d.sees("There is no command /nxt")
	d.types("/next")
	d.presses(enter)
	last("next 1")

	d.meets()
	d.types("/topp")
	d.presses(enter, tea.KeyPressMsg{Code: tea.KeyHome}, tea.KeyPressMsg{Code: tea.KeyRight})
	d.types("s")
	d.presses(tea.KeyPressMsg{Code: tea.KeyEnd}, tea.KeyPressMsg{Code: tea.KeyBackspace}, enter)
	last("stop")
}
