package terminal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coder/websocket"

	"roulette/frame/record"
)

// dossier is what a stranger can be blocked and reported with: what the server has
// sealed, and what they have said since the mark before the last.
type dossier struct {
	opening string // "": they can be neither
	heard   []record.Relayed
	before  uint32          // messages before those
	marks   []mark          // the last two at most
	sent    bool            // it was reported
	waits   *record.Command // a report that waits for the last mark
	shown   string          // the report that was shown, and not sent yet
}

type mark struct {
	n    uint32
	text string
}

// hears notes a message of the stranger.
func (d *dossier) hears(kind websocket.MessageType, data []byte) {
	if d.opening == "" {
		return
	}
	d.heard = append(d.heard, record.Relayed{Binary: kind == websocket.MessageBinary, Payload: data})
}

// stamped notes a mark, and forgets what comes before the last but one.
func (d *dossier) stamped(n uint32, text string) {
	if d.opening == "" || n < d.before || int(n-d.before) > len(d.heard) {
		return
	}
	d.marks = append(d.marks, mark{n, text})
	if len(d.marks) > 2 {
		d.marks = slices.Delete(d.marks, 0, 1)
	}
	if first := d.marks[0]; len(d.marks) == 2 {
		d.heard = slices.Delete(d.heard, 0, int(first.n-d.before))
		d.before = first.n
	}
}

// said is what a report would have: what came after the last mark, or between the last
// two if there is nothing after it.
func (d *dossier) said() []record.Relayed {
	if n := len(d.marks); n > 0 && int(d.marks[n-1].n-d.before) < len(d.heard) {
		return d.heard[d.marks[n-1].n-d.before:]
	}
	return d.heard
}

// complete tells whether there is a mark for all that was said.
func (d *dossier) complete() bool {
	n := len(d.marks)
	return n > 0 && int(d.marks[n-1].n-d.before) == len(d.heard)
}

// file fills a report in, when there is a mark for all.
func (d *dossier) file(cmd *record.Command) {
	last := d.marks[len(d.marks)-1]
	cmd.Opening, cmd.Last, cmd.Messages = d.opening, last.text, d.heard
	if len(d.marks) == 2 {
		cmd.First = d.marks[0].text
	}
}

// Block keeps the stranger, or the one before, from ever being met again, and leaves
// them.
func (c *Client) Block() { c.do(c.block) }

// Report shows what would be reported of the stranger, or the one before, and sends it
// when it is called with the same again.
func (c *Client) Report(text string) { c.do(func() { c.report(text) }) }

func (c *Client) block() {
	if c.dossier.opening == "" || !c.canBlock {
		c.tell(Event{Kind: NotPossible, Text: "There is nobody whom you could block."})
		return
	}
	if c.state == Chatting {
		c.stop()
	}
	c.record(record.AppendCommand(nil, &record.Command{Kind: record.Block, Opening: c.dossier.opening}), false)
}

func (c *Client) report(text string) {
	d := &c.dossier
	reason, words, _ := strings.Cut(text, " ")
	said := d.said()
	switch {
	case !slices.Contains(record.ReportReasons[:], reason):
		c.tell(Event{Kind: NotPossible, Text: "Say why: /report " + strings.Join(record.ReportReasons[:], ", ") + ", and perhaps something more."})
		return
	case !c.canReport || d.opening == "" || len(said) == 0 || d.sent:
		c.tell(Event{Kind: NotPossible, Text: "There is nothing that you could report."})
		return
	case d.shown != text:
		d.shown = text
		c.tell(Event{Kind: NotPossible, Text: fmt.Sprintf("The moderators would read this, and what you wrote (%d messages):", len(said))})
		for _, m := range said {
			line := VisibleLine(string(m.Payload))
			if m.Binary {
				line = fmt.Sprintf("[binary, %s]", sizeText(len(m.Payload)))
			}
			c.tell(Event{Kind: NotPossible, Text: "  " + line})
		}
		c.tell(Event{Kind: NotPossible, Text: "The same command again leaves the stranger and sends it."})
		return
	}
	d.sent, d.shown = true, ""
	d.waits = &record.Command{Kind: record.Report, Reason: reason, Text: strings.TrimSpace(words)}
	if c.state == Chatting {
		c.stop()
	}
	c.fileReport()
}

// fileReport sends a report that waits, if there is a mark for all that it says.
func (c *Client) fileReport() {
	d := &c.dossier
	if d.waits == nil || !d.complete() {
		return
	}
	cmd := d.waits
	d.waits = nil
	d.file(cmd)
	c.record(record.AppendCommand(nil, cmd), false)
}
