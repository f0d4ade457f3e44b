package mesh

import (
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"roulette/netpoll/nettest"
)

// TestBusIsStuck: a bus that is stopped while much is said to it, so that nobody takes
// what the socket holds, is noticed as soon as one to which nothing is said.
func TestBusIsStuck(t *testing.T) {
	nettest.CheckLeaks(t)
	addr := freeAddress(t)
	server := natsServer(t, addr)
	var lost lossLog
	bus := NewNATS(slog.New(slog.NewTextHandler(&lost, nil)))
	m, err := New(Config{Self: 5, World: "test", Bus: bus, Host: new(lonelyHost)})
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Start(NATSConfig{URLs: "nats://" + addr}, m); err != nil {
		t.Fatal(err)
	}
	defer bus.Close(t.Context())
	nettest.Await(t, "the bus to be there", bus.Connected)
	if err := server.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stopped, word := time.Now(), make([]byte, 32<<10)
	nettest.Await(t, "the loss to be noticed", func() bool {
		for range 8 {
			bus.Publish("roulette.test.node.x", word)
		}
		return lost.has("bus lost")
	})
	t.Logf("noticed after %v", time.Since(stopped).Round(time.Millisecond))
	if took := time.Since(stopped); took > 10*time.Second {
		t.Errorf("noticed after %v", took)
	}
}

// lossLog keeps what is logged.
type lossLog struct {
	mu   sync.Mutex
	text strings.Builder // Guarded by mu.
}

func (l *lossLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lossLog) has(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), what)
}
