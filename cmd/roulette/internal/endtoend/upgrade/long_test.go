//go:build long

package upgrade

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// long: see short_test.go.
const long = true

// before builds the program as it was a commit earlier.
func before(t *testing.T) string {
	t.Helper()
	git := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = program.Root(t)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Skipf("skipped: no commit before this one: git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	dir := filepath.Join(t.TempDir(), "before")
	git("worktree", "add", "--detach", dir, "HEAD~1")
	t.Cleanup(func() { git("worktree", "remove", "--force", dir) })
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-X main.release=0.0.1-before", "-o", filepath.Join(dir, "before"), "./cmd/roulette")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "before")
}

// TestManyUpgrades: 20 upgrades, to the commit before and back, of 5,000 pairs.
func TestManyUpgrades(t *testing.T) {
	report(t, series{crowding{Clients: 10_000, Slow: 40, Every: 2 * time.Second}, 20, []string{before(t), program.Path(t)}})
}

// TestSilence: the same with as many as a process with 20,000 descriptors can have.
func TestSilence(t *testing.T) {
	if os.Getenv("SILENCE") == "" {
		t.Skip("skipped: a measurement, for a quiet machine: SILENCE=1 go test -tags long")
	}
	report(t, series{crowding{Clients: 19_000, Every: 4 * time.Second}, 20, []string{program.Path(t)}})
}

func report(t *testing.T, u series) {
	stood, longest, usual := u.run(t)
	middle := func(d []time.Duration) time.Duration {
		slices.Sort(d)
		return d[len(d)/2]
	}
	t.Logf("frozen: median %v, at most %v; the slowest message: median %v, at most %v, and %v without an upgrade",
		middle(stood), slices.Max(stood), middle(longest), slices.Max(longest), usual)
}
