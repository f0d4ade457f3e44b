package program

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Exit codes of the program.
const (
	OK     = 0
	Failed = 1
	Usage  = 2
)

// Output runs the program to its end and returns what it wrote.
func Output(t testing.TB, input string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Path(t), args...)
	cmd.Env = Environment()
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if strings.Contains(errs.String(), "DATA RACE") {
		t.Error(errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// OneLine demands a line that says what is wrong, and nothing else.
func OneLine(t testing.TB, stderr, want string) {
	t.Helper()
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "roulette: ") || !strings.Contains(stderr, want) {
		t.Errorf("stderr %q, want one line with %q", stderr, want)
	}
}

// SettingsFile writes a file of settings and returns its path.
func SettingsFile(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roulette.toml")
	WriteSettings(t, path, lines...)
	return path
}

// WriteSettings writes a file of settings anew.
func WriteSettings(t testing.TB, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
