package upgrade

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// manager is a service manager, which is told things (sd_notify(3)).
type manager struct {
	mu   sync.Mutex
	told []string // lines
}

// manage has what is started from now on tell a manager.
func manage(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "3600000000") // what comes sooner comes at once
	m := new(manager)
	go func() {
		b := make([]byte, 4<<10)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.told = append(m.told, strings.Split(string(b[:n]), "\n")...)
			m.mu.Unlock()
		}
	}()
	return m
}

// hears tells whether it was told all of these, in this order.
func (m *manager) hears(lines ...string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := m.told
	for _, l := range lines {
		i := slices.Index(rest, l)
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	return true
}

// TestManager: a service manager is told of the new main process before the old one
// hears that it may end, or it would take the service for ended; then that it is ready,
// and signs of life.
func TestManager(t *testing.T) {
	m := manage(t)
	s := serve(t)
	c := s.chats()
	if out, err := s.upgrade(nil); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	servertest.Await(t, "what a manager is told", func() bool {
		return m.hears(fmt.Sprintf("MAINPID=%d", s.pid), "READY=1", "WATCHDOG=1")
	})
	c.goOn()

	// The successor is dead before its word that it serves has come.
	killed := meddling{From: successor, Word: "serving", Do: kill + successor}
	out, err := s.upgrade(nil, "--binary", killed.binary(t, program.Path(t)))
	if err != nil || !tookOver.MatchString(out) {
		t.Fatalf("%v\n%s", err, out)
	}
	servertest.Await(t, "the new main process", func() bool { return m.hears(fmt.Sprintf("MAINPID=%d", s.pid)) })
	s.pid = 0
}
