package upgrade

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// served is a server over all processes that it has been.
type served struct {
	t             *testing.T
	dir           string // --state-dir
	log           string // a file, of all processes
	plain, secure string // addresses
	admin         string
	pid           int           // of the present process
	cmd           *exec.Cmd     // the first one
	done          chan struct{} // closed when that has ended
}

// serve starts a server that can be upgraded.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	return serveWith(t, 0, args...)
}

// serveWith is serve with so many descriptors, if it is not 0.
func serveWith(t *testing.T, most int, args ...string) *served {
	t.Helper()
	s := &served{t: t, dir: filepath.Join(t.TempDir(), "state"), log: filepath.Join(t.TempDir(), "log"),
		plain: "127.0.0.1:" + program.FreePort(t), secure: "127.0.0.1:" + program.FreePort(t), admin: "127.0.0.1:" + program.FreePort(t)}
	out, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	args = append([]string{"serve", "--listen", s.plain, "--listen-tls", s.secure, "--tls-self-signed", "--admin", s.admin,
		"--state-dir", s.dir, "--message-rate", "0", "--workers", "2", "--stall-timeout", "5m",
		"--upgrade-freeze", "30s"}, args...) // a loaded machine is not what is tested
	cmd := exec.Command(program.Path(t), args...)
	if most > 0 {
		cmd = exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, most), program.Path(t)}, args...)...)
	}
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, program.Environment()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid, s.cmd, s.done = cmd.Process.Pid, cmd, make(chan struct{})
	go func() {
		defer close(s.done)
		_ = cmd.Wait() // ProcessState says how it ended
	}()
	t.Cleanup(func() {
		if s.pid > 0 {
			_ = syscall.Kill(s.pid, syscall.SIGKILL)
		}
		_ = cmd.Process.Kill() // unless it has ended
		<-s.done
		if t.Failed() {
			b, _ := os.ReadFile(s.log)
			t.Logf("the server said:\n%s", b)
		}
	})
	s.awaits("msg=started")
	servertest.Secured(t, s.secure, &tls.Config{InsecureSkipVerify: true})
	return s
}

// ends waits until the first process has ended.
func (s *served) ends() {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(servertest.Patience):
		s.t.Fatal("the predecessor does not end")
	}
}

// pair returns two clients who are each other's: what one says the other has heard.
// Until then a third could come between, for a client whose handshake is answered may
// not be in the pool yet.
func (s *served) pair(addr string) (a, b *servertest.Conn) {
	s.t.Helper()
	a, b = program.Meet(s.t, addr, addr)
	b.Write(program.Text("here"))
	a.Expect(servertest.OpText, "here")
	return a, b
}

// metric is a sample of the present process's, 0 if there is none.
func (s *served) metric(name string) (v float64) {
	s.t.Helper()
	_, body := program.Get(s.t, "http://"+s.admin+"/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			fmt.Sscan(value, &v)
		}
	}
	return v
}

// counters are all of the present process's that count what clients do: the workers', and
// those of Go, are the process's own.
func (s *served) counters() map[string]float64 {
	s.t.Helper()
	_, body := program.Get(s.t, "http://"+s.admin+"/metrics")
	all := make(map[string]float64)
	for line := range strings.Lines(body) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ := strings.Cut(series, "{")
		if strings.HasPrefix(name, "roulette_") && !strings.HasPrefix(name, "roulette_worker_") && countsUp.MatchString(name) {
			all[series], _ = strconv.ParseFloat(value, 64)
		}
	}
	return all
}

var countsUp = regexp.MustCompile(`_(total|count|sum|bucket)$`)

// awaits waits until the log has a line with this.
func (s *served) awaits(what string) {
	s.t.Helper()
	servertest.Await(s.t, what, func() bool {
		b, _ := os.ReadFile(s.log)
		return strings.Contains(string(b), what)
	})
}

// said waits for a line of the log with this in it, and returns the number behind key
// there.
func (s *served) said(what, key string) (n int) {
	s.t.Helper()
	s.awaits(what)
	b, _ := os.ReadFile(s.log)
	_, line, _ := strings.Cut(string(b), what)
	line, _, _ = strings.Cut(line, "\n")
	_, value, _ := strings.Cut(line, key)
	if _, err := fmt.Sscan(value, &n); err != nil {
		s.t.Fatalf("no number behind %s in %q", key, line)
	}
	return n
}

var tookOver = regexp.MustCompile(`(?m)^(\d+) has taken over: `)

// upgrade runs roulette upgrade; line, if not nil, gets each line as it comes.
func (s *served) upgrade(line func(string), args ...string) (out string, err error) {
	s.t.Helper()
	cmd := exec.Command(program.Path(s.t), append([]string{"upgrade", "--state-dir", s.dir}, args...)...)
	cmd.Env = program.Environment()
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	var all strings.Builder
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			fmt.Fprintln(&all, lines.Text())
			if line != nil {
				line(lines.Text())
			}
		}
	}()
	err = cmd.Run()
	w.Close()
	<-read
	if m := tookOver.FindStringSubmatch(all.String()); m != nil {
		s.pid, _ = strconv.Atoi(m[1])
	}
	return all.String(), err
}
