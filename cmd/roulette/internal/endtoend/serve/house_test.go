package serve

import (
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

// TestPrivacyIsTrue: what /privacy says of cookies and of the log is what the server does.
func TestPrivacyIsTrue(t *testing.T) {
	servertest.Parallel(t)
	for _, safety := range []string{"off", "on"} {
		for _, level := range []string{"info", "debug"} {
			t.Run(safety+", "+level, func(t *testing.T) {
				p := program.Serve(t, "--safety", safety, "--log-level", level)
				status, said := program.Get(t, "http://"+p.Addr+"/privacy")
				if status != http.StatusOK {
					t.Fatal(status)
				}
				c, answer, err := websocket.Dial(t.Context(), "ws://"+p.Addr+"/ws", &websocket.DialOptions{
					Subprotocols: []string{"roulette.v1"}, HTTPHeader: http.Header{"Origin": {"http://" + p.Addr}}})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				cookies := answer.Cookies()
				for _, cookie := range cookies {
					if !strings.Contains(said, "<code>"+cookie.Name+"</code>") || cookie.MaxAge != 30*24*3600 || !strings.Contains(said, "It ends 30 days after") {
						t.Errorf("there is a cookie %v, and it says: %s", cookie, said)
					}
				}
				if none := strings.Contains(said, "There are none."); none != (len(cookies) == 0) {
					t.Errorf("%d cookies, and it says: %s", len(cookies), said)
				}
				servertest.Await(t, "the handshake to be counted", func() bool {
					return p.Metric(t, `roulette_handshakes_total{result="ok"}`) == 1
				})
				logged := strings.Contains(p.Stderr.String(), "address=127.0.0.1")
				if strings.Contains(said, "The log has the network address of everybody") != logged {
					t.Errorf("addresses are logged: %v, and it says: %s", logged, said)
				}
			})
		}
	}
}

// TestEntryFiles: rules in two languages; and mistakes, each in one line.
func TestEntryFiles(t *testing.T) {
	servertest.Parallel(t)
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rules := write("the [rules].txt", "Be kind.")
	write("the [rules].de.txt", "Sei freundlich.")
	hurtful := write("words.txt", "# mild\ndarn\n")
	p := program.Serve(t, "--entry", rules, "--entry-age", "16", "--base-path", "/chat/", "--word-filter", hurtful, "--word-filter", write("more.txt", "heck*"))
	for language, want := range map[string]string{"de": "Sei freundlich.", "fr": "Be kind."} {
		r, err := http.NewRequest("GET", "http://"+p.Addr+"/chat/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", language)
		answer, err := program.Pages.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, body := program.Answer(t, answer); !strings.Contains(body, want) || !strings.Contains(body, "16") {
			t.Errorf("%s: %s", language, body)
		}
	}
	r, err := http.NewRequest("POST", "http://"+p.Addr+"/chat/enter", strings.NewReader("agree=yes"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	r, err = http.NewRequest("GET", "http://"+p.Addr+"/chat/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range answer.Cookies() {
		r.AddCookie(cookie)
	}
	if answer, err = program.Pages.Do(r); err != nil {
		t.Fatal(err)
	}
	if _, body := program.Answer(t, answer); !strings.Contains(body, `<script id="filter" type="application/json">["darn","heck*"]</script>`) {
		t.Errorf("the chat page has no such list: %.500s", body)
	}
	p.Signal(t, syscall.SIGTERM)
	p.Exit(t)

	for _, bad := range [][2]string{
		{"--entry=" + filepath.Join(dir, "none.txt"), "no such file"},
		{"--terms=" + write("empty.txt", " \n"), "is empty"},
		{"--privacy=" + write("latin.txt", "caf\xe9"), "is not UTF-8"},
		{"--entry=" + write("long.txt", strings.Repeat("x", 65<<10)), "64 KiB"},
		{"--word-filter=" + filepath.Join(dir, "none.txt"), "no such file"},
		{"--word-filter=" + write("odd.txt", "fine\nda*rn"), "line 2"},
		{"--entry-age=-1", "is no age"},
	} {
		_, errs, code := program.Output(t, "", "check-config", bad[0])
		if code == 0 {
			t.Errorf("%s is taken", bad[0])
		}
		program.OneLine(t, errs, bad[1])
	}
}
