//go:build mutation

package simulator

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The rarest takes some four million steps on the average.
var mutationSteps = flag.Int("mutation.steps", 100_000_000, "steps in which a mutation has to be found")

// TestMutations puts one bug after the other into the server, and demands that
// the simulator finds each.
func TestMutations(t *testing.T) {
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			m.test(t, root)
		})
	}
}

func (m mutation) test(t *testing.T, root string) {
	path := filepath.Join(root, m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s has %q %d times instead of once", m.file, m.old, n)
	}
	dir := t.TempDir()
	mutant, overlay, program := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "simulator.test")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		mutant:  []byte(strings.Replace(string(source), m.old, m.new, 1)),
		overlay: replace,
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not compile: %v\n%s", err, out)
	}
	run := exec.Command(program, "-test.run", "^Test(Simulation|Seeds)$", "-test.timeout", "10m",
		"-sim.shrink", "0s", "-sim.steps", strconv.Itoa(*mutationSteps))
	run.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := run.CombinedOutput()
	if err == nil {
		t.Fatalf("not found\n%s", out)
	}
	t.Logf("%.300s", out)
}
