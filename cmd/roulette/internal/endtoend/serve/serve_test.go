package serve

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

func TestServe(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	status, page := program.Get(t, "http://"+p.Addr+"/")
	if status != http.StatusOK || !strings.Contains(page, "<html") {
		t.Errorf("the page: %d %.80q", status, page)
	}
	program.Converse(t, p.Addr)
	for _, path := range []string{"/healthz", "/readyz", "/statusz", "/loglevel", "/metrics", "/debug/pprof/", "/debug/pprof/goroutine?debug=1"} {
		if status, _ := program.Get(t, "http://"+p.Admin+path); status != http.StatusOK {
			t.Errorf("admin %s: %d", path, status)
		}
		// Balancers have a /healthz of their own there.
		if status, _ := program.Get(t, "http://"+p.Addr+path); status != http.StatusNotFound && path != "/healthz" {
			t.Errorf("%s on the public port: %d", path, status)
		}
	}
	p.Stop(t)
}

// TestWhereToGo: every way to say where to listen, and what is printed can be
// opened.
func TestWhereToGo(t *testing.T) {
	servertest.Parallel(t)
	haveIPv6 := false
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		l.Close()
		haveIPv6 = true
	}
	for _, tc := range []struct {
		name   string
		launch program.Launch
		ipv6   bool
		prints string
	}{
		{"the command spelled out", program.Launch{Args: []string{"serve", "--listen", "127.0.0.1:0"}}, false, `^127\.0\.0\.1:\d+$`},
		{"all addresses", program.Launch{Args: []string{"--listen", ":0"}}, false, `^localhost:\d+$`},
		{"all IPv4 addresses", program.Launch{Args: []string{"--listen", "0.0.0.0:0"}}, false, `^localhost:\d+$`},
		{"a name", program.Launch{Args: []string{"--listen", "localhost:0"}}, false, `:\d+$`},
		{"IPv6", program.Launch{Args: []string{"--listen", "[::1]:0"}}, true, `^\[::1\]:\d+$`},
		{"from the environment", program.Launch{Env: []string{"ROULETTE_LISTEN=127.0.0.1:0"}}, false, `^127\.0\.0\.1:\d+$`},
		{"a flag before the environment", program.Launch{Env: []string{"ROULETTE_LISTEN=192.0.2.1:1"}, Args: []string{"--listen=127.0.0.1:0"}}, false, `^127\.0\.0\.1:\d+$`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.ipv6 && !haveIPv6 {
				t.Skip("no IPv6 here")
			}
			tc.launch.Env = append(tc.launch.Env, "ROULETTE_ADMIN=")
			p := tc.launch.Run(t)
			addr := p.Await(t, program.Listening)
			if !regexp.MustCompile(tc.prints).MatchString(addr) {
				t.Errorf("prints %s", addr)
			}
			program.Converse(t, addr)
			p.Stop(t)
			if strings.Contains(p.Stdout.String(), "admin") {
				t.Error("there is an admin listener all the same")
			}
		})
	}
	t.Run("two at once", func(t *testing.T) {
		p := program.Launch{Args: []string{"--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0", "--admin", ""}}.Run(t)
		a, b := program.Meet(t, p.Await(t, program.Listening), p.Await(t, program.Listening))
		b.Write(program.Text("from the other port"))
		a.Expect(servertest.OpText, "from the other port")
		a.Leave()
		b.Leave()
		p.Stop(t)
	})
}

// TestEnvironment: settings that are not given by a flag come from it.
func TestEnvironment(t *testing.T) {
	servertest.Parallel(t)
	p := program.Launch{Env: []string{"ROULETTE_MAX_MESSAGE_SIZE=1KiB", "ROULETTE_LOG_FORMAT=json", "ROULETTE_HANDSHAKE_TIMEOUT=100ms",
		"ROULETTE_ALLOWED_ORIGINS=https://a.example,https://b.example"}}.Serve(t)
	c := servertest.Dial(t, p.Addr, "/echo")
	c.Write(program.Text(strings.Repeat("x", 1024)))
	c.Expect(servertest.OpText, strings.Repeat("x", 1024))
	c.Write(program.Text(strings.Repeat("x", 1025)))
	c.ExpectClose(1009)
	c.TCP.Close()

	c = servertest.Connect(t, p.Addr)
	c.Write([]byte("GET /ws HTT"))
	if r, err := c.Response("GET"); err != nil || r.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%v, %v", r, err)
	}
	c.TCP.Close()
	for origin, status := range map[string]int{"https://a.example": 101, "https://b.example": 101, "https://c.example": 403} {
		c = servertest.Connect(t, p.Addr)
		c.Write([]byte(servertest.Request(p.Addr, "/ws", "Origin: "+origin)))
		if r, err := c.Response("GET"); err != nil || r.StatusCode != status {
			t.Errorf("%s: %v, %v; want %d", origin, r, err, status)
		}
		c.TCP.Close()
	}
	p.Stop(t)
	for line := range strings.Lines(p.Stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// TestMistakesAreOneLine: one line on stderr, nothing on stdout, and an exit code that
// tells a wrong command line from a machine that does not play along.
func TestMistakesAreOneLine(t *testing.T) {
	servertest.Parallel(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := []string{"--listen=127.0.0.1:0", "--admin="}
	for _, tc := range []struct {
		name string
		args []string
		env  []string
		code int
		says string
	}{
		{"an unknown flag", []string{"--bogus"}, nil, 2, "--bogus"},
		{"an unknown command", []string{"swerve"}, nil, 2, "swerve"},
		{"a negative number", []string{"--workers=-1"}, nil, 2, "--workers"},
		{"no number", []string{"--max-connections=many"}, nil, 2, "--max-connections"},
		{"no time", []string{"--drain-time=soon"}, nil, 2, "--drain-time"},
		{"a time of nothing", []string{"--ping-interval=0s"}, nil, 2, "--ping-interval"},
		{"no size", []string{"--max-message-size=64 potatoes"}, nil, 2, "--max-message-size"},
		{"too small a size", []string{"--max-message-size=1"}, nil, 2, "--max-message-size"},
		{"no level", []string{"--log-level=loud"}, nil, 2, "--log-level"},
		{"no format", []string{"--log-format=xml"}, nil, 2, "--log-format"},
		{"an address without a port", []string{"--listen=127.0.0.1"}, nil, 2, "--listen"},
		{"a port that is none", []string{"--listen=127.0.0.1:http2go"}, nil, 2, "--listen"},
		{"no number in the environment", nil, []string{"ROULETTE_WORKERS=two"}, 2, "ROULETTE_WORKERS"},
		{"an Origin that is none", append(free, "--allowed-origins=example"), nil, 2, "example"},
		{"a proxy that is no address", append(free, "--trusted-proxies=10.0.0.0/8,proxy.example"), nil, 2, `--trusted-proxies: "proxy.example"`},
		{"a network with an address in it", append(free, "--trusted-proxies=10.0.0.1/8"), nil, 2, "10.0.0.0/8"},
		{"the PROXY protocol from anybody", append(free, "--proxy-protocol"), nil, 2, "trusted-proxies"},
		{"a share above the whole", append(free, "--memory-share=101"), nil, 2, "--memory-share"},
		{"a port in use", []string{"--listen=" + taken.Addr().String(), "--admin="}, nil, 1, "address already in use"},
		{"an admin port in use", []string{"--listen=127.0.0.1:0", "--admin=" + taken.Addr().String()}, nil, 1, "address already in use"},
		{"an address of another machine", []string{"--listen=192.0.2.1:0", "--admin="}, nil, 1, "192.0.2.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := program.Launch{Args: tc.args, Env: tc.env}.Run(t)
			if code := p.Exit(t); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			said := p.Stderr.String()
			if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "roulette: ") || !strings.Contains(said, tc.says) {
				t.Errorf("stderr, want one line with %q:\n%s", tc.says, said)
			}
			if out := p.Stdout.String(); out != "" {
				t.Errorf("stdout:\n%s", out)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	servertest.Parallel(t)
	p := program.Launch{Args: []string{"--help"}}.Run(t)
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	help := p.Stdout.String()
	for _, flag := range []string{
		"--listen", "--socket-mode", "--base-path", "--admin", "--workers", "--log-level", "--log-format",
		"--max-connections", "--max-connections-per-address", "--handshakes-per-address",
		"--max-message-size", "--message-rate", "--message-burst", "--handshake-timeout",
		"--ping-interval", "--pong-timeout", "--stall-timeout", "--keep-alive", "--drain-time", "--drain-grace", "--allowed-origins",
		"--trusted-proxies", "--proxy-protocol", "--memory-share",
	} {
		if !strings.Contains(help, flag) {
			t.Errorf("no %s", flag)
		}
		if env := "ROULETTE_" + strings.ToUpper(strings.ReplaceAll(flag[2:], "-", "_")); !strings.Contains(help, env) {
			t.Errorf("no %s", env)
		}
	}
	if p.Stderr.String() != "" {
		t.Errorf("stderr: %s", p.Stderr.String())
	}
	if code := (program.Launch{Args: []string{"--version"}}).Run(t).Exit(t); code != 0 {
		t.Errorf("--version: exit code %d", code)
	}
}

// TestMetrics: what a small scenario did is counted, once.
func TestMetrics(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	before := p.Metrics(t)
	if got := before["roulette_connections_accepted_total"]; got != 0 {
		t.Errorf("accepted before anybody came: %v", got)
	}

	a := servertest.Dial(t, p.Addr, "/ws")
	a.Write(program.Text("anybody?"))
	if _, err := a.Read(); err != nil {
		t.Fatal(err)
	}
	b := servertest.Dial(t, p.Addr, "/ws")
	b.Write(program.Text("hello"))
	a.Expect(servertest.OpText, "hello")
	a.Write(servertest.Encode(servertest.Fin|servertest.OpBinary, "\x00\x01\x02"))
	b.Expect(servertest.OpBinary, "\x00\x01\x02")
	a.Write(servertest.Encode(servertest.Fin|servertest.OpPing, ""))
	a.Expect(servertest.OpPong, "")
	during := p.Metrics(t)

	a.Leave() // 1000
	b.Write(servertest.Encode(servertest.Fin|3, ""))
	b.ExpectClose(1002)
	b.TCP.Close()
	c := servertest.Dial(t, p.Addr, "/echo")
	c.Write(program.Text("hello"))
	c.Expect(servertest.OpText, "hello")
	c.TCP.Close() // 1006
	d := servertest.Connect(t, p.Addr)
	d.Write([]byte(servertest.Request(p.Addr, "/ws", "Origin: https://evil.example")))
	if r, err := d.Response("GET"); err != nil || r.StatusCode != http.StatusForbidden {
		t.Fatalf("%v, %v", r, err)
	}
	d.TCP.Close()

	var after map[string]float64
	servertest.Await(t, "no connections", func() bool {
		after = p.Metrics(t)
		for _, state := range []string{"handshaking", "idle", "waiting", "paired", "closing"} {
			if after[`roulette_connections{state="`+state+`"}`] != 0 {
				return false
			}
		}
		return true
	})
	for _, tc := range []struct {
		name   string
		during float64
		after  float64
	}{
		{`roulette_connections{state="paired"}`, 2, 0},
		{`roulette_connections{state="waiting"}`, 0, 0},
		{`roulette_connections_accepted_total`, 2, 4},
		{`roulette_connections_rejected_total{reason="origin"}`, 0, 1},
		{`roulette_connections_closed_total{code="1000",initiator="client"}`, 0, 1},
		{`roulette_connections_closed_total{code="1002",initiator="server"}`, 0, 1},
		{`roulette_connections_closed_total{code="1006",initiator="client"}`, 0, 1},
		{`roulette_connection_duration_seconds_count`, 0, 3},
		{`roulette_handshakes_total{result="ok"}`, 2, 3},
		{`roulette_handshakes_total{result="origin"}`, 0, 1},
		{`roulette_handshake_duration_seconds_count`, 2, 3},
		{`roulette_pairs`, 1, 0},
		{`roulette_pairs_created_total`, 1, 1},
		{`roulette_pairing_wait_seconds_count`, 2, 2},
		{`roulette_pair_duration_seconds_count`, 0, 1},
		{`roulette_undelivered_messages_total`, 1, 1},
		{`roulette_relayed_messages_total{opcode="text"}`, 1, 2}, // with the echo
		{`roulette_relayed_messages_total{opcode="binary"}`, 1, 1},
		{`roulette_relayed_bytes_total`, 8, 13},
		{`roulette_limits_exceeded_total{limit="message_size"}`, 0, 0},
		{`roulette_send_backlog_bytes`, 0, 0},
		{`roulette_draining`, 0, 0},
	} {
		if got, ok := during[tc.name]; !ok || got != tc.during {
			t.Errorf("%s during the chat: %v, want %v", tc.name, got, tc.during)
		}
		if got, ok := after[tc.name]; !ok || got != tc.after {
			t.Errorf("%s afterwards: %v, want %v", tc.name, got, tc.after)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s does not exist from the start", name)
		}
	}

	_, body := program.Get(t, "http://"+p.Admin+"/metrics")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Error(err)
	}
	for _, problem := range problems {
		t.Errorf("lint: %s: %s", problem.Metric, problem.Text)
	}
	p.Stop(t)
}

// TestDrain: a signal sends everybody away and the program ends at once when
// they have gone.
func TestDrain(t *testing.T) {
	servertest.Parallel(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := program.Serve(t)
			var clients []*servertest.Conn
			for i := range 101 { // one waits for a partner
				path := "/ws"
				if i%10 == 0 {
					path = "/echo"
				}
				clients = append(clients, servertest.Dial(t, p.Addr, path))
			}
			half := servertest.Connect(t, p.Addr) // in its handshake
			half.Write([]byte("GET /ws HT"))
			idle := servertest.Connect(t, p.Addr) // on a page
			idle.Write([]byte("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"))
			if r, err := idle.Response("HEAD"); err != nil || r.StatusCode != http.StatusOK {
				t.Fatalf("%v, %v", r, err)
			}
			p.Signal(t, sig)
			for _, c := range clients {
				c.ExpectClose(1001)
				c.Write(servertest.Close(1001, ""))
				c.TCP.Close()
			}
			if code := p.Exit(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// stubborn starts the program, and a client that does not go when it is told to,
// and sends the first signal.
func stubborn(t *testing.T, args ...string) (*program.Process, *servertest.Conn) {
	p := program.Serve(t, args...)
	c := servertest.Dial(t, p.Addr, "/ws")
	p.Signal(t, syscall.SIGTERM)
	c.ExpectClose(1001) // and keeps its side open
	return p, c
}

// TestDrainEndsAfterItsTime: the drain's own time cuts who stays, and not the longer
// one that a connection has to go in.
func TestDrainEndsAfterItsTime(t *testing.T) {
	servertest.Parallel(t)
	p, _ := stubborn(t, "--drain-time=500ms")
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if said := p.Stderr.String(); !strings.Contains(said, "1 connections cut") {
		t.Errorf("said %q", said)
	}
}

func TestNotReadyWhileDraining(t *testing.T) {
	servertest.Parallel(t)
	p, c := stubborn(t)
	if status, body := program.Get(t, "http://"+p.Admin+"/readyz"); status != http.StatusServiceUnavailable || strings.TrimSpace(body) != "draining" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if status, _ := program.Get(t, "http://"+p.Admin+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	if got := p.Metric(t, "roulette_draining"); got != 1 {
		t.Errorf("roulette_draining: %v", got)
	}
	if _, err := servertest.TryConnect(t, p.Addr); err == nil {
		t.Error("still accepts")
	}
	c.TCP.Close()
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestSecondSignal(t *testing.T) {
	servertest.Parallel(t)
	p, _ := stubborn(t, "--drain-time=1h")
	p.Signal(t, syscall.SIGTERM)
	if code := p.Exit(t); code == 0 {
		t.Error("exit code 0")
	}
}

// TestNothingPrivateIsLogged, not even when everything is.
func TestNothingPrivateIsLogged(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t, "--log-level=debug")
	a, b := program.Meet(t, p.Addr, p.Addr)
	b.Write(program.Text("a-secret"))
	a.Expect(servertest.OpText, "a-secret")
	a.Write(servertest.Close(1000, "a-secret"))
	a.ExpectClose(1000)
	b.Write(program.Text("a-secret\xff"))
	b.ExpectClose(1007)
	a.TCP.Close()
	b.TCP.Close()
	p.Stop(t)
	log := p.Stderr.String()
	if strings.Contains(log, "a-secret") {
		t.Errorf("message text is logged:\n%s", log)
	}
	if lines := slices.Collect(strings.Lines(log)); len(lines) > 20 {
		t.Errorf("%d lines", len(lines))
	}
}

// TestRateLimit is on in the program as it comes. After a gap in which a worker did not
// run, as on a machine that has other things to do, what has piled up is not counted: so
// the flood goes on until it is too much.
func TestRateLimit(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t, "--message-rate=1", "--message-burst=10")
	c := servertest.Dial(t, p.Addr, "/echo")
	const wave = 100
	flood := bytes.Repeat(program.Text("x"), wave)
	c.Write(flood)
	for echoes := 0; ; echoes++ {
		if echoes > 0 && echoes%wave == 0 {
			c.Write(flood)
		}
		f, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Op == servertest.OpPing {
			c.Write(servertest.Encode(servertest.Fin|servertest.OpPong, string(f.Payload)))
			echoes--
			continue
		}
		if f.Op == servertest.OpClose {
			if f.Code() != 4429 || echoes < 10 {
				t.Errorf("%v after %d messages", f, echoes)
			}
			break
		}
	}
	if err := c.ReadEnd(); err != nil {
		t.Error(err)
	}
	c.TCP.Close()
	if got := p.Metric(t, `roulette_limits_exceeded_total{limit="message_rate"}`); got == 0 {
		t.Error("not counted")
	}
	p.Stop(t)
}
