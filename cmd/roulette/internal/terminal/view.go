package terminal

import (
	"fmt"
	"math"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// View implements [tea.Model].
func (s *screen) View() tea.View {
	rows := append(s.history.view(s.room()), s.stateLine(), ansi.Truncate(s.input.View(), s.width, ""))
	v := tea.NewView(strings.Join(rows[max(0, len(rows)-s.height):], "\n"))
	v.AltScreen = true
	return v
}

var stateColours = [...]lipgloss.Style{
	Connecting:   lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	Idle:         lipgloss.NewStyle(),
	Looking:      lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	Chatting:     lipgloss.NewStyle().Foreground(lipgloss.Green),
	Left:         lipgloss.NewStyle().Foreground(lipgloss.Magenta),
	Reconnecting: lipgloss.NewStyle().Foreground(lipgloss.Red),
	Ended:        lipgloss.NewStyle().Foreground(lipgloss.Red),
}

// stateLine is the rule between history and input.
func (s *screen) stateLine() string {
	left := " " + stateColours[s.state].Bold(true).Render("● "+s.state.String()) + " "
	if aside := s.aside(); aside != "" {
		left += faint.Render("·") + " " + aside + " "
	}
	right := ""
	if s.history.unseen > 0 {
		right += fmt.Sprintf(" ↓ %d new ", s.history.unseen)
	}
	if s.online > 0 && s.state != Ended && s.state != Reconnecting {
		right += fmt.Sprintf(" %d online ", s.online)
	}
	rule := s.width - 4 - lipgloss.Width(left) - lipgloss.Width(right)
	if rule < 0 {
		return ansi.Truncate("──"+left, s.width, "…")
	}
	return faint.Render("──") + left + faint.Render(strings.Repeat("─", rule)) + right + faint.Render("──")
}

// aside is what stands beside the state.
func (s *screen) aside() string {
	switch {
	case s.hint != "":
		return s.hint
	case s.state == Reconnecting && s.now().Before(s.retryAt):
		return fmt.Sprintf("again in %d s", int(math.Ceil(s.retryAt.Sub(s.now()).Seconds())))
	case s.away:
		return "Stranger is reconnecting…"
	case s.slow:
		return "the connection is slow"
	case s.typing:
		return "Stranger is typing…"
	case s.state == Left, s.state == Idle:
		return "Enter finds a stranger"
	case s.state == Ended:
		return "Ctrl+C quits"
	}
	return ""
}
