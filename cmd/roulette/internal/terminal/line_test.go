package terminal

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// talk runs Lines with this input against the server and returns what it wrote.
func talk(t *testing.T, addr, input string) (out string, err error) {
	t.Helper()
	p := join(t, addr, func(c *Client) { c.config.Patient = true })
	var b strings.Builder
	err = Lines(p.Client, strings.NewReader(input), &b)
	return b.String(), err
}

func TestLines(t *testing.T) {
	tests := []struct {
		name, input string
		want        []string // of the output, in this order
		err         string
	}{
		{"nothing", "", nil, ""},
		{"nothing to say", "\n \n", nil, ""},
		{"Windows' line ends, no end of the last one", "/interests\r\n/stop\r\n/interests", []string{"* No interests.\n", "* No interests.\n"}, ""},
		{"interests", "/interests a\x1b, b\n/interests\n/interests -\n", []string{"* Interests: a, b.\n", "* Interests: a, b.\n", "* No interests.\n"}, ""},
		{"help", "/help\n", []string{"* /next", "* /stop", "* /interests", "* /quit"}, ""},
		{"wrong", "/nxt\n", []string{"* There is no command /nxt"}, ""},
		{"behind quit", "/quit\n/interests\n", nil, ""},
		{"nobody", "/stop\nhello\nhello\n", []string{"* Not sent: there is nobody", "* Not sent: there is nobody"}, "2 messages were not delivered"},
		{"one too long", "/stop\n" + strings.Repeat("x", maxLine+1), nil, "too long"},
	}
	addr := start(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := talk(t, addr, test.input)
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			rest := out
			for _, want := range test.want {
				_, behind, found := strings.Cut(rest, want)
				if rest = behind; !found {
					t.Errorf("no %q in its place in %q", want, out)
				}
			}
			for line := range strings.Lines(out) {
				if !strings.HasPrefix(line, "* ") || !strings.HasSuffix(line, "\n") {
					t.Errorf("line %q", line)
				}
			}
		})
	}
}

// A message is never lost for the next one to hear: behind the end of a chat it
// comes back, until the script looks for somebody new.
func TestLinesToTwoStrangers(t *testing.T) {
	addr := start(t)
	in, input := io.Pipe()
	output, out := io.Pipe()
	p := join(t, addr, func(c *Client) { c.config.Patient = true })
	done := make(chan error, 1)
	go func() {
		err := Lines(p.Client, in, out)
		out.Close()
		done <- err
	}()
	lines := make(chan string, 64)
	go func() {
		b, _ := io.ReadAll(output) // the pipe ends well
		lines <- string(b)
	}()
	first := join(t, addr)
	io.WriteString(input, "to the first\n")
	first.hears("to the first")
	io.WriteString(input, "/next\nto the second\n") // in one go
	first.event(Parted)
	second := join(t, addr)
	second.hears("to the second")
	second.Next(0)
	second.becomes(Looking)
	first.Next(0)
	first.event(Paired)
	second.event(Paired)
	io.WriteString(input, "to nobody\n")
	input.Close()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "1 message was not") {
		t.Errorf("error %v", err)
	}
	if out := <-lines; strings.Count(out, "* You are talking to a stranger.") != 2 || !strings.Contains(out, "* Not ") {
		t.Errorf("%q", out)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no paper") }

func TestLinesCannotWrite(t *testing.T) {
	p := join(t, start(t))
	if err := Lines(p.Client, strings.NewReader("/help\n"), brokenWriter{}); err == nil || !strings.Contains(err.Error(), "no paper") {
		t.Errorf("error %v", err)
	}
}
