package terminal

import (
	"io"
	"strings"
	"time"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"roulette/frame/record"
)

// Screen talks on a terminal until the user quits. It returns why there was no
// connection at all, or what the terminal did.
func Screen(client *Client, in io.Reader, out io.Writer) error {
	s := newScreen(client, client.config.Interests, time.Now)
	s.events = client.Events()
	_, err := tea.NewProgram(s, tea.WithInput(in), tea.WithOutput(out)).Run()
	client.Close()
	go func() {
		for range client.Events() {
		}
	}()
	select {
	case <-client.done:
	case <-time.After(partingTime):
	}
	if err == nil {
		err = s.err
	}
	return err
}

const (
	partingTime = 2 * time.Second // for the connection to close
	// nextPause is how long a second press of the key for the next stranger does not
	// count, so that it does not skip the one who has just come.
	nextPause = time.Second
)

// talker is what a screen needs of a [Client].
type talker interface {
	Next(pair uint32)
	Again()
	SetInterests(list []string)
	Stop()
	Block()
	Report(text string)
	Say(id int, text string)
	Typing(on bool)
}

// screen is the model of the terminal's user interface, as bubbletea has it: its
// goroutine calls all methods. It knows of the connection what the events say.
type screen struct {
	client talker
	now    func() time.Time
	events <-chan Event // nil in tests, which call Update

	width, height int
	input         textinput.Model
	history       history
	hint          string // until the next key

	state     State
	pair      uint32
	pairedAt  time.Time
	typing    bool // the stranger
	online    uint64
	interests []string
	lastID    int
	keeps     bool      // the chat goes on when the connection is back
	away      bool      // the stranger's connection is lost
	slow      bool      // the server takes long to answer
	retryAt   time.Time // when the connection is tried again
	reached   bool      // the server was there once
	err       error     // it never was

	// wrong says that the line is a command that there is not: what is typed next
	// takes its place, and any other key mends it.
	wrong bool

	// A draft that was begun for one stranger is not for the next one.
	meetings  int // strangers so far
	draftedIn int // the meeting in which the draft was begun; 0: between two
}

func newScreen(client talker, interests []string, now func() time.Time) *screen {
	s := &screen{client: client, interests: interests, now: now, input: textinput.New()}
	s.input.Prompt = "> "
	s.input.Placeholder = "Say something; /help lists the commands"
	s.input.KeyMap.Paste.SetEnabled(false) // the terminal pastes
	styles := s.input.Styles()
	styles.Focused.Placeholder = faint
	styles.Focused.Prompt = lipgloss.NewStyle().Bold(true)
	styles.Cursor.Blink = false
	s.input.SetStyles(styles)
	s.input.Focus()
	s.note("Strangers are strangers: tell them nothing that could be used against you.")
	return s
}

// Init implements [tea.Model].
func (s *screen) Init() tea.Cmd { return s.await }

// await is the next event, as a message of bubbletea.
func (s *screen) await() tea.Msg {
	if e, ok := <-s.events; ok {
		return e
	}
	return nil
}

// Update implements [tea.Model].
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
		s.history.resize(msg.Width)
		s.input.SetWidth(max(msg.Width-len(s.input.Prompt)-1, 1))
	case Event:
		if s.happened(msg); s.err != nil {
			return s, tea.Quit
		}
		if msg.Kind == Changed && msg.Retry > 0 {
			return s, tea.Batch(s.await, countDown())
		}
		return s, s.await
	case second:
		if s.state == Reconnecting && s.now().Before(s.retryAt) {
			return s, countDown()
		}
	case tea.KeyPressMsg:
		return s, s.key(msg)
	default:
		return s, s.edit(msg)
	}
	return s, nil
}

// key obeys one key.
func (s *screen) key(msg tea.KeyPressMsg) tea.Cmd {
	s.hint = ""
	switch msg.String() {
	case "ctrl+c":
		return tea.Quit
	case "ctrl+d":
		if s.input.Value() == "" {
			return tea.Quit
		}
	case "enter":
		return s.enter()
	case "ctrl+n":
		if s.state == Chatting && s.now().Sub(s.pairedAt) < nextPause {
			s.hint = "this stranger is new"
			return nil
		}
		s.next()
		return nil
	case "pgup":
		s.history.scroll(s.room()-1, s.room())
		return nil
	case "pgdown":
		s.history.scroll(1-s.room(), s.room())
		return nil
	case "up":
		s.history.scroll(1, s.room())
		return nil
	case "down":
		s.history.scroll(-1, s.room())
		return nil
	}
	return s.edit(msg)
}

// edit passes what changes the draft on to the input, and says that the user is
// typing.
func (s *screen) edit(msg tea.Msg) tea.Cmd {
	before := s.input.Value()
	if key, ok := msg.(tea.KeyPressMsg); ok {
		if s.wrong && key.Text != "" {
			s.input.Reset()
		}
		s.wrong = false
	}
	var cmd tea.Cmd
	s.input, cmd = s.input.Update(msg)
	after := s.input.Value()
	if after == before {
		return cmd
	}
	if before == "" {
		s.draftedIn = 0
		if s.state == Chatting || s.state == Left {
			s.draftedIn = s.meetings
		}
	}
	s.client.Typing(after != "" && !strings.HasPrefix(after, "/"))
	return cmd
}

// enter obeys the line that was typed.
func (s *screen) enter() tea.Cmd {
	order := parseLine(s.input.Value())
	switch order.verb {
	case nothing:
		if s.state == Idle || s.state == Left {
			s.next()
		}
		return nil
	case say:
		if s.state != Chatting && !s.keeps {
			s.hint = "nobody is there to read it"
			return nil // the draft stays
		}
		s.lastID++
		s.history.add(entry{who: you, at: s.now(), text: Visible(order.text), id: s.lastID})
		s.client.Say(s.lastID, order.text)
		s.history.scroll(-s.history.offset, s.room())
	case next:
		s.next()
	case again:
		s.client.Again()
	case stop:
		s.client.Stop()
	case block:
		s.client.Block()
	case report:
		s.client.Report(order.text)
	case setInterests:
		s.interests = order.interests
		s.client.SetInterests(order.interests)
		s.note(interestsText(order.interests))
	case showInterests:
		s.note(interestsText(s.interests))
	case more:
		if !s.history.more() {
			s.hint = "no message has more"
		}
	case help:
		for _, line := range helpLines {
			s.note(line)
		}
		s.note("/more              show more of a long message")
		s.note("Ctrl+N is /next, Ctrl+C is /quit, PgUp and PgDn scroll.")
	case quit:
		return tea.Quit
	case wrong:
		s.hint, s.wrong = order.text, true
		return nil
	}
	s.input.Reset()
	return nil
}

func (s *screen) next() { s.client.Next(s.pair) }

// note adds a notice; text is clean.
func (s *screen) note(text string) {
	s.history.add(entry{who: system, at: s.now(), text: text})
}

// happened takes an event.
func (s *screen) happened(e Event) {
	s.state = e.State
	if e.State != Chatting {
		s.typing, s.away = false, false
	}
	if e.State != Chatting && e.State != Reconnecting {
		s.keeps = false
	}
	text := notice(e)
	switch e.Kind {
	case Changed:
		if e.State == Reconnecting {
			s.keeps, s.slow, s.retryAt = s.keeps && (e.Err == nil || e.Keeps), false, s.now().Add(e.Retry)
		}
	case Slow:
		s.slow = e.On
	case Away:
		s.away = e.On && e.Reason == record.AwayLost
	case Resumed:
		s.away = false
	case Paired:
		s.keeps, s.away = e.Keeps, false
		s.pair, s.pairedAt = e.Pair, s.now()
		s.meetings++
		if s.draftedIn != 0 && s.input.Value() != "" {
			s.input.Reset()
			text += " What you had begun to write was for the last one, and is gone."
		}
		s.draftedIn = 0
	case Message:
		s.typing = false
		said := Visible(e.Text)
		if e.Binary != "" {
			said = binary(e)
		}
		s.history.add(entry{who: stranger, at: s.now(), text: said})
	case Typing:
		s.typing = e.On
	case Online:
		s.online, s.reached = e.N, true
	case Delivered:
		s.mark(e.IDs, delivered)
	case Uncertain:
		if s.mark(e.IDs, uncertain) == e.N {
			text = ""
		}
	case Undelivered:
		marked := s.mark(e.IDs, undelivered)
		if marked == e.N && e.Text == "" {
			text = ""
		}
	case Over:
		if !s.reached {
			s.err = e.Err
		} else if e.Err != nil {
			text = capital(e.Err.Error()) + "."
		}
	}
	if text != "" {
		s.note(text)
	}
}

// mark says what became of messages of ours, and of how many that is to be seen.
func (s *screen) mark(ids []int, now fate) (marked uint64) {
	for _, id := range ids {
		if s.history.mark(id, now) {
			marked++
		}
	}
	return marked
}

// second is a message of bubbletea: one has passed.
type second struct{}

func countDown() tea.Cmd { return tea.Tick(time.Second, func(time.Time) tea.Msg { return second{} }) }

// room is how many rows the history has.
func (s *screen) room() int { return max(s.height-2, 0) }
