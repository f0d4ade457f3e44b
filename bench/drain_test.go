//go:build linux

package bench

import (
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestDrain(t *testing.T) {
	const clients = 30
	nobody := func(int) bool { return false }
	tests := []struct {
		name     string
		cut      func(i int) bool
		code     websocket.StatusCode
		goodbyes int
		errors   map[string]uint64
	}{
		{"in good order", nobody, websocket.StatusGoingAway, clients, nil},
		{"with a third of them cut", func(i int) bool { return i%3 == 0 }, websocket.StatusGoingAway, clients * 2 / 3,
			map[string]uint64{"closed by the server: 1006": clients / 3}},
		{"with another code", nobody, websocket.StatusInternalError, 0, map[string]uint64{"closed by the server: 1011": clients}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r relay
			var begun bool
			done := make(chan struct{})
			res, err := Run(t.Context(), Config{
				URL: r.start(t) + "/ws", Mode: Drain, Connections: clients, Rate: 500, Threads: 2,
				Duration: 20 * time.Second, Warmup: 100 * time.Millisecond, Drain: time.Millisecond,
				Begin: func() {
					begun = true
					go func() { r.drain(test.cut, test.code); close(done) }()
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			<-done
			d := res.Drained
			if !begun || d == nil || d.Goodbyes != test.goodbyes || d.Left != 0 {
				t.Errorf("%+v", d)
			}
			sum := 0
			for _, n := range d.Tenths {
				sum += n
			}
			if sum != test.goodbyes {
				t.Errorf("by tenths %d", d.Tenths)
			}
			for cause, n := range test.errors {
				// Who is cut while it writes may learn of it by the write.
				if got := res.Errors[cause]; got > n || got == 0 {
					t.Errorf("%d times %q, want %d", got, cause, n)
				}
			}
			if failed := uint64(clients - test.goodbyes); failed != total64(res.Errors) {
				t.Errorf("%d failed: %v", failed, res.Errors)
			}
			if n := res.Faults.Total(); n > 0 && test.goodbyes == clients {
				t.Errorf("%+v", res.Faults)
			}
		})
	}
	t.Run("of a server that does not", func(t *testing.T) {
		var r relay
		res, err := Run(t.Context(), Config{
			URL: r.start(t) + "/ws", Mode: Drain, Connections: 4, Duration: 50 * time.Millisecond, Warmup: time.Millisecond, Drain: time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := res.Drained; d.Left != 4 || d.Goodbyes != 0 {
			t.Errorf("%+v", d)
		}
	})
}

func total64(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}
