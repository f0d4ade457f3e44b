package serve

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// rereads sends SIGHUP and returns what the log says of it, once it has said last
// another time.
func rereads(t *testing.T, p *program.Process, last string) string {
	t.Helper()
	before := p.Stderr.String()
	p.Signal(t, syscall.SIGHUP)
	said := ""
	servertest.Await(t, last, func() bool {
		said = strings.TrimPrefix(p.Stderr.String(), before)
		return strings.Contains(said, last)
	})
	return said
}

const (
	rereadDone   = `msg="settings read again"`
	rereadFailed = `msg="settings not read again: all stay as they are"`
)

func says(t *testing.T, said string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains(said, l) {
			t.Errorf("no %q in\n%s", l, said)
		}
	}
}

// echoes tells what comes of a message of n bytes on c, of /echo.
func echoes(c *servertest.Conn, n int) servertest.Frame {
	c.Write(program.Text(strings.Repeat("x", n)))
	f, _ := c.Read()
	return f
}

func TestReload(t *testing.T) {
	servertest.Parallel(t)
	file := program.SettingsFile(t, `message-rate = 0`, `max-message-size = "1KiB"`, `ping-interval = "1h"`, `drain-time = "9s"`)
	p := program.Launch{Args: []string{"--config", file, "--pong-timeout=8s"}, Env: []string{"ROULETTE_STALL_TIMEOUT=7s"}}.Serve(t)
	old := servertest.Dial(t, p.Addr, "/echo")
	if f := echoes(old, 1024); f.Op != servertest.OpText {
		t.Fatal(f)
	}

	t.Run("nothing has changed", func(t *testing.T) {
		says(t, rereads(t, p, rereadDone), "changed=0 need_restart=0")
	})
	t.Run("what can change does, on connections that are there", func(t *testing.T) {
		program.WriteSettings(t, file, `message-rate = 0`, `max-message-size = "2KiB"`, `ping-interval = "1h"`, `drain-time = "9s"`,
			`allowed-origins = ["https://a.example"]`, `max-connections = 100`, `workers = 3`, `pong-timeout = "1m"`, `stall-timeout = "1m"`)
		says(t, rereads(t, p, rereadDone),
			"key=max-message-size from=1KiB to=2KiB",
			"key=allowed-origins from=[] to=['https://a.example']",
			"key=max-connections from=0 to=100",
			`level=WARN msg="setting needs a restart" key=workers from=0 to=3`,
			"changed=3 need_restart=1 max_connections=100")
		if f := echoes(old, 2048); f.Op != servertest.OpText {
			t.Errorf("a longer message on a connection that was there: %v", f)
		}
		c := servertest.Connect(t, p.Addr)
		c.Write([]byte(servertest.Request(p.Addr, "/ws", "Origin: https://b.example")))
		if r, err := c.Response("GET"); err != nil || r.StatusCode != http.StatusForbidden {
			t.Errorf("another origin: %v, %v", r, err)
		}
		if got := p.Metric(t, "roulette_connections_limit"); got != 100 {
			t.Errorf("roulette_connections_limit %v", got)
		}
	})
	t.Run("a file with mistakes changes nothing", func(t *testing.T) {
		for _, lines := range [][]string{
			{`max-message-size = "4KiB"`, `ping-interval = "0s"`, `typo = 1`},
			{`max-message-size = "4KiB"`, `no TOML`},
		} {
			program.WriteSettings(t, file, lines...)
			said := rereads(t, p, rereadFailed)
			says(t, said, "level=ERROR msg=\"setting is wrong\" error=\""+file+":2: ")
			if got := strings.Count(said, "setting is wrong"); got != len(lines)-1 {
				t.Errorf("%d lines about mistakes, want %d:\n%s", got, len(lines)-1, said)
			}
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		says(t, rereads(t, p, rereadFailed), "no such file")
		if f := echoes(servertest.Dial(t, p.Addr, "/echo"), 2049); f.Code() != 1009 {
			t.Errorf("a message beyond the limit: %v", f)
		}
	})
	t.Run("a rate limit for who is there", func(t *testing.T) {
		program.WriteSettings(t, file, `message-rate = 1`, `message-burst = 2`)
		says(t, rereads(t, p, rereadDone), "key=message-rate from=0 to=1", "key=message-burst from=60 to=2",
			"key=drain-time from=9s to=10s", "need_restart=0")
		f := echoes(old, 1)
		for f.Op == servertest.OpText { // what a server that was itself held up has read does not count
			f = echoes(old, 1)
		}
		if f.Code() != 4429 {
			t.Errorf("%v", f)
		}
		old.TCP.Close()
	})
	p.Signal(t, syscall.SIGTERM)
	if code := p.Exit(t); code != program.OK {
		t.Errorf("exit code %d", code)
	}
	says(t, p.Stderr.String(), "msg=draining signal=terminated drain_grace=0s drain_time=10s")
}

// logLevel asks for the level, or sets it.
func logLevel(t *testing.T, p *program.Process, method, level string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.Admin+"/loglevel", strings.NewReader(level))
	if err != nil {
		t.Fatal(err)
	}
	r, err := program.Pages.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return program.Answer(t, r)
}

func TestLogLevel(t *testing.T) {
	servertest.Parallel(t)
	file := program.SettingsFile(t, `log-level = "warn"`)
	p := program.Serve(t, "--config", file)
	is := func(want string) {
		t.Helper()
		if status, got := logLevel(t, p, "GET", ""); status != http.StatusOK || got != want+"\n" {
			t.Errorf("%d %q, want %q", status, got, want)
		}
	}
	becomes := func(want string) { // just after the line about it
		t.Helper()
		servertest.Await(t, want, func() bool { _, got := logLevel(t, p, "GET", ""); return got == want+"\n" })
	}
	is("warn")
	for _, body := range []string{"", "loud", "4", "debug info", strings.Repeat("x", 1<<20)} {
		if status, said := logLevel(t, p, "PUT", body); status != http.StatusBadRequest ||
			!strings.HasSuffix(said, "is not one of debug, info, warn, error\n") || len(said) > 100 {
			t.Errorf("%.20q: %d %q", body, status, said)
		}
	}
	is("warn")
	if status, _ := program.Get(t, "http://"+p.Addr+"/loglevel"); status != http.StatusNotFound {
		t.Errorf("on the public port: %d", status)
	}
	for _, level := range []string{"debug", "error", "info\n"} {
		if status, got := logLevel(t, p, "PUT", level); status != http.StatusOK || got != strings.TrimSpace(level)+"\n" {
			t.Errorf("%s: %d %q", level, status, got)
		}
	}
	// The log comes by another way than the answer.
	servertest.Await(t, "the last change in the log", func() bool { return strings.Contains(p.Stderr.String(), "from=ERROR to=INFO") })
	says(t, p.Stderr.String(), `msg="log level changed" from=WARN to=DEBUG`, "from=DEBUG to=ERROR")

	// Reading the settings again puts what is configured in force.
	program.WriteSettings(t, file, `log-level = "warn"`, `message-rate = 7`)
	says(t, rereads(t, p, `from=INFO to=WARN by=SIGHUP`), "key=message-rate from=20 to=7 by=SIGHUP", rereadDone)
	becomes("warn")
	program.WriteSettings(t, file, `log-level = "error"`)
	rereads(t, p, `from=WARN to=ERROR by=SIGHUP`)
	becomes("error")
	p.Stop(t)
}
