package tls

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestGo: two strangers, one of whom comes in the clear; pages; sessions that are
// resumed; and the end, which everybody is told of.
func TestGo(t *testing.T) {
	servertest.Parallel(t)
	s := serve(t)
	program.Converse(t, s.addr)
	a, b := program.Meet(t, s.Addr, s.addr)
	b.Write(program.Text("from the safe side"))
	a.Expect(servertest.OpText, "from the safe side")

	config := s.ca.config("localhost")
	config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	for range 2 {
		r, err := client.Get("https://" + s.addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		if status, body := program.Answer(t, r); status != http.StatusOK || !strings.Contains(body, "<html") {
			t.Errorf("page: %d, %.80q", status, body)
		}
	}
	if n := s.handshakes(t, "resumed"); n != 1 {
		t.Errorf("%d sessions were resumed", n)
	}
	s.Signal(t, syscall.SIGTERM)
	a.ExpectClose(1001)
	b.ExpectClose(1001) // and a close_notify, or crypto/tls would complain
	a.TCP.Close()
	b.TCP.Close()
	if code := s.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestTerminal: roulette chat and roulette bench over wss://.
func TestTerminal(t *testing.T) {
	servertest.Parallel(t)
	s := serve(t, "--message-rate=0")
	url := "wss://" + s.addr + "/ws"
	out, errs, code := program.Output(t, "", "bench", url, "--ca", s.ca.file, "--connections=20", "--duration=300ms", "--mode=pingpong")
	if code != 0 || !strings.Contains(out, "faults                 none") {
		t.Errorf("bench: exit code %d\n%s%s", code, out, errs)
	}
	out, errs, code = program.Output(t, "", "bench", "wss://"+s.addr+"/echo", "--ca", s.ca.file, "--resume", "--connections=4", "--duration=300ms", "--mode=handshakes")
	if code != 0 || s.handshakes(t, "resumed") == 0 {
		t.Errorf("bench --resume: exit code %d\n%s%s", code, out, errs)
	}
	if _, errs, code = program.Output(t, "", "bench", url); code == 0 || !strings.Contains(errs, "unknown authority") {
		t.Errorf("bench without --ca: exit code %d: %s", code, errs)
	}
	b := servertest.Dial(t, s.addr, "/ws")
	said := make(chan string, 1)
	go func() {
		out, _, _ := program.Output(t, "hello\n", "chat", url, "--insecure", "--plain", "--retry-for=5s")
		said <- out
	}()
	b.Expect(servertest.OpText, "hello")
	b.Leave()
	<-said
}

// openssl is s_client, connected.
type openssl struct {
	t        *testing.T
	in       io.WriteCloser
	out, err servertest.Buffer
	done     chan struct{}
}

func (s *server) openssl(t *testing.T, args ...string) *openssl {
	t.Helper()
	program.Installed(t, "openssl")
	o := &openssl{t: t, done: make(chan struct{})}
	cmd := exec.Command("openssl", append([]string{"s_client", "-connect", s.addr, "-servername", "localhost",
		"-tls1_3", "-CAfile", s.ca.file, "-verify_return_error"}, args...)...)
	var err error
	if o.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = &o.out, &o.err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(o.done) }()
	t.Cleanup(func() { o.in.Close(); _ = cmd.Process.Kill(); <-o.done })
	return o
}

func (o *openssl) says(b []byte) {
	o.t.Helper()
	if _, err := o.in.Write(b); err != nil {
		o.t.Fatal(err)
	}
}

func (o *openssl) sees(what string) {
	o.t.Helper()
	servertest.Await(o.t, fmt.Sprintf("%q of openssl", what), func() bool {
		return strings.Contains(o.out.String()+o.err.String(), what)
	})
}

// TestOpenSSL: each cipher suite, small fragments, its KeyUpdates of both kinds in the
// middle of a chat, and its sessions.
func TestOpenSSL(t *testing.T) {
	servertest.Parallel(t)
	s := serve(t)
	for _, args := range [][]string{
		{"-ciphersuites", "TLS_AES_128_GCM_SHA256"},
		{"-ciphersuites", "TLS_AES_256_GCM_SHA384"},
		{"-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"},
		{"-max_send_frag", "512"},
		{"-split_send_frag", "100", "-max_send_frag", "512"},
		{"-groups", "P-256"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			// Commands are letters at the beginning of what it reads at once.
			o := s.openssl(t, args...)
			if strings.Contains(o.err.String(), "unknown option") {
				t.Fatal(o.err.String())
			}
			o.sees("Verify return code: 0")
			o.says([]byte(servertest.Request(s.addr, "/echo")))
			o.sees(servertest.Accept)
			for i, command := range []string{"", "K\n", "k\n", "K\n"} {
				if command != "" {
					before := strings.Count(o.err.String(), "KEYUPDATE")
					o.says([]byte(command))
					servertest.Await(t, "the key update", func() bool { return strings.Count(o.err.String(), "KEYUPDATE") > before })
				}
				text := fmt.Sprintf("%s message %d", strings.Repeat("long ", 400), i)
				o.says(program.Text(text))
				o.sees(text)
			}
			if n := s.handshakes(t, "failed"); n != 0 {
				t.Errorf("%d failed", n)
			}
		})
	}
	t.Run("sessions", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "session")
		o := s.openssl(t, "-sess_out", file)
		o.says([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
		<-o.done
		o = s.openssl(t, "-sess_in", file)
		o.sees("Reused, TLSv1.3")
		o.says([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
		o.sees("</html>")
		<-o.done
	})
	t.Run("0-RTT is not offered", func(t *testing.T) {
		o := s.openssl(t)
		// It shows the ticket when there is more to show.
		o.says([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
		o.sees("Max Early Data: 0")
	})
}

// TestCurl: pages, one after the other on a connection, and an upgrade.
func TestCurl(t *testing.T) {
	servertest.Parallel(t)
	program.Installed(t, "curl")
	s := serve(t, "--hsts=1h")
	url := "https://" + strings.Replace(s.addr, "127.0.0.1", "localhost", 1)
	curl := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
		defer cancel()
		args = append([]string{"-sS", "--noproxy", "*", "--cacert", s.ca.file, "--resolve", "localhost:" + s.addr[len("127.0.0.1:"):] + ":127.0.0.1", "-D", "-"}, args...)
		out, err := exec.CommandContext(ctx, "curl", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl: %v\n%s", err, out)
		}
		return string(out)
	}
	if out := curl(url+"/", url+"/", "--http2"); strings.Count(out, "HTTP/1.1 200 OK") != 2 || strings.Count(out, "Strict-Transport-Security: max-age=3600") != 2 {
		t.Errorf("%.500s", out)
	}
	if n := s.handshakes(t, "ok"); n != 1 {
		t.Errorf("%d handshakes for two pages", n)
	}
	if out := curl("http://" + s.addr + "/"); !strings.Contains(out, "HTTP/1.1 400 Bad Request") || !strings.Contains(out, "https://") {
		t.Errorf("HTTP at the TLS port: %s", out)
	}
}

// TestNode: Node's own WebSocket meets a stranger.
func TestNode(t *testing.T) {
	servertest.Parallel(t)
	program.Installed(t, "node")
	s := serve(t)
	script := filepath.Join(t.TempDir(), "chat.mjs")
	err := os.WriteFile(script, []byte(`
const ws = new WebSocket(process.argv[2]);
ws.onmessage = e => { console.log("heard " + e.data); ws.send("from Node"); };
ws.onopen = () => console.log("open");
ws.onclose = e => { console.log("closed " + e.code); };
ws.onerror = e => console.log("error " + (e.message || e.error));
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "--experimental-websocket", "--no-warnings", script, "wss://localhost"+s.addr[len("127.0.0.1"):]+"/ws")
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+s.ca.file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("node says %q, want %q\n%s", lines.Text(), want, stderr.String())
		}
	}
	expect("open")
	b := servertest.Dial(t, s.addr, "/ws")
	b.Write(program.Text("to Node"))
	expect("heard to Node")
	b.Expect(servertest.OpText, "from Node")
	s.Signal(t, syscall.SIGTERM)
	expect("closed 1001")
	b.ExpectClose(1001)
	b.TCP.Close()
}

// TestNewCertificate: a changed pair is taken at once on SIGHUP, a broken one is not,
// and whoever is connected stays.
func TestNewCertificate(t *testing.T) {
	servertest.Parallel(t)
	s := serve(t)
	a, b := program.Meet(t, s.addr, s.addr)
	serial := func() string {
		c, err := tls.Dial("tcp", s.addr, s.ca.config("localhost"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	s.ca.issue(t, s.cert, s.key, 48*time.Hour, "localhost")
	s.Signal(t, syscall.SIGHUP)
	read := regexp.MustCompile(`msg="certificates read"`)
	servertest.Await(t, "it is read", func() bool { return read.MatchString(s.Stderr.String()) })
	second := serial()
	if second == first {
		t.Error("the new certificate is not in use")
	}
	if err := os.WriteFile(s.cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Signal(t, syscall.SIGHUP)
	servertest.Await(t, "it says so", func() bool {
		return strings.Contains(s.Stderr.String(), "certificates not read: the last ones stay in use")
	})
	if serial() != second {
		t.Error("the last good one is not in use")
	}
	if n := s.Metric(t, `roulette_tls_certificate_loads_total{result="failed"}`); n != 1 {
		t.Errorf("%v failed", n)
	}
	b.Write(program.Text("still there?"))
	a.Expect(servertest.OpText, "still there?")
}

// TestSNI: of several certificates the one for the name that a client asks for.
func TestSNI(t *testing.T) {
	servertest.Parallel(t)
	ca, dir := newAuthority(t), t.TempDir()
	var args []string
	for _, name := range []string{"a.example.org", "b.example.org", "*.c.example.org"} {
		cert, key := filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
		ca.issue(t, cert, key, time.Hour, name)
		args = append(args, "--tls-cert", cert, "--tls-key", key)
	}
	p := program.Serve(t, append(args, "--listen-tls=127.0.0.1:0")...)
	addr := program.ListeningTLS.FindStringSubmatch(p.Stdout.String())[1]
	for name, want := range map[string]string{
		"a.example.org": "a.example.org", "B.Example.org": "b.example.org", "x.c.example.org": "*.c.example.org",
		"unknown.example.org": "a.example.org", "": "a.example.org",
	} {
		config := ca.config(name)
		config.InsecureSkipVerify = true
		c, err := tls.Dial("tcp", addr, config)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("%q gets the certificate of %s, want %s", name, got, want)
		}
		c.Close()
	}
}

// TestRedirect: who comes in the clear is sent to https, and nothing else.
func TestRedirect(t *testing.T) {
	servertest.Parallel(t)
	s := serve(t, "--redirect-http", "--redirect-port=443")
	for _, path := range []string{"/", "/ws", "/deep/path?q=1"} {
		r, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get("http://" + s.Addr + path)
		if err != nil {
			t.Fatal(err)
		}
		status, _ := program.Answer(t, r)
		if got := r.Header.Get("Location"); status != http.StatusPermanentRedirect || got != "https://127.0.0.1"+path {
			t.Errorf("%s: %d %s", path, status, got)
		}
	}
	c := servertest.Connect(t, s.Addr)
	c.Write([]byte(servertest.Request(s.Addr, "/ws")))
	if r, err := c.Response("GET"); err != nil || r.StatusCode != http.StatusPermanentRedirect {
		t.Errorf("an upgrade in the clear: %v, %v", r, err)
	}
	program.Converse(t, s.addr)
}

// TestProxyProtocolBeforeTLS: a balancer of TCP says for whom it comes, and then TLS
// begins.
func TestProxyProtocolBeforeTLS(t *testing.T) {
	servertest.Parallel(t)
	s := serve(t, "--proxy-protocol", "--trusted-proxies=127.0.0.1", "--max-connections-per-address=1")
	come := func(from string) (*servertest.Conn, error) {
		c := servertest.Over(t, rawConn(t, s.addr))
		c.Write([]byte("PROXY TCP4 " + from + " 192.0.2.1 1234 443\r\n"))
		if err := c.Secure(s.ca.config("localhost")); err != nil {
			return c, err
		}
		c.Write([]byte(servertest.Request(s.addr, "/echo")))
		return c, c.Upgraded()
	}
	a, err := come("203.0.113.1")
	if err != nil {
		t.Fatal(err)
	}
	a.Write(program.Text("hello"))
	a.Expect(servertest.OpText, "hello")
	if _, err := come("203.0.113.1"); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("one too many from an address: %v", err)
	}
	if _, err := come("203.0.113.2"); err != nil {
		t.Errorf("from another: %v", err)
	}
}
