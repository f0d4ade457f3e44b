package terminal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxLine is the longest line of input, in bytes.
const maxLine = 1 << 20

// Lines talks by lines until the input ends: each line of in is a message or a
// command, each line that goes to out is "Stranger: …", a message, or "* …", a
// notice. At the end of in it waits until the last message is delivered. It
// returns why it could not go on, or that messages reached nobody.
//
// Lines are taken one after the other. With [Config].Patient, which is for this, a
// message that is read while the client looks for a stranger waits until there is
// one, and so does all behind it.
func Lines(client *Client, in io.Reader, out io.Writer) error {
	ended := make(chan struct{})
	defer close(ended)
	l := lines{client: client, out: out, interests: client.config.Interests}
	l.feed(in, ended)
	for {
		var input <-chan inputLine
		if !l.unsent {
			input = l.input
		}
		select {
		case line, ok := <-input:
			switch {
			case !ok:
				l.quit()
			case line.err != nil:
				l.err = fmt.Errorf("reading: %w", line.err)
				l.quit()
			default:
				l.obey(parseLine(strings.TrimSuffix(line.text, "\r")))
			}
		case e, ok := <-client.Events():
			if !ok {
				return l.result()
			}
			l.happened(e)
		}
		if l.broken != nil {
			return fmt.Errorf("writing: %w", l.broken)
		}
	}
}

// lines is the state of line mode, owned by Lines.
type lines struct {
	client *Client
	out    io.Writer
	broken error // of out

	input  <-chan inputLine // nil behind its end
	id     int              // of the last message
	unsent bool             // it is not out yet, nor back

	interests   []string
	undelivered uint64
	uncertain   uint64
	over        bool
	err         error // of the client, or of the input
}

// An inputLine is one line, without its end, or why there are no more.
type inputLine struct {
	text string
	err  error
}

// feed reads in until it ends, or nobody takes its lines any more. A read that is
// under way then goes on.
func (l *lines) feed(in io.Reader, ended <-chan struct{}) {
	input := make(chan inputLine)
	l.input = input
	go func() {
		defer close(input)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxLine)
		for more := true; more; {
			var line inputLine
			if more = scanner.Scan(); more {
				line.text = scanner.Text()
			} else if line.err = scanner.Err(); line.err == nil {
				return
			}
			select {
			case input <- line:
			case <-ended:
				return
			}
		}
	}()
}

func (l *lines) obey(o order) {
	switch o.verb {
	case say:
		l.id++
		l.unsent = true
		l.client.Say(l.id, strings.ToValidUTF8(o.text, "\uFFFD"))
	case next:
		l.client.Next(0)
	case again:
		l.client.Again()
	case stop:
		l.client.Stop()
	case block:
		l.client.Block()
	case report:
		l.client.Report(o.text)
	case setInterests:
		l.interests = o.interests
		l.client.SetInterests(o.interests)
		l.print("* " + interestsText(o.interests))
	case showInterests:
		l.print("* " + interestsText(l.interests))
	case help:
		for _, line := range helpLines {
			l.print("* " + line)
		}
	case more:
		l.print("* Every message is shown as a whole here.")
	case quit:
		l.quit()
	case wrong:
		l.print("* " + o.text)
	}
}

func (l *lines) quit() {
	l.input = nil
	l.client.Close()
}

func (l *lines) happened(e Event) {
	switch e.Kind {
	case Message:
		text := VisibleLine(e.Text)
		if e.Binary != "" {
			text = binary(e)
		}
		l.print("Stranger: " + text)
	case Sent:
		l.unsent = l.unsent && e.ID != l.id
	case Undelivered:
		l.unsent = l.unsent && !slices.Contains(e.IDs, l.id)
		l.undelivered += e.N
	case Uncertain:
		l.unsent = l.unsent && !slices.Contains(e.IDs, l.id)
		l.uncertain += e.N
	case Over:
		l.over = true
		if e.Err != nil {
			l.err = e.Err
		}
	}
	if text := notice(e); text != "" {
		l.print("* " + text)
	}
}

func (l *lines) print(line string) {
	if l.broken == nil {
		_, l.broken = io.WriteString(l.out, line+"\n")
	}
}

// result is what there is to say at the end.
func (l *lines) result() error {
	switch {
	case l.err != nil:
		return l.err
	case !l.over:
		return errors.New("interrupted")
	case l.undelivered == 1:
		return errors.New("1 message was not delivered")
	case l.undelivered > 1:
		return fmt.Errorf("%d messages were not delivered", l.undelivered)
	case l.uncertain > 0:
		return fmt.Errorf("%d of the messages may not have been delivered", l.uncertain)
	}
	return nil
}
