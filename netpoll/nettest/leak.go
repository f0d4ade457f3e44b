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
// another one.
func CheckLeaks(t testing.TB) {
	t.Helper()
	warmUp()
	ignore := goleak.IgnoreCurrent()
	before := Descriptors(t, os.Getpid())
	t.Cleanup(func() {
		if err := goleak.Find(ignore); err != nil {
			t.Errorf("goroutines left behind: %v", err)
		}
		var left []string
		Await(t, "all descriptors to be closed", func() bool {
			left = nil
			for fd, what := range Descriptors(t, os.Getpid()) {
				if before[fd] != what {
					left = append(left, fd+" → "+what)
				}
			}
			if len(left) > 0 && t.Failed() {
				return true // who fails for another reason need not wait
			}
			return len(left) == 0
		})
		if len(left) > 0 {
			t.Errorf("descriptors left behind: %s", strings.Join(left, ", "))
		}
	})
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
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := make(map[string]string)
	for _, e := range entries {
		// One that is gone by now is the one that the directory was read by.
		if target, err := os.Readlink(dir + "/" + e.Name()); err == nil {
			open[e.Name()] = target
		}
	}
	return open
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
