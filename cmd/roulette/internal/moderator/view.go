package moderator

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/terminal"
)

// Colours are the sixteen that every terminal has, in the user's own shades.
var (
	strong = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	mark   = lipgloss.NewStyle().Reverse(true)
	said   = map[safety.From]lipgloss.Style{
		safety.FromReported: lipgloss.NewStyle().Foreground(lipgloss.Magenta).Bold(true),
		safety.FromReporter: lipgloss.NewStyle().Foreground(lipgloss.Green).Bold(true),
	}
)

var speakers = map[safety.From]string{safety.FromReported: "Reported", safety.FromReporter: "Reporter"}

// listRows is how many rows the list has: a third of the screen.
func (d *desk) listRows() int { return max(min(d.height/3, 10), 2) }

// reading is how many rows the case has that is read.
func (d *desk) reading() int { return max(d.height-d.listRows()-5, 1) }

// View implements [tea.Model].
func (d *desk) View() tea.View {
	rows := []string{d.title()}
	if d.statistics {
		rows = append(rows, d.window(d.numbers(), d.listRows()+d.reading()+1)...)
	} else {
		rows = append(rows, d.list()...)
		rows = append(rows, faint.Render(strings.Repeat("─", max(d.width, 0))))
		rows = append(rows, d.window(d.text(d.chosen()), d.reading())...)
	}
	rows = append(rows, d.bottom()...)
	for i := range rows {
		rows[i] = ansi.Truncate(rows[i], d.width, "…")
	}
	v := tea.NewView(strings.Join(rows[:min(len(rows), max(d.height, 0))], "\n"))
	v.AltScreen = true
	return v
}

func (d *desk) title() string {
	n := count(d.cases)
	text := fmt.Sprintf(" %d waiting", n.waiting)
	if !n.oldest.IsZero() {
		text += ", the oldest for " + ago(d.now().Sub(n.oldest))
	}
	if n.closed > 0 {
		text += fmt.Sprintf(", %d for another key", n.closed)
	}
	return strong.Render("Reports") + text
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// list is the rows of the list, around the chosen case.
func (d *desk) list() []string {
	all, n := d.listed(), d.listRows()
	d.chosen()
	first := max(min(d.at-n/2, len(all)-n), 0)
	var rows []string
	for i := first; i < min(first+n, len(all)); i++ {
		c := all[i]
		state := "waits"
		if c.Decided != "" {
			state = c.Decided
		}
		what := "cannot be read with this key"
		if c.Closed == nil {
			what = fmt.Sprintf("%-10s  %d messages  %s", clean(c.Report.Reason), len(c.Report.Lines), firstWords(c.Report))
		}
		row := ansi.Truncate(fmt.Sprintf(" %s  %-7s  %s", c.At.Local().Format("Jan 02 15:04"), state, what), d.width, "…")
		if i == d.at {
			row = mark.Render(row + strings.Repeat(" ", max(d.width-lipgloss.Width(row), 0)))
		}
		rows = append(rows, row)
	}
	if len(all) == 0 {
		rows = append(rows, faint.Render(" Nothing waits. Tab shows what was decided, r asks again."))
	}
	for len(rows) < n {
		rows = append(rows, "")
	}
	return rows
}

// clean is a word of a stranger's client in one line.
func clean(text string) string { return terminal.VisibleLine(text) }

// firstWords are the first of the reported's words.
func firstWords(r safety.Report) string {
	for _, l := range r.Lines {
		if l.From == safety.FromReported && l.Op == 1 {
			return "“" + ansi.Truncate(clean(string(l.Payload[:min(len(l.Payload), 400)])), 60, "…") + "”"
		}
	}
	return ""
}

// text is a case, in rows as wide as the screen.
func (d *desk) text(c *Case) []string {
	if c == nil {
		return nil
	}
	if c.Closed != nil {
		return wrap("It cannot be read: "+clean(c.Closed.Error())+". Another moderator's key may.", d.width)
	}
	r, of := c.Report, recordsOf(d.cases)
	var rows []string
	add := func(name, value string) {
		for i, row := range wrap(value, d.width-11) {
			if i > 0 {
				name = ""
			}
			rows = append(rows, faint.Render(fmt.Sprintf("%-10s ", name))+row)
		}
	}
	add("Reason", clean(r.Reason)+", "+r.At.Local().Format("2006-01-02 15:04:05"))
	if r.Text != "" {
		add("In words", terminal.Visible(r.Text))
	}
	who := r.Reported.String()
	if r.Reported.Shared() {
		who += " (whoever has no cookie in that network)"
	}
	if n := count(d.cases).reported[r.Reported]; n > 1 {
		who += fmt.Sprintf(", in %d reports", n)
	}
	add("Reported", who)
	if r.Network.IsValid() {
		add("Network", r.Network.String())
	}
	t := of[r.Reporter]
	add("Reporter", fmt.Sprintf("%v: %d reports, %d right, %d false", r.Reporter, t.made, t.right, t.wrong))
	if c.Decided != "" {
		add("Decided", c.Decided)
	}
	rows = append(rows, "")
	for _, l := range r.Lines {
		text := terminal.Visible(string(l.Payload))
		if l.Op != 1 {
			text = fmt.Sprintf("(%d bytes, perhaps a picture)", len(l.Payload))
		}
		for i, row := range wrap(text, d.width-10) {
			name := strings.Repeat(" ", 10)
			if i == 0 {
				name = said[l.From].Render(fmt.Sprintf("%-8s", speakers[l.From])) + "  "
			}
			rows = append(rows, name+row)
		}
	}
	return rows
}

func wrap(text string, width int) []string {
	return strings.Split(ansi.Wrap(text, max(width, 8), ""), "\n")
}

// window is n rows of all, as far as it is scrolled.
func (d *desk) window(all []string, n int) []string {
	d.scrolled = max(min(d.scrolled, len(all)-n), 0)
	rows := append([]string(nil), all[d.scrolled:min(d.scrolled+n, len(all))]...)
	for len(rows) < n {
		rows = append(rows, "")
	}
	if more := len(all) - d.scrolled - n; more > 0 {
		rows[n-1] = faint.Render(fmt.Sprintf("%d more rows: PgDn", more+1))
	}
	return rows
}

// numbers are the statistics, in rows.
func (d *desk) numbers() []string {
	n := count(d.cases)
	itself := func(s string) string { return s }
	rows := []string{"", strong.Render("Decided")}
	for _, k := range most(n.decided, 10, itself) {
		rows = append(rows, fmt.Sprintf("%6d  %s", n.decided[k], k))
	}
	rows = append(rows, fmt.Sprintf("%6d  waiting", n.waiting), "", strong.Render("Reasons"))
	for _, k := range most(n.reasons, 10, itself) {
		rows = append(rows, fmt.Sprintf("%6d  %s", n.reasons[k], clean(k)))
	}
	rows = append(rows, "", strong.Render("Reported most"))
	for _, p := range most(n.reported, 10, safety.Person.String) {
		rows = append(rows, fmt.Sprintf("%6d  %v", n.reported[p], p))
	}
	rows = append(rows, "", strong.Render("Reporters who were right, and not"))
	tracks := recordsOf(d.cases)
	made := make(map[safety.Person]int)
	for p, t := range tracks {
		made[p] = t.made
	}
	for _, p := range most(made, 10, safety.Person.String) {
		t := tracks[p]
		rows = append(rows, fmt.Sprintf("%6d  %v  %d right, %d false", t.made, p, t.right, t.wrong))
	}
	return rows
}

// bottom says which keys there are, and what has happened.
func (d *desk) bottom() []string {
	if d.statistics {
		return []string{faint.Render(" t back  q quit")}
	}
	var keys []string
	for _, v := range rulings {
		keys = append(keys, strong.Render(v.key)+" "+v.does)
	}
	state := clean(d.hint)
	if d.busy {
		state = "asking the server…"
	}
	return []string{" " + state, " " + strings.Join(keys, "  "), faint.Render(" ↑↓ choose  PgUp PgDn read  u undo  tab decided too  t statistics  r again  q quit")}
}
