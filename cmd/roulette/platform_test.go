package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestOtherSystems: whoever builds the program for another system is told, in one
// sentence, by the one package that all that needs Linux imports.
func TestOtherSystems(t *testing.T) {
	const sentence = "roulette/netpoll/onlylinux"
	for _, goos := range []string{"darwin", "windows", "freebsd"} {
		build := exec.Command("go", "build", sentence)
		build.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
		out, err := build.CombinedOutput()
		if lines := strings.Count(string(out), "\n"); err == nil || lines != 2 || !strings.Contains(string(out), "Linux only") {
			t.Errorf("%s: %v, %q", goos, err, out)
		}
	}
	// With it everything that imports netpoll fails and is not looked at.
	for _, name := range []string{"roulette/netpoll", "roulette/cmd/roulette/internal/endtoend/program", "roulette/cmd/roulette/internal/handover"} {
		out, err := exec.Command("go", "list", "-f", "{{join .Imports \"\\n\"}}", name).Output()
		if err != nil || !slices.Contains(strings.Fields(string(out)), sentence) {
			t.Errorf("%s: %v, does not import %s", name, err, sentence)
		}
	}
}
