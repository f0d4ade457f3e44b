package serve

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// overUnix is an HTTP client of the server at a Unix socket.
func overUnix(t *testing.T, path string) *http.Client {
	c := &http.Client{
		Timeout: servertest.Patience,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}},
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// chat opens a chat at a Unix socket for somebody who is behind a proxy.
func chat(t *testing.T, client *http.Client, from string) (*websocket.Conn, *http.Response) {
	t.Helper()
	c, r, err := websocket.Dial(t.Context(), "ws://roulette/ws", &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: http.Header{"X-Forwarded-For": {from}},
	})
	if err != nil && r == nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, r
}

// TestUnixSocket: pages and chats over a socket in the file system, which only those
// may open who are allowed to, and whose clients are believed when they say for whom
// they ask.
func TestUnixSocket(t *testing.T) {
	servertest.Parallel(t)
	path := filepath.Join(t.TempDir(), "roulette.sock")
	p := program.Launch{Args: []string{"--listen=unix:" + path, "--socket-mode=0600", "--max-connections-per-address=2"}}.Run(t)
	if got := p.Await(t, program.Listening); got != "unix:"+path {
		t.Errorf("listens on %s", got)
	}
	p.Admin = p.Await(t, program.AdminOn)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", info, err)
	}
	client := overUnix(t, path)
	for _, page := range []string{"/", "/healthz", "/"} { // one connection
		r, err := client.Get("http://roulette" + page)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %v", page, r.Status, err)
		}
		r.Body.Close()
	}
	a, _ := chat(t, client, "192.0.2.1") // on the connection that had pages
	b, _ := chat(t, client, "192.0.2.1")
	servertest.Await(t, "a pair", func() bool { return p.Metric(t, "roulette_pairs") == 1 })
	for _, turn := range [][2]*websocket.Conn{{a, b}, {b, a}} {
		if err := turn[0].Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, got, err := turn[1].Read(t.Context()); err != nil || string(got) != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if _, r := chat(t, client, "192.0.2.1"); r.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a third of one address: %s", r.Status)
	}
	if c, r := chat(t, client, "192.0.2.2"); c == nil {
		t.Errorf("one of another address: %s", r.Status)
	}
	for _, c := range []*websocket.Conn{a, b} {
		c.CloseNow()
	}
	client.CloseIdleConnections()
	p.Stop(t)
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

// TestUnixSocketThatIsThere: what a killed server has left is replaced; a socket that
// somebody listens on, and a file that is none, are not touched.
func TestUnixSocketThatIsThere(t *testing.T) {
	servertest.Parallel(t)
	path := filepath.Join(t.TempDir(), "roulette.sock")
	here := program.Launch{Args: []string{"--listen=unix:" + path, "--admin="}}
	serves := func() {
		t.Helper()
		r, err := overUnix(t, path).Get("http://roulette/healthz")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	refuses := func(says string) {
		t.Helper()
		p := here.Run(t)
		if code := p.Exit(t); code != program.Failed {
			t.Errorf("exit code %d", code)
		}
		program.OneLine(t, p.Stderr.String(), says)
	}
	first := here.Run(t)
	first.Await(t, program.Listening)
	first.Kill(t)
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("it cleans up when it is killed: %v", err)
	}
	second := here.Run(t)
	second.Await(t, program.Listening)
	refuses("address already in use")
	serves()
	// What stands there when it ends is another's.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	third := here.Run(t)
	third.Await(t, program.Listening)
	second.Stop(t)
	serves()
	third.Stop(t)

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses("no socket")
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("%q, %v", b, err)
	}
	here.Args[0] = "--listen=unix:" + filepath.Join(path, "below")
	refuses("not a directory")
}

// TestUnixSocketActivation: a service manager may pass one.
func TestUnixSocketActivation(t *testing.T) {
	servertest.Parallel(t)
	path := filepath.Join(t.TempDir(), "roulette.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := program.Launch{Sockets: []*os.File{file}, Env: []string{"LISTEN_FDS=1"}}.Run(t)
	if got := p.Await(t, program.Listening); got != "unix:"+path {
		t.Errorf("listens on %s", got)
	}
	client := overUnix(t, path)
	r, err := client.Get("http://roulette/healthz")
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatal(r, err)
	}
	r.Body.Close()
	c, _ := chat(t, client, "192.0.2.1")
	c.CloseNow()
	client.CloseIdleConnections()
	p.Signal(t, syscall.SIGTERM)
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("it has removed what is the manager's: %v", err)
	}
}

// TestUnixSocketMistakes are found before anything is opened.
func TestUnixSocketMistakes(t *testing.T) {
	servertest.Parallel(t)
	for listen, says := range map[string]string{
		"unix:":                             "begins with /",
		"unix:relative":                     "begins with /",
		"unix:/run/":                        "directory",
		"unix:/" + strings.Repeat("x", 107): "longer than 107 bytes",
	} {
		_, errs, code := program.Output(t, "", "check-config", "--listen="+listen)
		if code != program.Usage {
			t.Errorf("%s: exit code %d", listen, code)
		}
		program.OneLine(t, errs, says)
	}
	_, errs, code := program.Output(t, "", "check-config", "--listen=unix:/run/a", "--listen=unix:/run/../run/a")
	if code != program.Usage {
		t.Errorf("twice: exit code %d", code)
	}
	program.OneLine(t, errs, "already")
	_, errs, _ = program.Output(t, "", "check-config", "--socket-mode=rw")
	program.OneLine(t, errs, "0660")
}
