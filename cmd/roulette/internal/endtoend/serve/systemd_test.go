package serve

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// manager is a service manager's end of sd_notify(3).
type manager struct {
	conn *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{path: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m.conn = conn
	return m
}

// await reads until there is a message with this line, and returns it. None of
// the others may have a line with an unwanted beginning.
func (m *manager) await(t *testing.T, line string, unwanted ...string) string {
	t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(servertest.Patience))
	b := make([]byte, 4<<10)
	for {
		n, err := m.conn.Read(b)
		if err != nil {
			t.Fatalf("no %s: %v", line, err)
		}
		message := string(b[:n])
		for l := range strings.Lines(message) {
			if strings.TrimSuffix(l, "\n") == line {
				return message
			}
			for _, u := range unwanted {
				if strings.HasPrefix(l, u) {
					t.Fatalf("%q before %s", message, line)
				}
			}
		}
	}
}

// TestNotify: a service manager is told all of the program's life, in order.
func TestNotify(t *testing.T) {
	servertest.Parallel(t)
	m := newManager(t)
	p := program.Launch{Env: []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=100000"}}.Serve(t)
	first := m.await(t, "READY=1", "WATCHDOG=", "STOPPING=")
	if !strings.Contains(first, "STATUS=serving: 0 connections, 0 pairs") {
		t.Errorf("at first: %q", first)
	}
	m.await(t, "WATCHDOG=1", "READY=", "STOPPING=")
	a, b := program.Meet(t, p.Addr, p.Addr)
	m.await(t, "STATUS=serving: 2 connections, 1 pairs", "READY=", "STOPPING=")
	p.Signal(t, syscall.SIGHUP)
	if again := m.await(t, "RELOADING=1", "READY=", "STOPPING="); !strings.Contains(again, "MONOTONIC_USEC=") {
		t.Errorf("reloading: %q", again)
	}
	m.await(t, "READY=1", "STOPPING=")
	p.Signal(t, syscall.SIGTERM)
	m.await(t, "STOPPING=1", "READY=")
	m.await(t, "WATCHDOG=1", "READY=") // also while it drains: b does not go
	a.ExpectClose(1001)
	b.ExpectClose(1001)
	a.TCP.Close()
	b.TCP.Close()
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// socket is a listening socket to pass to the program, and its address.
func socket(t *testing.T) (f *os.File, addr string) {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if f, err = l.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, l.Addr().String()
}

// TestSocketActivation: sockets that were passed are served in place of those that
// the settings name; who came before the program waits in their queue.
func TestSocketActivation(t *testing.T) {
	servertest.Parallel(t)
	public, publicAddr := socket(t)
	admin, adminAddr := socket(t)
	for _, tc := range []struct {
		name    string
		sockets []*os.File
		names   string
		admin   string // "": as configured
	}{
		{"both, by name", []*os.File{admin, public}, "admin:public", adminAddr},
		{"one without a name", []*os.File{public}, "", ""},
		{"one with its unit's name", []*os.File{public}, "roulette.socket", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			early := servertest.Connect(t, publicAddr)
			early.Write([]byte(servertest.Request(publicAddr, "/echo")))
			count := map[int]string{1: "1", 2: "2"}[len(tc.sockets)]
			p := program.Launch{Sockets: tc.sockets, Env: []string{"LISTEN_FDS=" + count, "LISTEN_FDNAMES=" + tc.names}}.Serve(t)
			if p.Addr != publicAddr {
				t.Errorf("listens on %s, want %s", p.Addr, publicAddr)
			}
			if tc.admin != "" && p.Admin != tc.admin {
				t.Errorf("admin on %s, want %s", p.Admin, tc.admin)
			}
			if err := early.Upgraded(); err != nil {
				t.Error(err)
			}
			early.Leave()
			program.Converse(t, publicAddr)
			if status, _ := program.Get(t, "http://"+p.Admin+"/readyz"); status != http.StatusOK {
				t.Errorf("/readyz: %d", status)
			}
			p.Stop(t)
		})
	}
	t.Run("for another process", func(t *testing.T) {
		p := program.Launch{Env: []string{"LISTEN_PID=1", "LISTEN_FDS=1"}}.Serve(t)
		if p.Addr == publicAddr {
			t.Error("takes it")
		}
		p.Stop(t)
	})
}

func TestSocketActivationMistakes(t *testing.T) {
	servertest.Parallel(t)
	listening, _ := socket(t)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, tc := range []struct {
		name    string
		sockets []*os.File
		env     []string
		says    string
	}{
		{"no number", []*os.File{listening}, []string{"LISTEN_FDS=some"}, "LISTEN_FDS=some"},
		{"none", []*os.File{listening}, []string{"LISTEN_FDS=0"}, "LISTEN_FDS=0"},
		{"fewer than they say", []*os.File{listening}, []string{"LISTEN_FDS=2"}, "LISTEN_FD_4"},
		{"a file", []*os.File{file}, []string{"LISTEN_FDS=1"}, "LISTEN_FD_3"},
		{"a name that is wrong", []*os.File{listening}, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=pubic"}, "public, tls or admin"},
		{"two admins", []*os.File{listening, listening}, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=admin:admin"}, "admin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := program.Launch{Sockets: tc.sockets, Env: tc.env, Args: []string{"--admin="}}.Run(t)
			if code := p.Exit(t); code != program.Failed {
				t.Errorf("exit code %d", code)
			}
			program.OneLine(t, p.Stderr.String(), tc.says)
		})
	}
}
