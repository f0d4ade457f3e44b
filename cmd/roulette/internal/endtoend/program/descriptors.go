package program

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// RaiseDescriptors raises this process's soft limit to the hard one and returns
// it.
func RaiseDescriptors(t testing.TB) int {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit.Cur, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
	}
	return int(min(limit.Cur, 1<<30))
}
