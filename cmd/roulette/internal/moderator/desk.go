package moderator

import (
	"fmt"
	"io"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
	"filippo.io/age"

	"roulette/cmd/roulette/internal/safety"
)

// Config is whose desk it is.
type Config struct {
	Side       Side
	Identities []age.Identity
	BanFor     time.Duration // of b; B is four weeks
	ShadowFor  time.Duration
}

const longBan = 28 * 24 * time.Hour

// Run sits at the desk until the moderator leaves.
func Run(config Config, in io.Reader, out io.Writer) error {
	cases, err := Load(config.Side, config.Identities, nil)
	if err != nil {
		return err
	}
	_, err = tea.NewProgram(newDesk(config, cases, time.Now), tea.WithInput(in), tea.WithOutput(out)).Run()
	return err
}

// desk is the model of the program.
type desk struct {
	config Config
	now    func() time.Time

	width, height int
	cases         []*Case
	at            int // the case that is chosen
	scrolled      int // rows of it above the window
	waitingOnly   bool
	statistics    bool
	busy          bool     // the server was asked and has not answered
	hint          string   // until the next key
	decided       []string // IDs of what this desk has decided, the last one at the end
}

func newDesk(config Config, cases []*Case, now func() time.Time) *desk {
	return &desk{config: config, cases: cases, now: now, waitingOnly: true}
}

// listed are the cases that the list shows.
func (d *desk) listed() []*Case {
	if !d.waitingOnly {
		return d.cases
	}
	return slices.DeleteFunc(slices.Clone(d.cases), func(c *Case) bool { return c.Decided != "" })
}

// chosen is the case that is read; nil: there is none.
func (d *desk) chosen() *Case {
	all := d.listed()
	if len(all) == 0 {
		return nil
	}
	d.at = min(max(d.at, 0), len(all)-1)
	return all[d.at]
}

// What the server has answered, as messages.
type (
	ruled struct {
		v   safety.Verdict
		err error
	}
	loaded struct {
		cases []*Case
		err   error
	}
)

// ruling is a key that decides.
type ruling struct {
	key, does string
	verdict   func(*desk, safety.Report) safety.Verdict
}

var rulings = []ruling{
	{"a", "absolve", func(*desk, safety.Report) safety.Verdict { return safety.Verdict{Do: "absolve"} }},
	{"b", "ban", func(d *desk, r safety.Report) safety.Verdict {
		return safety.Verdict{Do: "ban", People: []safety.Person{r.Reported}, Lasts: d.config.BanFor}
	}},
	{"B", "ban for four weeks", func(_ *desk, r safety.Report) safety.Verdict {
		return safety.Verdict{Do: "ban", People: []safety.Person{r.Reported}, Lasts: longBan}
	}},
	{"s", "shadow", func(d *desk, r safety.Report) safety.Verdict {
		return safety.Verdict{Do: "shadow", People: []safety.Person{r.Reported}, Lasts: d.config.ShadowFor}
	}},
	{"f", "false report", func(_ *desk, r safety.Report) safety.Verdict {
		return safety.Verdict{Do: "false", People: []safety.Person{r.Reporter}}
	}},
}

// Init implements [tea.Model].
func (d *desk) Init() tea.Cmd { return nil }

// Update implements [tea.Model].
func (d *desk) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		d.width, d.height = msg.Width, msg.Height
	case ruled:
		d.ruled(msg)
	case loaded:
		d.busy = false
		if msg.err != nil {
			d.hint = "not loaded: " + msg.err.Error()
			break
		}
		d.cases = msg.cases
		d.hint = fmt.Sprintf("%d reports", len(d.cases))
	case tea.KeyPressMsg:
		return d, d.key(msg.String())
	}
	return d, nil
}

// key obeys one key.
func (d *desk) key(key string) tea.Cmd {
	d.hint = ""
	switch key {
	case "q", "ctrl+c", "ctrl+d":
		return tea.Quit
	case "up", "k":
		d.at, d.scrolled = max(d.at-1, 0), 0
	case "down", "j":
		d.at, d.scrolled = min(d.at+1, max(len(d.listed())-1, 0)), 0
	case "pgdown", "space":
		d.scrolled += max(d.reading()-2, 1)
	case "pgup":
		d.scrolled = max(d.scrolled-max(d.reading()-2, 1), 0)
	case "t":
		d.statistics = !d.statistics
	case "tab":
		d.waitingOnly = !d.waitingOnly
		d.at, d.scrolled = 0, 0
	case "r":
		return d.ask(d.load)
	case "u":
		return d.undo()
	default:
		return d.rule(key)
	}
	return nil
}

// ask asks the server for one thing at a time.
func (d *desk) ask(what tea.Cmd) tea.Cmd {
	if d.busy {
		d.hint = "the server has not answered yet"
		return nil
	}
	d.busy = true
	return what
}

func (d *desk) load() tea.Msg {
	cases, err := Load(d.config.Side, d.config.Identities, d.cases)
	return loaded{cases, err}
}

// rule decides about the chosen case, if key is one that decides.
func (d *desk) rule(key string) tea.Cmd {
	i := slices.IndexFunc(rulings, func(r ruling) bool { return r.key == key })
	c := d.chosen()
	switch {
	case i < 0 || c == nil || d.statistics:
		return nil
	case c.Decided != "":
		d.hint = "this is decided: u takes it back"
		return nil
	case c.Closed != nil && key != "a":
		d.hint = "nobody decides about what they cannot read"
		return nil
	}
	v := rulings[i].verdict(d, c.Report)
	v.Report = c.ID
	if slices.Contains(safety.Reasons[:], c.Report.Reason) {
		v.Reason = c.Report.Reason
	}
	return d.ask(func() tea.Msg { return ruled{v, d.config.Side.Decide(v)} })
}

// undo takes back what was decided about the chosen case, or else what this desk has
// decided last.
func (d *desk) undo() tea.Cmd {
	id := ""
	if c := d.chosen(); c != nil && c.Decided != "" {
		id = c.ID
	} else if n := len(d.decided); n > 0 {
		id = d.decided[n-1]
	} else {
		d.hint = "nothing to take back"
		return nil
	}
	v := safety.Verdict{Do: "undo", Report: id}
	return d.ask(func() tea.Msg { return ruled{v, d.config.Side.Decide(v)} })
}

// ruled takes what became of a verdict.
func (d *desk) ruled(msg ruled) {
	d.busy = false
	if msg.err != nil {
		d.hint = "not decided: " + msg.err.Error()
		return
	}
	d.decided = slices.DeleteFunc(d.decided, func(id string) bool { return id == msg.v.Report })
	now := msg.v.Do
	if now == "undo" {
		now = ""
	} else {
		d.decided = append(d.decided, msg.v.Report)
	}
	for _, c := range d.cases {
		if c.ID == msg.v.Report {
			c.Decided = now
		}
	}
	d.scrolled = 0
	d.chosen()
	d.hint = map[string]string{"": "taken back", "false": "the report was false"}[now]
	if d.hint == "" {
		d.hint = "decided: " + now
		if msg.v.Lasts > 0 {
			d.hint += " until " + d.now().Add(msg.v.Lasts).Format("2006-01-02 15:04")
		}
	}
}
