package readme

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/web/browsertest"
)

// example is the README's only code block in a language that has this in it,
// with the address of a server under test.
func example(t *testing.T, language, part, addr string) string {
	t.Helper()
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```")
	for _, m := range block.FindAllStringSubmatch(document(t, "README.md"), -1) {
		if strings.Contains(m[1], part) {
			return strings.ReplaceAll(m[1], "localhost:8080", addr)
		}
	}
	t.Fatalf("the README has no example in %s with %q", language, part)
	return ""
}

// TestReadmeGo: the example says hello when it has a partner, and prints what the
// partner says and nothing that the server says.
func TestReadmeGo(t *testing.T) {
	p := program.Serve(t)
	file := filepath.Join(t.TempDir(), "example.go")
	if err := os.WriteFile(file, []byte(`package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/coder/websocket"
)

func main() { log.Fatal(talk(context.Background())) }

func talk(ctx context.Context) error {
`+example(t, "go", "websocket.Dial", p.Addr)+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "example")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	var out servertest.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stranger := servertest.Dial(t, p.Addr, "/ws")
	stranger.Expect(servertest.OpText, "Hello from Go")
	stranger.Write(servertest.Encode(servertest.Fin|servertest.OpText, "Hello from a test"))
	servertest.Await(t, "the greeting", func() bool { return strings.Contains(out.String(), "\n") })
	stranger.Leave()
	cancel()
	_ = cmd.Wait() // it was killed
	if out.String() != "Stranger: Hello from a test\n" {
		t.Errorf("it said %q", out.String())
	}
}

func TestReadmeJavaScript(t *testing.T) {
	p := program.Serve(t)
	script := example(t, "js", "new WebSocket", p.Addr)
	tab := browsertest.Start(t)
	stranger := servertest.Dial(t, p.Addr, "/ws")
	browsertest.Do(t, tab,
		// A page of the server's that has no script of its own: of the same
		// origin, under the same policy.
		chromedp.Navigate("http://"+p.Addr+"/no-such-page"),
		chromedp.Evaluate[chromedp.Void](`
			console.log = (...words) => { document.title = words.join(" "); };
			`+script+`; 0`),
	)
	stranger.Expect(servertest.OpText, "Hello from JavaScript")
	stranger.Write(servertest.Encode(servertest.Fin|servertest.OpText, "Hello from a test"))
	browsertest.Do(t, tab, browsertest.Wait(`document.title === "Stranger: Hello from a test"`))
}

func TestReadmeWebsocat(t *testing.T) {
	websocat, err := exec.LookPath("websocat")
	if err != nil {
		t.Skip("skipped: no websocat here; install it to run this test")
	}
	p := program.Serve(t)
	lines := strings.Split(strings.TrimSpace(example(t, "sh", "websocat", p.Addr)), "\n")
	for _, line := range lines {
		stranger := servertest.Dial(t, p.Addr, "/ws")
		ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
		cmd := exec.CommandContext(ctx, "sh", "-c", strings.Replace(line, "websocat ", websocat+" ", 1))
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out servertest.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		servertest.Await(t, "a pair", func() bool { return p.Metric(t, "roulette_pairs") == 1 })
		stranger.Write(servertest.Encode(servertest.Fin|servertest.OpText, "Hello from a test"))
		stranger.Leave()
		servertest.Await(t, "the greeting", func() bool { return strings.Contains(out.String(), "Hello from a test") })
		stdin.Close()
		cancel()
		_ = cmd.Wait() // it was killed
	}
}

// TestRecords compares the protocol page's list of records with those that the
// package makes and understands.
func TestRecords(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| (?:`(.*?)`)? ?\\| (?:`(.*?)`)? ?\\|(?:[^|]*\\|)?$").FindAllStringSubmatch(document(t, "cmd/roulette/docs/protocol.md"), -1)
	events, commands := 0, 0
	for _, row := range rows {
		if row[1] != "" {
			got, err := record.ParseEvents([]byte("\x1e" + row[1]))
			if err != nil || len(got) != 1 {
				t.Errorf("%s: %v, %v", row[1], got, err)
			}
			events++
		}
		if row[2] != "" {
			record.Parse([]byte("\x1e"+row[2]), func(_ record.Command, err *record.Error) bool {
				if err != nil {
					t.Errorf("%s: %v", row[2], err)
				}
				commands++
				return true
			})
		}
	}
	if events != 13 || commands != 8 {
		t.Errorf("%d records of the server and %d of the client, want 13 and 8", events, commands)
	}
}
