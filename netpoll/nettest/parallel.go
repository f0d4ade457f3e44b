package nettest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	parallel sync.Map    // names of the tests that called Parallel
	watched  atomic.Bool // Main looks for what they leave
)

// Parallel has the test run beside all others that call it, when those that do not are
// through: for tests that wait more than they work. It is a test's first statement, in
// a package whose TestMain is [Main].
func Parallel(t *testing.T) {
	t.Helper()
	if !watched.Load() {
		t.Fatal("nettest: Parallel needs Main, which looks for leaks")
	}
	parallel.Store(t.Name(), nil)
	t.Parallel()
}

// isParallel reports whether the test, or the one it belongs to, called Parallel.
func isParallel(t testing.TB) bool {
	name, _, _ := strings.Cut(t.Name(), "/")
	_, is := parallel.Load(name)
	return is
}

// Main runs the tests of a package and then fails if goroutines or descriptors are left
// that were not there before the first. It returns the exit code. Four tests for each
// processor run side by side, of those that call [Parallel], unless the flag -parallel
// says otherwise.
func Main(m *testing.M) int {
	watched.Store(true)
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))) // the flag is there, and takes numbers
	}
	warmUp()
	before, err := descriptors(os.Getpid())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ignore := goleak.IgnoreCurrent()
	code := m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(ignore); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
		return 1
	}
	for deadline := time.Now().Add(Patience); ; time.Sleep(2 * time.Millisecond) {
		left := leftOpen(before)
		if len(left) == 0 {
			return code
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, "descriptors left behind:", strings.Join(left, ", "))
			return 1
		}
	}
}
