package upgrade

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestPostinst: when the package is upgraded, a server that can be has its successor
// take over; one that cannot, or does not answer, is restarted.
func TestPostinst(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.chats()
	bin, said := t.TempDir(), filepath.Join(t.TempDir(), "said")
	for _, name := range []string{"systemctl", "deb-systemd-helper", "deb-systemd-invoke"} {
		script := "#!/bin/sh\necho " + name + " \"$@\" >>" + said + "\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(program.Path(t), filepath.Join(bin, "roulette")); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "postinst")
	text := program.Read(t, "cmd/roulette/deploy/debian/postinst")
	for _, at := range [][2]string{{"/var/lib/roulette", s.dir}, {"/run/systemd/system", bin}} {
		if !strings.Contains(text, at[0]) {
			t.Fatalf("no %s in it", at[0])
		}
		text = strings.ReplaceAll(text, at[0], at[1])
	}
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	// postinst runs the script, and tells whether the service was restarted.
	postinst := func(args ...string) (restarted bool) {
		t.Helper()
		os.Remove(said)
		cmd := exec.Command(script, args...)
		cmd.Env = append(program.Environment(), "PATH="+bin+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
		b, _ := os.ReadFile(said)
		return strings.Contains(string(b), "deb-systemd-invoke try-restart roulette.service")
	}

	if postinst("configure", "1.2.3") {
		t.Error("a server that could be upgraded is restarted")
	}
	s.pid = s.said(`msg="handed over"`, "pid=")
	c.goOn()
	if postinst("configure", "") {
		t.Error("what is installed for the first time is restarted")
	}
	_ = syscall.Kill(s.pid, syscall.SIGTERM)
	c.sentAway()
	servertest.Await(t, "the end", func() bool { return !lives(s.pid) })
	s.pid = 0

	if !postinst("configure", "1.2.3") {
		t.Error("without a control socket the service is not restarted")
	}
	_ = os.Remove(filepath.Join(s.dir, "control.sock"))
	l, err := net.Listen("unix", filepath.Join(s.dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close() // without an answer
		}
	}()
	defer l.Close()
	if !postinst("configure", "1.2.3") {
		t.Error("a server that cannot be upgraded is not restarted")
	}
}
