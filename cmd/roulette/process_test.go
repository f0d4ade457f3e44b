package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"roulette/cmd/roulette/internal/servertest"
)

// The tests of this package run the real program in a process of its own, built
// once, with the race detector if the tests have it.

func TestMain(m *testing.M) {
	code := m.Run()
	if dir := binary.dir; dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

var binary struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// program is the path of the built program.
func program(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "roulette-test-"); binary.err != nil {
			return
		}
		binary.path = filepath.Join(binary.dir, "roulette")
		args := []string{"build", "-o", binary.path}
		if raceEnabled {
			args = append(args, "-race")
		}
		out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// launch says how to start the program.
type launch struct {
	args        []string
	env         []string
	descriptors int        // RLIMIT_NOFILE, soft and hard; 0: as it is
	program     string     // another build of it
	sockets     []*os.File // passed as by a service manager; LISTEN_FDS is to say how many
}

// process is the program, running.
type process struct {
	cmd    *exec.Cmd
	stdout servertest.Buffer
	stderr servertest.Buffer
	line   chan string   // of stdout, as they come; closed at its end
	done   chan struct{} // closed when it has ended

	// Addr and Admin are what it prints: host:port.
	Addr, Admin string
}

// run starts the program. The test must leave no goroutine and no descriptor of
// its own behind.
func (l launch) run(t testing.TB) *process {
	t.Helper()
	servertest.CheckLeaks(t)
	name, args := l.program, l.args
	if name == "" {
		name = program(t)
	}
	var before string
	if l.descriptors > 0 {
		before += fmt.Sprintf("ulimit -n %d && ", l.descriptors)
	}
	if l.sockets != nil {
		before += "export LISTEN_PID=$$ && "
	}
	if before != "" {
		args = append([]string{"-c", before + `exec "$0" "$@"`, name}, args...)
		name = "sh"
	}
	p := &process{cmd: exec.Command(name, args...), line: make(chan string, 16), done: make(chan struct{})}
	p.cmd.Env = append(cleanEnvironment(), l.env...)
	p.cmd.ExtraFiles = l.sockets
	// It must not outlive a test that dies.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig goes by the thread
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(&p.stdout, lines.Text())
			p.line <- lines.Text()
		}
		close(p.line)
		_ = p.cmd.Wait() // ProcessState says how it ended
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // unless it has ended
		for range p.line {
		}
		<-p.done
		if t.Failed() {
			t.Logf("stdout:\n%s", p.stdout.String())
			t.Logf("stderr:\n%s", p.stderr.String())
		}
		if bytes.Contains(p.stderr.Bytes(), []byte("DATA RACE")) {
			t.Error("the program has data races")
		}
	})
	return p
}

// cleanEnvironment is this process's without settings of the program.
func cleanEnvironment() (env []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "ROULETTE_") {
			env = append(env, e)
		}
	}
	return env
}

var (
	listening = regexp.MustCompile(`listening on http://(\S+?)/?$`)
	adminOn   = regexp.MustCompile(`admin on http://(\S+?)/metrics$`)
)

// serve starts the program on free ports of the loopback, with more flags, and
// waits until it says where it listens.
func serve(t testing.TB, args ...string) *process {
	t.Helper()
	return launch{args: args}.serve(t)
}

func (l launch) serve(t testing.TB) *process {
	t.Helper()
	l.args = append([]string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, l.args...)
	p := l.run(t)
	p.Addr = p.await(t, listening)
	p.Admin = p.await(t, adminOn)
	return p
}

// await waits for a line on stdout and returns its first submatch.
func (p *process) await(t testing.TB, line *regexp.Regexp) string {
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

func (p *process) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// exit waits until the program has ended by itself and returns its exit code.
func (p *process) exit(t testing.TB) int {
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
			return p.cmd.ProcessState.ExitCode()
		case <-timeout.C:
			t.Fatal("does not end")
		}
	}
}

// stop ends the program by SIGTERM and demands that it goes in peace.
func (p *process) stop(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// pages is an HTTP client that keeps nothing open.
var pages = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true},
	Timeout:   servertest.Patience,
}

// get returns status and body of a page; status 0 says that nobody answers.
func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	r, err := pages.Get(url)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
		return 0, ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, r)
}

// answer reads and closes a response.
func answer(t testing.TB, r *http.Response) (status int, body string) {
	t.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// metrics scrapes the program: `name{label="value"}` to value; histograms as
// their _count and _sum.
func (p *process) metrics(t testing.TB) map[string]float64 {
	t.Helper()
	status, body := get(t, "http://"+p.Admin+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("/metrics: %v", err)
	}
	values := make(map[string]float64)
	for name, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			suffix := ""
			if len(labels) > 0 {
				suffix = "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.Counter != nil:
				values[name+suffix] = m.Counter.GetValue()
			case m.Gauge != nil:
				values[name+suffix] = m.Gauge.GetValue()
			case m.Summary != nil:
				values[name+"_count"+suffix] = float64(m.Summary.GetSampleCount())
			case m.Histogram != nil:
				values[name+"_count"+suffix] = float64(m.Histogram.GetSampleCount())
				values[name+"_sum"+suffix] = m.Histogram.GetSampleSum()
			}
		}
	}
	return values
}

// metric is one of metrics, which must exist.
func (p *process) metric(t testing.TB, name string) float64 {
	t.Helper()
	v, ok := p.metrics(t)[name]
	if !ok {
		t.Fatalf("no metric %s", name)
	}
	return v
}
