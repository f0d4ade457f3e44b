package terminal

import (
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Bounds of what is kept of a conversation, in memory only (I4).
const (
	maxEntries      = 2000
	maxHistoryBytes = 2 << 20
)

// Parts of a long message that are laid out at once, and each time that the person
// asks for more.
const (
	firstLines, firstBytes = 30, 4 << 10
	moreLines, moreBytes   = 300, 16 << 10
)

// history is what was said, oldest first, with the rows that it takes on a screen
// of some width. The zero value is empty.
type history struct {
	entries []entry
	bytes   int // of all texts
	rows    int // of all entries
	width   int // of the screen; 0 until it is known
	offset  int // rows between the end of what is seen and the end of all
	unseen  int // entries that came while offset was not 0
}

// An entry is one message or notice.
type entry struct {
	who  who
	at   time.Time
	text string // clean
	rest string // of the text, until it is asked for
	id   int    // of a message of ours
	fate fate   // of a message of ours
	rows []string
}

type who uint8

const (
	system who = iota
	you
	stranger
)

var names = [...]string{system: "*", you: "You", stranger: "Stranger"}

// Colours are the sixteen that every terminal has, in the user's own shades.
var (
	nameStyles = [...]lipgloss.Style{
		system:   lipgloss.NewStyle().Faint(true),
		you:      lipgloss.NewStyle().Foreground(lipgloss.Green).Bold(true),
		stranger: lipgloss.NewStyle().Foreground(lipgloss.Cyan).Bold(true),
	}
	textStyles = [...]lipgloss.Style{
		system:   lipgloss.NewStyle().Faint(true),
		you:      lipgloss.NewStyle(),
		stranger: lipgloss.NewStyle(),
	}
	failedStyle = lipgloss.NewStyle().Foreground(lipgloss.Red)
	faint       = lipgloss.NewStyle().Faint(true)
)

// fate is what became of a message.
type fate uint8

const (
	onItsWay fate = iota
	delivered
	uncertain
	undelivered
)

var fateMarks = [...]string{delivered: " ✓", uncertain: "  ? perhaps not delivered", undelivered: "  ✗ not delivered"}

const (
	nameWidth  = 8
	wideIndent = 5 + 2 + nameWidth + 2 // time and name in columns of their own
	wide       = 50                    // columns from which there is room for them
)

// add appends an entry. What is seen stays where it is, unless that is the end.
func (h *history) add(e entry) {
	if e.who != system {
		e.text, e.rest = piece(e.text, firstLines, firstBytes)
	}
	e.render(h.width)
	h.entries = append(h.entries, e)
	h.bytes += len(e.text) + len(e.rest)
	h.rows += len(e.rows)
	if h.offset > 0 {
		h.offset += len(e.rows)
		h.unseen++
	}
	for len(h.entries) > maxEntries || h.bytes > maxHistoryBytes && len(h.entries) > 1 {
		first := &h.entries[0]
		h.bytes -= len(first.text) + len(first.rest)
		h.rows -= len(first.rows)
		h.entries = h.entries[1:]
	}
}

// mark says what became of a message of ours and reports whether it is there.
func (h *history) mark(id int, now fate) bool {
	for i := len(h.entries) - 1; i >= 0; i-- {
		e := &h.entries[i]
		if e.id != id {
			continue
		}
		if e.fate != now {
			e.fate = now
			before := len(e.rows)
			e.render(h.width)
			h.rows += len(e.rows) - before
		}
		return true
	}
	return false
}

// more shows the next piece of the last message that has any, and reports whether one has.
func (h *history) more() bool {
	for i := len(h.entries) - 1; i >= 0; i-- {
		e := &h.entries[i]
		if e.rest == "" {
			continue
		}
		next, rest := piece(e.rest, moreLines, moreBytes)
		e.text, e.rest = e.text+next, rest
		if h.width > 0 {
			h.rows -= len(e.rows)
			e.rows = e.rows[:len(e.rows)-1] // which said that there is more
			e.wrap(next, e.margin(h.width), h.width)
			h.rows += len(e.rows)
		}
		return true
	}
	return false
}

func (h *history) resize(width int) {
	if width == h.width {
		return
	}
	h.width, h.rows, h.offset, h.unseen = width, 0, 0, 0
	for i := range h.entries {
		h.entries[i].render(width)
		h.rows += len(h.entries[i].rows)
	}
}

// scroll moves what is seen by so many rows, up if they are positive.
func (h *history) scroll(rows, height int) {
	h.offset = max(0, min(h.offset+rows, h.rows-height))
	if h.offset == 0 {
		h.unseen = 0
	}
}

// view is the rows that are seen, exactly height of them.
func (h *history) view(height int) []string {
	view := make([]string, height)
	at := height + h.offset // rows from the top of what is seen to the end of an entry
	for i := len(h.entries) - 1; i >= 0 && at > 0; i-- {
		rows := h.entries[i].rows
		at -= len(rows)
		for j, row := range rows {
			if n := at + j; n >= 0 && n < height {
				view[n] = row
			}
		}
	}
	return view
}

// render lays the entry out for a screen of this width.
func (e *entry) render(width int) {
	e.rows = nil
	if width <= 0 {
		return
	}
	text, first := e.text, ""
	text += fateMarks[e.fate]
	if width >= wide {
		name := strings.Repeat(" ", nameWidth-len(names[e.who])) + names[e.who]
		first = faint.Render(e.at.Format("15:04")) + "  " + nameStyles[e.who].Render(name) + "  "
	} else {
		first = nameStyles[e.who].Render(names[e.who]) + " "
		if e.who != system {
			// The name has a row of its own: it may be as wide as the screen.
			e.rows = append(e.rows, ansi.Truncate(first, width, ""))
			first = "  "
		}
	}
	e.wrap(text, first, width)
}

// margin is what stands before every row but the first.
func (e *entry) margin(width int) string {
	if width >= wide {
		return strings.Repeat(" ", wideIndent)
	}
	return "  "
}

// wrap appends the rows of text, which begin with first, and says whether there is more.
func (e *entry) wrap(text, first string, width int) {
	style, margin := textStyles[e.who], e.margin(width)
	if e.fate >= uncertain {
		style = failedStyle
	}
	for row := range strings.SplitSeq(ansi.Wrap(strings.TrimSuffix(text, "\n"), max(width-len(margin), 1), ""), "\n") {
		e.rows = append(e.rows, first+style.Render(row))
		first = margin
	}
	if e.rest != "" {
		e.rows = append(e.rows, ansi.Truncate(margin+faint.Render("… "+sizeText(len(e.rest))+" more: /more"), width, ""))
	}
}
