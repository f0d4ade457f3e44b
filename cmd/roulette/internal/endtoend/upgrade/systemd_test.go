//go:build long

package upgrade

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// TestSystemd: under a real systemd, with the unit and the drop-in as they are shipped,
// systemctl reload is an upgrade: the main process is another one, the old one is gone,
// and people talk on. It is in a guest (user-mode Linux), in which systemd is process 1.
func TestSystemd(t *testing.T) {
	for _, path := range []string{"/usr/bin/linux.uml", "/lib/systemd/systemd"} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("skipped: needs Debian's packages user-mode-linux and systemd: %v", err)
		}
	}
	dir := t.TempDir()
	systemd := filepath.Join(program.Root(t), "cmd/roulette/deploy/systemd")
	for name, from := range map[string]string{
		"init.sh": "testdata/init.sh", "check.sh": "testdata/check.sh", "roulette": program.Path(t),
		"roulette.service": filepath.Join(systemd, "roulette.service"), "upgrade.conf": filepath.Join(systemd, "upgrade.conf"),
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	guest := exec.CommandContext(ctx, "/usr/bin/linux.uml", "mem=1G", "uml_dir="+dir, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
		"init="+filepath.Join(dir, "init.sh"), "con=null", "con0=fd:0,fd:1", "quiet", "loglevel=1")
	var out bytes.Buffer
	guest.Stdout, guest.Stderr = &out, &out
	guest.WaitDelay = 10 * time.Second
	guest.Cancel = func() error { return guest.Process.Signal(os.Interrupt) } // it ends its own processes
	_ = guest.Run()                                                           // how the guest's kernel ends says nothing
	said := strings.ReplaceAll(out.String(), "\r", "")
	if !strings.Contains(said, "guest: passed") {
		t.Fatalf("the guest says:\n%s", said)
	}
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "guest: ") {
			t.Log(strings.TrimSpace(line))
		}
	}
}
