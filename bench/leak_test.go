//go:build linux

package bench

import (
	"context"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds whatever a test waits for.
const patience = 20 * time.Second

// checkLeaks demands that when the test is over, its later cleanups included, there
// are no goroutines and no descriptors that were not there before.
func checkLeaks(t testing.TB) {
	t.Helper()
	warmUp()
	goroutines, before := goleak.IgnoreCurrent(), descriptors(t)
	t.Cleanup(func() {
		if err := goleak.Find(goroutines); err != nil {
			t.Error(err)
		}
		for end := time.Now().Add(patience); descriptors(t) > before; {
			if t.Failed() || time.Now().After(end) {
				t.Errorf("%d descriptors before, %d after", before, descriptors(t))
				break
			}
			pause(context.Background(), 2*time.Millisecond)
		}
	})
}

// warmUp opens what the Go runtime opens for its first socket and never closes.
var warmUp = sync.OnceFunc(func() {
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
	}
})

func descriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
