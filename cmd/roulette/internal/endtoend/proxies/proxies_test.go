package proxies

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// The examples of deploy/nginx, deploy/haproxy and deploy/caddy, with the real
// programs: each is started as it stands, but for ports and paths.

// reverseProxy is one of them.
type reverseProxy struct {
	name     string
	config   string // the example, below deploy
	flags    []string
	socket   string                 // how it names a Unix socket, before the path
	replace  func(e *edge) []string // old, new, …: as little as possible
	validate func(e *edge) []string
	run      func(e *edge) []string
	// reload is the signal that has the configuration read again without an end
	// of the chats; 0: there is no such thing.
	reload syscall.Signal
}

// edge is a reverse proxy that runs, and where.
type edge struct {
	server         *program.Process
	dir, config    string
	port, redirect string // https and http
	upstream       string // the server, as the proxy calls it
	cmd            *exec.Cmd
	out            servertest.Buffer
	done           chan struct{}
	roots          *x509.CertPool
}

func (e *edge) path(name string) string { return filepath.Join(e.dir, name) }

// outer is the address of another proxy, in front of this one.
const outer = "127.0.0.9"

var reverseProxies = []reverseProxy{
	{
		name:   "nginx",
		config: "nginx/nginx.conf",
		socket: "unix:",
		flags:  []string{"--trusted-proxies=127.0.0.1," + outer},
		replace: func(e *edge) []string {
			return []string{
				"listen 80;", "listen 127.0.0.1:" + e.redirect + ";",
				"listen 443", "listen 127.0.0.1:" + e.port,
				"127.0.0.1:8080", e.upstream,
				"/etc/nginx/tls", e.dir,
				"http {", "http {\n" +
					"client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;" +
					"uwsgi_temp_path uwsgi; scgi_temp_path scgi;",
			}
		},
		validate: func(e *edge) []string { return nginx(e, "-t") },
		run:      func(e *edge) []string { return nginx(e) },
		reload:   syscall.SIGHUP,
	},
	{
		name:   "haproxy",
		config: "haproxy/haproxy.cfg",
		socket: "unix@",
		flags:  []string{"--trusted-proxies=127.0.0.1," + outer, "--proxy-protocol"},
		replace: func(e *edge) []string {
			_, admin, _ := net.SplitHostPort(e.server.Admin)
			return []string{
				"bind :80", "bind 127.0.0.1:" + e.redirect,
				"bind :443", "bind 127.0.0.1:" + e.port,
				"127.0.0.1:8080", e.upstream,
				"check port 8081", "check addr 127.0.0.1 port " + admin,
				"maxconn 100000", "maxconn 1000",
				"/etc/haproxy/tls", e.dir,
			}
		},
		validate: func(e *edge) []string { return []string{"haproxy", "-c", "-f", e.config} },
		run:      func(e *edge) []string { return []string{"haproxy", "-W", "-f", e.config} },
		reload:   syscall.SIGUSR2,
	},
	{
		name:   "caddy",
		config: "caddy/Caddyfile",
		socket: "unix/",
		flags:  []string{"--trusted-proxies=127.0.0.1," + outer},
		replace: func(e *edge) []string {
			return []string{
				"{\n\tservers {", "{\n\tadmin off\n\thttp_port " + e.redirect + "\n\tdefault_bind 127.0.0.1\n\tservers {",
				"roulette.example {", "https://127.0.0.1:" + e.port + " {\n\ttls " + e.path("roulette.crt") + " " + e.path("roulette.key"),
				"127.0.0.1:8080", e.upstream,
				"# trusted_proxies 192.0.2.1", "trusted_proxies " + outer,
			}
		},
		validate: func(e *edge) []string {
			return []string{"caddy", "validate", "--adapter", "caddyfile", "--config", e.config}
		},
		run: func(e *edge) []string {
			return []string{"caddy", "run", "--adapter", "caddyfile", "--config", e.config}
		},
	},
}

func nginx(e *edge, more ...string) []string {
	return append([]string{"nginx", "-p", e.dir, "-c", e.config, "-e", "stderr",
		"-g", "daemon off; pid " + e.path("nginx.pid") + ";"}, more...)
}

// start starts the server and the proxy in front of it.
func (r reverseProxy) start(t *testing.T, overUnix bool) *edge {
	t.Helper()
	program.Installed(t, r.name)
	servertest.CheckLeaks(t)
	e := &edge{dir: t.TempDir(), done: make(chan struct{})}
	flags := append([]string{"--log-level=debug", "--max-connections-per-address=2"}, r.flags...)
	if overUnix { // and nobody at 127.0.0.1 is trusted
		for i, f := range flags {
			flags[i] = strings.Replace(f, "=127.0.0.1,"+outer, "="+outer, 1)
		}
		flags = append(flags, "--listen=unix:"+e.path("socket"), "--socket-mode=0666")
		// nginx's workers are nobody.
		for _, dir := range []string{filepath.Dir(e.dir), e.dir} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	e.server = program.Serve(t, flags...)
	e.upstream = e.server.Addr
	if overUnix {
		e.upstream = r.socket + e.path("socket")
	}
	e.port, e.redirect = program.FreePort(t), program.FreePort(t)
	e.certificate(t)
	example, err := os.ReadFile(program.File(t, "cmd/roulette/deploy/"+r.config))
	if err != nil {
		t.Fatal(err)
	}
	config := string(example)
	pairs := r.replace(e)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(config, pairs[i]) {
			t.Fatalf("%s: no %q", r.config, pairs[i])
		}
		config = strings.ReplaceAll(config, pairs[i], pairs[i+1])
	}
	e.config = e.path(filepath.Base(r.config))
	if err := os.WriteFile(e.config, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := e.command(r.validate(e)).CombinedOutput(); err != nil {
		t.Fatalf("%s is not valid: %v\n%s", r.config, err, out)
	}
	e.start(t, r.run(e))
	servertest.Await(t, r.name+" to listen", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+e.port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return e
}

func (e *edge) command(argv []string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "HOME="+e.dir, "XDG_DATA_HOME="+e.dir, "XDG_CONFIG_HOME="+e.dir)
	return cmd
}

func (e *edge) start(t *testing.T, argv []string) {
	t.Helper()
	e.cmd = e.command(argv)
	e.cmd.Stdout, e.cmd.Stderr = &e.out, &e.out
	// Its workers must be gone with it.
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = e.cmd.Wait()
		close(e.done)
	}()
	t.Cleanup(func() {
		_ = e.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-e.done:
		case <-time.After(servertest.Patience):
			t.Errorf("%s does not end", argv[0])
		}
		_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL) // ESRCH, if all has gone
		<-e.done
		if t.Failed() {
			t.Logf("%s:\n%s", argv[0], e.out.String())
		}
	})
}

// certificate makes one for this machine, signed by itself.
func (e *edge) certificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "roulette.example"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	e.roots = x509.NewCertPool()
	e.roots.AppendCertsFromPEM(public)
	for name, content := range map[string][]byte{
		"roulette.crt": public, "roulette.key": private, "roulette.pem": append(bytes.Clone(public), private...),
	} {
		if err := os.WriteFile(e.path(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// from is a client at this address of the loopback, who trusts the certificate.
func (e *edge) from(addr string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	return &http.Client{
		Timeout: servertest.Patience,
		Transport: &http.Transport{
			DialContext:       dialer.DialContext,
			TLSClientConfig:   &tls.Config{RootCAs: e.roots},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dial opens a chat as a page of the proxy's would; header lines replace the
// usual ones.
func (e *edge) dial(t *testing.T, addr, path string, header ...string) (*websocket.Conn, *http.Response) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
	defer cancel()
	options := &websocket.DialOptions{
		HTTPClient: e.from(addr),
		HTTPHeader: http.Header{"Origin": {"https://127.0.0.1:" + e.port}},
	}
	options.HTTPClient.Timeout = 0 // the chat may last
	for i := 0; i < len(header); i += 2 {
		options.HTTPHeader.Set(header[i], header[i+1])
	}
	c, r, err := websocket.Dial(ctx, "wss://127.0.0.1:"+e.port+path, options)
	if err != nil && r == nil {
		t.Fatal(err)
	}
	if c != nil {
		c.SetReadLimit(1 << 20)
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, r
}

// chat is a dial that must not be refused.
func (e *edge) chat(t *testing.T, addr, path string, header ...string) *websocket.Conn {
	t.Helper()
	c, r := e.dial(t, addr, path, header...)
	if c == nil {
		t.Fatalf("%s from %s is refused: %s", path, addr, r.Status)
	}
	return c
}

// tell sends a message and demands that it arrives.
func tell(t *testing.T, from, to *websocket.Conn, kind websocket.MessageType, message string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
	defer cancel()
	if err := from.Write(ctx, kind, []byte(message)); err != nil {
		t.Fatal(err)
	}
	got, b, err := to.Read(ctx)
	if err != nil || got != kind || string(b) != message {
		t.Fatalf("arrived: %v, %.40q (%d bytes), %v", got, b, len(b), err)
	}
}

// couple are two strangers who have found each other through the proxy.
func (e *edge) couple(t *testing.T) (a, b *websocket.Conn) {
	t.Helper()
	a = e.chat(t, "127.0.0.2", "/ws")
	servertest.Await(t, "the first to wait", func() bool {
		return e.server.Metric(t, `roulette_connections{state="waiting"}`) == 1
	})
	b = e.chat(t, "127.0.0.3", "/ws")
	servertest.Await(t, "a pair", func() bool { return e.server.Metric(t, "roulette_pairs") == 1 })
	return a, b
}

func TestBehindProxies(t *testing.T) {
	for _, r := range reverseProxies {
		t.Run(r.name, func(t *testing.T) { r.behind(t, false) })
		t.Run(r.name+" over a Unix socket", func(t *testing.T) { r.behind(t, true) })
	}
}

// behind has people meet through the proxy, which finds the server at an address or at
// a Unix socket.
func (r reverseProxy) behind(t *testing.T, overUnix bool) {
	e := r.start(t, overUnix)
	t.Run("page", e.page)
	t.Run("origin", e.origin)
	t.Run("addresses", e.addresses)
	t.Run("limit", e.limit)
	a, b := e.couple(t)
	tell(t, a, b, websocket.MessageText, "hello")
	tell(t, b, a, websocket.MessageText, "good day")
	large := strings.Repeat("\x00\xffbinary", 8<<10)
	tell(t, a, b, websocket.MessageBinary, large)
	tell(t, b, a, websocket.MessageBinary, large)
	if r.reload != 0 {
		e.reload(t, r.reload)
		tell(t, a, b, websocket.MessageText, "still here?")
		tell(t, b, a, websocket.MessageText, "of course")
	}
	e.drain(t, a, b)
}

func (e *edge) page(t *testing.T) {
	get := func(url string) (*http.Response, string) {
		r, err := e.from("127.0.0.1").Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(b)
	}
	if r, body := get("https://127.0.0.1:" + e.port + "/"); r.StatusCode != http.StatusOK || !strings.Contains(body, "<html") {
		t.Errorf("GET /: %s, %.80q", r.Status, body)
	}
	if r, body := get("https://127.0.0.1:" + e.port + "/healthz"); r.StatusCode != http.StatusOK || body != "ok\n" {
		t.Errorf("GET /healthz: %s, %q", r.Status, body)
	}
	if r, _ := get("https://127.0.0.1:" + e.port + "/nowhere"); r.StatusCode != http.StatusNotFound {
		t.Errorf("GET /nowhere: %s", r.Status)
	}
	if r, _ := get("http://127.0.0.1:" + e.redirect + "/"); r.StatusCode != http.StatusPermanentRedirect {
		t.Errorf("without TLS: %s", r.Status)
	}
}

// origin: pages of other hosts are still told from our own.
func (e *edge) origin(t *testing.T) {
	if _, r := e.dial(t, "127.0.0.1", "/ws", "Origin", "https://evil.example"); r.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign page: %s", r.Status)
	}
}

// addresses: the server sees the clients', whatever they say themselves.
func (e *edge) addresses(t *testing.T) {
	for _, addr := range []string{"127.0.0.4", "127.0.0.5"} {
		c := e.chat(t, addr, "/echo", "X-Forwarded-For", "203.0.113.66")
		tell(t, c, c, websocket.MessageText, "it is me")
		c.Close(websocket.StatusNormalClosure, "")
		servertest.Await(t, addr+" to be seen", func() bool {
			return strings.Contains(e.server.Stderr.String(), " address="+addr+" ")
		})
	}
	if strings.Contains(e.server.Stderr.String(), "203.0.113.66") {
		t.Error("a client can say what it likes")
	}
}

// limit: with another proxy in front, the limit of connections is that of the
// client whom that one names.
func (e *edge) limit(t *testing.T) {
	var inside []*websocket.Conn
	for _, client := range []string{"203.0.113.7", "203.0.113.8"} {
		for range 2 {
			inside = append(inside, e.chat(t, outer, "/echo", "X-Forwarded-For", client))
		}
		if _, r := e.dial(t, outer, "/echo", "X-Forwarded-For", client); r.StatusCode != http.StatusTooManyRequests {
			t.Errorf("over the limit: %s", r.Status)
		}
	}
	if n := e.server.Metric(t, `roulette_connections_rejected_total{reason="per_address"}`); n != 2 {
		t.Errorf("%v rejected", n)
	}
	for _, c := range inside {
		c.Close(websocket.StatusNormalClosure, "")
	}
}

// reload has the proxy read its configuration again, and waits until a process
// that it has started since serves.
func (e *edge) reload(t *testing.T, sig syscall.Signal) {
	before := children(t, e.cmd.Process.Pid)
	if err := e.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	servertest.Await(t, "new workers", func() bool {
		for pid := range children(t, e.cmd.Process.Pid) {
			if !before[pid] {
				return true
			}
		}
		return false
	})
	c := e.chat(t, "127.0.0.1", "/echo")
	tell(t, c, c, websocket.MessageText, "after the reload")
	c.Close(websocket.StatusNormalClosure, "")
}

// children are the processes that pid has started (proc_pid_task(5)).
func children(t *testing.T, pid int) map[string]bool {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, child := range strings.Fields(string(b)) {
		found[child] = true
	}
	return found
}

// drain: the goodbye reaches the clients, and the server ends in peace.
func (e *edge) drain(t *testing.T, clients ...*websocket.Conn) {
	e.server.Signal(t, syscall.SIGTERM)
	for _, c := range clients {
		ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
		_, b, err := c.Read(ctx)
		cancel()
		if closed := (websocket.CloseError{}); !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway {
			t.Errorf("got %q, %v, want 1001", b, err)
		}
	}
	if code := e.server.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
