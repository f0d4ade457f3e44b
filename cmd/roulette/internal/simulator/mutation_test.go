//go:build mutation

package simulator

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The rarest takes some four million steps on the average.
var mutationSteps = flag.Int("mutation.steps", 100_000_000, "steps in which a mutation has to be found")

// TestMutations puts one bug after the other into the server, and demands that the
// simulator finds each. One program has them all; a variable says which it makes.
func TestMutations(t *testing.T) {
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) (string, error) {
		source, err := os.ReadFile(path)
		return string(source), err
	}
	files, apart, err := mutantSources(root, read)
	if err != nil {
		t.Fatal(err)
	}
	all := build(t, t.TempDir(), files)
	for i, m := range mutations {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			program := all
			if slices.Contains(apart, i+1) {
				path := filepath.Join(root, m.file)
				source, err := read(path)
				if err != nil {
					t.Fatal(err)
				}
				program = build(t, t.TempDir(), map[string]string{path: strings.Replace(source, m.old, m.new, 1)})
			}
			isFound(t, program, i+1)
		})
	}
}

// build makes a program of this package's tests with other source files.
func build(t *testing.T, dir string, files map[string]string) (program string) {
	replace := make(map[string]string)
	for path, text := range files {
		file := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	program, list := filepath.Join(dir, "simulator.test"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", list, "-o", program, ".")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not compile: %v\n%s", err, out)
	}
	return program
}

// isFound demands that a violation is found in a program with that mutation.
func isFound(t *testing.T, program string, number int) {
	begin := time.Now()
	tests := "^Test(Simulation|Seeds)$"
	if number > len(serverMutations) {
		tests = "^TestNodes$"
	}
	run := exec.Command(program, "-test.run", tests, "-test.timeout", "10m",
		"-sim.shrink", "0s", "-sim.steps", strconv.Itoa(*mutationSteps), "-sim.nodesteps", strconv.Itoa(*mutationSteps))
	run.Env = append(os.Environ(), "GOMAXPROCS=1", mutantSwitch+"="+strconv.Itoa(number))
	out, err := run.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "steps suffice") {
		t.Fatalf("not found\n%s", out)
	}
	t.Logf("in %v: %.300s", time.Since(begin).Round(time.Millisecond), out)
}
