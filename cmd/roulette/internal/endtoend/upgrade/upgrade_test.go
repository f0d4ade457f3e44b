package upgrade

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// TestServesOn: a successor that cannot take over changes nothing, and why is said in
// one line.
func TestServesOn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.chats()
	self := program.Path(t)
	for _, tc := range []struct{ name, binary, want string }{
		{"no such program", "/nowhere/roulette", "no such file"},
		{"a program that is none of ours", "/bin/true", "gone"},
		{"one that has wrong settings", script(t, "exec "+self+" serve --no-such-flag"), "gone"},
		{"one that says garbage", script(t, "echo '}{' >&3; exec sleep 1"), "malformed"},
		{"one without TLS", script(t, "exec "+self+" serve --listen 127.0.0.1:0 --admin ''"), "does not"},
		{"one with few descriptors", script(t, "ulimit -n 67; exec "+self+` "$@"`), "no place for a connection"},
		{"one with little memory", script(t, "ulimit -v 60000; exec "+self+` "$@"`), "gone"},
		{"one that is killed", script(t, "kill -9 $$"), "gone"},
	} {
		t.Run(tc.name, func(t *testing.T) { s.servesOn(t, c, tc.binary, tc.want) })
	}
	t.Run("one of another user", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("skipped: only root starts programs as somebody else")
		}
		if _, err := exec.LookPath("setpriv"); err != nil { // of util-linux: everywhere
			t.Fatal(err)
		}
		asNobody := filepath.Join("/tmp", filepath.Base(t.TempDir())+"-roulette") // where nobody may read it
		t.Cleanup(func() { os.Remove(asNobody) })
		b, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(asNobody, b, 0o755); err != nil {
			t.Fatal(err)
		}
		s.servesOn(t, c, script(t, "exec setpriv --reuid=65534 --clear-groups "+asNobody+` "$@" --state-dir ''`), "another user")
	})
	if out, err := s.upgrade(nil, "--dry-run"); err != nil || !strings.Contains(out, "4 connections travelled") {
		t.Errorf("rehearsal: %v\n%s", err, out)
	}
	c.goOn()
	if out, err := s.upgrade(nil); err != nil {
		t.Errorf("in the end: %v\n%s", err, out)
	}
	c.goOn()
}

// TestFull: a server that has as many connections as it may have is upgraded as well,
// though few descriptors are left for that.
func TestFull(t *testing.T) {
	t.Parallel()
	s := serveWith(t, 400)
	c := gather(t, s, crowding{Clients: 336, Every: 100 * time.Millisecond})
	if out, err := s.upgrade(nil); err != nil || !strings.Contains(out, "336 connections") {
		t.Errorf("%v\n%s", err, out)
	}
	c.awaits(336)
	c.tell(letEnd)
}

// TestSignals: SIGUSR2 upgrades; a second upgrade meanwhile is refused; SIGTERM calls
// one off that hangs, and drains.
func TestSignals(t *testing.T) {
	t.Parallel()
	t.Run("SIGUSR2", func(t *testing.T) {
		s := serve(t)
		c := s.chats()
		if err := syscall.Kill(s.pid, syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		s.pid = s.said(`msg="took over"`, "pid=")
		c.goOn()
	})
	t.Run("two at once, and SIGTERM", func(t *testing.T) {
		hangs := script(t, "exec sleep 60")
		s := serve(t, "--drain-time", "1s")
		c := s.chats()
		first := make(chan error, 1)
		started := make(chan struct{})
		go func() {
			_, err := s.upgrade(func(line string) {
				if strings.Contains(line, "starts as") {
					close(started)
				}
			}, "--binary", hangs)
			first <- err
		}()
		<-started
		if out, err := s.upgrade(nil); err == nil || !strings.Contains(out, "another upgrade is under way") {
			t.Errorf("the second: %v\n%s", err, out)
		}
		c.goOn()
		if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := <-first; err == nil {
			t.Error("an upgrade that was called off has succeeded")
		}
		c.sentAway()
	})
}

// TestAnotherUser: nobody but the server's user and root has it upgraded.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root starts programs as somebody else")
	}
	s := serve(t)
	c := s.chats()
	// Who can open the socket at all is the folder's business: here anybody.
	above := filepath.Dir(s.dir)
	for path, mode := range map[string]os.FileMode{filepath.Dir(above): 0o755, above: 0o755, s.dir: 0o755, filepath.Join(s.dir, "control.sock"): 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := asNobody(filepath.Join(s.dir, "control.sock"))
	if err != nil || !strings.Contains(answer, "only the server's own user") {
		t.Errorf("%q, %v", answer, err)
	}
	c.goOn()
	s.awaits("is another one")
}

// asNobody connects to a Unix socket as another user, and returns what that one hears.
func asNobody(path string) (answer string, err error) {
	address := &syscall.SockaddrUnix{Name: path}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer syscall.Close(fd)
	connected := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread is another user's and ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			connected <- errno
			return
		}
		connected <- syscall.Connect(fd, address)
	}()
	if err := <-connected; err != nil {
		return "", err
	}
	b := make([]byte, 1<<10)
	n, err := syscall.Read(fd, b)
	return string(b[:max(n, 0)]), err
}
