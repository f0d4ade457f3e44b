package nettest

import (
	"testing"
	"time"
)

// Patience bounds whatever a test waits for. A healthy server needs
// milliseconds; the rest is for machines that do something else as well.
const Patience = 45 * time.Second

// Await returns when condition is true. After [Patience] the test fails.
func Await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	if condition() {
		return
	}
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		select {
		case <-ticker.C:
			if condition() {
				return
			}
		case <-deadline.C:
			t.Fatalf("waited %v in vain for: %s", Patience, what)
		}
	}
}
