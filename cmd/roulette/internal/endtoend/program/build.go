package program

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	_ "roulette/netpoll/onlylinux"

	"roulette/netpoll/nettest"
)

var binary struct {
	once sync.Once
	path string
	err  error
}

// Path is the built program.
func Path(t testing.TB) string {
	t.Helper()
	root := Root(t)
	binary.once.Do(func() { binary.path, binary.err = build(root, "") })
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// Variant is the program built with more flags of go build, under a name of its own.
func Variant(t testing.TB, name string, flags ...string) string {
	t.Helper()
	path, err := build(Root(t), "-"+name, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// build builds the program of the module at root, in a place that all tests of this
// work tree share: go build sees that what is there is up to date. One after the
// other, for it removes what it replaces.
func build(root, suffix string, flags ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "roulette", "tests", fmt.Sprintf("%x", sha256.Sum256([]byte(root)))[:16])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", os.NewSyscallError("flock", err)
	}
	path := filepath.Join(dir, "roulette"+suffix)
	args := append([]string{"build"}, flags...)
	if nettest.RaceEnabled {
		path += "-race"
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "-o", path, "./cmd/roulette")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// Root is the folder of go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// File is the path of a file of this module, given from its root.
func File(t testing.TB, name string) string { return filepath.Join(Root(t), name) }

// Read is the content of a file of this module, given from its root.
func Read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(File(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Installed skips the test where a program of others is missing, except in CI.
func Installed(t testing.TB, name string) {
	t.Helper()
	alsoSbin()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v, and CI=true: this test must run", err)
		}
		t.Skipf("skipped: %v; install %s to run this test", err, name)
	}
}

// alsoSbin has programs found that are root's, such as servers.
var alsoSbin = sync.OnceFunc(func() { os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin") })
