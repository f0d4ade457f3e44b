package deploy

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// TestVersionStamped builds as a release is built, and asks the program, its
// metrics and its log.
func TestVersionStamped(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: links the program once more")
	}
	file := filepath.Join(t.TempDir(), "roulette")
	out, err := exec.Command("go", "build", "-o", file, "-trimpath", "-buildvcs=false", "-ldflags",
		"-X main.release=v1.2.3 -X main.revision=ec57a22c6b3a -X main.revisionTime=2026-11-22T19:13:27Z", "roulette/cmd/roulette").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	got, err := exec.Command(file, "--version").Output()
	want := fmt.Sprintf("roulette 1.2.3 (ec57a22, 2026-11-22, %s)\n", runtime.Version())
	if err != nil || string(got) != want {
		t.Errorf("--version: %v, %q, want %q", err, got, want)
	}
	p := program.Launch{Program: file}.Serve(t)
	labels := fmt.Sprintf(`{goversion=%q,revision="ec57a22c6b3a",version="1.2.3"}`, runtime.Version())
	if p.Metric(t, "roulette_build_info"+labels) != 1 {
		t.Errorf("no build_info%s", labels)
	}
	p.Stop(t)
	if log := p.Stderr.String(); !strings.Contains(log, "version=1.2.3") {
		t.Errorf("the log does not say the version")
	}
}
