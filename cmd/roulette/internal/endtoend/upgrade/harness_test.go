//go:build long

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
	"sync"
	"sync/atomic"
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
	pid           int // of the present process
}

// serve starts a server that can be upgraded.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	s := &served{t: t, dir: filepath.Join(t.TempDir(), "state"), log: filepath.Join(t.TempDir(), "log"),
		plain: "127.0.0.1:" + program.FreePort(t), secure: "127.0.0.1:" + program.FreePort(t), admin: "127.0.0.1:" + program.FreePort(t)}
	out, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	args = append([]string{"serve", "--listen", s.plain, "--listen-tls", s.secure, "--tls-self-signed", "--admin", s.admin,
		"--state-dir", s.dir, "--message-rate", "0", "--workers", "2", "--stall-timeout", "5m"}, args...)
	cmd := exec.Command(program.Path(t), args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, program.Environment()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	go cmd.Wait() // nobody looks at how it ends
	t.Cleanup(func() {
		_ = syscall.Kill(s.pid, syscall.SIGKILL)
		if t.Failed() {
			b, _ := os.ReadFile(s.log)
			t.Logf("the server said:\n%s", b)
		}
	})
	s.awaits("msg=started")
	servertest.Secured(t, s.secure, &tls.Config{InsecureSkipVerify: true})
	return s
}

// awaits waits until the log has a line with this.
func (s *served) awaits(what string) {
	s.t.Helper()
	servertest.Await(s.t, what, func() bool {
		b, _ := os.ReadFile(s.log)
		return strings.Contains(string(b), what)
	})
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

// conversations are pairs that talk until they are told to stop.
type conversations struct {
	t       *testing.T
	over    atomic.Bool
	through sync.WaitGroup
	rounds  atomic.Int64
	silence atomic.Int64 // the longest, in nanoseconds
}

// fragments are a message in two pieces.
func fragments(message string) []byte {
	half := len(message) / 2
	return append(servertest.Encode(servertest.OpText, message[:half]), servertest.Encode(servertest.Fin, message[half:])...)
}

// talk has a say numbered messages, in pieces that arrive one by one, and b repeat
// them: any that is lost, doubled, altered or out of order is seen.
func (c *conversations) talk(a, b *servertest.Conn) {
	c.through.Add(2)
	go func() {
		defer c.through.Done()
		for i := 0; ; i++ {
			message := fmt.Sprintf("message number %d of %p", i, a)
			if c.over.Load() {
				message = "over"
			}
			began, bytes := time.Now(), fragments(message)
			a.Write(bytes[:9], bytes[9:])
			f, err := a.Read()
			if err != nil || string(f.Payload) != message {
				c.t.Errorf("%q came back as %v, %v", message, f, err)
				return
			}
			c.rounds.Add(1)
			if took := int64(time.Since(began)); took > c.silence.Load() {
				c.silence.Store(took) // nearly: another may have stored a longer one meanwhile
			}
			if message == "over" {
				return
			}
		}
	}()
	go func() {
		defer c.through.Done()
		for i := 0; ; i++ {
			f, err := b.Read()
			if err != nil {
				c.t.Errorf("message %d: %v", i, err)
				return
			}
			b.Write(fragments(string(f.Payload)))
			if string(f.Payload) == "over" {
				return
			}
			if !strings.HasPrefix(string(f.Payload), fmt.Sprintf("message number %d of ", i)) {
				c.t.Errorf("message %d: %v", i, f)
				return
			}
		}
	}()
}

// end lets all say their last, which must arrive as well.
func (c *conversations) end() {
	c.over.Store(true)
	c.through.Wait()
}

// awaits waits until some more messages have gone there and back.
func (c *conversations) awaits(more int64) {
	c.t.Helper()
	n := c.rounds.Load() + more
	servertest.Await(c.t, "messages", func() bool { return c.rounds.Load() >= n || c.t.Failed() })
}
