package program

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
)

// Launch says how to start the program.
type Launch struct {
	Args        []string
	Env         []string
	Descriptors int        // RLIMIT_NOFILE, soft and hard; 0: as it is
	Program     string     // another build of it, or another program
	Sockets     []*os.File // passed as by a service manager; LISTEN_FDS is to say how many
}

// Process is the program, running.
type Process struct {
	Cmd    *exec.Cmd
	Stdout servertest.Buffer
	Stderr servertest.Buffer

	// Addr and Admin are what it prints: host:port.
	Addr, Admin string

	line chan string   // of stdout, as they come; closed at its end
	done chan struct{} // closed when it has ended
}

// Run starts the program, on ports that the kernel chooses unless l says others: the
// default ones may be taken. The test must leave no goroutine and no descriptor of
// its own behind.
func (l Launch) Run(t testing.TB) *Process {
	t.Helper()
	servertest.CheckLeaks(t)
	name, args := l.Program, l.Args
	if name == "" {
		name = Path(t)
	}
	var before string
	if l.Descriptors > 0 {
		before += fmt.Sprintf("ulimit -n %d && ", l.Descriptors)
	}
	if l.Sockets != nil {
		before += "export LISTEN_PID=$$ && "
	}
	if before != "" {
		args = append([]string{"-c", before + `exec "$0" "$@"`, name}, args...)
		name = "sh"
	}
	p := &Process{Cmd: exec.Command(name, args...), line: make(chan string, 16), done: make(chan struct{})}
	p.Cmd.Env = append(append(Environment(), "ROULETTE_LISTEN=127.0.0.1:0", "ROULETTE_ADMIN=127.0.0.1:0"), l.Env...)
	p.Cmd.ExtraFiles = l.Sockets
	// It must not outlive a test that dies.
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.Cmd.Stderr = &p.Stderr
	out, err := p.Cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig goes by the thread
		err := p.Cmd.Start()
		started <- err
		if err != nil {
			return
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(&p.Stdout, lines.Text())
			p.line <- lines.Text()
		}
		close(p.line)
		_ = p.Cmd.Wait() // ProcessState says how it ended
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Cmd.Process.Kill() // unless it has ended
		for range p.line {
		}
		<-p.done
		if t.Failed() {
			t.Logf("stdout:\n%s", p.Stdout.String())
			t.Logf("stderr:\n%s", p.Stderr.String())
		}
		if bytes.Contains(p.Stderr.Bytes(), []byte("DATA RACE")) {
			t.Error("the program has data races")
		}
	})
	return p
}

// Environment is this process's without settings of the program.
func Environment() (env []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "ROULETTE_") {
			env = append(env, e)
		}
	}
	return env
}

// Listening, ListeningTLS and AdminOn are the lines of stdout that say where.
var (
	ListeningTLS = regexp.MustCompile(`listening on https://(\S+)`)

	Listening = regexp.MustCompile(`listening on (?:http://)?(\S+?)/?$`)
	AdminOn   = regexp.MustCompile(`admin on http://(\S+?)/$`)
)

// Serve starts the program on free ports of the loopback, with more flags, and
// waits until it says where it listens.
func Serve(t testing.TB, args ...string) *Process {
	t.Helper()
	return Launch{Args: args}.Serve(t)
}

// Serve runs the program on free ports of the loopback and waits until it says where
// it listens.
func (l Launch) Serve(t testing.TB) *Process {
	t.Helper()
	l.Args = append([]string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, l.Args...)
	p := l.Run(t)
	p.Addr = p.Await(t, Listening)
	p.Admin = p.Await(t, AdminOn)
	return p
}

// Await waits for a line on stdout and returns its first submatch.
func (p *Process) Await(t testing.TB, line *regexp.Regexp) string {
	t.Helper()
	timeout := time.NewTimer(servertest.Patience)
	defer timeout.Stop()
	for {
		select {
		case l, ok := <-p.line:
			if !ok {
				t.Fatalf("ended without a line like %q", line)
			}
			if m := line.FindStringSubmatch(l); m != nil {
				return m[1]
			}
		case <-timeout.C:
			t.Fatalf("no line like %q", line)
		}
	}
}

// Signal sends the program a signal.
func (p *Process) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := p.Cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// Exit waits until the program has ended by itself and returns its exit code.
func (p *Process) Exit(t testing.TB) int {
	t.Helper()
	timeout := time.NewTimer(servertest.Patience)
	defer timeout.Stop()
	for line := p.line; ; {
		select {
		case _, ok := <-line:
			if !ok {
				line = nil
			}
		case <-p.done:
			return p.Cmd.ProcessState.ExitCode()
		case <-timeout.C:
			t.Fatal("does not end")
		}
	}
}

// Kill ends the program at once and waits until it has.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGKILL)
	p.Exit(t)
}

// Stop ends the program by SIGTERM and demands that it goes in peace.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
