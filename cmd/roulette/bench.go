package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"roulette/bench"
	"roulette/cmd/roulette/internal/terminal"
)

// benchCommand is roulette bench.
type benchCommand struct {
	URL []string `arg:"" help:"The server to load, such as ws://localhost:8080/ws, or several nodes of one world, to which clients are dealt out in turn; with /echo every client is its own partner."`

	Mode        string        `placeholder:"MODE" enum:"rate,pingpong,stream,handshakes,idle,churn,slow,drain,dribble" default:"rate" help:"rate: so many messages a second, for latency. pingpong: each message is answered at once, for throughput. stream: one side of each pair sends as fast as it can. handshakes: connect and close. idle: connect and stay. churn: come, talk, go. slow: stream, and half of the receivers do not read. drain: rate, until the server, which you stop meanwhile, has sent everybody away. dribble: each client sends a byte a second (default ${default})."`
	Connections int           `placeholder:"N" default:"1000" help:"Clients at once; an even number, but on /echo. In mode handshakes, attempts under way at once (default ${default})."`
	Rate        float64       `placeholder:"N" default:"0" help:"Messages a second in all, modes rate and drain only; 0 is 10 for each client (default ${default})."`
	Size        size          `placeholder:"SIZE" default:"64" help:"Length of a message, 32 bytes at least (default ${default})."`
	Text        string        `placeholder:"TEXT" enum:"ascii,german,japanese,emoji,mixed,binary" default:"ascii" help:"What messages are made of: ascii, german, japanese, emoji, mixed, or binary for binary messages (default ${default})."`
	Duration    time.Duration `placeholder:"TIME" default:"10s" help:"How long to measure (default ${default})."`
	Ramp        time.Duration `placeholder:"TIME" default:"0s" help:"Time over which the clients connect; 0 is as fast as they can (default ${default})."`
	Threads     int           `placeholder:"N" default:"1" help:"Threads that make the load (default ${default})."`
	PID         int           `placeholder:"PID" default:"0" help:"The server's process, if it is on this machine, to see its CPU time and memory."`
	Across      bool          `help:"Of several nodes: each pair asks for a table of its own, so that its two, who are on two nodes, meet across them. Otherwise most meet at home."`
	Resume      bool          `help:"Over wss://, resume one TLS session instead of making full handshakes."`
	trust
	Progress bool `help:"Say on stderr how far it is, also where that is no terminal."`
	JSON     bool `help:"Print the result as JSON."`
}

// Validate implements kong's hook: what a flag's type cannot say.
func (c *benchCommand) Validate() error {
	for _, check := range []struct {
		rule   string
		broken bool
	}{
		{"connections must be positive", c.Connections <= 0},
		{"threads must be positive", c.Threads <= 0},
		{"duration must be positive", c.Duration <= 0},
		{"ramp must not be negative", c.Ramp < 0},
		{"rate must not be negative", c.Rate < 0},
		{"pid must not be negative", c.PID < 0},
	} {
		if check.broken {
			return errors.New("--" + check.rule)
		}
	}
	for _, url := range c.URL {
		if err := checkServerURL(url); err != nil {
			return err
		}
	}
	if c.Across && len(c.URL) < 2 {
		return errors.New("--across wants the URLs of two nodes or more")
	}
	if c.Rate > 0 && c.Mode != string(bench.Rate) && c.Mode != string(bench.Drain) {
		return fmt.Errorf("--rate is of --mode rate and drain only, not of %s", c.Mode)
	}
	return nil
}

// errFaults is what the exit code says when the server has made mistakes. The
// summary has told the rest.
var errFaults = errors.New("messages were lost, or were not what they should have been")

// errLimited is what it says instead when the server's limit was below the load, which
// is no mistake of the server's.
var errLimited = errors.New("the load was above the server's message rate limit, which ended connections: see roulette serve --message-rate")

// errDrain is the result of a drain in which a client was not sent away as it
// should be.
var errDrain = errors.New("not everybody was sent away by 1001 and a clean end")

// Run loads the server until the time is over or the first Ctrl-C.
func (c *benchCommand) Run(stdout io.Writer) error {
	secure, err := c.trust.config(c.URL[0])
	if err != nil {
		return usageError{err}
	}
	ctx, stop, err := reachServer(c.URL[0], secure)
	if err != nil {
		return err
	}
	defer stop()
	config := bench.Config{
		TLS: secure, Resume: c.Resume,
		URL: c.URL[0], Nodes: c.URL[1:], Across: c.Across, Mode: bench.Mode(c.Mode), Connections: c.Connections, Rate: c.Rate, Size: int(c.Size), Text: bench.Text(c.Text),
		Duration: c.Duration, Ramp: c.Ramp, Threads: c.Threads, PID: c.PID,
	}
	if config.Mode == bench.Handshakes {
		config.Concurrency = c.Connections
	}
	progress := progressLine{w: os.Stderr, overwrite: isTerminal(os.Stderr)}
	if c.Progress || progress.overwrite {
		config.Progress = func(p bench.Progress) { progress.show(p) }
	}
	result, err := bench.Run(ctx, config)
	progress.clear()
	interrupted := errors.Is(err, context.Canceled)
	switch {
	case interrupted && result != nil:
		fmt.Fprintf(os.Stderr, "roulette: interrupted after %.1f s of %v\n", result.Seconds, c.Duration)
	case interrupted:
		return errors.New("interrupted before there was anything to measure")
	case err != nil:
		return withoutPackage(err)
	}
	if err := c.print(stdout, result); err != nil {
		return err
	}
	switch {
	case result.Handshakes == 0:
		return fmt.Errorf("%s: nothing connected", c.URL[0])
	case limited(result):
		return errLimited
	case result.Faults.Total() > 0:
		return errFaults
	case result.Drained != nil && (result.Drained.Left > 0 || len(result.Errors) > 0):
		return errDrain
	case result.Messages == 0 && talks(result.Mode):
		return fmt.Errorf("%s: no message arrived", c.URL[0])
	}
	return nil
}

// talks reports whether clients exchange messages.
func talks(m bench.Mode) bool { return m != bench.Handshakes && m != bench.Idle }

// print writes the result in the form that was asked for.
func (c *benchCommand) print(w io.Writer, r *bench.Result) error {
	if c.JSON {
		return printJSON(w, r)
	}
	if err := r.WriteSummary(w); err != nil {
		return err
	}
	if limited(r) {
		_, err := fmt.Fprintln(w, "\n  The server's message rate limit ended connections: see roulette serve --message-rate.")
		return err
	}
	return nil
}

// limited reports whether the server has closed connections for their message rate.
func limited(r *bench.Result) bool {
	for cause := range r.Errors {
		if strings.Contains(cause, "4429") {
			return true
		}
	}
	return false
}

// checkServerURL: if there is none, kong says so.
func checkServerURL(url string) error {
	rest, ok := strings.CutPrefix(url, "ws://")
	if !ok {
		rest, ok = strings.CutPrefix(url, "wss://")
	}
	switch {
	case url == "":
	case !ok:
		return fmt.Errorf("%q is not a ws:// or wss:// URL", url)
	case strings.ContainsAny(rest, "?#"): // it knows what it wants
	case !strings.Contains(rest, "/"):
		return fmt.Errorf("%s has no path: the chat is %[1]s/ws, or %[1]s/echo", url)
	case strings.HasSuffix(rest, "/"):
		return fmt.Errorf("%s is a page: the chat is %[1]sws, or %[1]secho", url)
	}
	return nil
}

// reachServer returns a context that the first Ctrl-C ends (a second one ends the
// program at once), or says why the server there is no chat.
func reachServer(url string, secure *tls.Config) (context.Context, context.CancelFunc, error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := terminal.Probe(ctx, url, secure); err != nil {
		stop()
		return nil, nil, fmt.Errorf("%s: %w", url, err)
	}
	return ctx, stop, nil
}

// withoutPackage is what package bench says, for who has typed its name.
func withoutPackage(err error) error {
	return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "bench: "))
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// progressLine shows one line after the other, on a terminal in the same place.
type progressLine struct {
	w         io.Writer
	overwrite bool
	shown     bool
}

func (l *progressLine) show(p fmt.Stringer) {
	if !l.overwrite {
		fmt.Fprintln(l.w, p)
		return
	}
	fmt.Fprintf(l.w, "\r\x1b[K%s", p)
	l.shown = true
}

func (l *progressLine) clear() {
	if l.shown {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}

// isTerminal reports whether f is one.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
