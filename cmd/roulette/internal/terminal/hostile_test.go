package terminal

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sys/unix"

	"roulette/frame/record"
	hostile "roulette/web/stranger"
)

// TestStrangersTexts shows messages that are as hard as they can be: what is laid out
// is bounded, and nothing reaches the terminal that it would obey.
func TestStrangersTexts(t *testing.T) {
	const width, most = 80, firstLines + firstBytes/40 // rows, if each row had but 40 bytes
	var worst time.Duration
	var slowest string
	for _, text := range append(hostile.Texts(1), hostile.Plain()) {
		h := history{width: width}
		start := time.Now()
		h.add(entry{who: stranger, text: Visible(text.Text)})
		if took := time.Since(start); took > worst {
			worst, slowest = took, text.Description
		}
		if h.rows > most {
			t.Errorf("%s: %d rows of one message", text.Description, h.rows)
		}
		if len(h.entries[0].text) > firstBytes {
			t.Errorf("%s: %d bytes laid out", text.Description, len(h.entries[0].text))
		}
		steps := 0
		for h.more() {
			if steps++; steps > 2000 {
				t.Fatalf("%s: more without end", text.Description)
			}
		}
		if h.entries[0].text != Visible(text.Text) {
			t.Errorf("%s: what is shown is not the message", text.Description)
		}
		for _, shown := range []string{ansi.Strip(strings.Join(h.entries[0].rows, "")), VisibleLine(text.Text)} {
			for _, r := range shown {
				if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) {
					t.Errorf("%s: %+q reaches the terminal", text.Description, r)
					break
				}
			}
		}
	}
	t.Logf("the slowest to be shown first, %s: %v", slowest, worst)
}

func TestMoreOfALongMessage(t *testing.T) {
	h := history{width: 80}
	h.add(entry{who: stranger, text: strings.Repeat("a line\n", 1000)})
	h.add(entry{who: you, text: "short"})
	if last := h.entries[0].rows[len(h.entries[0].rows)-1]; !strings.Contains(last, "7 KiB more: /more") {
		t.Errorf("the message ends in %q", last)
	}
	if h.rows != firstLines+2 {
		t.Errorf("%d rows", h.rows)
	}
	for h.more() {
	}
	if h.rows != 1001 {
		t.Errorf("%d rows when all is shown", h.rows)
	}
}

// TestLineIsOneLine: nothing that a stranger sends looks like a line of its own, on a
// terminal of whatever width.
func TestLineIsOneLine(t *testing.T) {
	for _, gap := range []string{" ", "\n", "\r\n", "\u00a0", "\u3000", "\u3164", "\u2800", "\t", "\u2028", "\v"} {
		got := VisibleLine("hello" + strings.Repeat(gap, 1000) + "* The stranger has left.")
		if strings.Contains(got, "\n") || len(got) > 200 {
			t.Errorf("%+q: %d bytes", gap, len(got))
		}
	}
}

// TestServersTexts: what a server says of anything, and of what a stranger called their
// interests, is a short line.
func TestServersTexts(t *testing.T) {
	for _, text := range hostile.Texts(1) {
		list := strings.Split(text.Text, " ")
		for _, e := range []Event{
			{Kind: Paired, Common: []string{text.Text}, Languages: []string{text.Text}},
			{Kind: Paired, Common: list, Languages: list, Again: true},
			{Kind: Parted, Reason: record.Reason(text.Text)},
			{Kind: Away, On: true, Reason: record.Reason(text.Text)},
			{Kind: Refused, Text: text.Text},
			{Kind: Announced, Code: text.Text},
			{Kind: Changed, State: Reconnecting, Retry: time.Second, Err: errors.New(text.Text)},
		} {
			said := notice(e)
			if n := utf8.RuneCountInString(said); n > 12*2*maxBrief { // <U+10FFFF>
				t.Errorf("%s: %d characters of event %v", text.Description, n, e.Kind)
			}
			for _, r := range said {
				if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) {
					t.Errorf("%s: %+q reaches the terminal from event %v", text.Description, r, e.Kind)
					break
				}
			}
		}
	}
}

// TestStrangersTextsTakeTheirTime: eight times as much text is eight times the work, by
// processor time, so that nobody is kept from the terminal by a large message.
func TestStrangersTextsTakeTheirTime(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	work := func(text string) time.Duration {
		least := time.Hour
		for range 3 {
			start := threadTime(t)
			h := history{width: 80}
			h.add(entry{who: stranger, text: Visible(text)})
			VisibleLine(text)
			least = min(least, threadTime(t)-start)
		}
		return max(least, 50*time.Microsecond)
	}
	for _, text := range hostile.Some(hostile.Texts(1), 12, 1) {
		part := strings.ToValidUTF8(text.Text[:hostile.Size/2], "")
		if some, all := work(part), work(strings.Repeat(part, 8)); all > 32*some {
			t.Errorf("%s: %v, and eight times as much %v", text.Description, some, all)
		}
	}
}

// threadTime is the processor time that the present thread has used.
func threadTime(t *testing.T) time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Nano())
}
