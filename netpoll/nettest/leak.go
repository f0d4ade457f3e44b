package nettest

import (
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// CheckLeaks fails the test if, when all its later cleanups are through, there
// are goroutines or descriptors that were not there when CheckLeaks was called.
// Both are counted for the whole process, so such a test must not be parallel to
// another one; what one that called [Parallel] leaves is looked for by [Main].
func CheckLeaks(t testing.TB) {
	t.Helper()
	if isParallel(t) {
		return
	}
	// The first look of a test is the one that sees most, and with ten thousand clients
	// there the next one would take half a minute.
	if _, again := lookedAt.LoadOrStore(t, true); again {
		return
	}
	t.Cleanup(func() { lookedAt.Delete(t) })
	warmUp()
	ignore := goleak.IgnoreCurrent()
	before := Descriptors(t, os.Getpid())
	t.Cleanup(func() {
		if err := goleak.Find(ignore); err != nil {
			t.Errorf("goroutines left behind: %v", err)
		}
		left := []string{"?"}
		Await(t, "all descriptors to be closed", func() bool {
			left = leftOpen(before)
			return len(left) == 0 || t.Failed() // who fails for another reason need not wait
		})
		if len(left) > 0 {
			t.Errorf("descriptors left behind: %s", strings.Join(left, ", "))
		}
	})
}

// lookedAt are the tests whose leaks are looked for.
var lookedAt sync.Map // of testing.TB

// leftOpen lists what this process has open that it had not before.
func leftOpen(before map[string]string) (left []string) {
	now, _ := descriptors(os.Getpid())
	for fd, what := range now {
		if before[fd] != what {
			left = append(left, fd+" → "+what)
		}
	}
	return left
}

// warmUp opens what the Go runtime opens for its first socket and never closes.
var warmUp = sync.OnceFunc(func() {
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
	}
})

// Descriptors lists what a process has open: number to target.
func Descriptors(t testing.TB, pid int) map[string]string {
	t.Helper()
	open, err := descriptors(pid)
	if err != nil {
		t.Fatal(err)
	}
	return open
}

func descriptors(pid int) (map[string]string, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	open := make(map[string]string)
	for _, e := range entries {
		// One that is gone by now is the one that the directory was read by.
		if target, err := os.Readlink(dir + "/" + e.Name()); err == nil {
			open[e.Name()] = target
		}
	}
	return open, nil
}

// Targets is Descriptors' targets without numbers that differ from run to run,
// sorted: what to print.
func Targets(open map[string]string) []string {
	targets := slices.Sorted(maps.Values(open))
	for i, s := range targets {
		targets[i], _, _ = strings.Cut(s, ":[")
	}
	return targets
}
