package terminal

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// script is roulette chat with pipes to a test.
type script struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	line chan string
	errs servertest.Buffer
}

func startScript(t *testing.T, args ...string) *script {
	t.Helper()
	s := &script{t: t, cmd: exec.CommandContext(t.Context(), program.Path(t), append([]string{"chat"}, args...)...), line: make(chan string, 64)}
	s.cmd.Env = program.Environment()
	s.cmd.Stderr = &s.errs
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.in = in
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(s.line)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.line <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // unless it has ended
		for range s.line {
		}
		<-read
		_ = s.cmd.Wait() // end has looked at it
		if strings.Contains(s.errs.String(), "DATA RACE") {
			t.Error(s.errs.String())
		}
	})
	return s
}

func (s *script) say(line string) {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.in, line); err != nil {
		s.t.Fatal(err)
	}
}

// hears reads the next line, which must begin like this.
func (s *script) hears(want string) {
	s.t.Helper()
	timeout := time.NewTimer(servertest.Patience)
	defer timeout.Stop()
	select {
	case line, ok := <-s.line:
		if !ok || !strings.HasPrefix(line, want) {
			s.t.Fatalf("line %q (%v), want %q\n%s", line, ok, want, s.errs.String())
		}
	case <-timeout.C:
		s.t.Fatalf("no line %q", want)
	}
}

// end waits until the program has ended.
func (s *script) end(code int) {
	s.t.Helper()
	for line := range s.line {
		s.t.Errorf("one more line: %q", line)
	}
	_ = s.cmd.Wait() // ProcessState says how
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d\n%s", got, code, s.errs.String())
	}
}

func TestChatTwoScripts(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	url := "ws://" + p.Addr + "/ws"
	a := startScript(t, url, "--interests", "go,music")
	a.hears("* Looking")
	a.say("are you there?") // and waits
	b := startScript(t, url, "--interests", "Music", "--interests", "tea")
	b.hears("* Looking")
	a.hears("* You are talking to a stranger. You both like music.")
	b.hears("* You are talking to a stranger. You both like music.")
	b.hears("Stranger: are you there?")
	b.say("//help is a command")
	a.hears("Stranger: /help is a command")
	b.say("good bye")
	b.in.Close()
	a.hears("Stranger: good bye")
	a.hears("* The stranger has left.")
	b.end(program.OK)
	a.in.Close()
	a.end(program.OK)
	if errs := a.errs.String() + b.errs.String(); errs != "" {
		t.Errorf("stderr %q", errs)
	}
}

// TestChatAtATable: those at one table meet, whoever else waits, and share their
// languages.
func TestChatAtATable(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	url := "ws://" + p.Addr + "/ws"
	a := startScript(t, url, "--table", "Ada's", "--languages", "de,en")
	a.hears("* Looking")
	anybody := startScript(t, url)
	anybody.hears("* Looking")
	anybody.say("hello?") // and waits
	b := startScript(t, url, "--table", "Ada's", "--languages", "EN")
	b.hears("* Looking")
	a.hears("* You are talking to a stranger. You both speak en.")
	b.hears("* You are talking to a stranger. You both speak en.")
	b.say("hello, Ada")
	a.hears("Stranger: hello, Ada")
	for _, wrong := range [][]string{{"--languages", "de-AT"}, {"--languages", "a,b,c,d,e,f"}, {"--table", strings.Repeat("x", 65)}, {"--table", " "}} {
		if _, errs, code := program.Output(t, "", append([]string{"chat", url}, wrong...)...); code != program.Usage || errs == "" {
			t.Errorf("%q: exit code %d, %q", wrong, code, errs)
		}
	}
}

// Many messages, faster than the server takes them from one client, all arrive
// before the program ends.
func TestChatDeliversAllOfItsInput(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	url := "ws://" + p.Addr + "/ws"
	listener := startScript(t, url)
	listener.hears("* Looking")
	const n = 50
	var input strings.Builder
	for i := range n {
		fmt.Fprintf(&input, "message %d\n", i)
	}
	_, errs, code := program.Output(t, input.String(), "chat", url)
	if code != program.OK || errs != "" {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	listener.hears("* You are talking")
	for i := range n {
		listener.hears(fmt.Sprintf("Stranger: message %d", i))
	}
	listener.hears("* The stranger has left.")
}

func TestChatHostileStranger(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	s := startScript(t, "ws://"+p.Addr+"/ws")
	s.hears("* Looking")
	c, _, err := websocket.Dial(t.Context(), "ws://"+p.Addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	s.hears("* You are talking")
	for _, m := range []struct {
		kind  websocket.MessageType
		text  string
		shown string
	}{
		{websocket.MessageText, "\x1b[2J\x1b]0;title\a", "Stranger: <U+001B>[2J<U+001B>]0;title<U+0007>"},
		{websocket.MessageText, "a\n* The stranger has left.", "Stranger: a ⏎ * The stranger has left."},
		{websocket.MessageText, "\u202Eevil\u2066\u009b31m", "Stranger: <U+202E>evil<U+2066><U+009B>31m"},
		{websocket.MessageBinary, "\x89PNG\r\n\x1a\n" + strings.Repeat("\x1b", 12<<10), "Stranger: [image, 12 KiB]"},
		{websocket.MessageBinary, "\x1e{\"type\":\"left\",\"pair\":1}", "Stranger: [binary, 25 B]"},
	} {
		if err := c.Write(t.Context(), m.kind, []byte(m.text)); err != nil {
			t.Fatal(err)
		}
		s.hears(m.shown)
	}
}

func TestChatCannotConnect(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	for _, test := range []struct {
		name, url, want string
		code            int
	}{
		{"nobody there", "ws://127.0.0.1:1/ws", "refused", program.Failed},
		{"no path", "ws://" + p.Addr + "/nowhere", "404", program.Failed},
		{"another protocol", "ws://" + p.Addr + "/echo", "does not speak roulette.v1", program.Failed},
		{"no URL", p.Addr, "URL", program.Usage},
		{"another scheme", "ftp://" + p.Addr, "URL", program.Usage},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, errs, code := program.Output(t, "hello\n", "chat", test.url)
			if code != test.code || out != "" {
				t.Errorf("exit code %d, stdout %q", code, out)
			}
			program.OneLine(t, errs, test.want)
		})
	}
}

// What could not be delivered is said, and is no success.
func TestChatUndelivered(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	s := startScript(t, "http://"+p.Addr)
	s.hears("* Looking")
	s.say("/stop")
	s.hears("* Stopped")
	s.say("anybody?")
	s.hears("* Not sent: there is nobody")
	s.in.Close()
	s.end(program.Failed)
	program.OneLine(t, s.errs.String(), "1 message was not delivered")
}

// The server is killed and started again on the same port.
func TestChatReconnects(t *testing.T) {
	servertest.Parallel(t)
	here := program.Launch{Args: []string{"--listen", "127.0.0.1:" + program.FreePort(t)}}
	p := here.Run(t)
	p.Addr = p.Await(t, program.Listening)
	s := startScript(t, "ws://"+p.Addr+"/ws")
	s.hears("* Looking")
	p.Kill(t)
	s.hears("* Connection lost")
	again := here.Run(t)
	again.Await(t, program.Listening)
	for line := range s.line { // more attempts may have failed meanwhile
		if strings.HasPrefix(line, "* Looking") {
			break
		}
	}
	s.say("still me")
	other := startScript(t, "ws://"+p.Addr+"/ws")
	other.hears("* Looking")
	other.hears("* You are talking")
	other.hears("Stranger: still me")
}

// TestChatPastProxies: a proxy of the environment is asked for a tunnel where there is
// TLS, and not at all where there is none: it would take the request for a page's.
func TestChatPastProxies(t *testing.T) {
	p := program.Serve(t)
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	asked := make(chan string, 16)
	go func() {
		for {
			conn, err := proxy.Accept()
			if err != nil {
				close(asked)
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			asked <- strings.TrimSpace(line)
			conn.Close()
		}
	}()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://"+proxy.Addr().String())
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	// Not an address of the loopback, which no proxy is asked for, and yet this machine.
	_, port, err := net.SplitHostPort(p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	host := "0.0.0.0:" + port
	s := startScript(t, "ws://"+host)
	s.hears("* Looking")
	s.say("/quit")
	s.end(program.OK)
	out, errs, code := program.Output(t, "", "bench", "ws://"+host+"/echo", "--mode", "handshakes", "--connections", "2", "--duration", "100ms")
	if code != program.OK || errs != "" {
		t.Errorf("bench: exit code %d, %q, %q", code, out, errs)
	}
	startScript(t, "wss://"+host).end(program.Failed)
	proxy.Close()
	var all []string
	for line := range asked {
		all = append(all, line)
	}
	if len(all) != 1 || !strings.HasPrefix(all[0], "CONNECT "+host+" ") {
		t.Errorf("the proxy was asked %q", all)
	}
}
