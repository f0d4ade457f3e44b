package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// units copies the unit files to where systemd-analyze finds the program they name.
func units(t *testing.T) (service, socket string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"roulette.service", "roulette.socket"} {
		b, err := os.ReadFile(program.File(t, folder+"systemd/"+name))
		if err != nil {
			t.Fatal(err)
		}
		b = []byte(strings.ReplaceAll(string(b), "/usr/bin/roulette", program.Path(t)))
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "roulette.service"), filepath.Join(dir, "roulette.socket")
}

// TestDropInsAsSystemdSeesThem: with them the units are what they were.
func TestDropInsAsSystemdSeesThem(t *testing.T) {
	program.Installed(t, "systemd-analyze")
	service, socket := units(t)
	dropIns := service + ".d"
	if err := os.Mkdir(dropIns, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tls.conf", "upgrade.conf"} {
		text := strings.ReplaceAll(program.Read(t, folder+"systemd/"+name), "/usr/bin/roulette", program.Path(t))
		if err := os.WriteFile(filepath.Join(dropIns, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", service, socket).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

func TestUnitsAsSystemdSeesThem(t *testing.T) {
	program.Installed(t, "systemd-analyze")
	service, socket := units(t)
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", service, socket).CombinedOutput()
	if err != nil || len(out) > 0 { // a warning is no error to it
		t.Errorf("verify: %v\n%s", err, out)
	}
	// An exposure of 1.5 of 10.
	out, err = exec.Command("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", service).CombinedOutput()
	if err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
