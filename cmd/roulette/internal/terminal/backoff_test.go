package terminal

import (
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestMayReconnect(t *testing.T) {
	for code, want := range map[websocket.StatusCode]bool{
		1000: false, 1001: true, 1002: false, 1005: true, 1006: true, 1007: false, 1009: false,
		1011: true, 1012: true, 1013: true, 1015: true, 3000: false,
		4399: false, 4400: true, 4408: true, 4429: true, 4453: true, 4499: true, 4500: false, 4599: false,
	} {
		if got := mayReconnect(code); got != want {
			t.Errorf("%d: %v", code, got)
		}
	}
}

func TestRetryDelay(t *testing.T) {
	tests := []struct {
		code        websocket.StatusCode
		attempts    int
		least, most time.Duration
	}{
		{1006, 0, 100 * time.Millisecond, time.Second},
		{1006, 3, 100 * time.Millisecond, 8 * time.Second},
		{4408, 5, 100 * time.Millisecond, 30 * time.Second},
		{1006, 1000, 100 * time.Millisecond, 30 * time.Second},
		{1001, 0, 100 * time.Millisecond, 5 * time.Second},
		{4429, 0, 10 * time.Second, time.Minute},
	}
	for _, test := range tests {
		lowest, highest := time.Hour, time.Duration(0)
		for range 2000 {
			d := retryDelay(test.code, test.attempts)
			lowest, highest = min(lowest, d), max(highest, d)
		}
		spread := test.most - test.least
		if lowest < test.least || highest > test.most || lowest > test.least+spread/10 || highest < test.most-spread/10 {
			t.Errorf("%d, %d attempts: %v to %v, want %v to %v", test.code, test.attempts, lowest, highest, test.least, test.most)
		}
	}
}
